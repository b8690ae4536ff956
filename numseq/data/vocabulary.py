"""Vocabularies that are given: a run's file of tokens, or a list of words or characters, one a line."""

from os import PathLike

from numseq.data.kinds import TokenError
from numseq.data.lines import read_lines
from numseq.data.tokens import Tokens


def read_vocabulary(
    path: str | PathLike, kind: str, normalization: str, lowercase: bool, tags: tuple[str, ...] = ()
) -> Tokens:
    """The vocabulary of a file: a *.tokens.json of a run, or text with a token a line.

    Args: path. kind, normalization, lowercase: how text is cut (see `Tokens.train`); a file of tokens that says
        otherwise is refused. tags, what a list of words gets besides.
    Raises: TokenError, DataError, when it cannot be read, is none, or is of another kind.
    """
    if not str(path).endswith(".json"):
        try:
            return Tokens.of([line.strip() for line in read_lines(path)], kind, normalization, lowercase, tags)
        except TokenError as error:
            raise TokenError(f"{path}: {error} (tokens[0] is its first line)") from None
    tokens = Tokens.load(path)
    wanted = {"tokens": kind, "normalization": normalization, "lowercase": lowercase}
    found = {"tokens": tokens.kind, "normalization": tokens.normalization, "lowercase": tokens.lowercase}
    for name, value in found.items():
        if value != wanted[name]:
            raise TokenError(f"{path}: made with {name} {value}, and {wanted[name]} is asked for: say the same")
    return tokens
