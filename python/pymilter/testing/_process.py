"""Runs a filter program in its own process: starts it, waits until it listens, and stops it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from ._address import Address
from ._errors import FilterFailed

_PAUSE = 0.01
_PROC = Path("/proc/net")


class FilterProcess:
    """Runs a filter's program. As a context manager it always ends the program.

    Args:
        argv: the program and its arguments.
        address: the socket that it will listen on, in libmilter's notation; for a `Client` as `address`.
        timeout: how many seconds it may take until it listens, and until it has stopped.
        env: variables set in addition to this process's own.
        cwd: the folder in which it runs.
        stop_signal: the signal that asks it to stop, by default SIGTERM.

    Raises:
        FilterFailed: the program could not be started, ended before it listened, or did not listen in time;
            the text has what it wrote to stderr.
    """

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        address: str,
        *,
        timeout: float = 10.0,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.argv: tuple[str, ...] = tuple(os.fspath(arg) for arg in argv)
        self.address = address
        self.timeout = timeout
        self.stop_signal = stop_signal
        self._address = Address.parse(address)
        self._env = None if env is None else {**os.environ, **env}
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None
        self._stdout = _Output()
        self._stderr = _Output()

    def __enter__(self) -> FilterProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._close_files()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running().pid

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._running().poll()

    @property
    def stdout(self) -> str:
        """What the program has written to stdout so far; it stays after the end of the `with`."""
        return self._stdout.text()

    @property
    def stderr(self) -> str:
        """What the program has written to stderr so far; it stays after the end of the `with`."""
        return self._stderr.text()

    def start(self) -> None:
        """Start the program and wait until it listens.

        Raises:
            FilterFailed: it was started already, cannot be started, or ends before it listens.
        """
        if self._process is not None:
            raise FilterFailed(f"{self.argv[0]} was started already")
        try:
            self._process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=self._stdout.open(),
                stderr=self._stderr.open(),
                env=self._env,
                cwd=self._cwd,
            )
        except OSError as error:
            self._close_files()
            raise FilterFailed(f"cannot start {self.argv[0]}: {error.strerror}") from error
        try:
            self._wait_until_listening()
        except BaseException:
            self._kill()
            self._close_files()
            raise

    def stop(self) -> int:
        """Ask the program to stop, wait for its end, and return its exit status.

        Raises:
            FilterFailed: it had not ended after `timeout` seconds and was killed.
        """
        process = self._running()
        if process.poll() is None:
            process.send_signal(self.stop_signal)
        return self.wait()

    def wait(self) -> int:
        """Wait until the program ends, by itself or after a signal, and return its exit status.

        Raises:
            FilterFailed: it had not ended after `timeout` seconds and was killed.
        """
        try:
            return self._running().wait(self.timeout)
        except subprocess.TimeoutExpired:
            self._kill()
            raise FilterFailed(
                f"{self.argv[0]} did not end within {self.timeout:g} s and was killed{self._complaint()}"
            ) from None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the program."""
        self._running().send_signal(number)

    def _wait_until_listening(self) -> None:
        deadline = time.monotonic() + self.timeout
        while True:
            status = self._running().poll()
            if status is not None:
                raise FilterFailed(
                    f"{self.argv[0]} ended with status {status} before it listened on {self.address}{self._complaint()}"
                )
            if _listens(self._address):
                return
            if time.monotonic() > deadline:
                raise FilterFailed(
                    f"{self.argv[0]} did not listen on {self.address} within {self.timeout:g} s{self._complaint()}"
                )
            time.sleep(_PAUSE)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise FilterFailed(f"{self.argv[0]} was not started")
        return self._process

    def _kill(self) -> None:
        process = self._running()
        process.kill()
        process.wait()

    def _complaint(self) -> str:
        text = self.stderr.strip()
        return f"; its stderr:\n{text}" if text else "; it wrote nothing to stderr"

    def _close_files(self) -> None:
        self._stdout.close()
        self._stderr.close()


class _Output:
    """What a program writes to one of its streams: in a file, which never fills up as a pipe does."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._text = ""

    def open(self) -> IO[bytes]:
        """Open a new file, for the program to write to."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open until close()
        return self._file

    def close(self) -> None:
        """Close the file, and keep its text."""
        self._text = self.text()
        if self._file is not None:
            self._file.close()
            self._file = None

    def text(self) -> str:
        """Return what the program has written so far."""
        if self._file is None:
            return self._text
        size = os.fstat(self._file.fileno()).st_size
        return os.pread(self._file.fileno(), size, 0).decode("utf-8", "replace")


def _listens(address: Address) -> bool:
    """True if a program listens there. If /proc shows that, no connection is made: the filter would see it."""
    if address.family == socket.AF_UNIX:
        table = _PROC / "unix"
        if table.is_file():
            path = str(Path(address.path).absolute())
            rows = (row.split(maxsplit=7) for row in table.read_text("utf-8", "surrogateescape").splitlines()[1:])
            accepts = 0x10000  # __SO_ACCEPTCON in the third column, flags
            return any(len(row) == 8 and row[7] in (path, address.path) and int(row[3], 16) & accepts for row in rows)
    else:
        tables = [table for table in (_PROC / "tcp", _PROC / "tcp6") if table.is_file()]
        if tables:
            rows = (row.split() for table in tables for row in table.read_text().splitlines()[1:])
            listening = "0A"  # TCP_LISTEN
            return any(row[3] == listening and int(row[1].rpartition(":")[2], 16) == address.port for row in rows)
    try:
        address.connect(1.0).close()
    except Exception:
        return False
    return True
