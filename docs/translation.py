"""The Chinese of the site, in docs/locale: a catalogue (.po) for each page that is translated, and generated.po for
what generate.py makes of the code; sphinx.po has the few words of the theme. A page with a catalogue is translated.

    python docs/translation.py          after a change in English: new texts get a place, texts that are gone go
    python docs/translation.py --check  what such a run would change, line by line; 1 if there is anything

Then each `msgstr ""` waits for its Chinese; where a text has only changed, the Chinese of the old one stands there, and
the comment `#, fuzzy` is to be deleted when it is right. tests/test_chinese.py says what is left to do.
"""

import ast
import difflib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CATALOGUES = HERE / "locale" / "zh_CN" / "LC_MESSAGES"
GENERATED = "generated"
HEADER = r"""msgid ""
msgstr ""
"Language: zh_CN\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"
"""
ENTRY = re.compile(r'^((?:#.*\n)*)msgid ((?:".*"\n)+)msgstr ((?:".*"\n?)+)', re.M)


def pages():
    """The names of the pages that are translated, as Sphinx calls them."""
    return sorted(path.relative_to(CATALOGUES).with_suffix("").as_posix() for path in CATALOGUES.glob("docs/**/*.po"))


def names():
    """The names of all catalogues that follow the English: of the pages, and of what is made of the code."""
    return [*pages(), GENERATED]


def read(path):
    """A catalogue: {English: (Chinese, comments)}."""
    found = {}
    for comments, *quoted in ENTRY.findall(Path(path).read_text(encoding="utf-8")):
        english, chinese = ("".join(map(ast.literal_eval, one.split("\n")[: one.count('"\n') or 1])) for one in quoted)
        if english:
            found[english] = chinese, comments
    return found


def write(path, entries):
    """A catalogue that `read` and Sphinx read, an entry after the other."""
    shown = [f"{comments}msgid {quoted(one)}\nmsgstr {quoted(chinese)}\n" for one, (chinese, comments) in entries]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *shown]), encoding="utf-8")


def quoted(text):
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{text}"'


def chinese():
    """A function from what generate.py says of the code to its Chinese."""
    known = {english: said for english, (said, _) in read(CATALOGUES / f"{GENERATED}.po").items()}
    return lambda text: known.get(text) or text


def generated():
    """All that generate.py says of the code on the pages of equations, in its order."""
    sys.path[:0] = [str(HERE.parent), str(HERE)]
    import generate

    found = {}
    before, generate.translated = generate.translated, lambda text: found.setdefault(text, text)
    try:
        for page in sorted((HERE / "equations").glob("*.md")):
            generate.filled(page.read_text(encoding="utf-8"))
    finally:
        generate.translated = before
    return [text for text in found if re.search("[A-Za-z]{2}|^[:.] ?$", text)]


def extracted():
    """What there is to translate, by catalogue: Sphinx knows the pages, generate.py the rest."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["-D", "gettext_compact=0", "-D", "gettext_location=0", "-D", "gettext_uuid=0"]
        command = [sys.executable, "-m", "sphinx", "-Q", "-b", "gettext", *options, "-c", HERE, HERE.parent, folder]
        subprocess.run(command, check=True)
        found = {page: list(read(Path(folder) / f"{page}.pot")) for page in pages()}
    return found | {GENERATED: generated()}


def updated(texts, known):
    """A catalogue's entries for these texts: what is known of them, or of one that is much like it."""
    gone = [english for english in known if english not in set(texts) and known[english][0]]
    for english in texts:
        old = difflib.get_close_matches(english, gone, 1, 0.7) if english not in known else []
        yield english, known.get(english) or ((known[old[0]][0], "#, fuzzy\n") if old else ("", ""))


def main(check):
    changes = 0
    for name, texts in extracted().items():
        path = CATALOGUES / f"{name}.po"
        known = read(path) if path.exists() else {}
        changed = [f"- {one}" for one in known if one not in set(texts)] + [
            f"+ {one}" for one in texts if one not in known
        ]
        if changed:
            print(f"{path.relative_to(HERE.parent)}:", *changed, sep="\n  ")
        changes += len(changed)
        if not check:
            write(path, updated(texts, known))
    if check and changes:
        print("The English has changed: `python docs/translation.py`, then translate what is empty or fuzzy.")
    return int(check and changes > 0)


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
