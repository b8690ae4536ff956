"""Decoders: from the memory and what was said so far to the next step's features; each order has a file."""
