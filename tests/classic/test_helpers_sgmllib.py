"""Milter.sgmllib: the interface of Python 2's sgmllib, on the parser of pymilter.mime (whose own tests are there)."""

from __future__ import annotations

from pathlib import Path

import pytest

from Milter.sgmllib import SGMLParseError, SGMLParser, TestSGMLParser
from Milter.sgmllib import test as print_file

Attributes = list[tuple[str, str]]


class Events(SGMLParser):
    """A program's own parser, with every kind of handler."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []
        super().__init__()

    def start_p(self, attrs: Attributes) -> None:
        self.events.append(("start_p", attrs, self.get_starttag_text()))

    def end_p(self) -> None:
        self.events.append(("end_p",))

    def do_br(self, attrs: Attributes) -> None:
        self.events.append(("do_br", attrs))

    def start_script(self, attrs: Attributes) -> None:
        self.setliteral()

    def end_script(self) -> None:
        self.events.append(("end_script",))

    def unknown_starttag(self, tag: str, attrs: Attributes) -> None:
        self.events.append(("unknown", tag, attrs))

    def unknown_endtag(self, tag: str) -> None:
        self.events.append(("unknown end", tag))

    def unknown_entityref(self, ref: str) -> None:
        self.events.append(("entity", ref))

    def unknown_charref(self, ref: str) -> None:
        self.events.append(("character", ref))

    def handle_data(self, data: str) -> None:
        self.events.append(("data", data))

    def handle_comment(self, data: str) -> None:
        self.events.append(("comment", data))

    def handle_decl(self, decl: str) -> None:
        self.events.append(("decl", decl))

    def handle_pi(self, data: str) -> None:
        self.events.append(("pi", data))

    def unknown_decl(self, data: str) -> None:
        self.events.append(("unknown decl", data))

    def report_unbalanced(self, tag: str) -> None:
        self.events.append(("unbalanced", tag))


def parsed(text: str) -> list[tuple[object, ...]]:
    parser = Events()
    parser.feed(text)
    parser.close()
    return parser.events


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("<P CLASS=a>", [("start_p", [("class", "a")], "<P CLASS=a>")]),
        ("<br>", [("do_br", [])]),
        ("<b></b>", [("unknown", "b", []), ("unknown end", "b")]),
        ("</p>", [("unbalanced", "p")]),
        ("&amp;", [("data", "&")]),
        ("&nope;", [("entity", "nope")]),
        ("&#65;", [("data", "A")]),
        ("&#300;", [("character", "300")]),
        ("<!-- c -->", [("comment", " c ")]),
        ("<!DOCTYPE html>", [("decl", "DOCTYPE html")]),
        ("<?php x?>", [("pi", "php x?")]),
        ("<![if x]>", [("unknown decl", "if x")]),
        ("<a href='q' b=c d>", [("unknown", "a", [("href", "q"), ("b", "c"), ("d", "d")])]),
        ('<a href="&#65;&lt;">', [("unknown", "a", [("href", "A<")])]),
        ("<script><b></script>", [("data", "<b>"), ("end_script",)]),
    ],
)
def test_events(text: str, events: list[tuple[object, ...]]) -> None:
    assert parsed(text) == events  # as 1.0.5


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("<br/>", [("do_br", [])]),  # 1.0.5: text, or an element up to the next "/"
        ('<a href="x>y">', [("unknown", "a", [("href", "x>y")])]),  # 1.0.5: then the text 'y">'
        ("<o:p>", [("unknown", "o:p", [])]),  # 1.0.5: "o"
        ("<>", [("data", "<>")]),  # 1.0.5: a tag "???", or the one before
    ],
)
def test_html_is_read_as_browsers_do(text: str, events: list[tuple[object, ...]]) -> None:
    assert [event for event in parsed(text) if event != ("data", "")] in (events, [("data", "<"), ("data", ">")])


def test_a_subclass_may_raise() -> None:
    with pytest.raises(SGMLParseError, match="no"):
        SGMLParser().error("no")
    assert issubclass(SGMLParseError, RuntimeError)


PRINTED = """data: 'hi & '
*** unknown entity ref: &nope;
data: ' '
*** unknown char ref: &#300;
start tag: <p a="b" >
data: 'x'
end tag: </p>
comment: ' c '
declaration: 'DOCTYPE x'
processing instruction: 'pi x?'
*** unknown decl: [if y]
data: ' end'
"""


def test_test_prints_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "t.html"
    page.write_text("hi &amp; &nope; &#300;<p a=b>x</p><!-- c --><!DOCTYPE x><?pi x?><![if y]> end")
    print_file([str(page)])
    assert capsys.readouterr().out == PRINTED
    print_file(["-s", str(page)])
    assert capsys.readouterr().out == ""
    with pytest.raises(SystemExit, match="1"):
        print_file([str(tmp_path / "nofile")])


def test_long_comments_are_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    parser = TestSGMLParser()
    parser.feed("<!--" + "x" * 100 + "-->")
    parser.close()
    assert capsys.readouterr().out == f"comment: '{'x' * 32}...{'x' * 32}'\n"
