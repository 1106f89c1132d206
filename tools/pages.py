"""Is a folder of HTML pages whole by itself? Every link within it leads somewhere, and no page fetches from elsewhere.

    python -m tools.pages build/book
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes whose address a browser fetches in order to show the page; an <a href> waits for a click.
FETCHED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("audio", "src"),
           ("video", "src"), ("video", "poster"), ("embed", "src"), ("object", "data"), ("input", "src")}
IN_STYLE = re.compile(r"""(?:url\(|@import)\s*['"]?((?:https?:)?//[^'")\s]+)""")


class Page(HTMLParser):
    """The addresses and the anchors of one page."""

    def __init__(self, text: str):
        super().__init__()
        self.links, self.fetched, self.anchors, self.tag = [], [], {"", "top"}, ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tag = tag
        for name, value in attrs:
            value = value or ""
            if name == "id" or (tag, name) == ("a", "name"):
                self.anchors.add(value)
            if (tag, name) in FETCHED:
                self.fetched.append(value)
            if (tag, name) in FETCHED | {("a", "href")}:
                self.links.append(value)
            if name == "srcset":
                self.fetched += [part.split()[0] for part in value.split(",") if part.strip()]
            if name == "style":
                self.fetched += IN_STYLE.findall(value)

    def handle_data(self, data):
        if self.tag == "style":
            self.fetched += IN_STYLE.findall(data)

    def handle_endtag(self, tag):
        self.tag = ""


def check(folder: Path) -> list[str]:
    """All that is wrong, one line each."""
    # Themes keep templates among the static files; those are not pages.
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))
             if "_static" not in path.parts}
    wrong = [(path, line) for path, page in pages.items()
             for line in [*foreign(page.fetched), *broken(path, page.links, pages)]]
    wrong += [(path, line) for path in sorted(folder.rglob("*.css"))
              for line in foreign(IN_STYLE.findall(path.read_text(encoding="utf-8")))]
    return [f"{path.relative_to(folder)}: {line}" for path, line in wrong]


def foreign(addresses):
    """Addresses that a browser would fetch from another host."""
    for address in addresses:
        if urlsplit(address).netloc:
            yield f"fetches {address}"


def broken(path: Path, links, pages: dict):
    """Links into the folder that lead to no file, or to no anchor in it."""
    for link in links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_file():
            yield f"no file for {link}"
        elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
            yield f"no anchor for {link}"


def main(argv) -> int:
    """Print what is wrong; the exit code is 1 if anything is."""
    wrong = check(Path(argv[0]).resolve())
    print(*wrong, sep="\n", end="\n" * bool(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
