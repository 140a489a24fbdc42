"""Milter.sgmllib: its names for the parser of pymilter.mime, and the parser that prints."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

import mime
from Milter.sgmllib import SGMLParseError, SGMLParser, TestSGMLParser
from Milter.sgmllib import test as print_file


def test_the_parser_is_that_of_mime() -> None:
    """tests/mime/test_mime_sgml.py has its tests."""
    assert (SGMLParser, SGMLParseError) == (mime.SGMLParser, mime.SGMLParseError)


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


@pytest.mark.parametrize("length", [67, 68, 69])
def test_a_comment_of_68_letters_is_shown_whole(length: int, capsys: pytest.CaptureFixture[str]) -> None:
    parser = TestSGMLParser()
    text = "".join(chr(ord("a") + place % 26) for place in range(length))
    parser.feed(f"<!--{text}-->")
    parser.close()
    parser.close()
    shown = text if length <= 68 else f"{text[:32]}...{text[-32:]}"
    assert capsys.readouterr().out == f"comment: '{shown}'\n"


def test_what_is_printed_if_nothing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test.html").write_text("<b>x")
    (tmp_path / "other.html").write_text("y")
    for arguments, out in (([], "start tag: <b>\ndata: 'x'\n"), (["other.html"], "data: 'y'\n"), (["-s"], "")):
        print_file(arguments)
        assert capsys.readouterr().out == out
        monkeypatch.setattr(sys, "argv", ["sgmllib", *arguments])
        print_file()
        assert capsys.readouterr().out == out
    monkeypatch.setattr(sys, "stdin", io.StringIO("z"))
    print_file(["-"])
    assert capsys.readouterr().out == "data: 'z'\n"
    with pytest.raises(SystemExit) as raised:
        print_file(["none.html"])
    assert raised.value.code == 1
    assert capsys.readouterr().out == "none.html : [Errno 2] No such file or directory: 'none.html'\n"
