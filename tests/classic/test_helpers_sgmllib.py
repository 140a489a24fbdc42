"""Milter.sgmllib: its names for the parser of pymilter.mime, and the parser that prints."""

from __future__ import annotations

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
