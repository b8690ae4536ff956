"""Does every link of the built site lead somewhere, and does nothing come from another host?
`python docs/links.py docs/_build/html`
"""

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}  # without a click


class Page(HTMLParser):
    """What a page names: places in itself, links, and what it loads."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.loaded = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag in LOADED and given.get(LOADED[tag]):
            self.loaded.append(given[LOADED[tag]])


page_at = cache(Page)


def faults(root):
    """What is wrong with the links of all pages, as lines."""
    for path in sorted(root.rglob("*.html")):
        page = page_at(path)
        for link in [*page.links, *page.loaded]:
            there = urlsplit(link)
            if there.scheme == "data" or (there.scheme and link not in page.loaded):
                continue
            target = (path.parent / unquote(there.path)).resolve() if there.path else path
            if there.scheme or there.netloc:
                yield f"{path.relative_to(root)}: loads {link}"
            elif not target.is_file():
                yield f"{path.relative_to(root)}: no {link}"
            elif target.suffix == ".html" and there.fragment and unquote(there.fragment) not in page_at(target).ids:
                yield f"{path.relative_to(root)}: no place {link}"


if __name__ == "__main__":
    found = list(faults(Path(sys.argv[1]).resolve()))
    print("\n".join(found) or "all links lead somewhere, and nothing is loaded from elsewhere")
    sys.exit(bool(found))
