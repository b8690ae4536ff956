"""Sources: what is read, as vectors (S, B, D); each kind has a file."""
