"""Targets: what was said so far, as vectors (T, B, E); each kind has a file."""
