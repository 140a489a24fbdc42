"""@gather on the wire: the whole body or large pieces of it, under a limit, with a verdict that is never lost."""

from __future__ import annotations

import contextlib
import hashlib
import textwrap
from pathlib import Path

import pytest

from pymilter.testing import Client, Response, Verdict
from support.sanitized import measures_memory
from support.wire import Start, WireFilter, eventually

KINDS = pytest.mark.parametrize("kind", ["unix", "inet"])

PROGRAM = """
    import hashlib

    class Filter(Base):
        @gather({options})
        def body(self, body):
            note("body", type(body).__name__, len(body), hashlib.sha256(body).hexdigest())
            {then}

        def eom(self):
            note("eom")
            return CONTINUE
"""


def program(options: str = "", then: str = "return CONTINUE") -> str:
    return PROGRAM.format(options=options, then=then)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def send(client: Client, body: bytes, chunk: int = 65535) -> Response:
    """One message with this body, until the first refusal; else the answer to eom."""
    client.mail("<a@example.org>")
    client.rcpt("<b@example.org>")
    for start in range(0, len(body), chunk):
        answer = client.body(body[start : start + chunk])
        if not answer.verdict.passes:
            return answer
    return client.eom()


def seen_bodies(filter_: WireFilter) -> list[tuple[str, int, str]]:
    return [(kind, size, sha) for _, kind, size, sha in filter_.seen("body")]


@KINDS
@pytest.mark.parametrize("options", ["", "in_memory=1000", "view=True", "view=True, in_memory=1000"])
def test_the_whole_body_comes_in_one_call_before_eom(start: Start, kind: str, options: str) -> None:
    body = bytes(range(256)) * 1000
    filter_ = start(program(options), kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        assert send(client, body).verdict is Verdict.CONTINUE
    what = "memoryview" if "view" in options else "bytes"
    seen = filter_.wait_for(lambda seen: len(seen) == 2)
    assert seen == [("body", what, len(body), digest(body)), ("eom",)]


# Around the sizes where its memory becomes another one: 256 KiB, then four times as much, in_memory, the file.
EDGES = [1, 65535, 262_143, 262_144, 262_145, 1_048_576, 1_048_577, 2_000_000, 2_000_001]


@pytest.mark.parametrize("options", ["in_memory=2_000_000", "in_memory=2_000_000, view=True"])
@pytest.mark.parametrize("chunk", [65535, 32_768])
def test_every_byte_is_there_at_every_size(start: Start, options: str, chunk: int) -> None:
    filter_ = start(program(options))
    bodies = [hashlib.shake_128(str(size).encode()).digest(size) for size in EDGES]
    with Client(filter_.address) as client:
        client.connect()
        for body in bodies:
            assert send(client, body, chunk).verdict is Verdict.CONTINUE
    assert [(size, sha) for _, size, sha in seen_bodies(filter_)] == [(len(body), digest(body)) for body in bodies]


def test_gathered_bytes_are_like_any_other(start: Start) -> None:
    filter_ = start("""
        import ctypes

        class Filter(Base):
            @gather
            def body(self, body: bytes) -> None:
                same = bytes(bytearray(body))
                note("like", body == same, hash(body) == hash(same), ctypes.c_char_p(body).value == same, body[-1:])
    """)
    with Client(filter_.address) as client:
        client.connect()
        send(client, b"x" * 700_000)
    assert filter_.seen("like") == [("like", True, True, True, b"x")]


@measures_memory
@pytest.mark.parametrize("options", ["", "view=True"])
@pytest.mark.parametrize("size", [7_000_000, 30_000_000])
def test_a_gathered_body_is_in_memory_once(start: Start, options: str, size: int) -> None:
    filter_ = start(program(options, then='note("kept", len(body))'))
    status = Path(f"/proc/{filter_.pid}/status")

    def peak() -> int:
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])

    with Client(filter_.address) as client:
        client.connect()
        send(client, b"a small one")
        before = peak()
        assert send(client, b"x" * size).verdict is Verdict.CONTINUE
        assert filter_.seen("kept")[-1] == ("kept", size)
        assert 0.8 < (peak() - before) / size < 1.3


@measures_memory
def test_what_passes_the_limit_is_given_back_at_once(start: Start) -> None:
    filter_ = start(program("limit=60_000_000, in_memory=60_000_000"))
    statm = Path(f"/proc/{filter_.pid}/statm")

    def resident() -> int:
        return 4096 * int(statm.read_text().split()[1])

    with Client(filter_.address) as client:
        client.connect()
        before = resident()
        client.mail("<a@example.org>")
        client.rcpt("<b@example.org>")
        for _ in range(900):
            client.body(b"x" * 65535)
        eventually(resident, lambda now: now - before > 50_000_000)
        for _ in range(30):
            client.body(b"x" * 65535)
        eventually(resident, lambda now: now - before < 10_000_000)
        assert client.eom().verdict is Verdict.TEMPFAIL


@KINDS
def test_an_empty_body_is_handed_over_too(start: Start, kind: str) -> None:
    filter_ = start(program(), kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        send(client, b"")
    assert filter_.wait_for(lambda seen: len(seen) == 2) == [("body", "bytes", 0, digest(b"")), ("eom",)]


@KINDS
def test_its_verdict_is_the_answer_to_the_message(start: Start, kind: str) -> None:
    filter_ = start(program(then='return Reject(550, "5.7.1", "no such bodies")'), kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        answer = send(client, b"text\r\n" * 50_000)
    assert answer.verdict is Verdict.REJECT
    assert answer.reply is not None
    assert str(answer.reply) == "550 5.7.1 no such bodies"
    assert not filter_.seen("eom")


@KINDS
def test_a_failure_in_it_fails_closed(start: Start, kind: str) -> None:
    filter_ = start(program(then='raise RuntimeError("gathered in vain")'), kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        assert send(client, b"text\r\n" * 50_000).verdict is Verdict.TEMPFAIL
        assert not filter_.seen("eom")
    assert "gathered in vain" in filter_.stderr


@KINDS
def test_pieces_are_at_least_as_large_as_asked_for_and_lose_nothing(start: Start, kind: str) -> None:
    body = bytes(range(256)) * 1000
    filter_ = start(program("piece=100_000"), kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        send(client, body, chunk=30_000)
    filter_.wait_for(lambda seen: seen and seen[-1] == ("eom",))
    sizes = [size for _, size, _ in seen_bodies(filter_)]
    assert sizes == [120_000, 120_000, 16_000]
    starts = [0, 120_000, 240_000]
    assert [sha for _, _, sha in seen_bodies(filter_)] == [
        digest(body[start : start + size]) for start, size in zip(starts, sizes, strict=True)
    ]


def test_a_verdict_on_a_piece_stops_the_message_there(start: Start) -> None:
    filter_ = start(program("piece=100_000", then='return Reject(550, "5.7.1", "enough")'))
    with Client(filter_.address) as client:
        client.connect()
        assert send(client, b"x" * 500_000, chunk=50_000).verdict is Verdict.REJECT
    assert len(seen_bodies(filter_)) == 1


@KINDS
@pytest.mark.parametrize("piece", [0, 50_000])
def test_a_body_over_the_limit_is_never_accepted(start: Start, kind: str, piece: int) -> None:
    filter_ = start(program(f"limit=200_000, piece={piece}"), kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        answer = send(client, b"x" * 200_001)
        assert answer.verdict is Verdict.TEMPFAIL
        assert str(answer.reply) == "452 4.3.4 Message too large for the mail filter"
        assert not filter_.seen("eom")
        client.abort()
        assert send(client, b"x" * 200_000).verdict is Verdict.CONTINUE


def test_the_outcome_over_the_limit_can_be_chosen(start: Start) -> None:
    filter_ = start(program('limit=1000, exceeded=Reject(552, "5.3.4", "too much")'))
    with Client(filter_.address) as client:
        client.connect()
        assert str(send(client, b"x" * 1001).reply) == "552 5.3.4 too much"


def test_bodies_of_two_messages_and_of_an_aborted_one_do_not_mix(start: Start) -> None:
    filter_ = start(program())
    with Client(filter_.address) as client:
        client.connect()
        send(client, b"one")
        client.mail("<a@example.org>")
        client.rcpt("<b@example.org>")
        client.body(b"given up")
        client.abort()
        send(client, b"two")
    assert [sha for _, _, sha in seen_bodies(filter_)] == [digest(b"one"), digest(b"two")]


@pytest.mark.parametrize("in_memory", [1000, 1_000_000])
def test_a_view_stays_valid_after_the_connection(start: Start, in_memory: int) -> None:
    filter_ = start(f"""
        import hashlib
        kept = []

        class Filter(Base):
            @gather(view=True, in_memory={in_memory})
            def body(self, body: memoryview) -> None:
                assert body.readonly
                kept.append(body)

            def envfrom(self, mailfrom, *params):
                for body in kept:
                    note("kept", hashlib.sha256(body).hexdigest())
    """)
    body = b"0123456789" * 10_000
    with Client(filter_.address) as client:
        client.connect()
        send(client, body)
    with Client(filter_.address) as client:
        client.connect()
        send(client, b"another body, of another connection")
    assert filter_.seen("kept")[0] == ("kept", digest(body))


def test_a_body_that_cannot_be_stored_fails_closed(start: Start) -> None:
    filter_ = start('import os\nos.environ["TMPDIR"] = "/nonexistent"\n' + textwrap.dedent(program("in_memory=0")))
    with Client(filter_.address) as client:
        client.connect()
        assert send(client, b"text").verdict is Verdict.TEMPFAIL
        assert not filter_.seen("eom")
    assert "temporary file" in filter_.stderr


def test_an_empty_tmpdir_is_none(start: Start) -> None:
    """As for mktemp(1) and Python's tempfile: it does not name the root folder."""
    filter_ = start(
        """
        import os
        os.environ["TMPDIR"] = ""

        class Filter(Base):
            @gather(in_memory=0, piece=100)
            def body(self, body): return CONTINUE
        """
    )
    with Client(filter_.address) as client:
        client.connect()
        client.mail("<a@example.org>")
        client.rcpt("<b@example.org>")
        client.body(b"x")
        paths = [str(entry.readlink()) for entry in Path(f"/proc/{filter_.pid}/fd").iterdir()]
    assert [path.rpartition("/")[0] for path in paths if "pymilter-body-" in path] == ["/tmp"]


def test_a_body_ends_with_nul_for_c(start: Start) -> None:
    """C code reads bytes up to a NUL behind them, which is not part of them."""
    filter_ = start(
        """
        import ctypes

        class Filter(Base):
            @gather()
            def body(self, body):
                note(len(body), ctypes.c_char_p(body).value == body)
                return CONTINUE
        """
    )
    sizes = [0, 1000, *range(600_000, 300_000, -50_000)]
    with Client(filter_.address) as client:
        client.connect()
        for size in sizes:  # each in the memory of the one before
            send(client, b"x" * size)
    assert filter_.seen() == [(size, True) for size in sizes]


def test_a_body_of_just_in_memory_needs_no_file(start: Start) -> None:
    """in_memory is the largest size in memory: one byte more needs the folder for files, which is not there."""
    filter_ = start(
        'import os\nos.environ["TMPDIR"] = "/nonexistent"\n' + textwrap.dedent(program("in_memory=100_000"))
    )
    with Client(filter_.address) as client:
        client.connect()
        assert send(client, b"x" * 100_000).verdict is Verdict.CONTINUE
        assert send(client, b"x" * 100_001).verdict is Verdict.TEMPFAIL


@KINDS
def test_a_body_that_cannot_be_stored_is_given_back_at_once(start: Start, kind: str) -> None:
    """Where the chunks are not answered, the message goes on to its end; nothing of it is kept until then."""
    filter_ = start(
        """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        class Filter(Base):
            @gather(in_memory=0)
            def body(self, body: bytes) -> None:
                note("body")
        """,
        kind=kind,
    )

    def files() -> list[str]:
        found = []
        for path in Path(f"/proc/{filter_.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                found.append(str(path.readlink()))
        return [name for name in found if "pymilter-body" in name]

    with Client(filter_.address) as client:
        client.connect()
        client.mail("<a@example.org>")
        client.rcpt("<b@example.org>")
        client.body(b"x" * 65535)
        eventually(files, lambda found: len(found) == 1)
        client.body(b"x" * 65535)
        eventually(lambda: filter_.stderr, lambda text: "cannot write a body to its temporary file" in text)
        eventually(files, lambda found: not found)
        assert client.eom().verdict is Verdict.TEMPFAIL
    assert not filter_.seen("body")


@measures_memory
def test_a_recipient_that_cannot_be_noted_drops_no_other(start: Start) -> None:
    """There is memory for the packet of the second RCPT, and none for the copy of it that is to be kept."""
    filter_ = start(
        """
        import ctypes, resource
        from pathlib import Path

        ctypes.CDLL(None).mallopt(-8, 1)  # M_ARENA_MAX: all memory is in one arena, which grows within the limit
        pymilter.setmaxdatasize(1_000_000)

        class Filter(MessageFilter):
            def recipient(self, recipient, envelope):
                used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (used + 1_600_000, resource.RLIM_INFINITY))
                return CONTINUE

            def message(self, message):
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                note("recipients", [str(one) for one in message.recipients])
                return CONTINUE
        """
    )
    with Client(filter_.address) as client:
        client.connect()
        client.mail("<a@example.org>")
        assert client.rcpt("<b@example.org>").verdict is Verdict.CONTINUE
        assert client.rcpt("<c@example.org>", "X=" + "x" * 900_000).verdict is Verdict.TEMPFAIL
        client.header("Subject", "one")
        assert client.eom().verdict is Verdict.CONTINUE
    assert filter_.seen("recipients") == [("recipients", ["b@example.org"])]
