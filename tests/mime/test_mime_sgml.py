"""SGMLParser: the events of Python 2's sgmllib, on HTML."""

from __future__ import annotations

from typing import Any

import pytest

import mime

Attributes = list[tuple[str, str]]


class Recorder(mime.SGMLParser):
    """Records each event; a text in several pieces is one."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[Any, ...]] = []

    def start_b(self, attrs: Attributes) -> None:
        self.events.append(("start_b", attrs))

    def end_b(self) -> None:
        self.events.append(("end_b",))

    def start_i(self, attrs: Attributes) -> None:
        self.events.append(("start_i", attrs))

    def do_br(self, attrs: Attributes) -> None:
        self.events.append(("do_br", attrs))

    def report_unbalanced(self, tag: str) -> None:
        self.events.append(("unbalanced", tag))

    def handle_data(self, data: str) -> None:
        if self.events and self.events[-1][0] == "data":
            data = self.events.pop()[1] + data
        self.events.append(("data", data))

    def handle_comment(self, data: str) -> None:
        self.events.append(("comment", data))

    def handle_decl(self, decl: str) -> None:
        self.events.append(("decl", decl))

    def handle_pi(self, data: str) -> None:
        self.events.append(("pi", data))

    def unknown_decl(self, data: str) -> None:
        self.events.append(("section", data))

    def unknown_starttag(self, tag: str, attrs: Attributes) -> None:
        self.events.append(("tag", tag, attrs))

    def unknown_endtag(self, tag: str) -> None:
        self.events.append(("/tag", tag))

    def unknown_charref(self, ref: str) -> None:
        self.events.append(("charref", ref))

    def unknown_entityref(self, ref: str) -> None:
        self.events.append(("entityref", ref))


def events(text: str, size: int = 0) -> list[tuple[Any, ...]]:
    parser = Recorder()
    for start in range(0, len(text), size or len(text) or 1):
        parser.feed(text[start : start + (size or len(text))])
    parser.close()
    assert parser.rawdata == ""
    return parser.events


CASES: list[tuple[str, list[tuple[Any, ...]]]] = [
    ("<p>x</p>", [("tag", "p", []), ("data", "x"), ("/tag", "p")]),
    (
        "<B>x<i>y</B>z</b>",
        [("start_b", []), ("data", "x"), ("start_i", []), ("data", "y"), ("/tag", "i"), ("end_b",), ("data", "z"),
         ("unbalanced", "b")],
    ),
    ("<br/><br clear=all>", [("do_br", []), ("do_br", [("clear", "all")])]),
    (
        "<a href=\"x&amp;y\" B='q' c d=e&#65;f&lt>",
        [("tag", "a", [("href", "x&y"), ("b", "q"), ("c", "c"), ("d", "eAf&lt")])],
    ),
    (
        "&amp;&nbsp;&#65;&#200;&#x41;&foo &#;&",
        [("data", "&"), ("entityref", "nbsp"), ("data", "A"), ("charref", "200"), ("data", "&#x41;"),
         ("entityref", "foo"), ("data", " &#;&")],
    ),
    (
        '<!-- c --><!DOCTYPE html PUBLIC "x"><?pi x><![if x]>y',
        [("comment", " c "), ("decl", 'DOCTYPE html PUBLIC "x"'), ("pi", "pi x"), ("section", "if x"), ("data", "y")],
    ),
    ("a<b", [("data", "a<b")]),
    ("<p", [("data", "<p")]),
    ("</p", [("data", "</p")]),
    ("<", [("data", "<")]),
    ("&am", [("data", "&am")]),
    ("x < y", [("data", "x < y")]),
    ("</b>", [("unbalanced", "b")]),
    ("<p a=>", [("tag", "p", [("a", "")])]),
    ('<p a = "b" >', [("tag", "p", [("a", "b")])]),
    ('<P A="b\nc">', [("tag", "p", [("a", "b\nc")])]),
    ('<a href="&#65;&lt;">', [("tag", "a", [("href", "A<")])]),
    ("&#300;", [("charref", "300")]),
    ("<?php x?>", [("pi", "php x?")]),
    ("", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_each_kind_of_token_has_its_event(text: str, expected: list[tuple[Any, ...]]) -> None:
    assert events(text) == expected
    assert events(text, 1) == expected
    assert events(text, 3) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<br/>/", [("do_br", []), ("data", "/")]),  # 1.0.5: text, or an element up to the next "/"
        ('<a href="x>y">', [("tag", "a", [("href", "x>y")])]),  # 1.0.5: then the text 'y">'
        ("<o:p>", [("tag", "o:p", [])]),  # 1.0.5: "o"
        ("<>", [("data", "<>")]),  # 1.0.5: a tag "???", or the one before
    ],
)
def test_html_is_read_as_browsers_do(text: str, expected: list[tuple[Any, ...]]) -> None:
    assert events(text) == expected


def test_rest_of_a_tag_that_never_ends_is_text() -> None:
    assert events("a<!-- b <p>") == [("data", "a<!-- b <p>")]
    assert events("<p <b") == [("data", "<p <b")]


def test_a_tag_knows_its_place_and_its_source() -> None:
    found: list[tuple[tuple[int, int], str, str | None]] = []

    class Positions(mime.SGMLParser):
        def unknown_starttag(self, tag: str, attrs: Attributes) -> None:
            found.append((self.getpos(), tag, self.get_starttag_text()))

    parser = Positions()
    parser.feed("a\nbc<P X=1>\n<q\n")
    parser.feed("/>d<r>")
    assert found == [((2, 2), "p", "<P X=1>"), ((3, 0), "q", "<q\n/>"), ((4, 3), "r", "<r>")]


def test_setliteral_and_setnomoretags_make_markup_text() -> None:
    class Literal(Recorder):
        def start_xmp(self, attrs: Attributes) -> None:
            self.setliteral()

        def do_plaintext(self, attrs: Attributes) -> None:
            self.setnomoretags()

    parser = Literal()
    parser.feed("<xmp><p>&amp;</xmp><p><plaintext><p>&amp;</plaintext>")
    parser.close()
    assert parser.events == [("data", "<p>&amp;"), ("/tag", "xmp"), ("tag", "p", []), ("data", "<p>&amp;</plaintext>")]


def test_error_raises_for_subclasses() -> None:
    with pytest.raises(mime.SGMLParseError, match="why"):
        mime.SGMLParser().error("why")
    assert issubclass(mime.SGMLParseError, RuntimeError)


def test_reset_forgets_what_was_fed() -> None:
    parser = Recorder()
    parser.feed("<b><p")
    parser.reset()
    assert (parser.rawdata, parser.stack, parser.getpos()) == ("", [], (1, 0))


def test_html_parser_is_its_classic_name() -> None:
    assert mime.HTMLParser is mime.SGMLParser
