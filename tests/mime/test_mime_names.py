"""File names: every reading that a mail client may have, and which are dangerous."""

from __future__ import annotations

import pytest

import mime
from support.mime_messages import leaf, read


def names(raw: bytes) -> list[str | None]:
    return [name for _, name in read(raw).getnames()]


@pytest.mark.parametrize("name", ["a.exe", "a.EXE", ".exe", "x@y.com", "C:\\a.exe", "a.txt.vbs"])
def test_bad_extension(name: str) -> None:
    assert mime.check_ext(name) == name


@pytest.mark.parametrize("name", ["a.txt", "exe", "a.exe.txt", "a.zip", "a.exe;x", "a.js/b", "a.exe (1).pdf"])
def test_good_extension(name: str) -> None:
    assert mime.check_ext(name) is None


@pytest.mark.parametrize(
    "name", ["a.exe ", "a.exe.", "a.exe. .", 'a.exe"', "a.exe'", "a.vbs\x00.txt", "a.txt\0.exe.", "a.exe\n", "a.exe\t"]
)
def test_what_windows_does_not_take_into_the_name(name: str) -> None:
    """1.0.5 let these through."""
    assert mime.check_ext(name) == name


@pytest.mark.parametrize("ending", ["\uff0e\uff45\uff58\uff45", ".e\u200bxe"])
def test_the_end_of_a_long_name_counts(ending: str) -> None:
    name = "x" * 300 + ending
    assert mime.check_ext(name) == name


def test_check_ext_of_no_name_is_that_value() -> None:
    assert mime.check_ext("") == ""
    assert mime.check_ext(None) is None


def test_programs_set_bad_extensions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mime, "bad_extensions", [".ZZZ"])
    assert mime.check_ext("a.zzz") == "a.zzz"
    assert mime.check_ext("a.exe") is None


def test_extlist() -> None:
    assert ["." + extension for extension in mime.extlist.split(",")] == mime.bad_extensions
    assert len(set(mime.bad_extensions)) == len(mime.bad_extensions) == 147
    assert mime.bad_extensions[0] == ".ade"
    assert mime.bad_extensions[41] == ".wsh", "those of 1.0.5 come first"


@pytest.mark.parametrize("extension", ["ps1", "jar", "iso", "img", "xll", "vhdx", "msix", "library-ms", "appref-ms"])
def test_extension_of_today(extension: str) -> None:
    assert mime.check_ext(f"a.{extension}")


def test_getnames_is_as_it_was() -> None:
    assert read(leaf('x/y; name="a.EXE"', disposition='attachment; filename="b.exe"')).getnames() == [
        ("x/y", ""),
        ("name", "a.EXE"),
        ("filename", "b.exe"),
    ]
    assert read(leaf('x/y; foo="a.exe"')).getnames() == [("x/y", ""), ("foo", "a.exe"), ("filename", None)]
    assert read(leaf(None)).getnames() == [("filename", None)]
    assert read(leaf('x/y name="a.exe"')).getnames() == [("x/y name", "a.exe"), ("filename", None)]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(leaf("x/y; name*=us-ascii'en'a%2Eexe"), id="RFC 2231, NameError in 1.0.5"),
        pytest.param(leaf("x/y; name*=x-bad''a%2Eexe"), id="RFC 2231, unknown charset"),
        pytest.param(leaf("x/y; name*=\"\x00''a%2Eexe\""), id="RFC 2231, NUL in the charset"),
        pytest.param(leaf('x/y; name*0="a."; name*1="exe"'), id="RFC 2231, in two"),
        pytest.param(leaf("x/y; name*0*=utf-8''a; name*1*=%2Eexe"), id="RFC 2231, in two, encoded"),
        pytest.param(leaf(None, disposition="attachment; filename*=utf-8''a%2Eexe"), id="RFC 2231 filename"),
        pytest.param(leaf('x/y; name="=?utf-8?q?a=2Eexe?="'), id="RFC 2047"),
        pytest.param(leaf('x/y; name="=?utf-8?b?YS5l?= =?utf-8?b?eGU=?="'), id="RFC 2047, in two"),
        pytest.param(leaf("x/y; name=b.txt; name=a.exe"), id="two names"),
        pytest.param(leaf(None, disposition="x; filename=b.txt; filename=a.exe"), id="two filenames"),
        pytest.param(leaf("x/y; name=b.txt", extra=b"Content-Type: x/y; name=a.exe\n"), id="two Content-Types"),
        pytest.param(
            leaf(None, disposition="x; filename=b.txt", extra=b"Content-Disposition: x; filename=a.exe\n"),
            id="two Content-Dispositions",
        ),
        pytest.param(leaf("text/plain", extra=b"Content-Disposition : x; filename=a.exe\n"), id="blank before colon"),
        pytest.param(leaf('x/y;\n\tname="a.exe"'), id="fold"),
        pytest.param(leaf(None, disposition="x; filename=b; name=a.exe"), id="a name of the disposition"),
    ],
)
def test_hidden_name_is_found(raw: bytes) -> None:
    assert "a.exe" in names(raw)
    msg = read(raw)
    assert mime.check_name(msg, "/saved") == 0
    assert msg.get_content_type() == "text/plain"
    assert b"'a.exe'" in msg.as_bytes()


def test_8bit_name() -> None:
    assert read(leaf("x/y; name=caf\udcc3\udca9.exe")).getname() == "café.exe"
    assert read(leaf("x/y; name=caf\udce9.exe")).getname() == "caf\N{REPLACEMENT CHARACTER}.exe"


def test_parseparam() -> None:
    parse = mime._parseparam
    assert parse("text/plain; a=b") == ["text/plain", "a=b"]
    assert parse(';a="x;y"; b=c') == ["", 'a="x;y"', "b=c"]
    assert parse(";a=b;; c") == ["", "a=b", "", "c"]
    assert parse(';a="q\\";z"') == ["", 'a="q\\";z"']
    assert parse("; A = B") == ["", "a=B"]
    assert parse(';a="unterminated; c=d') == ["", 'a="unterminated; c=d']
    assert parse("") == [""]
    assert parse('a\\";b;c"') == ['a\\"', "b", 'c"']
    assert parse('a\\"b; c') == ['a\\"b', "c"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [('"a"', "a"), ("a", "a"), ("<a>", "a"), ('"a', '"a'), ('"a\\"b"', 'a"b'), ('"', '"'), ("", ""), ("'a'", "'a'")],
)
def test_unquote(value: str, expected: str) -> None:
    assert mime.unquote(value) == mime._unquotevalue(value) == expected


def test_unquotevalue_of_rfc_2231() -> None:
    assert mime._unquotevalue(("a", "b", '"c"')) == ("a", "b", "c")


@pytest.mark.parametrize("name", ["filename", "name"])
def test_a_name_with_odd_signs_is_found_behind_another(name: str) -> None:
    raw = leaf(None, disposition=f'x; filename=b; {name}=.";(a.exe')
    assert '.";(a.exe' in names(raw)
    assert mime.defang(read(raw), "/saved")
