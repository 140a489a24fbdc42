"""An untouched message comes out as it went in, and a change leaves every other byte alone."""

from __future__ import annotations

import copy
import io
import pickle
from email import message_from_binary_file
from email.message import Message

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mime
from pymilter.mime._decode import decode_transfer
from support.mime_messages import BROKEN, all_parts, entities, read

broken = pytest.mark.parametrize("raw", [pytest.param(raw, id=name) for name, raw in BROKEN.items()])
slow = settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
fuzz = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from(
            [
                b"Content-Type: multipart/mixed; boundary=B", b"Content-Type: message/rfc822", b"--B", b"--B--", b"\n",
                b"\r", b"\r\n", b"a: b", b"Content-Type: message/delivery-status", b"Content-Type: multipart/digest",
                b"Content-Transfer-Encoding: base64", b"; boundary=C", b"--C", b" ", b"\t", b":", b"From x", b"x",
                b"\x00", b"=", b'"', b"\xe9", b"Content-Type", b"Content-Disposition: attachment; filename=", b"*0*=",
                b"YTogYg==",
                b"Content-Transfer-Encoding: quoted-printable", b"text/html; charset=", b"utf-16", b"<script>", b"-->",
            ]
        ),
        max_size=25,
    ).map(b"".join),
)  # fmt: skip


def dumped(msg: mime.MimeMessage) -> bytes:
    out = io.BytesIO()
    msg.dump(out)
    return out.getvalue()


def assert_header_added(raw: bytes) -> None:
    """Add a header to each part in turn: nothing else may change, but that a missing line end is written."""
    for number, _ in enumerate(all_parts(read(raw))):
        msg = read(raw)
        part = list(all_parts(msg))[number]
        source = part.source
        assert source is not None
        part["X-New"] = "1"
        out = msg.as_bytes()
        at = source.header_end
        assert out.startswith(raw[:at])
        assert out.endswith(raw[at:])
        assert out[at : len(out) - len(raw) + at].strip() == b"X-New: 1"


def assert_payload_set(raw: bytes) -> None:
    """Set the text of each part without parts in turn: it reads back, and no other part changes.

    The part's own header changes only where its encoding cannot be kept.
    """
    for number, found in enumerate(all_parts(read(raw))):
        if found.is_multipart():
            continue
        msg = read(raw)
        part = list(all_parts(msg))[number]
        source = part.source
        assert source is not None
        part.set_payload("new text")
        out = msg.as_bytes()
        keeps = part.has_source_header()
        before, after = raw[: source.body if keeps else source.start], raw[source.end :]
        assert out.startswith(before)
        assert out.endswith(after)
        assert part.get_payload(decode=True) == b"new text"
        if keeps:
            written = out[len(before) : len(out) - len(after)].lstrip(b"\r\n")
            assert decode_transfer(written, part.transfer_encoding()) == b"new text"


@broken
def test_broken_message_comes_out_as_it_went_in(raw: bytes) -> None:
    msg = read(raw)
    assert msg.as_bytes() == raw
    assert dumped(msg) == raw
    assert bytes(msg) == raw
    assert not msg.ismodified()


@broken
def test_new_header_changes_nothing_else(raw: bytes) -> None:
    assert_header_added(raw)


@broken
def test_new_payload_changes_nothing_else(raw: bytes) -> None:
    assert_payload_set(raw)


@broken
def test_each_header_is_deleted_alone(raw: bytes) -> None:
    source = read(raw).source
    assert source is not None
    for name in {name for name, _ in source.fields}:
        msg = read(raw)
        del msg[name]
        left = raw
        for (key, _), (start, end) in reversed(list(zip(source.fields, source.spans, strict=True))):
            if key.lower() == name.lower():
                left = left[:start] + left[end:]
        assert msg.as_bytes() == left


@broken
def test_nothing_raises(raw: bytes) -> None:
    use_everything(read(raw))


@broken
def test_copies_are_equal(raw: bytes) -> None:
    for twin in (copy.deepcopy(read(raw)), pickle.loads(pickle.dumps(read(raw)))):
        assert twin.as_bytes() == raw
        assert not twin.ismodified()
        assert_same_tree(twin, read(raw))
        twin["X-New"] = "1"
        assert b"X-New: 1" in twin.as_bytes()


def use_everything(msg: mime.MimeMessage) -> None:
    for part in msg.walk():
        assert isinstance(part, mime.MimeMessage)
        part.get_payload()
        part.get_payload(decode=True)
        part.get_content_type()
        part.get_content_charset()
        part.get_boundary()
        part.get_params()
        part.getnames()
        part.getname()
        part.get_filename()
        part.as_string()
        part.items()
        part.preamble, part.epilogue  # noqa: B018
        part.get_unixfrom()
        part.set_param("x", "y")
    mime.defang(msg, "/saved", scan_zip=True)
    msg.as_bytes()
    msg.as_string()


def assert_same_tree(one: Message, other: Message) -> None:
    assert list(one.raw_items()) == list(other.raw_items())
    assert one.is_multipart() == other.is_multipart()
    assert one.is_multipart() or str(one.get_payload()).rstrip("\n") == str(other.get_payload()).rstrip("\n")
    assert (one.preamble or "") == (other.preamble or "")
    assert (one.epilogue or "").rstrip("\n") == (other.epilogue or "").rstrip("\n")
    if one.is_multipart():
        for mine, yours in zip(told_parts(one), told_parts(other), strict=True):
            assert_same_tree(mine, yours)


def told_parts(msg: Message) -> list[Message]:
    """The parts; the stdlib takes the empty line at the end of a delivery-status for a part, and we do not."""
    parts = [part for part in msg.get_payload() if isinstance(part, Message)]
    if msg.get_content_type() == "message/delivery-status":
        return [part for part in parts if part.items() or part.get_payload()]
    return parts


@slow
@given(entities())
def test_generated_tree_comes_out_as_it_went_in(raw: bytes) -> None:
    assert dumped(read(raw)) == raw


@slow
@given(entities())
def test_generated_tree_header_added(raw: bytes) -> None:
    assert_header_added(raw)


@slow
@given(entities())
def test_generated_tree_payload_set(raw: bytes) -> None:
    assert_payload_set(raw)


@settings(slow, derandomize=True)
@given(entities())
def test_generated_tree_is_what_the_stdlib_finds(raw: bytes) -> None:
    """But for blanks before a colon, which only we read as a header (RFC 5322, 4.5), and "From " among the fields.

    A part whose multipart is not closed keeps its last line end; the stdlib takes it away.
    """
    raw = raw.replace(b" : ", b": ").replace(b"From x", b">From x")
    assert_same_tree(read(raw), message_from_binary_file(io.BytesIO(raw)))


@slow
@given(fuzz)
def test_fuzz_comes_out_as_it_went_in(raw: bytes) -> None:
    assert dumped(read(raw)) == raw


@slow
@given(fuzz)
def test_fuzz_header_added(raw: bytes) -> None:
    assert_header_added(raw)


@slow
@given(fuzz)
def test_fuzz_payload_set(raw: bytes) -> None:
    assert_payload_set(raw)


@slow
@given(fuzz)
def test_fuzz_raises_nothing(raw: bytes) -> None:
    use_everything(read(raw))


@slow
@given(entities(), st.data())
def test_parts_are_deleted_and_moved_whole(raw: bytes, data: st.DataObject) -> None:
    """The bytes of the parts that stay are those of the source, in the new order."""
    msg = read(raw)
    parts = msg.get_payload()
    source = msg.source
    if not msg.is_multipart() or source is None or source.kind != "multipart":
        return
    before = [part.as_bytes() for part in parts]
    order = data.draw(st.lists(st.sampled_from(range(len(parts))), unique=True))
    msg.get_payload()[:] = [parts[i] for i in order]
    assert msg.ismodified() == (order != list(range(len(before))))
    again = read(msg.as_bytes())
    if order:
        assert [part.as_bytes() for part in again.get_payload()] == [before[i] for i in order]


def test_source_is_kept_once() -> None:
    raw = BROKEN["rfc822"]
    msg = read(raw)
    parts = list(all_parts(msg))
    assert len(parts) == 4
    assert len({id(part.source.data) for part in parts if part.source is not None}) == 1
    assert msg.as_bytes() is msg.source.data if msg.source is not None else False
