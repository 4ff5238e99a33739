"""The whole system on one machine: real engines, sample electors, a light stream of votes."""
