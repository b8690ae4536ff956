"""What unknown tokens cost: lines whose source has some, and lines whose reference has some that cannot be said."""

from collections import Counter
from collections.abc import Sequence

from numseq.data.tokens import UNK, Tokens
from numseq.metrics.errors.lines import Line, group, most_often
from numseq.metrics.errors.table import Table


def unknown(lines: Sequence[Line], target_tokens: Tokens | None) -> Table:
    """The table: lines with and without unknown tokens in the source, and, where the model's target vocabulary is
    given, in the reference. A kind of line that there is none of has no row."""
    of_source = [line.translation.unknown for line in lines]
    rows = _both(lines, of_source, "source: all known", "source: some unknown")
    if target_tokens is not None:
        coded = target_tokens.encode([line.reference for line in lines])
        unsayable = []
        for line, ids in zip(lines, coded, strict=True):
            tokens = zip(target_tokens.split(line.reference), ids, strict=True) if UNK in ids else ()
            unsayable.append([token for token, k in tokens if k == UNK])
        rows += _both(lines, unsayable, "reference: all known", "reference: some unknown")
    note = "tokens are those of the model; what is unknown in a reference it cannot say"
    return Table("Unknown tokens", rows, note)


def _both(lines, unknown, without, with_some):
    rows = []
    for name, wanted in ((without, False), (with_some, True)):
        some = [k for k, found in enumerate(unknown) if bool(found) == wanted]
        if some:
            often = most_often(Counter(token for k in some for token in unknown[k]))
            rows.append({"lines_with": name} | group([lines[k] for k in some]) | {"most_often": often})
    return rows
