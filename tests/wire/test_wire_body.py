"""The body: chunks as they came, SKIP, and a body replaced."""

from __future__ import annotations

import pytest

from pymilter.testing import (
    AddHeader,
    AddRecipient,
    ChangeHeader,
    Client,
    Edit,
    Protocol,
    Quarantine,
    ReplaceBody,
    Verdict,
)
from support.puppet import Puppet
from support.wire import Start, message

COLLECTOR = """
    import hashlib

    class Filter(Base):
        def envfrom(self, mailfrom, *params) -> None:
            self.sizes, self.digest = [], hashlib.sha256()
        def body(self, chunk):
            assert type(chunk) is bytes
            self.sizes.append(len(chunk))
            self.digest.update(chunk)
        def eom(self):
            note(self.sizes, self.digest.hexdigest())
"""


@pytest.mark.parametrize(
    ("body", "chunk_size"),
    [
        (bytes(65535), 65535),
        (b"a\0b\r\n" * 40000, 65535),
        (b"\0\r\n\0\xff", 1),
        (b"\r\n", 1),
        (bytes(range(256)) * 4, 1),
        (b"", 65535),
    ],
    ids=["one full chunk of NUL", "NULs in several chunks", "NUL by byte", "CRLF cut", "each byte", "none"],
)
def test_chunks_arrive_as_they_were_cut(start: Start, body: bytes, chunk_size: int) -> None:
    import hashlib

    process = start(COLLECTOR)
    with Client(process.address) as client:
        client.connect()
        client.mail("<>")
        client.body(body, chunk_size=chunk_size)
        assert client.eom().verdict is Verdict.CONTINUE
    full, rest = divmod(len(body), chunk_size)
    assert process.seen() == [([chunk_size] * full + [rest] * bool(rest), hashlib.sha256(body).hexdigest())]


SKIPPER = """
    class Filter(Base):
        def body(self, chunk):
            note(chunk)
            return SKIP
        def eom(self):
            self.addheader("X-After", "skip")
            self.replacebody(b"new")
"""


@pytest.mark.parametrize("protocol", [Protocol.ALL, Protocol.ALL & ~Protocol.SKIP])
def test_skip_ends_the_chunks_of_this_message(start: Start, protocol: Protocol) -> None:
    process = start(SKIPPER)
    wanted = Verdict.SKIP if Protocol.SKIP in protocol else Verdict.CONTINUE
    with Client(process.address, protocol=protocol) as client:
        client.connect()
        for number in (b"1", b"2"):
            client.mail("<>")
            client.rcpt("<b@example.org>")
            assert client.body(number).verdict is wanted
            assert client.body(number + b" more", force=True).verdict is not Verdict.SKIP
            assert client.eom().edits == (AddHeader("X-After", "skip"), ReplaceBody(b"new"))
    assert process.seen()[:2] == [(b"1",), (b"2",)]
    assert len(process.seen()) == 2


def test_skip_ends_with_rset(start: Start) -> None:
    process = start(SKIPPER)
    with Client(process.address, protocol=Protocol.ALL & ~Protocol.SKIP) as client:
        client.connect()
        for number in (b"1", b"2"):
            client.mail("<>")
            client.body(number)
            client.abort()
    assert process.seen() == [(b"1",), (b"2",)]


@pytest.mark.parametrize(
    ("call", "chunks"),
    [
        ("replacebody(b'new\\r\\n')", [b"new\r\n"]),
        ("replacebody(bytearray(b'new'))", [b"new"]),
        ("replacebody(memoryview(b'xnewx')[1:4])", [b"new"]),
        ("replacebody(__import__('array').array('B', b'new'))", [b"new"]),
        ("replacebody(b'a\\0b')", [b"a\0b"]),
        ("replacebody('caf\u00e9 \\udce9')", [b"caf\xc3\xa9 \xe9"]),
        ("replacebody(b'')", [b""]),
        ("replacebody(bytearray())", [b""]),
        ("replacebody(memoryview(b''))", [b""]),
        ("replacebody(b'x' * 65535)", [b"x" * 65535]),
        ("replacebody(b'x' * 65536)", [b"x" * 65535, b"x"]),
        ("replacebody(b'x' * 200000)", [b"x" * 65535] * 3 + [b"x" * 3395]),
    ],
)
def test_a_body_is_replaced(puppet: Puppet, call: str, chunks: list[bytes]) -> None:
    assert puppet.play(f"self.{call}").edits == [ReplaceBody(chunk) for chunk in chunks]


def test_a_buffer_that_is_not_contiguous_is_refused(puppet: Puppet) -> None:
    assert puppet.errors("note_error(self.replacebody, memoryview(b'abc')[::2])")[0][0] == "BufferError"


def test_a_bytearray_can_be_used_again_after_the_call(puppet: Puppet) -> None:
    code = """
        body = bytearray(b"one")
        self.replacebody(body)
        body.extend(b"two")
        self.replacebody(body)
    """
    assert puppet.play(code).edits == [ReplaceBody(b"one"), ReplaceBody(b"onetwo")]


def test_the_chunks_of_a_body_come_in_one_run(puppet: Puppet) -> None:
    played = puppet.play("""
        self.addheader("X-Before", "1")
        self.replacebody(b"one\\r\\n")
        self.addheader("X-Between", "2")
        self.quarantine("q")
        self.replacebody(b"two\\r\\n" * 20000)
        self.chgheader("Subject", 1, None)
        self.replacebody(b"three\\r\\n")
        self.addrcpt("<n@example.org>", (p for p in ["A=1", "B=2"]))
        return ACCEPT
    """)
    wanted: list[Edit] = [
        AddHeader("X-Before", "1"),
        ReplaceBody(b"one\r\n"),
        ReplaceBody((b"two\r\n" * 20000)[:65535]),
        ReplaceBody((b"two\r\n" * 20000)[65535:]),
        ReplaceBody(b"three\r\n"),
        AddHeader("X-Between", "2"),
        Quarantine("q"),
        ChangeHeader(1, "Subject", ""),
        AddRecipient("<n@example.org>", "A=1 B=2"),
    ]
    assert played.edits == wanted
    assert played.answers["eom"].verdict is Verdict.ACCEPT


def test_edits_held_back_belong_to_their_message(start: Start) -> None:
    process = start("""
        class Filter(Base):
            count = 0
            def eom(self):
                self.count += 1
                self.replacebody(b"x")
                self.addheader("X-Count", str(self.count))
                return REJECT if self.count == 1 else ACCEPT
    """)
    with Client(process.address) as client:
        client.connect()
        assert message(client)["eom"].verdict is Verdict.REJECT
        assert message(client)["eom"].edits == (ReplaceBody(b"x"), AddHeader("X-Count", "2"))


def test_a_bad_edit_among_held_ones_raises_at_once(puppet: Puppet) -> None:
    played = puppet.play("self.replacebody(b'x')\nnote_error(self.addheader, 'A', 'b\\nc')\nself.addheader('A', 'd')")
    assert played.seen[0][0] == "BadValue"
    assert played.edits == [ReplaceBody(b"x"), AddHeader("A", "d")]
