"""Mistakes of the recurrent cells, one file each."""
