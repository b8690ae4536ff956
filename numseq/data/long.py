"""What becomes of a sequence of too many tokens: it is left out, its beginning is kept, or its latest turns.

A turn, of a conversation or of a story, begins with a tag and reaches to the next. The limit is in tokens, so that the
same is left where a model is trained, where it is validated, and where it is used.
"""

from collections.abc import Sequence

from numseq.data.tokens import EOS, Tokens

LONG = ("drop", "cut", "turns")


def kept(ids: Sequence[int], most: int, long: str, tokens: Tokens) -> slice | None:
    """Which of some ids are kept, None when the sequence is left out.

    Args: ids. most, so many may be kept. long, one of LONG: "drop" leaves a longer sequence out; "cut" keeps its
        beginning; "turns" its latest turns, as many as are whole, or the end of the last where that alone is too long,
        and leaves a sequence without turns out. tokens, the vocabulary, which knows the tags.
    """
    if len(ids) <= most:
        return slice(0, len(ids))
    if long == "cut":
        return slice(0, most)
    starts = _turns(ids, EOS + len(tokens.tags)) if long == "turns" else []
    if not starts:
        return None
    return slice(next((k for k in starts if len(ids) - k <= most), len(ids) - most), len(ids))


def _turns(ids, last):
    """Where turns begin: at each tag, but for one at the end, which says who is to speak."""
    return [k for k, token in enumerate(ids[:-1]) if EOS < token <= last]
