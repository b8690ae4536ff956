"""Text in any script: what can be drawn of it, and with which of the installed fonts.

matplotlib draws a box for a character that its fonts lack. `drawable` looks for installed fonts that have the
characters, and puts a code such as U+4E2D in the place of what none has. matplotlib is imported where it is used.
"""

import unicodedata
import warnings
from functools import cache
from typing import Any


def visible(token: str) -> str:
    """The token with its spaces and control characters made visible."""
    kinds = [(c, unicodedata.category(c)) for c in token]
    escaped: dict[str, Any] = {c: c.encode("unicode_escape").decode() for c, kind in kinds if kind == "Cc"}
    return token.translate(str.maketrans({c: "␣" for c, kind in kinds if kind == "Zs"} | escaped))


def text_width(text: str) -> int:
    """About how many Latin letters wide: combining signs take no room, East Asian characters take two."""
    kept = (c for c in text if unicodedata.category(c) not in ("Mn", "Me", "Cf"))
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in kept)


def drawable(*groups: list[str]) -> list[tuple[list[str], list[str]]]:
    """For each list of strings: the strings, with codes for what cannot be drawn, and the fonts to use.

    Each list has its own fonts, so that Japanese on one axis and Chinese on the other keep their own shapes.

    Returns: for each list a pair: the strings, and font family names, first choice first.
    Warns, naming the line that called the caller, when no installed font has a character.
    """
    found, codes = [], {}
    for texts in groups:
        families, missing = _families(frozenset("".join(texts)) - {"\n"})
        # Joiners and other format characters have no shape of their own: they are left out without a word.
        stand_in: dict[str, Any] = {c: "" if unicodedata.category(c) == "Cf" else f"U+{ord(c):04X}" for c in missing}
        found.append(([text.translate(str.maketrans(stand_in)) for text in texts], families))
        codes |= {code: c if c.isprintable() else "?" for c, code in stand_in.items() if code}
    if codes:
        named = ", ".join(f"{c} ({code})" for code, c in sorted(codes.items())[:8])
        more = f" and {len(codes) - 8} more" if len(codes) > 8 else ""
        warnings.warn(
            f"no installed font has {named}{more}, drawn as codes: install a font such as Noto Sans "
            "(Noto Sans CJK for Chinese, Japanese and Korean) and restart Python",
            stacklevel=3,
        )
    return found


def _families(characters):
    """Font families that together have `characters`, first choice first, and the characters none has."""
    from matplotlib.font_manager import FontProperties, fontManager

    default = FontProperties().get_family()
    paths = [fontManager.findfont(FontProperties(family=[name])) for name in default]
    missing = characters.difference(*(_characters(str(path), path.face_index) for path in paths))
    if not missing:
        return default, missing

    # A word split over two fonts falls apart (Arabic letters no longer join): for missing letters the family
    # that has them comes first. For symbols it comes last: a symbol font may have odd digits and letters too.
    new_first = any(unicodedata.category(c)[0] in "LM" for c in missing)
    # Chinese, Japanese and Korean share code points but not shapes; fonts have a variant for each.
    names = " ".join(unicodedata.name(c, "") for c in characters)
    variant = " JP" if "HIRAGANA" in names or "KATAKANA" in names else " KR" if "HANGUL" in names else " SC"

    faces = {family: _characters(*face) for family, face in sorted(_faces().items())}
    taste = {family: (variant in family, "Sans" in family, "Mono" not in family) for family in faces}
    chosen = []
    while missing and any(missing & has for has in faces.values()):
        gain = {family: (len(missing & has), len(characters & has), *taste[family]) for family, has in faces.items()}
        best = max(gain, key=gain.get)
        chosen.append(best)
        missing -= faces[best]
    return (chosen + default if new_first else default + chosen), missing


@cache
def _faces():
    """Every installed font family: {name: (path, face index) of its plainest face}."""
    from matplotlib import font_manager as fm

    # matplotlib keeps its list of fonts on disk and does not notice a font that was installed later.
    for path in set(fm.findSystemFonts()) - {entry.fname for entry in fm.fontManager.ttflist}:
        try:
            fm.fontManager.addfont(path)
        except (OSError, RuntimeError):  # damaged, or of a kind that matplotlib cannot draw
            continue

    def plainness(entry):
        weight = fm.weight_dict.get(entry.weight, entry.weight)
        return entry.style != "normal", entry.stretch != "normal", abs(weight - 400)

    # Last Resort comes with matplotlib and claims every character: each one is a box.
    entries = [entry for entry in fm.fontManager.ttflist if not entry.name.startswith("Last Resort")]
    return {e.name: (e.fname, e.index) for e in sorted(entries, key=plainness, reverse=True)}


@cache
def _characters(path, index):
    """The characters that a font face has."""
    from matplotlib.ft2font import FT2Font

    return frozenset(map(chr, FT2Font(path, face_index=index).get_charmap()))
