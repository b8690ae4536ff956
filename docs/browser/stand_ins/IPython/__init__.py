"""A stand-in for IPython: what notebooks ask of it."""
