"""The links of the built site: those within it lead somewhere, and those to elsewhere go to hosts that we know.

No test asks other hosts; `make docs-links` does.
"""

from __future__ import annotations

import re
import urllib.parse
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOSTS = {"docs.python.org", "github.com", "pypi.org", "support.google.com", "www.trusteddomain.org"}
OF_THE_THEME = {"https://www.sphinx-doc.org/", "https://pradyunsg.me", "https://github.com/pradyunsg/furo"}


class Page(HTMLParser):
    """The links of a page, and what can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            if name == "href" and tag == "a" and value:
                self.links.add(value)


def pages_of(site: Path) -> dict[Path, Page]:
    pages = (page for page in site.rglob("*.html") if "_static" not in page.parts)
    return {page: Page(page.read_text("utf-8")) for page in pages}


def faults_of(pages: dict[Path, Page]) -> list[str]:
    """The links that lead nowhere, or to a host that nobody has looked at."""
    found = []
    for path, page in pages.items():
        for link in sorted(page.links - OF_THE_THEME):
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                has_good_path = re.fullmatch(r"/[\w.~/-]*", parts.path) is not None
                is_good = parts.scheme in ("http", "https") and parts.hostname in HOSTS and has_good_path
            else:
                target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
                fragment = urllib.parse.unquote(parts.fragment)
                is_good = target.is_file() and (target not in pages or not fragment or fragment in pages[target].ids)
            if not is_good:
                found.append(f"{path.name}: {link}")
    return found


def test_each_link_leads_somewhere(site: Path) -> None:
    pages = pages_of(site)
    assert sum(len(page.links) for page in pages.values()) > 1000
    assert faults_of(pages) == []


def test_links_to_python_are_those_of_the_list(site: Path) -> None:
    listed = {line.split()[2] for line in (ROOT / "docs" / "python.txt").read_text("utf-8").splitlines()}
    links = {link for page in pages_of(site).values() for link in page.links if "//docs.python.org/" in link}
    assert links
    assert {link.removeprefix("https://docs.python.org/3/").partition("#")[0] for link in links} <= listed


def test_a_bad_link_would_be_seen(tmp_path: Path) -> None:
    links = [
        "gone.html",
        "#gone",
        "it.html#there",
        "https://docs.python.example/3/",
        "mailto:a@example.org",
        "ftp://github.com/",
        "https://github.com/a b",
    ]
    (tmp_path / "it.html").write_text(
        '<h1 id="here">' + "".join(f'<a href="{link}">x</a>' for link in [*links, "#here"])
    )
    assert {fault.removeprefix("it.html: ") for fault in faults_of(pages_of(tmp_path))} == set(links)
