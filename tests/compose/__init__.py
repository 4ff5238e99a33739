"""compose/ run for real: `python -m tests.compose`."""
