"""A message taken apart and given to a filter: byte for byte, with no socket."""

from __future__ import annotations

import email
import email.policy

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pymilter.testing._message import Message

CRLF = b"Subject: one\r\nTo: a\r\n\tb\r\nsubject:two\r\nSUBJECT : three\r\n\r\nbody\r\n"
LF = CRLF.replace(b"\r\n", b"\n")


def test_a_message_is_taken_apart_into_fields_separator_and_body() -> None:
    message = Message.parse(CRLF)
    assert [field.name for field in message.fields] == [b"Subject", b"To", b"subject", b"SUBJECT"]
    assert [field.value() for field in message.fields] == [b"one", b"a\n\tb", b"two", b"three"]
    assert [field.value(leading_space=True) for field in message.fields] == [b" one", b" a\n\tb", b"two", b" three"]
    assert (message.separator, message.body, message.eol) == (b"\r\n", b"body\r\n", b"\r\n")


def test_a_file_with_lf_gives_the_filter_the_same() -> None:
    one, other = Message.parse(LF), Message.parse(CRLF)
    assert [field.value() for field in one.fields] == [field.value() for field in other.fields]
    assert one.eol == b"\n"
    assert one.wire_body == other.wire_body == b"body\r\n"


@pytest.mark.parametrize(
    ("data", "fields", "separator", "body"),
    [
        (b"", [], b"", b""),
        (b"\r\n", [], b"\r\n", b""),
        (b"\nbody", [], b"\n", b"body"),
        (b"A: b", [b"A: b"], b"", b""),
        (b"A: b\r\n", [b"A: b\r\n"], b"", b""),
        (b"A: b\r\n\r\n", [b"A: b\r\n"], b"\r\n", b""),
        (b"A: b\r\nno header\r\n", [b"A: b\r\n"], b"", b"no header\r\n"),
        (b" begins with space\r\n", [], b"", b" begins with space\r\n"),
        (b"A:\r\n \r\n\r\nx", [b"A:\r\n \r\n"], b"\r\n", b"x"),
        (b"A: 1\r\nB\x80: 2\r\n", [b"A: 1\r\n"], b"", b"B\x80: 2\r\n"),
        (b"A: \xa6\r\n\nx", [b"A: \xa6\r\n"], b"\n", b"x"),
        (b": no name\r\n", [], b"", b": no name\r\n"),
        (b"From me Mon\r\nA: b\r\n", [], b"", b"From me Mon\r\nA: b\r\n"),
        (b"A: b\rC: d\r\n\r\n", [b"A: b\rC: d\r\n"], b"\r\n", b""),
    ],
)
def test_where_the_header_ends(data: bytes, fields: list[bytes], separator: bytes, body: bytes) -> None:
    message = Message.parse(data)
    assert [field.raw for field in message.fields] == fields
    assert (message.separator, message.body) == (separator, body)


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
def test_postfix_cuts_a_long_field(eol: bytes) -> None:
    """Before a line if one ends in the last tenth of what is kept, and anywhere otherwise."""

    def kept(*lines: int) -> bytes:
        value = (eol + b" ").join(b"x" * size for size in lines)
        (field,) = Message.taken_in(b"A:" + value + eol).fields
        assert field.raw.endswith(eol)
        return field.raw.replace(eol, b"\n")[:-1]

    assert len(kept(59_998)) == 60_000
    assert len(kept(59_999)) == 60_000
    assert kept(55_000, 10_000) == b"A:" + b"x" * 55_000
    assert len(kept(50_000, 20_000)) == 60_000
    assert kept(30_000, 29_996) == b"A:" + b"x" * 30_000 + b"\n " + b"x" * 29_996


def test_postfix_takes_the_line_of_a_mailbox_for_a_field() -> None:
    assert bytes(Message.taken_in(b"From me Mon\r\nA: b\r\n\r\nx")) == b"X-Mailbox-Line: From me Mon\r\nA: b\r\n\r\nx"
    assert Message.taken_in(b">From me\nA: b\n").fields[0].value() == b">From me"
    assert bytes(Message.taken_in(b"A: b\rc\r\r\n\r\nx\r")) == b"A: b c\r\n\r\nx "


def test_only_one_space_and_no_tab_is_taken_after_the_colon() -> None:
    values = [field.value() for field in Message.parse(b"A:  b\r\nC:\td\r\nE:f\r\nG: \r\nH:\r\n i\r\n").fields]
    assert values == [b" b", b"\td", b"f", b"", b"\n i"]


def test_a_value_ends_at_nul_as_in_every_mta() -> None:
    assert Message.parse(b"A: b\0c\r\n").fields[0].value() == b"b"


pieces = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"A", b"Subject: x", b"\xa6", b"\0", b"longer text"]
)
messages = st.lists(pieces | st.binary(max_size=5), max_size=40).map(b"".join)


@given(messages)
@example(b"A: b\r\n c")
def test_an_unedited_message_comes_out_byte_for_byte(data: bytes) -> None:
    message = Message.parse(data)
    assert bytes(message) == data


@given(messages)
def test_what_the_filter_gets_is_no_less_than_the_message(data: bytes) -> None:
    """Names, values and body, put together again, are the message but for line ends and NUL."""
    message = Message.parse(data)
    for field in message.fields:
        value = field.value(leading_space=True)
        line = field.raw.removesuffix(b"\n").removesuffix(b"\r").replace(b"\r\n", b"\n")
        head, _, rest = line.partition(b":")
        assert head.rstrip(b" \t") == field.name
        assert rest.partition(b"\0")[0] == value
        assert value in (field.value(), b" " + field.value())
        lines = value.split(b"\n")
        assert all(line.startswith((b" ", b"\t")) for line in lines[1:])
    sent = message.body.replace(b"\r\n", b"\n")
    got = message.wire_body.replace(b"\r\n", b"\n")
    # SMTP ends the last line; what ends with a CR then ends with CRLF.
    assert got == sent or got == sent + b"\n"
    assert not message.wire_body or message.wire_body.endswith(b"\r\n")


def test_the_email_package_reads_the_same_fields() -> None:
    parsed = email.message_from_bytes(CRLF.replace(b"SUBJECT :", b"SUBJECT:"), policy=email.policy.compat32)
    fields = Message.parse(CRLF).fields
    assert [name.encode() for name, _ in parsed.items()] == [field.name for field in fields]
