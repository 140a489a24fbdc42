"""FilterProcess: waiting until a program listens, early deaths, stopping; and socket addresses."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymilter.testing import Client, FilterFailed, FilterProcess, free_port, temporary_socket
from pymilter.testing import _process as process_module
from pymilter.testing._address import Address

pytestmark = pytest.mark.timeout(60)

# Listens on argv[1]; what else it does is in argv[2].
PROGRAM = """
import signal, socket, sys, time
address, how = sys.argv[1:]
if how == "late":
    time.sleep(0.3)
if how == "die":
    sys.exit("cannot open the socket: no luck")
if how == "deaf":
    time.sleep(60)
if how == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if how == "polite":
    def leave(*_):
        print("bye", flush=True)
        sys.exit(7)
    signal.signal(signal.SIGTERM, leave)
kind, _, rest = address.partition(":")
if kind == "unix":
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(rest)
else:
    port, _, host = rest.partition("@")
    sock = socket.socket(socket.AF_INET6 if kind == "inet6" else socket.AF_INET)
    sock.bind((host, int(port)))
sock.listen()
sock.settimeout(60)
while True:
    sock.accept()
    print("accepted", flush=True)
"""


@pytest.fixture
def address() -> Iterator[str]:
    with temporary_socket() as where:
        yield where


def program(address: str, how: str = "", timeout: float = 10) -> FilterProcess:
    return FilterProcess([sys.executable, "-c", PROGRAM, address, how], address, timeout=timeout)


@pytest.mark.parametrize("how", ["", "late"])
def test_it_waits_until_the_program_listens(transport: str, how: str) -> None:
    with program(transport, how) as process:
        Address.parse(transport).connect(5).close()
        assert process.returncode is None
        pid = process.pid
    assert process.returncode == -signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_it_wrote_is_there_after_its_end(address: str) -> None:
    with program(address, "polite") as process:
        Address.parse(address).connect(5).close()
    assert process.stdout.splitlines()[-1] == "bye"
    assert process.stderr == ""
    failing = program(address, "die")
    with pytest.raises(FilterFailed), failing:
        pass
    assert failing.stderr == "cannot open the socket: no luck\n"


def test_the_waiting_makes_no_connection(address: str) -> None:
    if not Path("/proc/net/unix").is_file():
        pytest.skip("no /proc/net/unix on this system: the waiting connects")
    with program(address) as process:
        time.sleep(0.1)
        assert process.stdout == ""


def test_without_proc_it_connects(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "_PROC", Path("/nonexistent"))
    with program(transport, "late") as process:
        assert process.returncode is None


def test_early_death_shows_stderr(address: str) -> None:
    with pytest.raises(
        FilterFailed, match=r"ended with status 1 before it listened on unix:.*; its stderr:\ncannot open"
    ):
        program(address, "die").start()


def test_a_program_that_never_listens(address: str) -> None:
    with pytest.raises(FilterFailed, match=r"did not listen on unix:.* within 0.5 s; it wrote nothing to stderr"):
        program(address, "deaf", timeout=0.5).start()


def test_a_stale_socket_is_not_taken_for_a_filter(address: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(address.removeprefix("unix:"))
        sock.listen()
    with pytest.raises(FilterFailed, match="Address already in use"):
        program(address, "late").start()


def test_a_connection_that_uses_the_port_is_not_taken_for_a_listener() -> None:
    port = free_port()
    where = Address.parse(f"inet:{port}@127.0.0.1")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        assert not process_module._listens(where)
        listener.listen()
        assert process_module._listens(where)
        near = where.connect(5)
        far, _ = listener.accept()
    with near, far:
        assert not process_module._listens(where)


def test_a_program_that_does_not_exist(address: str) -> None:
    with pytest.raises(FilterFailed, match="cannot start /no/such/program: No such file"):
        FilterProcess(["/no/such/program"], address).start()


def test_stop_gives_the_exit_status_and_the_output(address: str) -> None:
    with program(address, "polite") as process:
        assert process.stop() == 7
        assert process.stdout == "bye\n"
        assert process.stop() == 7


def test_a_program_that_will_not_stop_is_killed(address: str) -> None:
    process = program(address, "stubborn")
    with pytest.raises(FilterFailed, match=r"did not end within 0.5 s and was killed"), process:
        process.timeout = 0.5
    assert process.returncode == -signal.SIGKILL


def test_it_can_be_started_once(address: str) -> None:
    with program(address) as process, pytest.raises(FilterFailed, match="was started already"):
        process.start()
    with pytest.raises(FilterFailed, match="was not started"):
        program(address).stop()


def test_environment_and_folder(address: str, tmp_path: Path) -> None:
    code = "import os; print(os.environ['COLOUR'], os.environ['PATH'] != '', os.getcwd(), flush=True)\n" + PROGRAM
    argv = [sys.executable, "-c", code, address, ""]
    with FilterProcess(argv, address, env={"COLOUR": "red"}, cwd=tmp_path) as process:
        assert process.stdout == f"red True {tmp_path}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unix:/a/b", "unix:/a/b"),
        ("local:/a/b", "unix:/a/b"),
        ("/a/b", "unix:/a/b"),
        ("a.sock", "unix:a.sock"),
        ("/odd:name", "unix:/odd:name"),
        ("inet:25@192.0.2.1", "inet:25@192.0.2.1"),
        ("inet:25", "inet:25@127.0.0.1"),
        ("inet:25@[192.0.2.1]", "inet:25@192.0.2.1"),
        ("inet6:25@::1", "inet6:25@::1"),
        ("inet6:25@[::1]", "inet6:25@::1"),
        ("inet6:25", "inet6:25@::1"),
        ("inet:smtp@192.0.2.1", "inet:25@192.0.2.1"),
        ("inet:25:192.0.2.1", "inet:25@192.0.2.1"),
    ],
)
def test_addresses(text: str, expected: str) -> None:
    assert str(Address.parse(text)) == expected


@pytest.mark.parametrize("text", ["", "unix:", "inet:", "inet:x@y", "inet:0@y", "inet:65536@y", "tcp:1@y", "fd:3"])
def test_bad_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="socket is "):
        Client(text)


def test_a_path_object_is_an_address_too() -> None:
    assert str(Address.parse(Path("/a/b"))) == "unix:/a/b"


def test_temporary_socket_leaves_nothing() -> None:
    with temporary_socket("x.sock") as where:
        path = Path(where.removeprefix("unix:"))
        assert path.parent.is_dir()
        assert path.name == "x.sock"
        path.touch()
    assert not path.parent.exists()


def test_free_port_is_free(has_ipv6: None) -> None:
    for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        with socket.socket(family) as sock:
            sock.bind((host, free_port(host)))
