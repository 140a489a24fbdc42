"""A message taken apart, given to a filter and changed: byte for byte, with no socket."""

from __future__ import annotations

import email
import email.policy

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pymilter.testing import (
    AddHeader,
    AddRecipient,
    ChangeFrom,
    ChangeHeader,
    DeleteRecipient,
    Edit,
    Envelope,
    InsertHeader,
    ProtocolError,
    Quarantine,
    ReplaceBody,
)
from pymilter.testing._message import Message

CRLF = b"Subject: one\r\nTo: a\r\n\tb\r\nsubject:two\r\nSUBJECT : three\r\n\r\nbody\r\n"
LF = CRLF.replace(b"\r\n", b"\n")


def edited(data: bytes, *edits: Edit, leading_space: bool = False) -> bytes:
    return bytes(Message.parse(data).edited(edits, leading_space))


def test_the_parts() -> None:
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
    assert bytes(message.edited([])) == data
    assert bytes(message.edited([Quarantine("x"), AddRecipient("<a>"), DeleteRecipient("<a>")])) == data


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
    assert message.wire_body.replace(b"\r\n", b"\n") == message.body.replace(b"\r\n", b"\n")


names = st.sampled_from(["A", "Subject", "X-New", "subject"])
values = st.sampled_from(["v", "two\n lines", "", "\udca6"])
HeaderEdit = AddHeader | InsertHeader | ChangeHeader
header_edits: st.SearchStrategy[list[HeaderEdit]] = st.lists(
    st.builds(AddHeader, names, values)
    | st.builds(InsertHeader, st.integers(0, 6), names, values)
    | st.builds(ChangeHeader, st.integers(0, 4), names, values),
    max_size=6,
)


@given(messages, header_edits)
def test_header_edits_leave_the_body_and_the_other_fields_alone(data: bytes, edits: list[HeaderEdit]) -> None:
    before = Message.parse(data)
    raw = bytes(before.edited(edits))
    after = Message.parse(raw)
    assert after.body == before.body
    assert len(after.fields) - len(before.fields) <= len(edits)
    touched = {edit.name.lower().encode() for edit in edits if isinstance(edit, ChangeHeader)}
    added = {edit.name.lower().encode() for edit in edits if not isinstance(edit, ChangeHeader)}
    for field in before.fields:
        if field.name.lower() not in touched | added:
            assert any(field.raw.rstrip(b"\r\n") == other.raw.rstrip(b"\r\n") for other in after.fields)


@given(messages, header_edits)
def test_edits_one_by_one_are_the_edits_together(data: bytes, edits: list[HeaderEdit]) -> None:
    together = Message.parse(data).edited(edits)
    single = Message.parse(data)
    for edit in edits:
        single = single.edited([edit])
    assert bytes(single) == bytes(together)


def test_add_header() -> None:
    added = edited(CRLF, AddHeader("X-A", "one\n\ttwo"), AddHeader("X-B", "\udca6"))
    assert added == CRLF.replace(b"\r\n\r\n", b"\r\nX-A: one\r\n\ttwo\r\nX-B: \xa6\r\n\r\n")
    assert edited(LF, AddHeader("X-A", "one\n\ttwo")) == LF.replace(b"\n\n", b"\nX-A: one\n\ttwo\n\n")


def test_values_bring_their_own_space_where_that_was_negotiated() -> None:
    added = edited(CRLF, AddHeader("A", "b"), InsertHeader(0, "C", " d"), leading_space=True)
    assert added == b"C: d\r\n" + CRLF.replace(b"\r\n\r\n", b"\r\nA:b\r\n\r\n")


@pytest.mark.parametrize(("index", "place"), [(0, 0), (1, 1), (3, 3), (4, 4), (5, 4), (99, 4), (2**32 - 1, 4)])
def test_insert_header_counts_all_fields_from_0(index: int, place: int) -> None:
    after = Message.parse(edited(CRLF, InsertHeader(index, "New", "x")))
    assert [field.name for field in after.fields].index(b"New") == place


def test_insert_header_counts_what_was_inserted_before() -> None:
    after = edited(CRLF, InsertHeader(0, "One", "1"), InsertHeader(1, "Two", "2"))
    assert after == b"One: 1\r\nTwo: 2\r\n" + CRLF


@pytest.mark.parametrize(
    ("index", "old", "new"),
    [
        (0, b"Subject: one", b"Subject: new"),
        (1, b"Subject: one", b"Subject: new"),
        (2, b"subject:two", b"Subject: new"),
        (3, b"SUBJECT : three", b"Subject: new"),
        (4, b"\r\n\r\n", b"\r\nSubject: new\r\n\r\n"),
        (99, b"\r\n\r\n", b"\r\nSubject: new\r\n\r\n"),
    ],
)
def test_change_header_counts_per_name_from_1_whatever_the_case(index: int, old: bytes, new: bytes) -> None:
    assert edited(CRLF, ChangeHeader(index, "Subject", "new")) == CRLF.replace(old, new)


def test_change_header_with_an_empty_value_deletes() -> None:
    assert edited(CRLF, ChangeHeader(1, "to", "")) == CRLF.replace(b"To: a\r\n\tb\r\n", b"")
    assert edited(CRLF, ChangeHeader(4, "Subject", "")) == CRLF
    assert edited(CRLF, ChangeHeader(1, "Absent", "")) == CRLF


def test_a_deleted_field_is_counted_no_more() -> None:
    after = edited(CRLF, ChangeHeader(1, "Subject", ""), ChangeHeader(1, "Subject", ""))
    assert [field.raw for field in Message.parse(after).fields] == [b"To: a\r\n\tb\r\n", b"SUBJECT : three\r\n"]


def test_replace_body() -> None:
    assert edited(CRLF, ReplaceBody(b"a\r\n"), ReplaceBody(b"b\r\n")) == CRLF.replace(b"body\r\n", b"a\r\nb\r\n")
    assert edited(LF, ReplaceBody(b"a\r"), ReplaceBody(b"\nb\r\n")) == LF.replace(b"body\n", b"a\nb\n")
    assert edited(CRLF, ReplaceBody(b"")) == CRLF.replace(b"body\r\n", b"")


def test_a_body_in_two_runs_is_refused_as_by_postfix() -> None:
    with pytest.raises(ProtocolError, match="Postfix refuses"):
        edited(CRLF, ReplaceBody(b"a"), AddHeader("A", "b"), ReplaceBody(b"c"))
    edited(CRLF, AddHeader("A", "b"), ReplaceBody(b"a"), ReplaceBody(b"c"), AddHeader("A", "b"))


@pytest.mark.parametrize(
    ("data", "edit", "after"),
    [
        (b"A: b", AddHeader("C", "d"), b"A: b\r\nC: d\r\n"),
        (b"A: b\n c", AddHeader("C", "d"), b"A: b\n c\nC: d\n"),
        (b"", AddHeader("C", "d"), b"C: d\r\n"),
        (b"", ReplaceBody(b"x"), b"\r\nx"),
        (b"A: b\r\n", ReplaceBody(b"x"), b"A: b\r\n\r\nx"),
        (b"no header\r\n", AddHeader("C", "d"), b"C: d\r\n\r\nno header\r\n"),
        (b"A: b\r\nno header\r\n", ChangeHeader(1, "A", ""), b"\r\nno header\r\n"),
    ],
)
def test_an_incomplete_message_gets_the_line_ends_that_it_lacked(data: bytes, edit: Edit, after: bytes) -> None:
    assert edited(data, edit) == after


def test_the_email_package_reads_the_same_fields() -> None:
    parsed = email.message_from_bytes(CRLF.replace(b"SUBJECT :", b"SUBJECT:"), policy=email.policy.compat32)
    fields = Message.parse(CRLF).fields
    assert [name.encode() for name, _ in parsed.items()] == [field.name for field in fields]


def test_the_envelope_after_edits() -> None:
    before = Envelope("<s@x>", ("<a@x>", "<b@x>"), "SIZE=1")
    after = before.edited(
        [
            DeleteRecipient("a@x"),
            AddRecipient("c@x"),
            AddRecipient("<b@x>", "NOTIFY=NEVER"),
            DeleteRecipient("<absent@x>"),
            ChangeFrom("new@x", "RET=FULL"),
            Quarantine("why"),
            AddHeader("A", "b"),
        ]
    )
    assert after == Envelope("<new@x>", ("<b@x>", "<c@x>"), "RET=FULL", "why")
    assert before.edited([ChangeFrom("<>")]).sender == "<>"
    assert before.edited([]) == before
