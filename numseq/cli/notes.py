"""What commands tell on standard error beside their results: which lines were not usual, and which tokens unknown."""

import sys

from numseq.training.progress import progress_bar


def warn(said):
    """Say it at once, in a line."""
    print(f"warning: {said}", file=sys.stderr, flush=True)


class Notes:
    """What is remarkable about lines while they come, in a few lines when all have come.

    Args: longest, tokens of a line that a model has been trained on, None where that is not known. most, tokens of a
        line that is worked on. kind, what becomes of longer ones (`numseq.data.long`).
    """

    def __init__(self, longest, most, kind="drop"):
        from numseq.data.unknown import Unknown

        self.longest, self.most, self.kind = longest, most, kind
        self.long, self.left_out, self.shortened, self.ill_formed, self.unknown = [], [], [], 0, Unknown()

    def add(self, number, translation):
        """Take the Translation of a line."""
        tokens = len(translation.source)
        if translation.shortened:
            self.shortened.append(number)
        if translation.too_long:
            self.left_out.append(number)
            return
        if self.longest and tokens > self.longest:
            self.long.append(number)
        self.ill_formed += translation.ill_formed
        self.unknown.add(tokens, translation.unknown)

    def tell(self):
        tell_lines(self.left_out, f"more than {self.most:,} tokens, so not translated (see --max-length)")
        tell_lines(self.shortened, shortened(self.most, self.kind))
        if self.long:
            trained = f"longer than the {self.longest:,} tokens that the model was trained on"
            tell_lines(self.long, f"{trained}; translated all the same")
        tell_ill_formed(self.ill_formed)
        tell_unknown("source", self.unknown)


def tell_ill_formed(count):
    """Say how many translations are not what constraints ask for, if any."""
    if count:
        warn(f"translations that are not what was asked for, since nothing was left that could follow: {count:,}")


def shortened(most, kind):
    """What is said of lines that were too long and of which a part was read."""
    left = "the oldest turns are" if kind == "turns" else "the end is"
    return f"more than {most:,} tokens, so {left} not read, as in training"


def tell_lines(numbers, what):
    """Say something of lines, by the number of the first."""
    if numbers:
        more = f" and {len(numbers) - 1:,} more" if len(numbers) > 1 else ""
        warn(f"line {numbers[0]:,}{more}: {what}")


def tell_unknown(side, unknown):
    """Say how many tokens of a side the model does not know, if any."""
    if unknown:
        warn(f"{side} tokens that the model does not know: {unknown}")


def with_progress(found, total, hidden=False):
    """What comes, with its progress on standard error. Args: total, a function that says how many, None if unknown."""
    bar = progress_bar(None, "line", hidden=hidden)
    try:
        for one in found:
            yield one
            bar.total = total()
            bar.update()
    finally:
        bar.close()
