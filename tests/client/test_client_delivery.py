"""What each MTA makes of edits, line by line of what was measured; tests/mta/test_edits.py asks the real servers."""

from __future__ import annotations

import pytest
from hypothesis import given
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
    Mta,
    ProtocolError,
    Quarantine,
    ReplaceBody,
    apply_edits,
)
from pymilter.testing._message import Message

CRLF = b"Subject: one\r\nTo: a\r\n\tb\r\nsubject:two\r\nSUBJECT : three\r\n\r\nbody\r\n"
LF = CRLF.replace(b"\r\n", b"\n")
NOBODY = Envelope("<>", ())
BOTH = pytest.mark.parametrize("mta", ["postfix", "sendmail"])


def edited(data: bytes, *edits: Edit, mta: Mta = "postfix", leading_space: bool = False) -> bytes:
    return apply_edits(data, NOBODY, edits, mta=mta, leading_space=leading_space).message


def values(mta: Mta, *edits: Edit) -> list[str]:
    """The values after the edits of a message whose values are A, B1, C, B2."""
    message = b"A: A\r\nB: B1\r\nC: C\r\nb: B2\r\n\r\n"
    return [value for _, value in apply_edits(message, NOBODY, edits, mta=mta).headers]


pieces = st.sampled_from([b"\r\n", b"\n", b" ", b"\t", b":", b"A", b"Subject: x", b"\xa6", b"\0", b"longer text"])
# A CR without LF is nothing that Postfix leaves alone.
others = st.binary(max_size=5).map(lambda data: data.replace(b"\r", b""))
messages = st.lists(pieces | others, max_size=40).map(b"".join)
names = st.sampled_from(["A", "Subject", "X-New", "subject", "Date", "Received"])
texts = st.sampled_from(["v", "two\n lines", "", "\udca6"])
mtas: st.SearchStrategy[Mta] = st.sampled_from(["postfix", "sendmail"])
HeaderEdit = AddHeader | InsertHeader | ChangeHeader
header_edits: st.SearchStrategy[list[HeaderEdit]] = st.lists(
    st.builds(AddHeader, names, texts)
    | st.builds(InsertHeader, st.integers(0, 20), names, texts)
    | st.builds(ChangeHeader, st.integers(0, 4), names, texts),
    max_size=6,
)


@given(messages, mtas)
def test_edits_that_concern_no_byte_leave_the_message_as_it_is(data: bytes, mta: Mta) -> None:
    assert edited(data, mta=mta) == data
    assert edited(data, Quarantine("x"), AddRecipient("<a>"), DeleteRecipient("<a>"), mta=mta) == data


@given(messages, header_edits, mtas)
def test_header_edits_leave_the_body_and_the_other_fields_alone(data: bytes, edits: list[HeaderEdit], mta: Mta) -> None:
    before = Message.parse(data)
    after = Message.parse(edited(data, *edits, mta=mta))
    assert after.body == before.body
    assert len(after.fields) - len(before.fields) <= len(edits)
    touched = {edit.name.lower().encode() for edit in edits}
    for field in before.fields:
        if field.name.lower() not in touched:
            assert any(field.raw.rstrip(b"\r\n") == other.raw.rstrip(b"\r\n") for other in after.fields)


@BOTH
def test_a_field_of_a_new_name_is_the_last(mta: Mta) -> None:
    added = edited(CRLF, AddHeader("X-A", "one\n\ttwo"), AddHeader("X-B", "\udca6"), mta=mta)
    assert added == CRLF.replace(b"\r\n\r\n", b"\r\nX-A: one\r\n\ttwo\r\nX-B: \xa6\r\n\r\n")
    assert edited(LF, AddHeader("X-A", "one\n\ttwo"), mta=mta) == LF.replace(b"\n\n", b"\nX-A: one\n\ttwo\n\n")


@pytest.mark.parametrize("edit", [AddHeader("B", "new"), ChangeHeader(3, "B", "new"), ChangeHeader(99, "b", "new")])
def test_a_further_field_of_a_name(edit: Edit) -> None:
    assert values("postfix", edit) == ["A", "B1", "C", "B2", "new"]
    assert values("sendmail", edit) == ["A", "new", "B1", "C", "B2"]


@BOTH
def test_an_added_empty_value_is_an_empty_field(mta: Mta) -> None:
    assert edited(CRLF, AddHeader("X", ""), mta=mta) == CRLF.replace(b"\r\n\r\n", b"\r\nX: \r\n\r\n")


@pytest.mark.parametrize(("index", "place"), [(0, 0), (1, 0), (2, 1), (4, 3), (5, 4), (99, 4), (2**32 - 1, 4)])
def test_postfix_counts_its_own_received_when_it_inserts(index: int, place: int) -> None:
    after = Message.parse(edited(CRLF, InsertHeader(index, "New", "x")))
    assert [field.name for field in after.fields].index(b"New") == place


@pytest.mark.parametrize(("index", "place"), [(0, 0), (1, 0), (8, 0), (9, 1), (11, 3), (12, 4), (99, 4)])
def test_sendmail_counts_nine_fields_that_no_filter_sees(index: int, place: int) -> None:
    after = Message.parse(edited(CRLF, InsertHeader(index, "New", "x"), mta="sendmail"))
    assert [field.name for field in after.fields].index(b"New") == place


def test_inserted_fields_count_for_later_ones() -> None:
    edits: list[Edit] = [InsertHeader(0, "X", "above"), InsertHeader(1, "X", "between"), InsertHeader(3, "X", "below")]
    assert values("postfix", *edits) == ["above", "between", "below", "A", "B1", "C", "B2"]
    assert values("sendmail", *edits) == ["above", "between", "below", "A", "B1", "C", "B2"]
    twice: list[Edit] = [InsertHeader(0, "X", "1"), InsertHeader(0, "X", "2")]
    assert values("postfix", *twice) == values("sendmail", *twice) == ["2", "1", "A", "B1", "C", "B2"]


@BOTH
@pytest.mark.parametrize(
    ("index", "after"),
    [(0, ["A", "new", "C", "B2"]), (1, ["A", "new", "C", "B2"]), (2, ["A", "B1", "C", "new"])],
)
def test_a_change_counts_per_name_from_1_whatever_the_case(mta: Mta, index: int, after: list[str]) -> None:
    assert values(mta, ChangeHeader(index, "b", "new")) == after


def test_a_changed_field_has_the_new_spelling_or_the_old_one() -> None:
    edit = ChangeHeader(2, "SUBJECT", "new")
    assert edited(CRLF, edit) == CRLF.replace(b"subject:two", b"SUBJECT: new")
    assert edited(CRLF, edit, mta="sendmail") == CRLF.replace(b"subject:two", b"subject: new")


@BOTH
def test_a_change_with_an_empty_value_deletes(mta: Mta) -> None:
    assert edited(CRLF, ChangeHeader(1, "to", ""), mta=mta) == CRLF.replace(b"To: a\r\n\tb\r\n", b"")
    assert edited(CRLF, ChangeHeader(4, "Subject", ""), mta=mta) == CRLF
    assert edited(CRLF, ChangeHeader(1, "Absent", ""), mta=mta) == CRLF


def test_a_deleted_field_is_counted_by_sendmail_alone() -> None:
    twice: list[Edit] = [ChangeHeader(1, "B", ""), ChangeHeader(1, "B", "")]
    assert values("postfix", *twice) == ["A", "C"]
    assert values("sendmail", *twice) == ["A", "C", "B2"]
    revived: list[Edit] = [ChangeHeader(1, "B", ""), ChangeHeader(1, "B", "new")]
    assert values("postfix", *revived) == ["A", "C", "new"]
    assert values("sendmail", *revived) == ["A", "new", "C", "B2"]


def test_the_mtas_own_received_is_never_changed() -> None:
    edits: list[Edit] = [InsertHeader(0, "Received", "above"), ChangeHeader(2, "Received", "new")]
    assert values("postfix", *edits) == ["above", "A", "B1", "C", "B2", "new"]
    assert values("sendmail", *edits) == ["new", "above", "A", "B1", "C", "B2"]
    assert values("postfix", ChangeHeader(1, "Received", "")) == ["A", "B1", "C", "B2"]


def test_sendmail_has_date_and_from_ready_above_those_of_the_message() -> None:
    message = b"X: 1\r\nDate: old\r\n\r\n"
    after = apply_edits(message, NOBODY, [AddHeader("date", "new")], mta="sendmail")
    assert after.headers == (("Date", "new"), ("X", "1"), ("Date", "old"))
    after = apply_edits(message, NOBODY, [ChangeHeader(2, "Date", "a"), ChangeHeader(2, "Date", "b")], mta="sendmail")
    assert after.headers == (("Date", "a"), ("X", "1"), ("Date", "b"))


@BOTH
def test_values_bring_their_own_space_where_that_was_negotiated(mta: Mta) -> None:
    edits: list[Edit] = [AddHeader("A", "b"), InsertHeader(0, "C", " d")]
    assert edited(CRLF, *edits, mta=mta, leading_space=True) == (
        b"C: d\r\n" + CRLF.replace(b"\r\n\r\n", b"\r\nA:b\r\n\r\n")
    )


@BOTH
@pytest.mark.parametrize(
    ("sent", "body"),
    [
        ([b"a\r\n", b"b\r\n"], b"a\r\nb\r\n"),
        ([b"no end"], b"no end\r\n"),
        ([b"bare\nLF\n"], b"bare\r\nLF\r\n"),
        ([b"in two\r", b"\n"], b"in two\r\n"),
        ([b"a\rb\0\r\n"], b"a\rb\0\r\n"),
        ([b""], b""),
        ([], b"body\r\n"),
    ],
)
def test_the_new_body(mta: Mta, sent: list[bytes], body: bytes) -> None:
    edits: list[Edit] = [ReplaceBody(piece) for piece in sent]
    assert edited(CRLF, *edits, mta=mta) == CRLF.replace(b"body\r\n", body)
    assert edited(LF, *edits, mta=mta) == LF.replace(b"body\n", body.replace(b"\r\n", b"\n"))


def test_sendmail_writes_a_cr_before_an_empty_piece_twice() -> None:
    edits: list[Edit] = [ReplaceBody(b"a\r"), ReplaceBody(b"")]
    assert apply_edits(CRLF, NOBODY, edits, mta="postfix").body == b"a\r\r\n"
    assert apply_edits(CRLF, NOBODY, edits, mta="sendmail").body == b"a\r\r\r\n"


def test_a_body_in_two_runs_is_refused_by_postfix() -> None:
    edits: list[Edit] = [ReplaceBody(b"a"), AddHeader("A", "b"), ReplaceBody(b"c")]
    with pytest.raises(ProtocolError, match="Postfix refuses"):
        edited(CRLF, *edits)
    assert apply_edits(CRLF, NOBODY, edits, mta="sendmail").body == b"ac\r\n"
    edited(CRLF, AddHeader("A", "b"), ReplaceBody(b"a"), ReplaceBody(b"c"), AddHeader("A", "b"))
    with pytest.raises(ProtocolError, match="Postfix refuses"):
        edited(CRLF, ReplaceBody(b""), AddHeader("A", "b"), ReplaceBody(b"c"))


@BOTH
@pytest.mark.parametrize(
    ("data", "edit", "after"),
    [
        (b"A: b", AddHeader("C", "d"), b"A: b\r\nC: d\r\n"),
        (b"A: b\n c", AddHeader("C", "d"), b"A: b\n c\nC: d\n"),
        (b"", AddHeader("C", "d"), b"C: d\r\n"),
        (b"", ReplaceBody(b"x"), b"\r\nx\r\n"),
        (b"A: b\r\n", ReplaceBody(b"x"), b"A: b\r\n\r\nx\r\n"),
        (b"no header\r\n", AddHeader("C", "d"), b"C: d\r\n\r\nno header\r\n"),
        (b"A: b\r\nno header\r\n", ChangeHeader(1, "A", ""), b"\r\nno header\r\n"),
    ],
)
def test_an_incomplete_message_gets_the_line_ends_that_it_lacked(
    mta: Mta, data: bytes, edit: Edit, after: bytes
) -> None:
    assert edited(data, edit, mta=mta) == after


def recipients(mta: Mta, *edits: Edit) -> tuple[str, ...]:
    return apply_edits(CRLF, Envelope("<>", ("<a@x>", "<b@x>")), edits, mta=mta).envelope.recipients


def test_added_recipients() -> None:
    assert recipients("postfix", AddRecipient("<a@x>")) == ("<a@x>", "<b@x>", "<a@x>")
    assert recipients("sendmail", AddRecipient("<a@x>")) == ("<a@x>", "<b@x>")
    twice: list[Edit] = [AddRecipient("c@x"), AddRecipient("<c@x>")]
    assert recipients("postfix", *twice) == recipients("sendmail", *twice) == ("<a@x>", "<b@x>", "<c@x>")
    twice = [AddRecipient("c@x"), AddRecipient("<c@x>", "NOTIFY=NEVER")]
    assert recipients("postfix", *twice) == ("<a@x>", "<b@x>", "<c@x>", "<c@x>")
    assert recipients("sendmail", *twice) == ("<a@x>", "<b@x>", "<c@x>")
    cases: list[Edit] = [AddRecipient("<c@x>"), AddRecipient("<C@x>")]
    assert recipients("postfix", *cases) == ("<a@x>", "<b@x>", "<c@x>")
    assert recipients("sendmail", *cases) == ("<a@x>", "<b@x>", "<c@x>", "<C@x>")


@BOTH
def test_deleted_recipients(mta: Mta) -> None:
    assert recipients(mta, DeleteRecipient("a@x"), DeleteRecipient("<absent@x>")) == ("<b@x>",)
    assert recipients(mta, DeleteRecipient("<A@x>")) == ("<a@x>", "<b@x>")
    assert recipients(mta, DeleteRecipient("<a@x>"), AddRecipient("<a@x>")) == ("<b@x>", "<a@x>")
    assert recipients(mta, DeleteRecipient("<a@x>"), DeleteRecipient("<b@x>")) == ()


@BOTH
def test_source_routes_are_gone_in_the_end(mta: Mta) -> None:
    before = Envelope("<@r.x:s@x>", ("<@r.x,@q.x:a@x>", "<b@x>"))
    assert apply_edits(CRLF, before, [], mta=mta).envelope == Envelope("<s@x>", ("<a@x>", "<b@x>"))
    edits: list[Edit] = [DeleteRecipient("<a@x>"), AddRecipient("<@r.x:c@x>"), ChangeFrom("<@r.x:n@x>")]
    assert apply_edits(CRLF, before, edits, mta=mta).envelope == Envelope("<n@x>", ("<b@x>", "<c@x>"))


def test_postfix_finds_nobody_by_a_source_route() -> None:
    assert recipients("postfix", DeleteRecipient("<@r.x:a@x>")) == ("<a@x>", "<b@x>")
    assert recipients("sendmail", DeleteRecipient("<@r.x:a@x>")) == ("<b@x>",)


def test_postfix_forgets_an_added_recipient_even_where_it_deletes_none() -> None:
    edits: list[Edit] = [AddRecipient("<c@x>"), DeleteRecipient("<C@x>"), AddRecipient("<c@x>")]
    assert recipients("postfix", *edits) == ("<a@x>", "<b@x>", "<c@x>", "<c@x>")


@BOTH
def test_the_rest_of_the_envelope(mta: Mta) -> None:
    before = Envelope("<s@x>", ("<a@x>",), "SIZE=1")
    edits: list[Edit] = [ChangeFrom("<other@x>"), ChangeFrom("new@x"), Quarantine("why"), AddHeader("A", "b")]
    after = apply_edits(CRLF, before, edits, mta=mta).envelope
    assert after == Envelope("<new@x>", ("<a@x>",), "SIZE=1", "why")
    assert apply_edits(CRLF, before, [ChangeFrom("<>")], mta=mta).envelope.sender == "<>"
    assert apply_edits(CRLF, before, [], mta=mta).envelope == before


@pytest.mark.parametrize(
    ("given", "postfix", "sendmail"),
    [
        (None, "SIZE=1 RET=HDRS ENVID=a", "SIZE=1 RET=HDRS ENVID=a"),
        ("", "SIZE=1 RET=HDRS ENVID=a", "SIZE=1 RET=HDRS ENVID=a"),
        ("ret=FULL", "SIZE=1 ENVID=a ret=FULL", "ret=FULL"),
        ("ENVID=b BODY=7BIT", "SIZE=1 RET=HDRS ENVID=b", "ENVID=b BODY=7BIT"),
        ("SIZE=9 ENVID=b", "SIZE=1 RET=HDRS ENVID=b", "SIZE=9 ENVID=b"),
    ],
)
def test_parameters_of_a_changed_sender(given: str | None, postfix: str, sendmail: str) -> None:
    before = Envelope("<s@x>", (), "SIZE=1 RET=HDRS ENVID=a")
    edits = [ChangeFrom("<n@x>", given)]
    assert apply_edits(CRLF, before, edits, mta="postfix").envelope.sender_params == postfix
    assert apply_edits(CRLF, before, edits, mta="sendmail").envelope.sender_params == sendmail


def test_an_unknown_mta_is_refused() -> None:
    with pytest.raises(ValueError, match="'postfix', 'sendmail', not 'exim'"):
        apply_edits(CRLF, NOBODY, [], mta="exim")  # type: ignore[arg-type]


@pytest.mark.parametrize("mta", ["postfix", "sendmail"])
def test_a_value_has_a_space_before_it_unless_it_brings_one(mta: Mta) -> None:
    edits: list[Edit] = [AddHeader("X-New", " b"), ChangeHeader(1, "Subject", " c")]
    without = apply_edits(b"Subject: a\n\nx\n", Envelope("<a@x>", ()), edits, mta=mta)
    assert without.message == b"Subject:  c\nX-New:  b\n\nx\n"
    with_space = apply_edits(b"Subject: a\n\nx\n", Envelope("<a@x>", ()), edits, mta=mta, leading_space=True)
    assert with_space.message == b"Subject: c\nX-New: b\n\nx\n"


@pytest.mark.parametrize("mta", ["postfix", "sendmail"])
def test_inserted_and_added_fields_have_a_number(mta: Mta) -> None:
    edits: list[Edit] = [InsertHeader(0, "X", "0"), AddHeader("Y", "1"), ChangeHeader(2, "X", "2")]
    edits += [ChangeHeader(1, "Y", "3"), ChangeHeader(2, "Y", "4"), ChangeHeader(0, "X", "5")]
    delivered = apply_edits(b"X: a\n\nx\n", Envelope("<a@x>", ()), edits, mta=mta)
    values = {name: [value for other, value in delivered.headers if other == name] for name in "XY"}
    assert values == {"X": ["5", "2"], "Y": ["3", "4"] if mta == "postfix" else values["Y"]}
    assert sorted(values["Y"]) == ["3", "4"]
