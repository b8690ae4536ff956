"""The command that talks: chat."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from typer import BadParameter, Option

from numseq.cli.common import Backend, Runs, Threads, can_draw, choose, command, threads_of
from numseq.cli.decode import BANS, BEAM, DECODING, SAMPLING, ensemble, how_to_decode, task_of
from numseq.cli.notes import tell_unknown, warn
from numseq.errors import ArgumentError, NumseqError

LOOKED, LEAST = 3, 0.05  # places that /why shows for a word, at most, and the least weight of one
HELP = {
    "/reset": "begin a new dialogue",
    "/fact TEXT": "tell what is known, as a line without a tab does in training",
    "/why": "where the model looked for each word of its last answer",
    "/help": "these lines; a space before / makes text of it",
    "/quit": "end, as Ctrl-D does",
}


@command
def chat(
    folders: Runs,
    decoding: Annotated[dict, DECODING],
    bans: Annotated[dict, BANS],
    beam: Annotated[dict, BEAM],
    sampling: Annotated[dict, SAMPLING],
    speaker: Annotated[str | None, Option(help="Who answers, of a model that was trained with speakers.")] = None,
    attention_file: Annotated[
        Path | None, Option("--attention", metavar="FILE", help="Draw here what /why tells: a .png or .svg file.")
    ] = None,
    threads: Threads = None,
    backend: Backend = None,
):
    """Talk with a model that was trained with --task dialogue.

    What was said is read again with each turn, the oldest turns left out where that is too long, as in training. /help
    lists what can be typed besides. Through a pipe each line has one line of output, its answer; that of an empty line
    is empty, and a new dialogue begins there.
    """
    from numseq.tasks.talk import Talk

    choose(backend)
    can_draw(attention=attention_file)
    if (task := task_of(folders)) != "dialogue":
        raise BadParameter(f"{folders[0]} was trained with --task {task}, and talks only after --task dialogue")
    how = how_to_decode(folders, decoding, bans, beam, sampling)
    translator = ensemble(folders)
    how["threads"] = threads_of(threads, translator, 1)
    try:
        talk = Talk(translator, speaker, **how)
    except ArgumentError as error:
        raise BadParameter(str(error), param_hint="--speaker") from None
    (_in_a_terminal if sys.stdin.isatty() else _through_a_pipe)(Lines(talk, attention_file))


class Lines:
    """A conversation as lines that are typed, and lines that answer. Args: talk. attention_file, where /why draws."""

    def __init__(self, talk, attention_file):
        self.talk, self.attention_file = talk, attention_file
        self.last, self.over = None, False

    def begin(self):
        """Forget what was said."""
        self.talk.begin()
        self.last = None

    def take(self, line):
        """The lines that answer a line that is not empty. Raises: NumseqError, when there is no such command."""
        command, _, rest = line.partition(" ")
        if not line.startswith("/"):
            self.last = self.talk.say(line)
            return [self.last.text.replace("\n", " ")]
        if command == "/fact" and rest.strip():
            self.talk.know(rest)
        elif line == "/reset":
            self.begin()
        elif line == "/why":
            return self._why()
        elif line == "/help":
            return [f"{name:<12}{what}" for name, what in HELP.items()]
        elif line == "/quit":
            self.over = True
        else:
            raise NumseqError(f"there is no {line[:40]!r}: /help lists what there is")
        return []

    def _why(self):
        """Where the model looked, in lines, and a picture of it."""
        from numseq import plots

        if self.last is None:
            return ["nothing was answered yet"]
        if self.last.alpha is None:
            return ["the model has no attention"]
        target, places = self.last.target, self.last.places
        width = max(map(len, target)) + 2
        lines = [f"{word:<{width}}{_looked(row, places)}" for word, row in zip(target, self.last.alpha, strict=True)]
        if not self.attention_file:
            return [*lines, "(numseq chat --attention FILE draws it)"]
        plots.save(plots.attention_map(self.last.alpha, places, target), self.attention_file)
        return [*lines, f"(drawn: {self.attention_file})"]


def _looked(weights, places):
    """The places with the largest weights, in words."""
    best = sorted(range(len(places)), key=lambda k: -weights[k])[:LOOKED]
    return ", ".join(f"{places[k]} {weights[k]:.2f}" for k in best if weights[k] >= LEAST) or "a little everywhere"


def _in_a_terminal(lines):
    print("type, then Enter; /help lists what else there is; to end, Ctrl-D", file=sys.stderr)
    while not lines.over:
        try:
            line = _typed()
            answer = lines.take(line) if line.strip() else []
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print()
            raise
        except UnicodeError:
            warn("that was not UTF-8, so it was not read")
        except NumseqError as error:
            warn(error)
        else:
            for one in answer:
                print(one or "(no answer)")
            _tell(lines, [line])


def _typed():
    """A line. Raises: EOFError; UnicodeError, also where what was typed is no Unicode."""
    with suppress(ImportError):
        import readline  # noqa: F401  (by which input lets a line be mended)

    line = input("> ")
    line.encode()
    return line


def _through_a_pipe(lines):
    from numseq.data.lines import lines_as_they_come

    read = []
    for number, line in enumerate((line for some in lines_as_they_come(None, 1) for line in some), 1):
        answer = []
        try:
            if line.strip():
                answer = lines.take(line)
            else:
                lines.begin()
        except NumseqError as error:
            warn(f"line {number:,}: {error}")
        sys.stdout.buffer.write(("; ".join(answer) + "\n").encode())  # as it was read
        sys.stdout.buffer.flush()
        read.append(line)
        if lines.over:
            break
    _tell(lines, read)


def _tell(lines, read):
    """Say which tokens of what was read the model does not know."""
    from numseq.data.unknown import count_unknown

    tokens = lines.talk.translator.source_tokens
    texts = [tokens.plain(line.strip()) for line in read if not line.startswith("/")]
    tell_unknown("source", count_unknown(tokens, texts))
