"""Mistakes of the attentions, one file each."""
