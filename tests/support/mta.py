"""A private mail server as the tests see it; postfix.py and sendmail.py have the two kinds."""

from __future__ import annotations

import os
import random
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from support import require

# Below the range for outgoing connections, one of which could otherwise take a port between the check and its use.
_PORTS = range(20_000, 32_000)
_LOG_LINES = 40


class MtaError(Exception):
    """The mail server failed; the text ends with the tail of its log."""


@dataclass(frozen=True)
class Held:
    """A quarantined message: its queue id, its sender and recipients in angle brackets, and the reason if kept."""

    queue_id: str
    sender: str
    recipients: tuple[str, ...]
    reason: str | None


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago."""
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise MtaError(f"no port of {_PORTS} is free")


def socket_folder() -> Path:
    """Make a folder for a filter's unix socket; the caller removes it.

    It is not in ``/tmp``, because Sendmail refuses a socket below a folder that everybody may write to.
    """
    folder = Path(tempfile.mkdtemp(prefix="pymilter-", dir="/run"))
    folder.chmod(0o755)
    return folder


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether ``process`` has ended. It is not reaped, so that its number stays in use until its group is gone."""
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # an earlier check has noticed its end
        return True


class Mta(ABC):
    """A mail server of our own in a temporary folder, from ``with`` to the end of it.

    It listens on ``127.0.0.1:port``, asks the filters at ``milters`` (addresses as libmilter writes them, such as
    ``inet:8890@127.0.0.1`` or ``unix:/run/gate``) in their order, and relays everything to ``127.0.0.1:relay_port``.
    A filter that cannot be reached makes it answer with a temporary failure; with ``goes_on`` it goes on without the
    filter, also if the filter leaves a command unanswered for ``patience`` seconds. ``settings`` are further lines of
    its configuration, which win over ours.
    """

    name: str
    start_deadline = 30.0  # seconds
    stop_deadline = 10.0
    patience = 15

    def __init__(
        self,
        milters: Sequence[str],
        relay_port: int,
        settings: Mapping[str, str] | None = None,
        *,
        goes_on: bool = False,
    ) -> None:
        require.root(self.name)
        self._find_programs()
        self.settings = dict(settings or {})
        self.milters = tuple(milters)
        self.goes_on = goes_on
        self.relay_port = relay_port
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # Mode 755 and outside pytest's private folder, so that the server's user can reach its files.
        self.folder = Path(tempfile.mkdtemp(prefix=f"pymilter-{self.name}-"))
        try:
            self.folder.chmod(0o755)
            self._configure()
            self._process = self._start()
            self._await_greeting()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    @abstractmethod
    def _find_programs(self) -> None:
        """Find what the server needs on this machine, or skip the test."""

    @abstractmethod
    def _configure(self) -> None:
        """Write what the server needs into ``folder``."""

    @abstractmethod
    def _start(self) -> subprocess.Popen[bytes]:
        """Start the server in its own session and return its first process, which ends the server on SIGTERM."""

    @abstractmethod
    def held(self) -> list[Held]:
        """Return the quarantined messages."""

    @abstractmethod
    def waiting(self) -> list[str]:
        """Return the queue ids of the messages that are still to be delivered; quarantined ones do not count."""

    @abstractmethod
    def log(self) -> str:
        """Return the whole log."""

    def log_tail(self) -> str:
        """Return the last lines of the log under a heading, to be shown with a failure."""
        lines = self.log().splitlines()[-_LOG_LINES:]
        return "\n".join((f"--- the log of {self.name} ends with:", *lines))

    def client(self) -> smtplib.SMTP:
        """Return an SMTP client connected to the server; use it in a ``with`` block."""
        return smtplib.SMTP("127.0.0.1", self.port, local_hostname="client.example", timeout=30)

    def settle(self, timeout: float = 20.0) -> None:
        """Wait until the server has nothing left to deliver.

        Raises :class:`MtaError` when messages are still there after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while left := self.waiting():
            if time.monotonic() > deadline:
                raise MtaError(
                    f"{self.name} still has {', '.join(left)} to deliver after {timeout} s\n{self.log_tail()}"
                )
            time.sleep(0.02)  # there is no event for an empty queue

    def _spawn(self, command: Sequence[str | Path], env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start ``command`` in a session of its own, its output going to the file ``output`` in ``folder``."""
        with (self.folder / "output").open("wb") as output:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=env
            )

    def _run(self, command: Sequence[str | Path], env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
        """Return what ``command`` printed; raise :class:`MtaError` with its output when it fails."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, cwd=cwd, check=False)
        if done.returncode != 0:
            words = " ".join(map(str, command))
            raise MtaError(f"{words} ended with status {done.returncode}\n{done.stderr}{done.stdout}")
        return done.stdout

    def _await_greeting(self) -> None:
        deadline = time.monotonic() + self.start_deadline
        while True:
            assert self._process is not None
            with (
                suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), timeout=self.start_deadline) as peer,
            ):
                if peer.recv(512).startswith(b"220"):
                    peer.sendall(b"QUIT\r\n")
                    peer.recv(512)
                    return
            if _ended(self._process):
                raise MtaError(f"{self.name} ended before it gave a greeting\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise MtaError(f"{self.name} gave no greeting within {self.start_deadline} s\n{self.log_tail()}")
            time.sleep(0.02)

    def _leave(self) -> None:
        if self._process is not None:
            self._stop(self._process)
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        """End ``process`` and whatever is left in the process group that it leads."""
        process.terminate()
        deadline = time.monotonic() + self.stop_deadline
        while not _ended(process) and time.monotonic() < deadline:
            time.sleep(0.01)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
