"""Equations in words, as mathematics that a browser sets: MathML.

    dc * f, since c = f * c_prev        dc is a name, c_prev has an index, * is the product of elements, "since" is text

A name is a letter, d and a letter, what has an index or a power, or a function or letter that is known here; all other
words are text. Nothing is refused: what is not understood is shown as it stands.
"""

import re
from html import escape

SYMBOLS = {"alpha": "α", "beta": "β", "sigma": "σ", "sum": "∑"}
KNOWN = {*SYMBOLS, "tanh", "exp", "log", "max", "mean", "std", "sqrt", "softmax"}
OPERATORS = {"*": "⊙", ".": "·", "-": "−"}
INDEX = r"_(?:\{[^{}]*\}|[A-Za-z0-9]+)"
TOKEN = re.compile(
    rf"(?P<name>[A-Za-z]+(?:{INDEX})*)|(?P<number>\d+(?:\.\d+)?)|(?P<power>\^(?:\w+|\{{[^{{}}]*\}}))|(?P<space>\s+)|(?P<sign>.)",
    re.DOTALL,
)
SPACE = '<mspace width="0.2em"/>'


def mathml(words: str) -> str:
    """An equation in words, set. Returns: a <math> element; well-formed, whatever the words."""
    return f"<math>{_row(words)}</math>"


def _row(words):
    parts, spaced = [], False  # parts: (kind, element or text)
    for token in TOKEN.finditer(words):
        kind, text = token.lastgroup, token.group()
        if kind == "space":
            spaced = True
            continue
        if kind == "power" and parts and parts[-1][0] != "text":
            parts[-1] = "name", f"<msup>{parts[-1][1]}<mrow>{_row(text[1:].strip('{}'))}</mrow></msup>"
        elif (kind == "name" and not _is_name(text, words[token.end() :])) or text in ",;:'":
            _add_text(parts, text, spaced)
        else:
            if kind == "name" and spaced and parts and parts[-1][0] == "name":
                parts.append(("space", SPACE))
            parts.append((kind, _element(kind, text)))
        spaced = False
    return "".join(_text(part) if kind == "text" else part for kind, part in parts)


def _text(words):
    before = "" if words[0] in ",;:'" else "\u00a0"
    return f"<mtext>{before}{escape(words)}\u00a0</mtext>"


def _add_text(parts, text, spaced):
    if parts and parts[-1][0] == "text":
        text = parts.pop()[1] + "\u00a0" * spaced + text
    parts.append(("text", text))


def _is_name(text, rest):
    base = text.partition("_")[0]
    return len(base) == 1 or (len(base) == 2 and base[0] == "d") or "_" in text or rest[:1] == "^" or _known(base)


def _known(base):
    return base in KNOWN or (base[0] == "d" and base[1:] in KNOWN)


def _element(kind, text):
    if kind == "number":
        return f"<mn>{text}</mn>"
    if kind != "name":
        return f"<mo>{escape(OPERATORS.get(text, text))}</mo>"
    base, *indices = re.split(r"_(?![^{]*\})", text)
    for word, symbol in SYMBOLS.items():
        base = symbol if base == word else f"d{symbol}" if base == f"d{word}" else base
    element = f"<mi>{base}</mi>"
    if indices:
        inside = "<mo>,</mo>".join(_index(index) for index in indices)
        return f"<msub>{element}<mrow>{inside}</mrow></msub>"
    return element


def _index(text):
    return _row(text.strip("{}")) if text[0] == "{" or len(text) == 1 else f"<mi>{SYMBOLS.get(text, text)}</mi>"
