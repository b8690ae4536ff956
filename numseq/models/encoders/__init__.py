"""Encoders: from what is read to a memory; each kind has a file."""
