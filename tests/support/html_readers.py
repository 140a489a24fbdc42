"""What two independent parsers, html5lib and lexbor, find in HTML."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import html5lib
from selectolax.lexbor import LexborHTMLParser, LexborNode


def html5lib_tree(text: str, *, scripting: bool, container: str | None = None) -> Any:
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    try:
        if container is None:
            return parser.parse(text, scripting=scripting)
        return parser.parseFragment(text, container=container, scripting=scripting)
    except AssertionError:  # at the end of some texts with <table> and <svg>, in 1.1; all is in the tree by then
        return parser.tree.document._element


def html5lib_elements(text: str, *, scripting: bool, container: str | None = None) -> Iterator[str]:
    tree = html5lib_tree(text, scripting=scripting, container=container)
    return (element.tag.rpartition("}")[2].lower() for element in tree.iter() if isinstance(element.tag, str))


def lexbor_scripts(text: str, *, scripting: bool, container: str | None = None) -> Iterator[str]:
    if container is None:
        parser = LexborHTMLParser(text, scripting=scripting)
    else:
        namespace = container if container in ("svg", "math") else "html"
        parser = LexborHTMLParser(
            text, is_fragment=True, fragment_tag=container, fragment_namespace=namespace, scripting=scripting
        )
    yield from _scripts(parser)


def _scripts(tree: LexborHTMLParser | LexborNode) -> Iterator[str]:
    """Yield the script elements of a tree, with those in templates, which css() does not search."""
    for element in tree.css("script, template"):
        if element.tag == "script":
            yield "script"
        for content in element.template_fragments():
            yield from _scripts(content)


def readers_of_a_script(text: str, *, all_readers: bool) -> list[str]:
    """Return the names of the readers who find a script in the text."""
    found = []
    for scripting in (True, False):
        for container in (None, "div", "svg", "math") if all_readers else (None, "div"):
            if any(lexbor_scripts(text, scripting=scripting, container=container)):
                found.append(f"lexbor, {scripting=}, {container=}")
        for container in (None, "div") if all_readers else (None,):
            if "script" in html5lib_elements(text, scripting=scripting, container=container):
                found.append(f"html5lib, {scripting=}, {container=}")
    return found
