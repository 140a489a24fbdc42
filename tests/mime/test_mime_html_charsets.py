"""The charsets in which readers may decode HTML."""

from __future__ import annotations

import pytest

from pymilter.mime._html_charsets import codecs_to_read, codecs_to_show, decode, encode, is_wide

READ: list[tuple[bytes, str | None, list[str]]] = [
    (b"x", None, []),
    (b"x", "utf-8", []),
    (b"x", "iso-2022-jp", []),
    (b"\xff\xfex", None, ["utf-16-le"]),
    (b"\xfe\xffx", None, ["utf-16-be"]),
    (b"\xff\xfe\0\0x", None, ["utf-32-le", "utf-16-le"]),
    (b"\0\0\xfe\xffx", None, ["utf-32-be"]),
    (b"x\xff\xfe", None, []),
    (b"x", "utf-16", ["utf-16-le", "utf-16-be"]),
    (b"x", "utf-32", ["utf-32-le", "utf-32-be"]),
    (b"x", " Unicode ", ["utf-16-le", "utf-16-be"]),
    (b"x", "ucs-2", ["utf-16-le", "utf-16-be"]),
    (b"x", "iso-10646-ucs-2", ["utf-16-le", "utf-16-be"]),
    (b"x", "csUnicode", ["utf-16-le", "utf-16-be"]),
    (b"x", "unicodeFEFF", ["utf-16-le", "utf-16-be"]),
    (b"x", "unicodefffe", ["utf-16-be"]),
    (b"x", "x-unicode-2-0-utf-7", ["utf-7"]),
    (b"x", "UTF-7", ["utf-7"]),
    (b"x", "hz", ["hz"]),
    *((b"x", f"cp{number}", [f"cp{number}"]) for number in ("037", "273", "424", "500", "875", "1026", "1140")),
    (b"x", "cp1252", []),
    (b"<meta charset=utf-7>", "utf-8", ["utf-7"]),
    (b"charset = 'x-unicode-2-0-utf-7'", None, ["utf-7"]),
    (b"CHARSET=\"HZ-gb-2312", None, ["hz"]),
    (b"charset=utf-16", None, []),
    (b"charset" + b" " * 9 + b"=" + b" " * 9 + b"utf7", None, ["utf-7"]),
    (b"charset" + b" " * 10 + b"=utf7", None, []),
    (b"charset=" + b" " * 10 + b"utf7", None, []),
    (b"\xff\xfecharset=utf7 charset=utf-7", "cp500", ["utf-16-le", "cp500", "utf-7"]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "label", "codecs"), READ)
def test_codecs_in_which_html_must_be_read(data: bytes, label: str | None, codecs: list[str]) -> None:
    assert codecs_to_read(data, label) == codecs


KOI8 = b"<meta charset=koi8-r>\xc1"
SHOWN: list[tuple[bytes, str | None, tuple[str, str]]] = [
    (b"x", None, ("utf-8", "ascii")),
    (b"\xc3\xa9", None, ("utf-8", "ascii")),
    (b"\xe9", None, ("cp1252", "ascii")),
    (b"x", "ascii", ("utf-8", "ascii")),
    (b"\xc3\xa9", "us-ascii", ("utf-8", "ascii")),
    (b"\xe9", "latin-1", ("cp1252", "ascii")),
    (b"x", "utf-8", ("utf-8", "ascii")),
    (b"\xe9", "utf-8", ("utf-8", "utf-8")),
    (b"\xc1", "koi8-r", ("koi8-r", "koi8-r")),
    (b"x", "utf-7", ("utf-7", "utf-7")),
    (b"x", "cp037", ("cp037", "cp037")),
    (b"x", "iso-2022-jp", ("iso2022_jp", "iso2022_jp")),
    (b"\xef\xbb\xbfx", "latin-1", ("utf-8", "utf-8")),
    (b"\xff\xfex", "utf-8", ("utf-16-le", "utf-16-le")),
    (b"\xfe\xffx", "utf-16", ("utf-16-be", "utf-16-be")),
    (b"\xff\xfe\0\0", None, ("utf-32-le", "utf-32-le")),
    (b"\0\0\xfe\xff", None, ("utf-32-be", "utf-32-be")),
    (b"x\0", "utf-16", ("utf-16-le", "utf-16-le")),
    (b"\0x", "utf-16", ("utf-16-be", "utf-16-be")),
    (b"\0\0\0x", "utf-32", ("utf-32-be", "utf-32-be")),
    (b"x\0\0\0", "utf-32", ("utf-32-le", "utf-32-le")),
    (b"x", "UCS-2", ("utf-16-le", "utf-16-le")),
    (KOI8, None, ("koi8-r", "ascii")),
    (KOI8, "x-bad", ("koi8-r", "ascii")),
    (KOI8, "utf-8", ("utf-8", "utf-8")),
    (b"<META http-equiv=x content='text/html; charset = \"koi8-r'>", None, ("koi8-r", "ascii")),
    (b"<meta" + b" " * 200 + b"charset=koi8-r", None, ("koi8-r", "ascii")),
    (b"<meta" + b" " * 201 + b"charset=koi8-r", None, ("utf-8", "ascii")),
    (b"<meta><x charset=koi8-r>", None, ("utf-8", "ascii")),
    (b"<metal charset=koi8-r>", None, ("utf-8", "ascii")),
    (b"<meta charset=utf-16>\xc1", None, ("cp1252", "ascii")),
    (b"<meta charset=utf-32>", None, ("utf-8", "ascii")),
    (b"<meta charset=x-bad>", None, ("utf-8", "ascii")),
]


@pytest.mark.parametrize(("data", "label", "codecs"), SHOWN)
def test_codecs_in_which_html_is_shown_and_written(data: bytes, label: str | None, codecs: tuple[str, str]) -> None:
    assert codecs_to_show(data, label) == codecs


def test_codecs_with_two_or_four_bytes_for_each_character() -> None:
    assert all(map(is_wide, ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")))
    assert not any(map(is_wide, ("utf-16", "utf-32", "utf-8", "utf-7", "utf-16-lex", "x-utf-16-le")))


def test_half_a_character_is_kept_and_a_lone_surrogate_too() -> None:
    assert decode(b"a\0b", "utf-16-le") == ("a", b"b")
    assert decode(b"\0a\xd8\0", "utf-16-be") == ("a\ud800", b"")
    assert decode(b"a\xe9", "utf-8") == ("a\N{REPLACEMENT CHARACTER}", b"")
    assert decode(b"a\0\0\0b", "utf-32-le") == ("a\N{REPLACEMENT CHARACTER}", b"")
    assert encode("a\ud800", "utf-16-be") == b"\0a\xd8\0"
    assert encode("a\xe9", "ascii") == b"a?"
