"""MimeMessage: its classic methods and events, and messages that a program changes or makes."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from email import encoders, errors, message_from_bytes
from email.generator import BytesGenerator
from email.header import Header
from email.message import Message
from email.mime.text import MIMEText

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mime
from support.mime_messages import BROKEN, base64_leaf, leaf, multipart, read

RAW = multipart(leaf("text/plain; name=t.txt", b"hi\n"), leaf("x/y; name=a.bin", b"AAAA", "base64"))
Event = tuple[str, str | None]


def watched(raw: bytes = RAW) -> tuple[mime.MimeMessage, list[Event]]:
    """Return a message and the list of its events."""
    msg = read(raw)
    events: list[Event] = []

    def headerchange(changed: mime.MimeMessage, name: str, value: str | None) -> None:
        assert changed is msg
        events.append((name, value))

    msg.headerchange = headerchange
    return msg, events


# -- events


def test_set_tells_name_and_value() -> None:
    msg, events = watched()
    msg["Subject"] = "new"
    msg["X-Count"] = 3
    assert events == [("Subject", "new"), ("X-Count", "3")]
    assert msg.ismodified()
    assert msg.as_bytes() == RAW.replace(b"\n\npreamble", b"\nSubject: new\nX-Count: 3\n\npreamble")


def test_delete_tells_name_and_none() -> None:
    msg, events = watched()
    del msg["FROM"]
    del msg["nope"]
    assert events == [("FROM", None), ("nope", None)]
    assert msg.as_bytes() == RAW.replace(b"From: x@y\n", b"")


def test_add_header_tells_the_whole_value() -> None:
    msg, events = watched()
    msg.add_header("X-A", "v", a="b c")
    assert events == [("X-A", 'v; a="b c"')]


def test_set_param_deletes_and_sets() -> None:
    msg, events = watched()
    msg.set_param("charset", "x")
    assert events == [("Content-Type", None), ("Content-Type", 'multipart/mixed; boundary="B"; charset="x"')]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("from", lambda msg: msg.__delitem__("from")),
        ("From", lambda msg: msg.replace_header("From", "z@y")),
        ("Content-Type", lambda msg: msg.set_boundary("C")),
        ("Content-Type", lambda msg: msg.set_param("charset", "x")),
        ("Content-Type", lambda msg: msg.set_type("multipart/related")),
    ],
)
def test_deletion_is_told_before_it(name: str, change: Callable[[mime.MimeMessage], object]) -> None:
    """As in 1.0.5: programs ask for the values that are going."""
    msg = read(b"MIME-Version: 1.0\n" + RAW)
    old = msg.get_all(name)
    seen: list[tuple[str, str | None, list[str]]] = []
    msg.headerchange = lambda changed, key, value: seen.append((key, value, changed.getheaders(key)))
    change(msg)
    told = [values for key, value, values in seen if key.lower() == name.lower() and value is None]
    assert told[0] == old


def test_nothing_is_told_of_a_header_that_is_not_there() -> None:
    msg, events = watched()
    with pytest.raises(KeyError):
        msg.replace_header("nope", "x")
    assert events == []
    assert not msg.ismodified()


@pytest.mark.parametrize("how", ["replace_header", "set_boundary"])
def test_changes_in_place_are_told_and_seen(how: str) -> None:
    """1.0.5 told of neither: the MTA kept the old header, and ismodified() was false."""
    msg, events = watched()
    if how == "replace_header":
        msg.replace_header("from", "other@y")
        assert events == [("from", None), ("from", "other@y")]
        assert msg.as_bytes() == RAW.replace(b"x@y", b"other@y")
    else:
        msg.set_boundary("C")
        assert events == [("Content-Type", None), ("Content-Type", 'multipart/mixed; boundary="C"')]
        assert msg.as_bytes() == RAW.replace(b"--B", b"--C").replace(b'"B"', b'"C"')
    assert msg.ismodified()


def test_parts_have_their_own_events() -> None:
    msg, events = watched()
    msg.get_payload(0)["X"] = "y"
    assert events == []
    assert msg.ismodified()
    assert [part.ismodified() for part in msg.walk()] == [True, True, False]


def test_a_value_cannot_end_its_header() -> None:
    msg, events = watched()
    msg["X"] = "a\nBcc: evil@y\r\n\r\nbody\n"
    msg.set_raw("Y", "a\nZ: b")
    again = read(msg.as_bytes())
    assert "Bcc" not in again
    assert "Z" not in again
    assert again.get_payload(0).as_bytes() == msg.get_payload(0).as_bytes()
    assert events == [("X", "a\n Bcc: evil@y\r\n \r\n body")]


VALUES = st.lists(
    st.sampled_from(["a", "\n", "\r", "\r\n", " ", "\t", "B: c", "é", "\udce9", "\v", "\x85", "\0", "x" * 80])
)


@settings(deadline=None)
@given(
    VALUES.map("".join), st.sampled_from(["X", "Content-Type", "Subject"]), st.sampled_from(["set", "raw", "replace"])
)
def test_no_value_can_end_its_header(value: str, name: str, how: str) -> None:
    for raw in (b"X: y\n\nbody", b"X: y\r\n\r\nbody"):
        msg = read(raw)
        if how == "set":
            msg[name] = value
        elif how == "raw":
            msg.set_raw(name, value)
        else:
            msg.replace_header("X", value)
        again = read(msg.as_bytes())
        assert again.keys() == (["X"] if how == "replace" else ["X", name])
        assert again.get_payload() == "body"
        assert not again.defects


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\nb", "\xe9"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="header name"):
        read(RAW)[name] = "x"


# -- what modified means


def test_modified_can_be_set_and_dump_keeps_it() -> None:
    msg = read(RAW)
    msg.modified = True
    assert msg.ismodified()
    msg.dump(io.BytesIO())
    assert msg.ismodified()
    assert msg.as_bytes() == RAW


def test_new_message_is_not_modified_until_it_is() -> None:
    msg = mime.MimeMessage()
    assert not msg.ismodified()
    msg["a"] = "b"
    assert msg.ismodified()
    assert msg.as_bytes() == b"a: b\n\n"
    msg.set_payload("z")
    assert msg.as_bytes() == b"a: b\n\nz"


@pytest.mark.parametrize("change", ["attach", "delete", "swap", "preamble", "epilogue", "raw"])
def test_changes_behind_our_back_are_seen(change: str) -> None:
    """1.0.5 said False to each, so that the body was not replaced."""
    msg = read(RAW)
    parts = msg.get_payload()
    if change == "attach":
        msg.attach(read(leaf("text/plain", b"new")))
        expected = RAW.replace(b"--B--", b"--B\nContent-Type: text/plain\n\nnew\n--B--")
    elif change == "delete":
        del parts[0]
        expected = RAW.replace(b"--B\nContent-Type: text/plain; name=t.txt\n\nhi\n\n", b"")
    elif change == "swap":
        parts.reverse()
        first, second = read(RAW).get_payload()
        expected = multipart(second.as_bytes(), first.as_bytes())
    elif change == "preamble":
        msg.preamble = "new"
        expected = RAW.replace(b"preamble", b"new")
    elif change == "epilogue":
        msg.epilogue = None
        expected = RAW.replace(b"epilogue\n", b"")
    else:
        msg.set_raw("X", "y")
        expected = RAW.replace(b"\n\npreamble", b"\nX: y\n\npreamble")
    assert msg.ismodified()
    assert msg.as_bytes() == expected


def test_all_parts_taken_away() -> None:
    msg = read(RAW)
    msg.get_payload().clear()
    assert msg.as_bytes() == RAW[: RAW.index(b"--B")] + b"--B\n\n--B--\nepilogue\n"


def test_part_added_to_one_that_is_not_closed() -> None:
    raw = RAW[: RAW.index(b"--B--")]
    msg = read(raw)
    msg.attach(read(b"\nnew"))
    assert msg.as_bytes() == raw + b"\n--B\n\nnew\n--B--\n"


def test_part_deleted_from_one_that_is_not_closed() -> None:
    raw = RAW[: RAW.index(b"\n--B--")]
    msg = read(raw)
    del msg.get_payload()[0]
    assert msg.as_bytes() == raw.replace(b"--B\nContent-Type: text/plain; name=t.txt\n\nhi\n\n", b"")


def test_header_deleted_with_the_boundary_leaves_the_body() -> None:
    msg = read(RAW)
    del msg["content-type"]
    msg.get_payload(0)["X"] = "y"
    assert msg.as_bytes().endswith(RAW[RAW.index(b"\n\nhi") :])


# -- payloads


def test_line_ends_are_those_of_the_source() -> None:
    raw = RAW.replace(b"\n", b"\r\n")
    msg = read(raw)
    msg["X"] = "y" * 50 + " " + "z" * 50
    msg.get_payload(0).set_payload("a\nb\r\nc\n")
    out = msg.as_bytes()
    assert b"\n" not in out.replace(b"\r\n", b"")
    assert b"\r\n\r\na\r\nb\r\nc\r\n\r\n--B" in out


def test_header_with_lf_and_body_with_crlf() -> None:
    """So a milter program has it: header lines are its own, body chunks are the MTA's."""
    msg = read(b"From: x@y\nContent-Type: text/plain\n\r\nhi\r\n")
    msg["X"] = "y"
    msg.set_payload("new\n")
    assert msg.as_bytes() == b"From: x@y\nContent-Type: text/plain\nX: y\n\r\nnew\r\n"


def test_payload_text_has_lf_and_bytes_are_exact() -> None:
    """1.0.5 turned CRLF and CR in a binary part into LF."""
    msg = read(b"Content-Type: a/b\r\n\r\na\r\nb\rc\n\x00\xff")
    assert msg.get_payload().startswith("a\nb\nc\n\x00")
    assert msg.get_payload(decode=True) == b"a\r\nb\rc\n\x00\xff"
    assert msg.get_payload_decoded() == b"a\r\nb\rc\n\x00\xff"


def test_header_values_have_lf() -> None:
    assert read(b"Subject: a\r\n b\r\n\r\n")["subject"] == "a\n b"


def test_8bit_payload_is_decoded_from_its_charset() -> None:
    assert read(b"Content-Type: text/plain; charset=utf-8\n\n\xc3\xa9").get_payload() == "é"
    assert read(b"Content-Type: text/plain; charset=x-bad\n\n\xe9").get_payload() == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("encoding", [None, "base64"])
def test_payload_that_its_charset_lacks_becomes_utf8(encoding: str | None) -> None:
    """1.0.5 raised UnicodeEncodeError when the message was dumped."""
    msg = read(multipart(leaf("text/plain", b"x", encoding), leaf("a/b")))
    msg.get_payload(0).set_payload("é €\n")
    again = read(msg.as_bytes())
    assert again.get_payload(0).get_payload(decode=True) == "é €\n".encode()
    assert again.get_payload(0).get_content_charset() == "utf-8"
    assert again.get_payload(1).as_bytes() == leaf("a/b")


def test_payload_in_its_own_charset_stays() -> None:
    msg = read(leaf("text/plain; charset=iso-8859-1", b"x"))
    msg.set_payload("é")
    assert msg.as_bytes() == leaf("text/plain; charset=iso-8859-1", b"\xe9")


def test_payload_bytes() -> None:
    msg = read(leaf("a/b"))
    msg.set_payload(b"x\xe9")
    assert msg.as_bytes() == leaf("a/b", b"x\xe9")


def test_from_lines_are_not_mangled() -> None:
    """1.0.5 wrote ">From x", which is for mailbox files: the recipient saw it, and a signature broke."""
    msg = read(leaf("text/plain", b"x"))
    msg.set_payload("From x\n")
    assert msg.as_bytes() == leaf("text/plain", b"From x\n")


def test_binary_is_written_as_it_is() -> None:
    msg = read(leaf("a/b", b"x", "binary"))
    msg.set_payload("a\r\nb\rc\n")
    assert msg.as_bytes() == leaf("a/b", b"a\r\nb\rc\n", "binary")


def test_encoders_of_the_email_package_work_on_a_part() -> None:
    msg = read(leaf("a/b", b"A\r\nB"))
    encoders.encode_base64(msg)
    assert msg.get_payload(decode=True) == b"A\r\nB"


def test_get_payload_without_parts() -> None:
    with pytest.raises(TypeError, match="without parts"):
        read(b"\nx").get_payload(0)
    with pytest.raises(IndexError):
        read(RAW).get_payload(9)


# -- parts that the email package does not find


@pytest.mark.parametrize("rest", [b"\n\tX-Priority: 3", b" junk", b" (comment)", b"; x", b"x"])
def test_quoted_boundary_ends_at_its_quote(rest: bytes) -> None:
    raw = b'Content-Type: multipart/mixed; boundary="bound"' + rest + b"\n\n--bound\n\nx\n--bound--\n"
    msg = read(raw)
    assert [part.get_payload() for part in msg.get_payload()] == ["x"]
    assert msg.get_boundary() == "bound"
    msg.get_payload(0).set_payload("y")
    assert msg.as_bytes() == raw.replace(b"\nx\n", b"\ny\n")


@pytest.mark.parametrize("name", ["8-bit boundary", "folded boundary", "RFC 2231 boundary"])
def test_odd_boundaries(name: str) -> None:
    """1.0.5 took the parts for text, and checked nothing in them."""
    assert [part.get_payload() for part in read(BROKEN[name]).get_payload()] == ["x"]


def test_blank_before_a_colon() -> None:
    """RFC 5322, 4.5. 1.0.5 took such a line, and all behind it, for the body."""
    msg = read(b"From : x@y\nContent-Disposition\t: attachment; filename=a.exe\n\nx")
    assert msg.keys() == ["From", "Content-Disposition"]
    assert msg.get_filename() == "a.exe"


# -- messages in messages


def test_changing_a_message_in_a_message() -> None:
    """1.0.5 gave each message/rfc822 a boundary, and wrote it as a multipart."""
    raw = multipart(leaf("text/plain", b"x"), leaf("message/rfc822", RAW.replace(b"B", b"IN")))
    msg = read(raw)
    msg.get_payload(1).get_submsg()[0].get_payload(0).set_payload("changed")
    assert msg.as_bytes() == raw.replace(b"\nhi\n", b"\nchanged")


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "uuencode"])
def test_encoded_message_is_read_and_encoded_again(encoding: str) -> None:
    """1.0.5 took the digits for a message; mail clients decode them."""
    coded = {
        "base64": base64_leaf("message/rfc822", b"Subject: a=b\n\nhi\n"),
        "quoted-printable": leaf("message/rfc822", b"Subject: a=3Db=\n\n\nhi\n", encoding),
        "uuencode": leaf("message/rfc822", b'begin 644 x\n14W5B:F5C=#H@83UB"@IH:0H \n`\nend\n', encoding),
    }[encoding]
    msg = read(multipart(coded, leaf("a/b")))
    inner = msg.get_payload(0).get_submsg()[0]
    assert inner["subject"] == "a=b"
    inner["X"] = "y"
    again = read(msg.as_bytes())
    assert again.get_payload(0).get_submsg()[0].as_bytes() == b"Subject: a=b\nX: y\n\nhi\n"
    assert again.get_payload(1).as_bytes() == leaf("a/b")


def test_delivery_status_is_written_as_it_was() -> None:
    """1.0.5 wrote a multipart with a boundary of its own."""
    raw = leaf("message/delivery-status", b"A: b\n\nC: d\nE: f\n\n")
    msg = read(raw)
    assert [part.items() for part in msg.get_payload()] == [[("A", "b")], [("C", "d"), ("E", "f")]]
    msg.get_payload(1)["G"] = "h"
    assert msg.as_bytes() == raw.replace(b"E: f\n", b"E: f\nG: h\n")
    del msg.get_payload()[0]
    assert msg.as_bytes() == leaf("message/delivery-status", b"C: d\nE: f\nG: h\n")


# -- messages made by programs


def test_multipart_from_nothing() -> None:
    msg = mime.MimeMessage()
    msg.attach(read(leaf("text/plain", b"x")))
    msg.attach(MIMEText("é", "plain", "utf-8"))
    again = message_from_bytes(msg.as_bytes())
    assert again.get_content_type() == "multipart/mixed"
    assert [part.get_payload(decode=True) for part in list(again.walk())[1:]] == [b"x", "é".encode()]


def test_text_that_becomes_a_multipart() -> None:
    msg = read(b"From: x@y\nContent-Type: text/plain\n\nhi")
    text = read(leaf("text/plain", b"hi"))
    msg.set_payload([text, MIMEText("more")])
    again = read(msg.as_bytes())
    assert again["from"] == "x@y"
    assert [part.get_payload() for part in again.get_payload()] == ["hi", "more"]


def test_stdlib_message_in_a_source() -> None:
    """1.0.5 raised AttributeError: the part has no ismodified()."""
    msg = read(RAW)
    msg.attach(MIMEText("From here\n"))
    assert msg.ismodified()
    assert msg.as_bytes().startswith(RAW[: RAW.index(b"--B--")])
    assert msg.as_bytes().endswith(b"\n\nFrom here\n\n--B--\nepilogue\n")


@pytest.mark.parametrize("generator", [BytesGenerator, mime.MimeGenerator])
def test_in_a_stdlib_message(generator: type[BytesGenerator]) -> None:
    outer = Message()
    outer["Content-Type"] = 'multipart/mixed; boundary="OUT"'
    outer.attach(read(leaf("text/plain", b"x")))
    out = io.BytesIO()
    generator(out).flatten(outer)
    assert out.getvalue() == b'Content-Type: multipart/mixed; boundary="OUT"\n\n--OUT\n' + (
        leaf("text/plain", b"x") + b"\n--OUT--\n"
    )


def test_generator_writes_the_source() -> None:
    raw = RAW.replace(b"\n", b"\r\n").replace(b"From: ", b"From:\t  ")
    out = io.BytesIO()
    mime.MimeGenerator(out).flatten(read(raw))
    assert out.getvalue() == raw


def test_new_headers_are_folded_and_encoded() -> None:
    msg = read(b"a: b\n\n")
    msg["Subject"] = "café"
    msg["X"] = Header("word " * 30, header_name="X")
    out = msg.as_bytes()
    assert b"Subject: =?utf-8?b?Y2Fmw6k=?=\n" in out
    assert max(map(len, out.splitlines())) < 79


def test_surrogates_beside_other_characters() -> None:
    msg = read(b"a: b\n\n")
    msg["X"] = "caf\udce9 é"
    assert read(msg.as_bytes())["a"] == "b"


def test_8bit_content_type_can_be_changed() -> None:
    """The email package fails on it: the value is no str."""
    msg = read(b'Content-Type: text/plain; name="\xc3\xa9.txt"\n\nx')
    msg.set_param("charset", "utf-8")
    assert msg.get_filename() == "é.txt"
    msg.set_boundary("B")
    assert read(msg.as_bytes()).get_boundary() == "B"


def test_set_boundary_without_content_type() -> None:
    with pytest.raises(errors.HeaderParseError):
        read(b"a: b\n\n").set_boundary("B")


# -- classic names


def test_classic_names() -> None:
    msg = read(b"To: a\nTo: b\n" + RAW)
    part = msg.get_payload(1)
    assert msg.getheaders("to") == ["a", "b"]
    assert msg.getheaders("nope") is None
    assert msg.getheaders("nope", 3) == 3
    assert msg.gettype() == "multipart/mixed"
    assert msg.ismultipart()
    assert msg.get_submsg() == msg.submsg == msg.get_payload()
    assert part.submsg is None
    assert msg.getencoding() is None
    assert part.getencoding() == "base64"
    assert part.getname() == "a.bin"
    assert part.getfilename() == "a.bin"
    assert msg.getname() is None
    assert part.getparam("NAME") == "a.bin"
    assert part.getparam("zz", "d") == "d"
    assert msg.getparam("boundary", unquote=False) == '"B"'
    assert msg.getparams() == [("multipart/mixed", ""), ("boundary", "B")]
    assert read(b"\n").getparams() == []
    assert part.get_payload_decoded() == b"\0\0\0"
    assert msg.get_payload_decoded() is None


def test_decode_writes_to_a_file() -> None:
    out = io.BytesIO()
    assert read(RAW).get_payload(1).decode(out) == "base64"
    assert out.getvalue() == b"\0\0\0"
    assert read(RAW).decode(out) is None


def test_unixfrom() -> None:
    msg = read(b"a: b\n\n")
    out = io.BytesIO()
    msg.dump(out, True)
    assert out.getvalue().startswith(b"From nobody ")
    assert out.getvalue().endswith(b"\na: b\n\n")
    raw = b"From me\na: b\n\n"
    msg = read(raw)
    assert msg.get_unixfrom() == "From me"
    msg["c"] = "d"
    assert msg.as_bytes(unixfrom=True) == b"From me\na: b\nc: d\n\n"


def test_as_bytes_with_a_policy_is_the_stdlibs() -> None:
    msg = read(RAW)
    assert msg.as_bytes(policy=msg.policy.clone(linesep="\r\n")) == RAW.replace(b"\n", b"\r\n")


def test_as_string() -> None:
    assert read(RAW.replace(b"\n", b"\r\n")).as_string() == RAW.decode()
    assert read(b"a: \xe9\n\nx").as_string() == "a: =?unknown-8bit?q?=E9?=\n\nx"
    text = read(b"Content-Type: text/plain; charset=x-bad\nContent-Transfer-Encoding: 8bit\n\n\xc3\xa9").as_string()
    assert text.endswith("\n\né")


def test_a_message_is_read_from_where_the_file_stands() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"skipped" + RAW)
        file.seek(7)
        msg = mime.message_from_file(file)
    with tempfile.TemporaryFile() as out:
        msg.dump(out)
        out.seek(0)
        assert out.read() == RAW
    with pytest.raises(TypeError, match="binary"):
        mime.message_from_file(io.StringIO("a: b\n\n"))  # type: ignore[arg-type]


def test_message_from_binary_file() -> None:
    assert type(mime.message_from_binary_file(io.BytesIO(RAW))) is Message
    msg = mime.message_from_binary_file(io.BytesIO(RAW), mime.MimeMessage)
    assert msg.as_bytes() == RAW
    assert not msg.ismodified()


def test_subclass_makes_parts_of_its_own_class() -> None:
    class Mine(mime.MimeMessage):
        pass

    assert {type(part) for part in Mine.from_bytes(RAW).walk()} == {Mine}


@pytest.mark.parametrize(
    ("charset", "text", "data"),
    [
        ("iso-8859-1", "caf\xe9\n", b"caf\xe9\n"),
        ("utf-8", "caf\xe9\n", b"caf\xc3\xa9\n"),
        ("x-unknown", "caf\xe9\n", b"caf\xc3\xa9\n"),
        ("iso-8859-1", "\u20ac\n", b"\xe2\x82\xac\n"),
        ("utf-8", "\udcff\n", b"\xff\n"),
        ("utf-8", "\ud800\n", b"\xed\xa0\x80\n"),
    ],
)
def test_a_text_that_is_set_as_it_is_has_the_charset_of_the_header(charset: str, text: str, data: bytes) -> None:
    for eol in (b"\n", b"\r\n"):
        msg = read(leaf(f"text/plain; charset={charset}", b"old\n", "8bit").replace(b"\n", eol))
        msg.set_body_text(text)
        assert msg.as_bytes().endswith(eol * 2 + data.replace(b"\n", eol))
    msg = read(leaf(f"text/plain; charset={charset}", b"old\r\n", "binary"))
    msg.set_body_text(text)
    assert msg.as_bytes().endswith(b"\n\n" + data)


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (b"", "text/plain"),
        (b"Content-Type:\n", "text/plain"),
        (b"Content-Type: foo\n", "text/plain"),
        (b"Content-Type: ; charset=utf-8\n", "text/plain"),
        (b"Content-Type: (a comment) TEXT / Html\n", "text/html"),
        (b"content-type: a/b\nContent-Type: c/d\n", "a/b"),
    ],
)
def test_a_type_that_is_none_is_text(header: bytes, kind: str) -> None:
    assert read(header + b"\nx").get_content_type() == kind
    assert read(multipart(header + b"\nx")).get_payload(0).gettype() == kind


def test_a_part_of_a_digest_is_a_message_where_it_does_not_say_otherwise() -> None:
    inner = b"Subject: inner\n\nhi\n"
    msg = read(multipart(b"\n" + inner, leaf("text/plain", b"x\n"), kind=b"digest"))
    assert [part.get_content_type() for part in msg.get_payload()] == ["message/rfc822", "text/plain"]
    assert msg.get_payload(0).get_payload(0)["subject"] == "inner"
    mixed = read(multipart(b"\n" + inner))
    assert mixed.get_payload(0).get_content_type() == "text/plain"


# -- what a header says, and what is returned if it says nothing


def test_what_is_not_in_the_header_is_the_value_that_was_given() -> None:
    msg = read(b"\nx")
    for method in (msg.get_content_charset, msg.get_filename, msg.get_boundary, msg.get_params, msg.getfilename):
        assert method() is None
        assert method("none") == "none"
    assert read(b"Content-Type: a/b; c=d\n\nx").get_params("none", "content-disposition") == "none"
    assert mime.MimeMessage().get_payload() is None
    assert mime.MimeMessage().get_payload(decode=True) is None
    assert mime.MimeMessage().payload_bytes() == b""
    assert read(RAW).payload_bytes() == b""


@pytest.mark.parametrize(
    ("value", "charset"),
    [
        ("UTF-8", "utf-8"), ('"x"', "x"), ('""', None), ('"\x01"', None), ('"a\x7f"', None), ("caf\xe9", None),
        ("us-ascii''x", "us-ascii''x"),
    ],
)  # fmt: skip
def test_a_charset_is_of_printable_ascii(value: str, charset: str | None) -> None:
    msg = read(f"Content-Type: text/plain; charset={value}\n\nx".encode())
    assert msg.get_content_charset() == charset
    assert msg.get_content_charset("other") == (charset or "other")


def test_parameters_are_unquoted_unless_they_are_not_to_be() -> None:
    msg = read(b"Content-Type: a/b; x=\"y z\"; n*=utf-8''%C3%A9\nContent-Disposition: inline; filename=f\n\n")
    assert msg.get_params() == [("a/b", ""), ("x", "y z"), ("n", ("utf-8", "", "\xc3\xa9"))]
    assert msg.get_params(unquote=False)[1] == ("x", '"y z"')
    assert msg.get_params(header="Content-Disposition") == [("inline", ""), ("filename", "f")]
    assert msg.getparam("x", unquote=False) == '"y z"'


def test_a_file_name_is_that_of_the_disposition_or_else_that_of_the_type() -> None:
    both = b"Content-Type: a/b; name=n\nContent-Disposition: inline; filename=' f '\n\n"
    assert read(both).get_filename() == "' f '"
    assert read(b'Content-Type: a/b; name=" n "\nContent-Disposition: inline\n\n').get_filename() == "n"
    assert read(b'Content-Type: a/b; boundary=" n "\n\n').get_boundary() == " n"


def test_a_header_object_is_read_as_its_text() -> None:
    msg = mime.MimeMessage()
    msg["Content-Type"] = Header("a/b; charset=utf-8")
    msg["Content-Disposition"] = Header("inline; filename=caf\xe9.txt")
    assert msg.get_content_type() == "a/b"
    assert msg.get_content_charset() == "utf-8"
    assert msg.get_filename() == "caf\xe9.txt"


@pytest.mark.parametrize("text", ["caf\xe9", "\udce9", "\udce9 \xe9", "plain"])
def test_a_text_has_bytes_even_if_it_is_not_ascii(text: str) -> None:
    msg = read(leaf("a/b"))
    msg.set_body_text(text)
    assert msg.payload_bytes() == msg.get_payload(decode=True) == text.encode("utf-8", "surrogateescape")
    assert msg.ismodified()


def test_a_payload_that_was_set_is_the_payload() -> None:
    msg = read(leaf("a/b"))
    msg.set_payload_bytes(b"x\r\ny\xe9")
    assert msg.payload_bytes() == msg.get_payload(decode=True) == b"x\r\ny\xe9"
    assert msg.get_payload() == "x\ny\N{REPLACEMENT CHARACTER}"
    assert msg.new_body() == b"x\r\ny\xe9"
    with pytest.raises(TypeError, match=r"payload 1 of a message without parts, whose content type is a/b"):
        msg.get_payload(1)
    assert read(RAW).get_payload(1).get_content_type() == "x/y"
    assert read(RAW).get_payload(decode=True) is None


# -- preamble and epilogue


@pytest.mark.parametrize(
    ("before", "preamble"), [(b"", None), (b"\n", ""), (b"a\n", "a"), (b"a\r\n\r\n", "a\n"), (b"\n\n", "\n")]
)
@pytest.mark.parametrize(
    ("after", "epilogue"), [(b"", None), (b"\n", ""), (b"\nb", "b"), (b"\r\nb\r\n", "b\n"), (b" \t\nb", "b")]
)
def test_margins(before: bytes, preamble: str | None, after: bytes, epilogue: str | None) -> None:
    raw = b"Content-Type: multipart/mixed; boundary=B\n\n" + before + b"--B\n\nx\n--B--" + after
    msg = read(raw)
    assert (msg.preamble, msg.epilogue) == (preamble, epilogue)
    assert (read(leaf("a/b")).preamble, read(leaf("a/b")).epilogue) == (None, None)
    unclosed = read(raw[: raw.index(b"\n--B--")])
    assert (unclosed.preamble, unclosed.epilogue) == (preamble, None)
    msg.preamble = preamble
    assert msg.ismodified()
    msg.epilogue = "new\n"
    assert read(msg.as_bytes()).preamble == (preamble or None)
    assert read(msg.as_bytes()).epilogue == "new\n"


@pytest.mark.parametrize("name", ["preamble", "epilogue"])
def test_a_margin_alone_is_a_change(name: str) -> None:
    msg = read(RAW)
    assert msg.is_pristine()
    setattr(msg, name, "changed")
    assert getattr(msg, name) == "changed"
    assert not msg.is_pristine()
    assert msg.ismodified()
    assert msg.has_source_preamble() == (name == "epilogue")
    assert msg.has_source_epilogue() == (name == "preamble")
    assert not msg.has_source_margins()
    fresh = mime.MimeMessage()
    setattr(fresh, name, "x")
    assert getattr(fresh, name) == "x"


# -- ways to write


def test_a_from_line_comes_first_if_it_is_asked_for() -> None:
    for eol in ("\n", "\r\n"):
        msg = read(f"a: b{eol}{eol}x".encode())
        msg.set_unixfrom("From caf\udce9")
        assert msg.as_bytes() == f"a: b{eol}{eol}x".encode()
        assert msg.as_bytes(unixfrom=True) == f"From caf\udce9{eol}a: b{eol}{eol}x".encode("ascii", "surrogateescape")
    assert read(b"a: b\n\nx").as_string(unixfrom=True).startswith("From nobody ")
    policy = msg.policy
    assert msg.as_bytes(True, policy) == b"From caf\xe9\na: b\n\nx"
    assert msg.as_bytes(policy=policy) == b"a: b\n\nx"


def test_as_string_takes_what_the_email_package_takes() -> None:
    raw = b"Subject: " + b"word " * 20 + b"\n\nx"
    msg = read(raw)
    assert msg.as_string() == raw.decode()
    assert max(map(len, msg.as_string(maxheaderlen=40).splitlines())) <= 40
    assert msg.as_string(policy=msg.policy.clone(linesep="\r\n")).endswith("\r\n\r\nx")
    assert read(b"From me\na: b\n\nx").as_string(unixfrom=False) == "From me\na: b\n\nx"
    odd = read(b"a: \xe9\nContent-Type: text/plain; charset=x\nContent-Transfer-Encoding: 8bit\n\n\xe9")
    odd.set_unixfrom("From y")
    assert odd.as_string(unixfrom=True).startswith("From y\n")


def test_a_generator_writes_the_parts_of_other_classes_too() -> None:
    out = io.BytesIO()
    mime.MimeGenerator(out).flatten(MIMEText("x"))
    assert out.getvalue() == MIMEText("x").as_bytes()


def test_message_from_binary_file_takes_the_class_by_position_or_name() -> None:
    assert type(mime.message_from_binary_file(io.BytesIO(RAW), _class=mime.MimeMessage)) is mime.MimeMessage
    assert type(mime.message_from_binary_file(io.BytesIO(RAW), _class=Message)) is Message
    assert type(mime.message_from_binary_file(io.BytesIO(RAW), lambda policy=None: Message())) is Message


def test_a_file_in_text_mode_is_named_in_the_error() -> None:
    with pytest.raises(TypeError, match=r"needs a file opened in binary mode, this one gives str"):
        mime.message_from_file(io.StringIO("x"))  # type: ignore[arg-type]
    for kind in (bytearray, memoryview):
        file = io.BytesIO()
        file.read = lambda size=-1, kind=kind: kind(RAW)  # type: ignore[method-assign, misc]
        assert mime.message_from_file(file).as_bytes() == RAW


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\x7f", "a\x80", "\x1f", "a\n"])
def test_the_error_of_a_bad_name_says_what_is_allowed(name: str) -> None:
    msg = read(RAW)
    with pytest.raises(ValueError, match="is no header name: printable ASCII without blanks and colons is allowed"):
        msg[name] = "x"
    assert not msg.ismodified()
    msg["!~"] = "x"
    assert msg["!~"] == "x"


def test_a_changed_message_is_modified_whatever_was_changed() -> None:
    assert not mime.MimeMessage().ismodified()
    assert mime.MimeMessage().modified is False
    assert mime.MimeMessage().headerchange is None
    assert mime.MimeMessage().removed is None
    own = mime.MimeMessage()
    own.modified = True
    assert own.ismodified()
    raw = mime.MimeMessage()
    raw.set_raw("a", "b")
    assert raw.ismodified() is True
    whole = read(RAW)
    whole.set_payload("text")
    assert whole.ismodified()
    inner = read(leaf("message/rfc822", RAW))
    assert not inner.ismodified()
    inner.get_payload(0).get_payload(0).set_raw("X", "y")
    assert inner.ismodified()


@pytest.mark.parametrize(
    "raw",
    [
        b"\nx", multipart(b"\nx"), leaf("message/rfc822", b"\nx"), base64_leaf("message/rfc822", b"\nx"),
        leaf("message/delivery-status", b"a: b\n"), multipart(b"\n\nx", kind=b"digest"),
    ],
)  # fmt: skip
def test_what_has_no_type_is_text(raw: bytes) -> None:
    *_, last = read(raw).walk()
    assert (last.get_content_type(), last.get_default_type()) == ("text/plain", "text/plain")
