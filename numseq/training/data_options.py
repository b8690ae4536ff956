"""How text becomes tokens: the options, and the vocabularies that follow from them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike

from numseq.data.columns import Columns
from numseq.data.kinds import KINDS, NORMALIZATIONS, TokenError
from numseq.data.long import LONG
from numseq.data.tokens import Tokens
from numseq.data.vocabulary import read_vocabulary
from numseq.errors import ConfigError
from numseq.options import option, validate
from numseq.tasks import TASKS

WHERE = ("source_column", "target_column", "cache")  # options that say where text is: the same may be elsewhere later


@dataclass(frozen=True)
class DataOptions:
    """How text becomes tokens.

    Raises: ConfigError, naming the option, when a value makes no sense.
    """

    task: str = option(
        "translation",
        "What is learnt, which says how files are read, what other options are by default, and what is measured.",
        choices=TASKS,
    )
    source_tokens: str = option(
        "word",
        "What the source is cut into; bpe and unigram learn pieces of words.",
        choices=KINDS,
        source="Sennrich et al. 2016; Kudo 2018",
    )
    target_tokens: str = option("word", "What the target is cut into.", choices=KINDS)
    joint: bool = option(False, "One vocabulary of both sides, as --tied all has it.")
    min_count: int | None = option(
        None, "Rarer words become <unk>, of sub-words rarer characters.", least=1, otherwise="2 for words, else 1"
    )
    max_vocabulary: int | None = option(
        None, "Most tokens of a vocabulary, 4 special ones included.", least=6, otherwise="8000 for sub-words, else all"
    )
    lowercase: bool = option(False, "Make small letters of all text.")
    normalization: str = option(
        "nfc",
        "Unicode form: nfc composes, nfkc also makes one of what looks alike, nfd decomposes, Korean syllables too.",
        choices=NORMALIZATIONS,
        source="Unicode Standard Annex 15",
    )
    source_vocabulary_file: str | PathLike | None = option(
        None, "Take the source's vocabulary from a *.tokens.json of a run, or from text with a token a line."
    )
    target_vocabulary_file: str | PathLike | None = option(None, "The same for the target's.")
    source_column: str | None = option(
        None,
        "The source's column, of a table or of JSON: a number from 1, or a name, as translation.en.",
        numbered=True,
    )
    target_column: str | None = option(None, "The same for the target.", numbered=True)
    max_length: int = option(150, "Most tokens of a side of a pair to train on.", least=1)
    long: str = option(
        "drop",
        "What becomes of a longer side: drop leaves the pair out, cut keeps its beginning, turns its latest turns.",
        choices=LONG,
    )
    context: int | None = option(
        None, "Most tokens of turns and sentences, with --long turns.", least=1, otherwise="--max-length"
    )
    cache: str | PathLike | None = option(
        None, "Folder to keep the text's tokens in, on the disk instead of in memory; made when it is not there."
    )
    source_vectors: str | PathLike | None = option(
        None, "File of word vectors, word2vec or GloVe text, to begin the source embedding with."
    )
    target_vectors: str | PathLike | None = option(None, "The same for the target embedding.")

    def __post_init__(self) -> None:
        validate(self)
        Columns(self.source_column, self.target_column)
        if self.long == "turns" and not TASKS[self.task].tags:
            raise ConfigError(f"long is turns, and task is {self.task}, which has none: choose drop or cut")
        if self.context is not None and self.long != "turns":
            raise ConfigError(f"context is {self.context}: it goes with long turns")

    @property
    def longest(self) -> tuple[int, int]:
        """Most tokens of a source and of a target."""
        return self.context or self.max_length, self.max_length

    def build(self, lines: Iterable[str], kind: str, tags: tuple[str, ...] = ()) -> Tokens:
        """The vocabulary of some lines, and tags."""
        rarest = self.min_count or (2 if kind == "word" else 1)
        return Tokens.train(lines, kind, rarest, self.normalization, self.max_vocabulary, self.lowercase, tags)


def vocabularies(
    sources: Iterable[str], targets: Iterable[str], data: DataOptions, joint: bool, tags: tuple[str, ...] = ()
) -> tuple[Tokens, Tokens]:
    """The two vocabularies, learnt or given; of `joint` twice the same of both sides. tags: of the source.

    Raises: ConfigError, when one vocabulary is asked for and the sides differ; TokenError, DataError.
    """
    sides = [
        (sources, data.source_tokens, data.source_vocabulary_file, tags),
        (targets, data.target_tokens, data.target_vocabulary_file, ()),
    ]
    if joint:
        kinds, files = {kind for _, kind, *_ in sides}, {path for _, _, path, _ in sides if path}
        if len(kinds) > 1:
            raise ConfigError(
                "one vocabulary of both sides (joint, or tied is all): both must be cut alike, not into "
                f"{data.source_tokens} and {data.target_tokens} tokens"
            )
        if len(files) > 1:
            raise ConfigError("one vocabulary of both sides (joint, or tied is all): give one vocabulary file, not two")
        one = _vocabulary(_Both(sources, targets), data.source_tokens, next(iter(files), None), tags, data)
        return one, one
    source, target = (_vocabulary(*side, data) for side in sides)
    return source, target


def _vocabulary(lines, kind, path, tags, data):
    if not path:
        return data.build(lines, kind, tags)
    found = read_vocabulary(path, kind, data.normalization, data.lowercase, tags)
    if lacking := [tag for tag in tags if tag not in found.tags]:
        raise TokenError(f"{path}: it has no {', '.join(lacking)}, which task {data.task} needs")
    return found


class _Both:
    """The lines of one side, then those of the other."""

    def __init__(self, *sides):
        self.sides = sides

    def __iter__(self) -> Iterator[str]:
        for lines in self.sides:
            yield from lines
