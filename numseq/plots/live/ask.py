"""What if, in a notebook whose Python answers."""

from typing import Any

from numseq import arguments
from numseq.errors import NumseqError
from numseq.plots.live.picture import _web, plain
from numseq.plots.live.what_if import Cases, what_if
from numseq.search.translate import Translator

MODULE = """const KEY = "widget", DATA = null;
{common}
let draw;
numseq.picture = (given) => {{ draw = given; }};
{script}
export default {{
  render({{ model, el }}) {{
    const waiting = new Map(), view = Math.random().toString(36).slice(2);
    let count = 0;
    const ask = (change, done) => {{
      count += 1;
      waiting.set(`${{view}}-${{count}}`, done);
      model.send({{ id: `${{view}}-${{count}}`, ...change }});
    }};
    const answered = (answer) => {{
      const done = waiting.get(answer.id);
      waiting.delete(answer.id);
      if (done) done(answer);
    }};
    const begin = () => {{
      const typing = el.contains(document.activeElement);
      const root = document.createElement("div"), stage = document.createElement("div");
      root.className = "numseq-live";
      root.dataset.picture = "what_if";
      root.append(stage);
      el.replaceChildren(root);
      numseq.mount(root, stage, draw, structuredClone(model.get("data")), {{ ask }});
      if (typing) root.querySelector('[data-role="line"]').focus();
    }};
    model.on("msg:custom", answered);
    model.on("change:data", begin);
    begin();
    return () => {{
      model.off("msg:custom", answered);
      model.off("change:data", begin);
    }};
  }},
}};
"""


def what_if_widget(
    translator: Translator, line: str, *, beam: int = 3, most: int = 5, tries: Any = 3, title: str | None = None
) -> Any:
    """The picture `what_if` in a notebook: the same, but the model decodes as one asks. So any line can be typed, any
    token be tried, and nothing takes time beforehand. Where no Python runs, as on a page, `what_if` has the answers
    with it.

    Args: as of `what_if`.
    Returns: an `anywidget.AnyWidget` (`pip install 'numseq[notebooks]'`); where that is not installed, the LivePicture
        of `what_if`.
    Raises: ArgumentError, as `what_if`.
    """
    try:
        import anywidget
        import traitlets
    except ModuleNotFoundError:
        return what_if(translator, line, beam=beam, most=most, tries=tries, title=title)

    class Widget(anywidget.AnyWidget):
        _esm = MODULE.format(common=_web("common.js"), script=_web("what_if.js"))
        _css = _web("style.css") + _web("what_if.css")
        data = traitlets.Dict().tag(sync=True)

    cases = Cases(translator, line, beam, most, tries, title)
    widget = Widget(data=plain(cases.data))

    def answer(_: Any, asked: dict[str, Any], __: Any) -> None:
        nonlocal cases
        try:
            if asked["kind"] == "line":
                cases = Cases(translator, arguments.text(asked["line"], "line"), beam, most, tries, title)
                widget.data = plain(cases.data)
                said = {}
            else:
                said = plain(cases.case(**_change(asked)))
                said["words"] = list(cases.words)
        except NumseqError as error:
            said = {"error": str(error)}
        widget.send({"id": asked["id"], **said})

    widget.on_msg(answer)
    return widget


def _change(asked):
    """What a script asks for, as an argument of `numseq.search.what_if`."""
    if asked["kind"] == "source":
        return {"source": {asked["j"]: asked["token"]}}
    if asked["kind"] == "force":
        return {"forced": {asked["t"]: asked["token"]}}
    return {"looks": {asked["t"]: asked["j"]}}
