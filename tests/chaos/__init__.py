"""Faults, one at a time and in pairs, against the whole system; every answer is checked after."""
