"""The dress rehearsal: a whole referendum day on one machine, reconciled to the last vote."""
