"""The command that draws where a model looks: attention."""

from pathlib import Path
from typing import Annotated

from typer import Argument, BadParameter, Option

from numseq.cli.common import Run, app, can_draw, load


@app.command()
def attention(
    folder: Run,
    sentence: Annotated[str, Argument(metavar="SENTENCE", help="What to translate.")],
    out: Annotated[Path, Option(help="Where to draw: a .png or .svg file.")] = Path("attention.png"),
):
    """Draw where the model looked while it translated a sentence."""
    from numseq import plots
    from numseq.cli.decode import longest, shortening, trained_length
    from numseq.cli.notes import Notes

    can_draw(out=out)
    try:
        sentence.encode()
    except UnicodeEncodeError:
        raise BadParameter("the sentence is not UTF-8") from None
    most = longest(None, [folder])
    long = shortening([folder])
    [translation] = load(folder).translate([sentence], max_length=most, long=long)
    if not translation.source:
        raise BadParameter("the sentence is empty")
    if translation.too_long:
        raise BadParameter(f"the sentence has {len(translation.source):,} tokens, and {most:,} can be drawn at most")
    if translation.alpha is None:
        raise BadParameter(f"{folder} holds a plain model, which attends to nothing")
    notes = Notes(trained_length([folder]), most, long)
    notes.add(1, translation)
    copied = translation.copied  # from places of the source, of which a head that copies makes no others
    plots.save(plots.attention_map(translation.alpha, translation.places, translation.target, copied=copied), out)
    print(translation.text)
    notes.tell()
