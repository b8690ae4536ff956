"""Recurrent cells: what one is, in `cell`; how it is repeated over time, in `unroll`; each kind has a file."""
