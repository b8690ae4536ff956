"""Mistakes of the losses, one file each."""
