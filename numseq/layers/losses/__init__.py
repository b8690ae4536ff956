"""Losses: each has a file."""
