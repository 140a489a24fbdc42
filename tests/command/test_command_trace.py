"""`pymilter trace`: no byte changed, either side may break off, and what is shown and recorded."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymilter._command.dialogue import Dialogues
from pymilter._command.relay import Event, Side, What
from pymilter.testing import Client, FilterGone, Verdict, free_port, send_message, temporary_socket
from pymilter.testing._paint import Screen
from support.cfilter.fixtures import Probe
from support.commands import argv, environment, in_pipe, read_to_end, start_in_terminal, start_program_in_terminal
from support.milters import milter
from support.tracing import recorded, said, tracing

__all__ = ["milter"]

pytestmark = pytest.mark.timeout(90)

MESSAGE = b"From: ann@example.org\r\nTo: bob@example.net\r\nSubject: hello\r\n\r\nline\r\n"


def eventually(true: Callable[[], object]) -> None:
    """Wait until something is so; the test's own timeout is the limit."""
    while not true():
        time.sleep(0.01)


@contextlib.contextmanager
def echo(address: str) -> Iterator[None]:
    """A peer that sends back what it gets, upside down, until the end of the stream."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                with peer:
                    while data := peer.recv(65536):
                        peer.sendall(data[::-1])

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address.removeprefix("unix:"))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def connect(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(30)
    sock.connect(address.removeprefix("unix:"))
    return sock


def test_a_session_is_shown(probe: Probe) -> None:
    filter_ = probe("-e", "addheader|X-Gate|open", "-e", "addrcpt|<c@example.net>", "-r", "rcpt@bad=550 5.1.1 no")
    with tracing(filter_.address) as trace:
        result = send_message(trace.address, MESSAGE, "ann@example.org", ["bob@example.net", "bad@example.net"])
        eventually(lambda: "closed the connection" in trace.stdout)
    assert result == send_message(filter_.address, MESSAGE, "ann@example.org", ["bob@example.net", "bad@example.net"])
    lines = [line[len("12:00:00.000 ") :] for line in trace.stdout.splitlines()]
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3}   1 [-<> ] ", line) for line in trace.stdout.splitlines())
    for line in (
        "  1 - the MTA has connected",
        "  1 > NEGOTIATE   version 6, actions all, protocol all",
        "  1 > CONNECT     client.example.com [192.0.2.1] port 49152",
        "  1 < continue",
        "  1   macros      i=0000000001, {rcpt_addr}=bad@example.net",
        "  1 > RCPT        <bad@example.net>",
        "  1 < reply code  550 5.1.1 no",
        "  1 > HEADER      Subject: hello",
        "  1 > BODY        6 bytes",
        "  1 < add header  X-Gate: open",
        "  1 < add recipient <c@example.net>",
        "  1 > QUIT",
        "  1 - the filter has closed the connection",
        "  1 - the MTA has closed the connection",
    ):
        assert line in lines, line
    assert trace.stderr == f"pymilter trace: listening on {trace.address}, passing on to {filter_.address}\n"
    assert trace.returncode == 0


def test_the_recording_has_each_byte(tmp_path: Path) -> None:
    file = tmp_path / "recording"
    chance = random.Random(1)
    message = (3).to_bytes(4, "big") + b"Hx\0" + bytes(5)  # a packet, and what is none
    pieces = [message, chance.randbytes(100_000), chance.randbytes(70_000)]
    with temporary_socket() as address, echo(address), tracing(address, "--save", file, "--quiet") as trace:
        with connect(trace.address) as sock:
            for piece in pieces:
                sock.sendall(piece)
            sock.shutdown(socket.SHUT_WR)
            answer = b""
            while data := sock.recv(65536):
                answer += data
        eventually(lambda: file.read_text().count('"close"') == 2)
    assert said(file, "mta") == b"".join(pieces)
    assert said(file, "filter") == answer
    assert recorded(file)[1] == {
        "t": recorded(file)[1]["t"],
        "c": 1,
        "from": "mta",
        "name": "HELO",
        "packet": "Hx\0",
    }
    assert trace.stdout == ""


def test_nothing_changes_on_the_way() -> None:
    data = random.Random(2).randbytes(3_000_000)
    with temporary_socket() as address, echo(address), tracing(address) as trace, connect(trace.address) as sock:

        def send() -> None:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        got = bytearray()
        while part := sock.recv(65536):
            got += part
        sender.join()
    assert sorted(got) == sorted(data)


def test_only_its_owner_reads_the_recording(probe: Probe, tmp_path: Path) -> None:
    file = tmp_path / "recording"
    with tracing(probe().address, "--save", file) as trace:
        eventually(lambda: "listening on" in trace.stderr)
        assert file.stat().st_mode & 0o777 == 0o600
        head = json.loads(file.read_text().splitlines()[0])
    assert (head["recording"], head["format"]) == ("pymilter trace", 1)


def test_a_filter_that_dies_ends_only_its_connection(probe: Probe) -> None:
    with temporary_socket() as address:
        with tracing(address) as trace:
            dying = probe("-x", "eom", address=address)
            with pytest.raises(FilterGone):
                send_message(trace.address, MESSAGE)
            dying.wait()
            with pytest.raises(FilterGone):  # there is no filter now
                send_message(trace.address, MESSAGE)
            Path(address.removeprefix("unix:")).unlink()
            probe(address=address)
            assert send_message(trace.address, MESSAGE).verdict is Verdict.ACCEPT
            eventually(lambda: trace.stdout.count("the MTA has closed") >= 2)
        assert trace.returncode == 0
    shown = trace.stdout
    assert "  1 - the filter has closed the connection" in shown
    assert f"  2 - cannot connect to {address}: Connection refused" in shown


def test_an_mta_that_breaks_off_ends_only_its_connection(probe: Probe) -> None:
    filter_ = probe()
    with tracing(filter_.address) as trace:
        client = Client(trace.address)
        client.connect()
        client.mail("<a@example.org>")
        client.close()
        eventually(lambda: "close" in filter_.stdout.split())
        assert send_message(trace.address, MESSAGE).verdict is Verdict.ACCEPT
    assert "  1 - the MTA has closed the connection" in trace.stdout


def test_a_connection_that_is_reset_is_passed_on(probe: Probe) -> None:
    filter_ = probe("-w", "helo")
    port = free_port()
    with tracing(filter_.address, listen=f"inet:{port}@127.0.0.1") as trace:
        client = Client(trace.address, timeout=0.3)
        client.connect()
        sock = client._channel._socket
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        eventually(lambda: "the MTA has closed" in trace.stdout)


@pytest.mark.parametrize("kind", ["inet", "unix"])
def test_connections_at_the_same_time(probe: Probe, kind: str) -> None:
    filter_ = probe()
    listen = f"inet:{free_port()}@127.0.0.1" if kind == "inet" else None
    with tracing(filter_.address, listen=listen) as trace:
        clients = [Client(trace.address) for _ in range(20)]
        results = [client.play(MESSAGE) for client in clients]
        for client in reversed(clients):
            client.quit()
        eventually(lambda: trace.stdout.count("the MTA has closed") == 20)
    assert {result.verdict for result in results} == {Verdict.ACCEPT}
    assert {int(line.split()[1]) for line in trace.stdout.splitlines()} == set(range(1, 21))


def test_other_milters_do_not_notice(milter: str, tmp_path: Path) -> None:
    message = MESSAGE.replace(b"hello", b"signed") + b"Date: x\r\n"
    direct = send_message(milter, message)
    with tracing(milter, "--save", tmp_path / "recording") as trace:
        traced = send_message(trace.address, message)
        eventually(lambda: "the MTA has closed" in trace.stdout)
    assert traced.verdict is direct.verdict
    assert [type(edit) for edit in traced.edits] == [type(edit) for edit in direct.edits]
    done = in_pipe("replay", "--ignore=field:DKIM-Signature", tmp_path / "recording", milter)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(probe: Probe, tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "recording"
    filter_ = probe()
    with tracing(filter_.address, "--save", file) as trace, Client(trace.address) as client:
        client.connect()
        trace.send_signal(number)
        assert trace.wait() == 0
        with pytest.raises(FilterGone):
            client.helo()
        client.close()
    assert trace.stderr.count("\n") == 1
    assert not Path(trace.address.removeprefix("unix:")).exists()
    assert [line["name"] for line in recorded(file) if line.get("from") == "mta"][-1] == "CONNECT"


def test_ctrl_c_in_a_terminal(probe: Probe) -> None:
    filter_ = probe()
    with temporary_socket() as address:
        running, master = start_in_terminal("trace", address, filter_.address, columns=40)
        with running:
            shown = b""
            while b"listening on" not in shown:
                shown += os.read(master, 4096)
            send_message(address, MESSAGE)
            while b"the MTA has closed" not in shown:
                shown += os.read(master, 4096)
            os.write(master, b"\x03")
            assert running.wait(30) == 0
            shown += read_to_end(master).encode()
    lines = shown.decode().replace("\r\n", "\n").partition("\n")[2].splitlines()
    assert "\x1b[1mCONNECT\x1b[0m" in shown.decode()
    assert max(len(re.sub(r"\x1b\[\d*m", "", line)) for line in lines) <= 40
    assert "Traceback" not in shown.decode()


def start_to(stdout: int, *arguments: str | Path) -> subprocess.Popen[bytes]:
    command = argv("trace", *arguments)
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, env=environment())


def listening(running: subprocess.Popen[bytes]) -> None:
    assert running.stderr is not None
    assert b"listening" in running.stderr.readline()


def test_it_ends_when_nobody_reads_it(probe: Probe) -> None:
    filter_ = probe()
    read, write = os.pipe()
    with temporary_socket() as address, start_to(write, address, filter_.address) as running:
        os.close(write)
        listening(running)
        os.close(read)
        assert send_message(address, MESSAGE).verdict is Verdict.ACCEPT
        # The first lines find the pipe closed; the next batch finds that their writer has gone.
        while running.poll() is None:
            with contextlib.suppress(Exception):
                send_message(address, MESSAGE)
        assert (running.returncode, running.communicate()[1]) == (0, b"")


def test_it_goes_on_recording_when_nobody_reads_it(probe: Probe, tmp_path: Path) -> None:
    filter_, file = probe(), tmp_path / "recording"
    read, write = os.pipe()
    with temporary_socket() as address, start_to(write, address, filter_.address, "--save", file) as running:
        os.close(write)
        listening(running)
        os.close(read)
        for number in range(1, 4):
            assert send_message(address, MESSAGE).verdict is Verdict.ACCEPT
            wanted = [number, "close"]
            eventually(lambda: wanted in [[line["c"], line.get("event")] for line in recorded(file)])  # noqa: B023
        running.terminate()
        assert running.wait(30) == 0


def test_a_full_disk_ends_the_recording_and_not_the_mail(probe: Probe, tmp_path: Path) -> None:
    filter_, file = probe(), tmp_path / "recording"
    with temporary_socket() as address:
        command = ["sh", "-c", 'ulimit -f 4; exec "$@"', "sh", *argv("trace", address, filter_.address, "--save", file)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(PYTHONDONTWRITEBYTECODE="1")
        ) as running:
            listening(running)
            for _ in range(4):
                assert send_message(address, MESSAGE).verdict is Verdict.ACCEPT
            running.terminate()
            shown, errors = running.communicate(timeout=30)
    assert running.returncode == 1
    assert shown.count(b"the MTA has connected") == 4
    told = f"pymilter trace: cannot write {file}: File too large; the recording is not complete\n"
    assert errors.decode() == told


@pytest.mark.parametrize("end", ["ctrl-c", "SIGTERM"])
@pytest.mark.parametrize("stopped_by", ["ctrl-s", "nobody who reads it"])
def test_a_terminal_that_stands_still_stops_neither_mail_nor_recording(
    probe: Probe, tmp_path: Path, stopped_by: str, end: str
) -> None:
    filter_, file = probe(), tmp_path / "recording"
    with temporary_socket() as address:
        running, master = start_in_terminal("trace", address, filter_.address, "--save", file)
        with running:
            while b"listening on" not in os.read(master, 4096):
                pass
            if stopped_by == "ctrl-s":
                os.write(master, b"\x13")
            for _ in range(40):  # far more than a terminal holds
                assert send_message(address, MESSAGE).verdict is Verdict.ACCEPT
            if end == "ctrl-c":
                os.write(master, b"\x03")
            else:
                running.terminate()
            assert running.wait(60) == 0
            read_to_end(master)
    assert [line["c"] for line in recorded(file) if line.get("event") == "open"] == list(range(1, 41))
    assert recorded(file)[-1]["event"] == "close"


def test_further_ctrl_c_change_neither_status_nor_recording(probe: Probe, tmp_path: Path) -> None:
    filter_, file = probe(), tmp_path / "recording"
    with temporary_socket() as address:
        running, master = start_in_terminal("trace", address, filter_.address, "--save", file)
        with running:
            while b"listening on" not in os.read(master, 4096):
                pass
            for _ in range(40):
                send_message(address, MESSAGE)
            os.write(master, b"\x03")
            while Path(address.removeprefix("unix:")).exists() and running.poll() is None:
                os.write(master, b"\x03")
                time.sleep(0.01)
            assert running.wait(60) == 0
            read_to_end(master)
    assert len([line for line in recorded(file) if line.get("event") == "open"]) == 40


def test_a_terminal_that_stops_background_jobs_does_not_stop_it(probe: Probe) -> None:
    filter_ = probe()
    with temporary_socket() as address:
        # A shell with job control: what it starts in the background is no group of the foreground.
        script = "stty tostop; set -m; python -m pymilter trace $0 $1 & wait; stty -tostop; echo ended: $?"
        command = ["sh", "-c", script.replace("python", sys.executable, 1), address, filter_.address]
        running, master = start_program_in_terminal(command)
        with running:
            shown = b""
            while b"listening on" not in shown:
                shown += os.read(master, 4096)
            assert send_message(address, MESSAGE).verdict is Verdict.ACCEPT
            while b"the MTA has closed" not in shown:
                shown += os.read(master, 4096)
            os.kill(only_child_of(running.pid), signal.SIGTERM)
            assert running.wait(30) == 0


def only_child_of(pid: int) -> int:
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def test_the_mail_waits_when_too_much_waits_to_be_shown(tmp_path: Path) -> None:
    packet = (2000).to_bytes(4, "big") + b"B" + bytes(1999)
    most = 100_000
    read, write = os.pipe()
    with (
        temporary_socket() as target,
        temporary_socket("trace.sock") as address,
        sink(target) as swallowed,
        start_to(write, address, target) as running,
    ):
        os.close(write)
        listening(running)
        sock = connect(address)
        sock.settimeout(1)
        sent = 0
        with contextlib.suppress(TimeoutError):  # nobody reads what is shown
            while sent < most:
                sock.sendall(packet)
                sent += 1
        assert 64_000_000 < sent * len(packet) < 80_000_000
        shown = b""
        while shown.count(b"> BODY") < sent:  # nothing of it is lost
            shown += os.read(read, 65536)
        sock.close()
        running.terminate()
        assert running.wait(30) == 0
        os.close(read)
    assert sent * len(packet) <= swallowed[0] <= (sent + 1) * len(packet)


@contextlib.contextmanager
def sink(address: str) -> Iterator[list[int]]:
    """A filter that never answers; the list has how many bytes it got."""
    swallowed = [0]

    def serve() -> None:
        with contextlib.suppress(OSError):
            peer, _ = listener.accept()
            with peer:
                while data := peer.recv(65536):
                    swallowed[0] += len(data)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address.removeprefix("unix:"))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield swallowed
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_connections_wait_while_the_filter_takes_none() -> None:
    with temporary_socket() as target, socket.socket(socket.AF_UNIX) as filter_:
        filter_.bind(target.removeprefix("unix:"))
        filter_.listen(0)
        filter_.settimeout(30)
        with tracing(target) as trace:
            waiting = [connect(trace.address) for _ in range(5)]
            for sock in waiting:
                sock.sendall(b"hello")
            eventually(lambda: trace.stdout.count("the MTA has connected") == 5)
            time.sleep(0.3)  # some slices of the relay's wait
            for _ in waiting:
                taken, _ = filter_.accept()
                with taken:
                    assert taken.recv(16) == b"hello"
            for sock in waiting:
                sock.close()
            eventually(lambda: trace.stdout.count("the MTA has closed") == 5)
    assert "cannot connect" not in trace.stdout


def test_it_ends_while_the_filter_takes_no_connection() -> None:
    with temporary_socket() as target, socket.socket(socket.AF_UNIX) as filter_:
        filter_.bind(target.removeprefix("unix:"))
        filter_.listen(0)
        with tracing(target) as trace:
            waiting = [connect(trace.address) for _ in range(3)]
            eventually(lambda: trace.stdout.count("the MTA has connected") == 3)
            trace.send_signal(signal.SIGTERM)
            assert trace.wait() == 0
            for sock in waiting:
                sock.close()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads, which Linux shows in /proc")
def test_one_thread_serves_many_connections(probe: Probe) -> None:
    filter_ = probe()
    with tracing(filter_.address) as trace:
        for _ in range(30):
            send_message(trace.address, MESSAGE)
        # The main thread, the one that hands over, the one that waits for a connection, and few that serve.
        assert len(list(Path(f"/proc/{trace.pid}/task").iterdir())) < 10


@pytest.mark.parametrize("family", ["inet", "inet6"])
def test_a_filter_over_tcp(probe: Probe, family: str) -> None:
    host = "localhost" if family == "inet" else "::1"
    filter_ = probe(address=f"{family}:{free_port(host)}@{host}")
    with tracing(filter_.address) as trace:
        assert send_message(trace.address, MESSAGE).verdict is Verdict.ACCEPT


def test_a_host_without_an_address_is_told() -> None:
    with tracing("inet:8890@no.such.host.invalid") as trace, pytest.raises(FilterGone):
        send_message(trace.address, MESSAGE)
    assert "  1 - cannot connect to inet:8890@no.such.host.invalid: " in trace.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["nonsense:x", "unix:/x"], 2, "pymilter trace: socket is 'nonsense:x': 'nonsense' is no kind of socket"),
        (["unix:/absent/x", "unix:/x"], 1, "cannot listen on unix:/absent/x: "),
        (["unix:/x", "inet:0@127.0.0.1"], 2, "argument TARGET: socket is 'inet:0@127.0.0.1': a port from 1"),
        (["unix:/x", "unix:/y", "--quiet"], 2, "--quiet without --save leaves nothing to do"),
        (
            ["unix:/x", "unix:/y", "--socket-mode=9"],
            2,
            "socket_mode is '9': it must be an int from 0 to 0o777",
        ),
        (["unix:/x", "unix:/y", "--socket-mode=7777"], 2, "socket_mode is 0o7777: it must be an int from 0 to 0o777"),
        (
            ["unix:/x", "unix:/y", "--socket-group=nobody.there"],
            2,
            "socket_group is 'nobody.there': there is no such group",
        ),
        (["unix:/x", "unix:/y", "--save=/absent/f"], 2, "cannot write /absent/f: there is no directory /absent"),
        (["unix:/x"], 2, "the following arguments are required: TARGET"),
    ],
)
def test_bad_arguments_are_told_in_one_line(arguments: list[str], status: int, told: str) -> None:
    done = in_pipe("trace", *arguments)
    assert done.returncode == status
    assert told in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_socket_in_use_is_told(probe: Probe) -> None:
    filter_ = probe()
    done = in_pipe("trace", filter_.address, "unix:/x")
    assert (done.returncode, done.stderr) == (
        1,
        f"pymilter trace: cannot listen on {filter_.address}: another program serves it\n",
    )


def test_a_recording_on_a_full_disk_is_told_at_the_start(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    done = in_pipe("trace", f"unix:{tmp_path}/t", "unix:/x", "--save=/dev/full")
    assert (done.returncode, done.stderr) == (1, "pymilter trace: cannot write /dev/full: No space left on device\n")


def on_wire(data: bytes, framed: bool) -> bytes:
    """As a packet, or as it is."""
    return len(data).to_bytes(4, "big") + data if framed and data else data


@given(st.lists(st.tuples(st.sampled_from(list(Side)), st.binary(max_size=60), st.booleans()), max_size=20))
def test_whatever_is_said_can_be_shown_and_recorded(said: list[tuple[Side, bytes, bool]]) -> None:
    dialogues = Dialogues(0.0, Screen(width=40))
    shown: list[str] = []
    lines: list[str] = []
    for side, data, framed in said:
        dialogues.follow(Event(1.0, 1, What.DATA, side, on_wire(data, framed)), shown, lines)
    for side in Side:
        dialogues.follow(Event(1.0, 1, What.CLOSE, side), shown, lines)
    assert all(line.isprintable() or "\t" in line for line in shown)
    for side in Side:
        stream = b""
        for line in map(json.loads, lines):
            if line.get("from") == side.value:
                packet = line.get("packet", "").encode("latin-1")
                stream += len(packet).to_bytes(4, "big") + packet if packet else line["bytes"].encode("latin-1")
        expected = b"".join(on_wire(data, framed) for who, data, framed in said if who is side)
        assert stream == expected
