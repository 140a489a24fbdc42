"""What is seen of a filter, to the letter: records of the log, tracebacks, counters, and the server for Prometheus."""

from __future__ import annotations

import contextlib
import errno
import http.server
import itertools
import json
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from pymilter import LogFilter, MilterError, Status, stats
from pymilter._observe import counts, scrapes, writer
from pymilter._observe import logging as logging_module
from pymilter._observe.counts import own_messages, own_text
from pymilter._observe.logging import add_attributes, whereabouts
from pymilter._observe.report import report
from pymilter._observe.scrapes import AT_ONCE, TURNED_AWAY, ScrapeServer, _Peer
from pymilter._observe.stats import Stats, Transports, own_stats, stats_of_text, total
from pymilter._observe.traceback import (
    MOST_EXCEPTIONS,
    MOST_FRAMES,
    MOST_IN_ALL,
    MOST_TEXT,
    headline,
    plain,
    shortened,
    text_of,
)
from pymilter._process.process import PROCESS
from pymilter.prometheus import MetricsServer
from support.wire import eventually


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing depend on how busy this machine is."""
    for module, name in ((writer, "WITHIN"), (writer, "EXIT_WITHIN"), (scrapes, "TURN"), (scrapes, "LONGEST")):
        monkeypatch.setattr(module, name, 1000.0)


# ------------------------------------------------------------------------------------ records


class Context:
    """The connection of a callback."""

    def __init__(self, queue_id: str | None, peer: str | None) -> None:
        self.id = 7
        self.queue_id, self.peer = queue_id, peer


def record(**attributes: object) -> logging.LogRecord:
    made = logging.LogRecord("pymilter.mime", logging.INFO, __file__, 1, "text", (), None)
    vars(made).update(attributes)
    return made


NAMES = ("connection", "queue_id", "peer", "worker")


@pytest.mark.parametrize(
    ("context", "attributes", "where"),
    [
        (None, ("-", "-", "-"), "before the connection was set up"),
        (Context(None, None), (7, "-", "-"), "connection 7"),
        (Context("", ""), (7, "-", "-"), "connection 7"),
        (Context("4XYZ", None), (7, "4XYZ", "-"), "connection 7, queue id 4XYZ"),
        (Context(None, "mx[192.0.2.1]"), (7, "-", "mx[192.0.2.1]"), "connection 7, mx[192.0.2.1]"),
        (Context("4\nX", "m\xe9"), (7, "4\\nX", "m\\xe9"), "connection 7, queue id 4\\nX, m\\xe9"),
    ],
)
def test_what_a_record_says_of_its_connection(
    context: Any, attributes: tuple[Any, ...], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging_module, "current_context", lambda: context)
    made = record()
    assert LogFilter().filter(made) is True
    assert tuple(getattr(made, name) for name in NAMES) == (*attributes, PROCESS.worker_name)
    assert whereabouts() == where
    # What a record has already is kept, each by itself.
    for name in NAMES:
        made = record(**{name: "own"})
        add_attributes(made)
        expected = dict(zip(NAMES, (*attributes, PROCESS.worker_name), strict=True)) | {name: "own"}
        assert {each: getattr(made, each) for each in NAMES} == expected
    made = record(connection=1, queue_id=2, peer=3)
    add_attributes(made)
    assert tuple(getattr(made, name) for name in NAMES) == (1, 2, 3, PROCESS.worker_name)


def test_a_filter_of_the_log_passes_on_its_own_loggers() -> None:
    assert [LogFilter(name).filter(record()) for name in ("", "pymilter", "pymilter.mime", "other")] == [
        True,
        True,
        True,
        False,
    ]
    for name in ("pymilter", "pymilter.mime"):
        assert any(isinstance(one, LogFilter) for one in logging.getLogger(name).filters)


def test_a_report_is_a_record_of_ours(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging_module, "current_context", lambda: Context("4XYZ", None))
    report(logging.WARNING, "eom", "it is slow\n")
    error = ValueError("wrong")
    report(logging.ERROR, "body", error)
    first, second = caplog.records
    assert first.getMessage() == "eom: it is slow\\n (connection 7, queue id 4XYZ)"
    assert second.getMessage() == "body() failed (connection 7, queue id 4XYZ)"
    assert [(one.levelno, one.name, one.funcName) for one in caplog.records] == [
        (logging.WARNING, "pymilter", "report"),
        (logging.ERROR, "pymilter", "report"),
    ]
    assert [(one.connection, one.queue_id) for one in caplog.records] == [(7, "4XYZ")] * 2  # type: ignore[attr-defined]
    assert first.exc_info is None
    assert (second.exc_info, second.exc_text) == ((ValueError, error, None), "ValueError: wrong")
    assert {one.threadName for one in caplog.records} == {threading.current_thread().name}


def test_what_is_not_logged_is_not_written(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []
    told: list[BaseException] = []
    monkeypatch.setattr(PROCESS.only(writer.Writer), "write", written.append)
    monkeypatch.setattr(PROCESS, "failure_hooks", [told.append])
    with caplog.at_level(logging.ERROR, "pymilter"):
        report(logging.WARNING, "eom", "text")
        report(logging.WARNING, "eom", ValueError())
        assert written == []
        report(logging.ERROR, "eom", "text")
        report(logging.ERROR, "eom", ValueError())
        assert len(written) == 2
    assert len(told) == 2


# ------------------------------------------------------------------------------------ tracebacks


class OwnError(Exception): ...


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("wrong"), "ValueError: wrong"),
        (ValueError(), "ValueError"),
        (ValueError("a\nb\xe9"), "ValueError: a\\nb\\xe9"),
        (OwnError("x"), f"{__name__}.OwnError: x"),
        (MilterError("x"), "pymilter.errors.MilterError: x"),
        (type("Main", (Exception,), {"__module__": "__main__"})("x"), "Main: x"),
        (type("B\xe9", (Exception,), {"__module__": "m"})(), "m.B\\xe9"),
    ],
)
def test_the_last_line_of_a_traceback(error: BaseException, line: str) -> None:
    assert headline(error) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [("a b", "a b"), ("a'b", "a'b"), ("a\tb", "a\\tb"), ("\xe9'", "\\xe9'"), ("", ""), ("\x7f", "\\x7f")],
)
def test_one_line_of_printable_ascii(text: str, line: str) -> None:
    assert plain(text) == line


def test_bounds_are_those_of_the_documentation() -> None:
    assert (MOST_FRAMES, MOST_EXCEPTIONS, MOST_IN_ALL, MOST_TEXT) == (40, 10, 50, 4000)
    assert (writer.MOST, scrapes.AT_ONCE, scrapes.BACKLOG) == (100, 16, 128)
    assert ScrapeServer.request_queue_size == 128


def chained(*errors: BaseException, by: str) -> BaseException:
    for earlier, later in itertools.pairwise(errors):
        setattr(later, by, earlier)
    return errors[-1]


CAUSE = "\nThe above exception was the direct cause of the following exception:\n"
DURING = "\nDuring handling of the above exception, another exception occurred:\n"


def test_the_text_of_a_chain() -> None:
    first, second, third = ValueError("1"), KeyError("2"), OSError("3")
    assert text_of(chained(first, second, by="__cause__")) == f"ValueError: 1\n{CAUSE}\nKeyError: '2'"
    first, second = ValueError("1"), KeyError("2")
    assert text_of(chained(first, second, by="__context__")) == f"ValueError: 1\n{DURING}\nKeyError: '2'"
    second.__suppress_context__ = True
    assert text_of(second) == "KeyError: '2'"
    second.__cause__ = third
    assert text_of(second) == f"OSError: 3\n{CAUSE}\nKeyError: '2'"
    third.__cause__ = second  # a ring
    assert text_of(second) == f"OSError: 3\n{CAUSE}\nKeyError: '2'"
    many = chained(*(ValueError(str(number)) for number in range(MOST_EXCEPTIONS)), by="__cause__")
    assert text_of(many).count("ValueError") == MOST_EXCEPTIONS
    assert "left out" not in text_of(many)
    more = chained(*(ValueError(str(number)) for number in range(MOST_EXCEPTIONS + 1)), by="__cause__")
    assert text_of(more).startswith(
        f"(exceptions before these are left out)\n\nValueError: 1\n{CAUSE}\nValueError: 2\n"
    )


def test_the_text_of_a_group() -> None:
    group = ExceptionGroup("two", [ValueError("1"), KeyError("2")])
    assert text_of(group) == (
        "ExceptionGroup: two (2 sub-exceptions)\n  Exception 1 of 2:\nValueError: 1\n  Exception 2 of 2:\nKeyError: '2'"
    )
    group.add_note("first\nnote")
    assert "\n  note: first\\nnote\n" in text_of(group)
    group.__notes__ = "no list"  # type: ignore[assignment]
    assert "note" not in text_of(group)


def test_a_stack_shows_its_places_in_ascii() -> None:
    names: dict[str, Any] = {}
    source = "def f\xe9(n):\n    if n: return f\xe9(n - 1)\n    raise ValueError('deep')\n"
    exec(compile(source, "<a\nb>", "exec"), names)
    with pytest.raises(ValueError, match="deep") as info:
        names["f\xe9"](2 * MOST_FRAMES + 5)
    trace = info.value.__traceback__
    assert trace is not None
    text = text_of(info.value)
    assert text.startswith(f'Traceback (most recent call last):\n  File "{__file__}", line ')
    assert text.isascii()
    assert 'File "<a\\nb>", line 2, in f\\xe9' in text
    # This frame, and those of the function: one more than are called for.
    assert "\n  (7 frames are left out here)\n" in text
    short, kept = shortened(trace), []
    while short is not None:
        kept.append(short.tb_lineno)
        short = short.tb_next
    assert (len(kept), kept[0], kept[-1]) == (2 * MOST_FRAMES, trace.tb_lineno, 3)
    assert shortened(None) is None


# ------------------------------------------------------------------------------------ the thread of the log


@pytest.fixture
def log() -> Iterator[writer.Writer]:
    made = writer.Writer()
    yield made
    made.close()


def waiting_for(event: threading.Event) -> Callable[[], None]:
    def wait() -> None:
        event.wait(30)

    return wait


VARIABLE: ContextVar[str] = ContextVar("test", default="none")


def test_a_record_is_written_in_the_context_of_its_callback(log: writer.Writer) -> None:
    seen: list[Any] = []
    VARIABLE.set("mine")
    log.write(lambda: seen.append((VARIABLE.get(), threading.current_thread().name, threading.current_thread().daemon)))
    assert seen == [("mine", "pymilter log", True)]
    assert log in PROCESS.not_for_children


def test_what_a_record_refers_to_is_let_go(log: writer.Writer) -> None:
    import gc
    import weakref

    class Held: ...

    held = Held()
    gone = weakref.ref(held)
    log.write(lambda held=held: None)  # type: ignore[misc]
    del held
    gc.collect()
    eventually(lambda: gone() is None, bool)


def test_a_log_that_was_late_is_waited_for_again(log: writer.Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "WITHIN", 0.01)
    go, done = threading.Event(), list[int]()
    log.write(waiting_for(go))
    assert log._is_late
    for number in range(3):
        log.write(lambda number=number: done.append(number))  # type: ignore[misc]
    assert done == []
    go.set()
    eventually(lambda: log._is_late, lambda late: not late)
    assert done == [0, 1, 2]
    monkeypatch.setattr(writer, "WITHIN", 1000.0)
    log.write(lambda: done.append(3))
    assert done == [0, 1, 2, 3]


def test_at_exit_what_is_left_is_written(log: writer.Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "WITHIN", 0.01)
    go, done = threading.Event(), list[str]()
    log.write(waiting_for(go))
    log.write(lambda: done.append(threading.current_thread().name))
    timer = threading.Timer(0.02, go.set)
    timer.start()
    log.close()
    timer.join(30)
    log.write(lambda: done.append("here"))
    assert done == ["pymilter log", "here"]
    monkeypatch.setattr(writer, "WITHIN", 1000.0)
    log.leave_to_parent()  # a child has a thread of its own
    log.write(lambda: done.append(threading.current_thread().name))
    assert done[2:] == ["pymilter log"]
    for name in ("WITHIN", "EXIT_WITHIN"):
        monkeypatch.setattr(writer, name, 0.01)
    hangs = threading.Event()
    log.write(waiting_for(hangs))
    log.close()  # a log that hangs is not waited for
    hangs.set()


def test_at_exit_what_is_being_written_is_waited_for(log: writer.Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, done = threading.Event(), list[str]()

    def slow() -> None:
        begun.set()
        time.sleep(0.05)
        done.append("slow")

    monkeypatch.setattr(writer, "WITHIN", 0.0)
    log.write(slow)
    assert begun.wait(30)
    log.close()
    assert done == ["slow"]


def test_a_failure_is_raised_once(log: writer.Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lost.append)

    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        log.write(fail)
    log.write(lambda: None)
    assert lost == []  # the one who waited has it


def test_the_log_is_closed_at_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[object] = []
    monkeypatch.setattr("atexit.register", registered.append)
    log = writer.Writer()
    assert registered == [log.close]


def test_the_thread_of_the_log_takes_no_signals(log: writer.Writer) -> None:
    import signal

    masks: list[set[int]] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    log.write(lambda: masks.append(set(signal.pthread_sigmask(signal.SIG_BLOCK, []))))
    assert masks[0] >= {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
    assert signal.SIGSEGV not in masks[0]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


# ------------------------------------------------------------------------------------ counters


def test_the_counters_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {
        "connections_opened": 1,
        "connections_closed": 2,
        "callbacks": {"eom": 3, "body": 4},
        "body_bytes": 5,
        "failures": 6,
        "in_flight": 7,
        "answers": {"eom": {int(Status.ACCEPT): 8}},
        "transports": [9, 10, 11],
        "edits": {"addheader": 12},
    }
    monkeypatch.setattr(counts, "counters", lambda: now)
    monkeypatch.setattr("pymilter._observe.stats.counters", lambda: now)
    expected = Stats(
        1, 2, 3, 5, 6, 7, {"eom": 3, "body": 4}, {"eom": {Status.ACCEPT: 8}}, Transports(9, 10, 11), {"addheader": 12}
    )
    assert (own_messages(), json.loads(own_text())["transports"]) == (3, [9, 10, 11])
    assert own_stats() == stats() == stats_of_text(own_text()) == expected
    monkeypatch.setattr(PROCESS, "ask_workers", lambda: total((expected, expected)))
    assert stats().messages == 6
    assert own_stats().messages == 3


@pytest.mark.parametrize("text", ["", "[]", "5", "{}", '{"callbacks": {}}'])
def test_numbers_of_another_version(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        stats_of_text(text)


# ------------------------------------------------------------------------------------ the server for Prometheus


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
def server() -> Iterator[ScrapeServer]:
    made = ScrapeServer("127.0.0.1", 0, Page)
    yield made
    made.close()


def connect(server: ScrapeServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.server_address[1])), 30)


def answer(peer: socket.socket) -> bytes:
    text = b""
    while part := peer.recv(4096):
        text += part
    return text


GET = b"GET /metrics HTTP/1.0\r\n\r\n"


def test_a_server_serves_from_its_begin_on(server: ScrapeServer) -> None:
    assert server.where() == f"127.0.0.1:{server.server_address[1]}"
    assert server in PROCESS.not_for_children
    with connect(server) as peer:
        peer.sendall(GET)
        peer.settimeout(0.05)
        with pytest.raises(TimeoutError):
            peer.recv(1)
        server.begin()
        peer.settimeout(30)
        assert answer(peer).endswith(b"\r\n\r\nok")
    assert (server._thread.name, server._thread.daemon, server.daemon_threads) == ("pymilter metrics", True, True)
    eventually(lambda: server._peers, lambda peers: peers == {})
    port = int(server.server_address[1])
    for _ in range(2):
        server.close()
    server._thread.join(30)
    assert not server._thread.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 30)


def test_in_a_child_the_port_is_the_parents(server: ScrapeServer) -> None:
    server.leave_to_parent()
    assert server.socket.fileno() == -1


def peer_of(server: ScrapeServer, since: float, has_asked: bool = False) -> tuple[Any, _Peer]:
    """A connection that the server knows."""
    ours, _theirs = socket.socketpair()
    made = _Peer()
    made.since, made.has_asked = since, has_asked
    server._peers[ours] = made
    PAIRS.append(_theirs)
    return ours, made


PAIRS: deque[socket.socket] = deque()


@pytest.fixture
def full(server: ScrapeServer) -> Iterator[tuple[ScrapeServer, list[tuple[Any, _Peer]]]]:
    """A server all of whose places are taken by peers that came just now, and asked."""
    peers = [peer_of(server, time.monotonic(), has_asked=True) for _ in range(AT_ONCE)]
    yield server, peers
    for request, _ in peers:
        request.close()
    while PAIRS:
        PAIRS.pop().close()
    server._peers.clear()


def is_shut(request: socket.socket) -> bool:
    """Whether nothing more is read from a peer."""
    request.setblocking(False)
    try:
        return request.recv(1) == b""
    except BlockingIOError:
        return False


def test_room_is_made_by_who_has_been_silent_for_longest(
    full: tuple[ScrapeServer, list[tuple[Any, _Peer]]],
) -> None:
    server, peers = full
    assert server._make_room() == scrapes.WAIT  # all have asked
    assert not any(peer.is_turned_away for _, peer in peers)
    peers[3][1].has_asked = peers[5][1].has_asked = False
    assert 0.0 < server._make_room() <= scrapes.TURN  # its turn is not over yet
    assert not any(peer.is_turned_away for _, peer in peers)
    peers[3][1].since -= scrapes.TURN
    assert server._make_room() == scrapes.WAIT
    assert [place for place, (_, peer) in enumerate(peers) if peer.is_turned_away] == [3]
    assert [place for place, (request, _) in enumerate(peers) if is_shut(request)] == [3]
    peers[5][1].since -= scrapes.TURN
    assert server._make_room() == scrapes.WAIT  # one place is being made already
    assert not peers[5][1].is_turned_away
    assert server.is_turned_away(peers[3][0])
    assert not server.is_turned_away(peers[5][0])
    assert not server.has_asked(peers[3][0])
    assert not peers[3][1].has_asked
    assert server.has_asked(peers[5][0])
    assert peers[5][1].has_asked


def test_who_has_had_its_time_is_cut_off(full: tuple[ScrapeServer, list[tuple[Any, _Peer]]]) -> None:
    server, peers = full
    server.service_actions()
    assert not any(is_shut(request) for request, _ in peers)
    peers[2][1].since -= scrapes.LONGEST
    server.service_actions()
    assert [place for place, (request, _) in enumerate(peers) if is_shut(request)] == [2]
    with pytest.raises(BrokenPipeError):
        peers[2][0].send(b"x")
    peers[2][0].close()
    server.service_actions()  # what is closed already is no error


def test_a_place_is_waited_for(
    full: tuple[ScrapeServer, list[tuple[Any, _Peer]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, peers = full
    request: Any = object()
    monkeypatch.setattr(scrapes, "WAIT", 0.02)
    assert server._has_place(request) is False
    assert request not in server._peers
    monkeypatch.setattr(scrapes, "WAIT", 1000.0)
    server._closing.set()
    assert server._has_place(request) is False
    server._closing.clear()
    found: list[bool] = []
    waiting = threading.Thread(target=lambda: found.append(server._has_place(request)), daemon=True)
    waiting.start()
    server.shutdown_request(peers[0][0])
    waiting.join(30)
    assert found == [True]
    assert (request in server._peers, peers[0][0] in server._peers, len(server._peers)) == (True, False, AT_ONCE)
    del server._peers[request]


@contextlib.contextmanager
def silent_peers(server: ScrapeServer) -> Iterator[list[socket.socket]]:
    """As many as the server takes at once, none of which asks for anything."""
    server.begin()
    silent = [connect(server) for _ in range(AT_ONCE)]
    eventually(lambda: len(server._peers), lambda count: count == AT_ONCE)
    yield silent
    for peer in silent:
        peer.close()


def test_silent_peers_give_their_places_to_those_that_ask(
    server: ScrapeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrapes, "TURN", 0.0)
    with silent_peers(server) as silent:
        with connect(server) as peer:
            peer.sendall(GET)
            assert answer(peer).endswith(b"ok")
        assert answer(silent[0]) == TURNED_AWAY


def test_who_gets_no_place_is_told(server: ScrapeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrapes, "WAIT", 0.01)
    with silent_peers(server), connect(server) as peer:
        peer.sendall(GET)
        assert answer(peer) == TURNED_AWAY


def test_a_process_without_descriptors_tries_again(server: ScrapeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(server._closing, "wait", waited.append)
    server.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        server.get_request()
    assert waited == [scrapes.RETRY]


@pytest.mark.parametrize(("error", "level"), [(ConnectionResetError(), "DEBUG"), (ValueError(), "ERROR")])
def test_a_scrape_that_fails_is_logged(
    server: ScrapeServer, error: Exception, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    try:
        raise error
    except Exception:
        server.handle_error(None, None)
    (found,) = caplog.records
    assert (found.levelname, found.getMessage()) == (level, "a scrape failed")
    assert found.exc_info is not None
    assert found.exc_info[1] is error


def test_where_the_metrics_cannot_be_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            OSError, match=rf"cannot serve metrics on 127\.0\.0\.1:{port}: Address already in use"
        ) as info:
            ScrapeServer("127.0.0.1", port, Page)
        assert info.value.errno == errno.EADDRINUSE
    with pytest.raises(OSError, match=r"cannot serve metrics on no\.such\.invalid:0: "):
        ScrapeServer("no.such.invalid", 0, Page)


def test_a_worker_serves_no_metrics(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with MetricsServer("127.0.0.1:0") as metrics:
        assert caplog.messages == [f"metrics on {metrics.url}"]
        assert metrics.url.endswith("/metrics")
    monkeypatch.setattr("pymilter.prometheus.is_worker", lambda: True)
    with pytest.raises(MilterError, match=r"^a worker serves no metrics: its supervisor does"):
        MetricsServer("127.0.0.1:0")
