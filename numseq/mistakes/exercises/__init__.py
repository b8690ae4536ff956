"""What is known of functions to write that are no backward: one file for each."""

from numseq.mistakes.exercises import beam_search, forwards  # noqa: F401  (they make themselves known)
