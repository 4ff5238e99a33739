"""Accuracy rehearsed before opening: a known deck cast, its count compared, its traces wiped."""
