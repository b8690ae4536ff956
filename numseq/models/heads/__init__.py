"""Heads: from a decoder's features to probabilities and a loss; each kind has a file."""
