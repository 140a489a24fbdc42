"""SGMLParser: the events of Python 2's sgmllib, on HTML."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pytest

import mime
from pymilter.mime._token_handlers import TokenHandlers

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


def test_a_start_tag_tells_how_it_was_handled() -> None:
    parser = Recorder()
    assert [parser.finish_starttag(tag, []) for tag in ("b", "br", "x")] == [1, 0, -1]
    assert parser.stack == ["b"]
    assert TokenHandlers().finish_starttag("b", []) == -1


def test_a_short_tag_is_an_element_with_its_text() -> None:
    parser = Recorder()
    parser.finish_shorttag("b", "x")
    assert parser.events == [("start_b", []), ("data", "x"), ("end_b",)]


@pytest.mark.parametrize("verbose", [0, 1])
def test_an_end_tag_too_many_is_printed_if_asked_for(verbose: int, capsys: pytest.CaptureFixture[str]) -> None:
    class Printing(mime.SGMLParser):
        def start_i(self, attrs: Attributes) -> None: ...

        def end_b(self) -> None: ...

    parser = Printing(verbose)
    parser.feed("<i></b>")
    assert capsys.readouterr().out == ("*** Unbalanced </b>\n*** Stack: ['i']\n" if verbose else "")
    default = mime.SGMLParser()
    assert default.verbose == 0


def test_open_elements_are_counted_however_the_stack_is_changed() -> None:
    assert events("<b><b></b></b></b>")[2:] == [("end_b",), ("end_b",), ("unbalanced", "b")]
    parser = Recorder()
    parser.feed("<b>")
    parser.stack.clear()
    parser.feed("</b>")
    parser.stack.extend(["i", "b"])
    parser.feed("</i>")
    parser.feed("<b></b></b>")
    assert parser.events == [
        ("start_b", []), ("unbalanced", "b"), ("end_b",), ("/tag", "i"), ("start_b", []), ("end_b",),
        ("unbalanced", "b"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"), ("&quot;", '"'), ("&apos;", "'"), ("&#0;", "\0"),
        ("&#127;", "\x7f"),
        ("&#65", "A"), ("&lt", "&lt"), ("&#128;", "&#128;"), ("&nbsp;", "&nbsp;"),
    ],
)  # fmt: skip
def test_a_reference_in_a_value_is_replaced_if_it_is_ascii(reference: str, text: str) -> None:
    assert events(f"<p a='x{reference} y'>") == [("tag", "p", [("a", f"x{text} y")])]


@pytest.mark.parametrize(
    ("number", "text"), [("65", "A"), ("0", "\0"), ("127", "\x7f"), ("128", None), ("-1", None), ("x41", None)]
)
def test_a_character_has_a_number_of_ascii(number: str, text: str | None) -> None:
    assert mime.SGMLParser().convert_charref(number) == text


def test_references_in_text_are_replaced_or_unknown() -> None:
    assert events("&lt;&gt;&quot;&apos;&#127;") == [("data", "<>\"'\x7f")]
    assert events("&#128;&hellip;") == [("charref", "128"), ("entityref", "hellip")]
    assert events("&lt x&#65 ") == [("data", "< xA ")]


def test_what_no_method_handles_is_passed_over() -> None:
    parser = mime.SGMLParser()
    parser.feed("<p>x &nbsp;&#200;<!-- c --><!DOCTYPE x><?pi><![if x]></p>")
    parser.close()
    assert (parser.rawdata, parser.stack) == ("", [])


def test_the_place_of_a_token_is_counted_from_the_last_line_end() -> None:
    parser = mime.SGMLParser()
    places = []
    for piece in ("ab", "c\n\nde", "<p>", "\n"):
        parser.feed(piece)
        places.append(parser.getpos())
    assert places == [(1, 2), (3, 2), (3, 5), (4, 0)]
    parser.reset()
    assert parser.getpos() == (1, 0)


@pytest.mark.parametrize("text", ["<", "</", "<!", "<!-", "<!--", "<!-- -", "<!-- --", "<?", "<p", "</p", "&", "&#",
    "&#6",
                                  "&l", "&lt", "<![", "<!-- --!"])  # fmt: skip
def test_a_token_that_may_go_on_is_kept(text: str) -> None:
    parser = Recorder()
    parser.feed("x" + text)
    assert parser.events == [("data", "x")]
    assert parser.rawdata == text
    parser.close()
    assert parser.rawdata == ""
    assert parser.events == [("data", "x" + text)]


@pytest.mark.parametrize("text", ["< ", "<1", "</ ", "</1", "& ", "&1", "&#x", "&# "])
def test_a_sign_that_begins_no_token_is_text_at_once(text: str) -> None:
    parser = Recorder()
    parser.feed("x" + text)
    assert parser.events == [("data", "x" + text)]


def test_a_comment_is_reported_unless_it_is_not_to_be() -> None:
    parser = Recorder()
    parser.rawdata = "x<!-- c -->y<!-->z<!--->"
    assert [parser.parse_comment(1, 0), parser.parse_comment(1)] == [11, 11]
    assert [parser.parse_comment(12), parser.parse_comment(18, 0)] == [17, 24]
    assert parser.events == [("comment", " c "), ("comment", "")]
    assert parser.get_token_text() == "<!--->"


@pytest.mark.parametrize(
    ("text", "name"),
    [("<P a>", "parse_starttag"), ("</P a>", "parse_endtag"), ("<!x>", "parse_declaration"), ("<?x>", "parse_pi"),
     ("<!-- -->", "parse_comment")],
)  # fmt: skip
def test_each_token_that_is_parsed_is_remembered(text: str, name: str) -> None:
    parser = Recorder()
    parser.rawdata = f"x{text}y"
    assert getattr(parser, name)(1) == 1 + len(text)
    assert parser.get_token_text() == text
    parser.rawdata = f"x{text[:-1]}"
    assert getattr(parser, name)(1) == -1


def test_the_source_of_each_token_is_known_to_its_method() -> None:
    found: list[tuple[str, str]] = []

    class Sources(mime.SGMLParser):
        def handle_data(self, data: str) -> None:
            found.append((data, self.get_token_text()))

        def handle_comment(self, data: str) -> None:
            found.append((data, self.get_token_text()))

    parser = Sources()
    parser.feed("<!-->a</ b& <!---->&c<!--->d&lt;<!-- e")
    parser.close()
    assert found == [
        ("", "<!-->"), ("a", "a"), ("</", "</"), (" b", " b"), ("&", "&"), (" ", " "), ("", "<!---->"),
        ("", "<!--->"), ("d", "d"),
        ("<", "&lt;"), ("<!-- e", "<!-- e"),
    ]  # fmt: skip


def test_no_tag_is_parsed_where_there_is_none() -> None:
    parser = mime.SGMLParser()
    parser.rawdata = "x</>"
    assert (parser.parse_starttag(0), parser.parse_endtag(1)) == (-1, -1)


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_the_content_of_some_elements_may_be_text(size: int) -> None:
    class Raw(Recorder):
        raw_text: ClassVar[dict[str, re.Pattern[str]]] = {"style": re.compile("</style(?=[ >])")}

    text = "<style>a<b>&lt;</b></stylex></style ><i>"
    parser = Raw()
    for start in range(0, len(text), size or len(text)):
        parser.feed(text[start : start + (size or len(text))])
    parser.close()
    assert parser.events == [
        ("tag", "style", []), ("data", "a<b>&lt;</b></stylex>"), ("/tag", "style"), ("start_i", []),
    ]  # fmt: skip
    parser = Raw()
    parser.feed("<style>a</styl")
    assert parser.rawdata == "a</styl"
    parser.close()
    assert parser.events[1:] == [("data", "a</styl")]


def test_the_last_tag_is_known() -> None:
    parser = mime.SGMLParser()
    assert (parser.lasttag, parser.get_starttag_text(), parser.get_token_text()) == ("???", None, "")
    parser.feed("<P x>")
    assert (parser.lasttag, parser.get_starttag_text(), parser.get_token_text()) == ("p", "<P x>", "<P x>")
    parser.reset()
    assert (parser.lasttag, parser.get_starttag_text(), parser.get_token_text()) == ("???", None, "")


def test_what_is_complete_is_handled_at_once() -> None:
    parser = Recorder()
    parser.feed("&lt;&#65;&nbsp;<b></b><!-- c --><!d><?p>x&#65 y&lt z")
    assert parser.events == [
        ("data", "<A"), ("entityref", "nbsp"), ("start_b", []), ("end_b",), ("comment", " c "), ("decl", "d"),
        ("pi", "p"), ("data", "xA y< z"),
    ]  # fmt: skip
    assert parser.rawdata == ""
