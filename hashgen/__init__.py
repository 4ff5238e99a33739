"""Offline: electors to hash database, and the Python face of the native hash."""
