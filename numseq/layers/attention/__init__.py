"""Attentions: what they share is in `base`; each kind has a file."""
