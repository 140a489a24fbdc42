"""Real mail: Postfix's smtp-source through a private Postfix, the filters in turns behind it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness import build
from harness.process import Address, FilterError, FilterProcess, fresh_address
from harness.results import Figures, Row
from harness.sides import SIDES

if TYPE_CHECKING:
    from support.mta import Mta

NO_FILTER = "no-filter"
SIDES_OF_MAIL = ("c", "c-cures", "c-noreply", "c-noreply-cures", "old", "old-noreply", "ours", "ours-none")
SESSIONS = 4
HEADERS = 20
BODY = 10_000


class MailError(Exception):
    """Postfix or smtp-source did not do as it was told."""


def _message(folder: Path) -> Path:
    """Header and body for `smtp-source -F`, with LF line ends as it wants them."""
    fields = ["From: sender@example.org", "To: user@example.net", "Date: Mon, 2 Mar 2026 10:00:00 +0000"]
    fields += ["Message-Id: <1@client.example>", "Subject: benchmark"]
    fields += [
        f"X-Field-{number}: value of a header field, as long as they are in mail" for number in range(HEADERS - 5)
    ]
    body = build.body_file(BODY - 2).read_bytes().replace(b"\r\n", b"\n")  # smtp-source adds an empty line
    path = folder / "message"
    path.write_bytes("\n".join(fields).encode() + b"\n\n" + body)
    return path


@contextlib.contextmanager
def _postfix(milters: Sequence[str]) -> Iterator[Mta]:
    """A private Postfix that asks `milters` and throws away what it accepts."""
    sys.path.append(str(build.ROOT / "tests"))
    import pytest

    from support.postfix import Postfix

    settings = {
        "default_transport": "discard:",
        "relay_transport": "discard:",
        "smtpd_client_connection_rate_limit": "0",
        "in_flow_delay": "0",
    }
    # in memory where possible: the queue's fsync(2) would be most of what is measured
    tempfile.tempdir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    try:
        with Postfix(milters, 0, settings) as mta:
            tempfile.tempdir = None
            yield mta
    except pytest.skip.Exception as error:
        raise MailError(str(error)) from None
    finally:
        tempfile.tempdir = None


def _send(port: int, message: Path, count: int) -> float:
    """Send `count` messages over SESSIONS sessions, one message a session, and return the seconds that it took."""
    source = shutil.which("smtp-source", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if source is None:
        raise MailError("smtp-source is not installed: apt-get install postfix")
    command = [source, "-s", str(SESSIONS), "-m", str(count), "-F", str(message)]
    command += ["-f", "sender@example.org", "-t", "user@example.net", f"127.0.0.1:{port}"]
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    seconds = time.monotonic() - begin
    # smtp-source ends with status 0 on refused messages too, but warns of each
    if done.returncode != 0 or "fatal" in done.stderr or "warning" in done.stderr:
        raise MailError(f"smtp-source: {done.stderr[:1000]}")
    return seconds


def _settle(mta: Mta) -> None:
    """Wait until all is thrown away, else the next turn pays for this one's messages."""
    from support.mta import MtaError

    try:
        mta.settle(60)
    except MtaError as error:
        raise MailError(str(error)) from None


def _measure(mta: Mta, message: Path, seconds: float, filter_process: FilterProcess | None) -> Figures:
    start = filter_process.memory()[0] if filter_process else 0.0
    trial = 40
    rate = trial / _send(mta.port, message, trial)
    count = max(trial, int(rate * seconds))
    cpu = filter_process.cpu_seconds() if filter_process else 0.0
    took = _send(mta.port, message, count)
    cpu = filter_process.cpu_seconds() - cpu if filter_process else 0.0
    peak = filter_process.memory()[1] if filter_process else 0.0
    _settle(mta)
    return Figures(count, count / took, count * BODY / took / 1e6, 0.0, 0.0, 0.0, cpu / count * 1e6, start, peak, 0.0)


def _filter_options() -> list[str]:
    return ["--headers", str(HEADERS), "--recipients", "1", "--size", str(BODY)]


@contextlib.contextmanager
def _mail_folder() -> Iterator[Path]:
    """Where Postfix's user finds the filter's socket."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/run" if os.access("/run", os.W_OK) else None) as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        yield folder


@contextlib.contextmanager
def through_postfix(side: str, transport: str) -> Iterator[tuple[FilterProcess, Callable[[float], int]]]:
    """A side's filter behind Postfix; the function sends mail for so many seconds and tells how many messages."""
    with _mail_folder() as folder:
        message = _message(folder)
        address = fresh_address(transport, folder)
        command = SIDES[side].command("all", address, _filter_options())
        with _postfix([address.for_libmilter]) as mta, FilterProcess(command, address, folder) as process:

            def send(seconds: float) -> int:
                trial = 100
                count = trial + int(seconds * trial / _send(mta.port, message, trial))
                _send(mta.port, message, count - trial)
                return count

            send(0.5)
            yield process, send
            _settle(mta)


def measure_mail(
    transport: str, sides: Sequence[str], rounds: int, seconds: float, say: Callable[[str], None]
) -> list[Row]:
    """Measure Postfix without a filter and with each side's, in turns; the sides listen at one address one by one."""
    taking_part = [name for name in SIDES_OF_MAIL if name in sides and transport in SIDES[name].transports]
    rows = {name: Row("mail", transport, name) for name in (NO_FILTER, *taking_part)}
    say(f"mail over {transport}: smtp-source through Postfix")
    options = _filter_options()
    with _mail_folder() as folder:
        message = _message(folder)
        address = fresh_address(transport, folder)
        try:
            with _postfix([]) as plain, _postfix([address.for_libmilter]) as filtered:
                for round_ in range(1, rounds + 1):
                    for name, row in rows.items():
                        if not row.failure:
                            _take_turn(
                                row,
                                plain if name == NO_FILTER else filtered,
                                message,
                                address,
                                options,
                                seconds,
                                folder,
                            )
                            rate = row.turns[-1].messages_per_second if row.turns else 0.0
                            say(f"  {round_}/{rounds} {transport:4} {name:16} {rate:10.1f} messages/s {row.failure}")
        except MailError as error:
            for row in rows.values():
                row.failure = row.failure or str(error)
            say(f"  {error}")
    return list(rows.values())


def _take_turn(
    row: Row, mta: Mta, message: Path, address: Address, options: list[str], seconds: float, folder: Path
) -> None:
    try:
        if row.side == NO_FILTER:
            row.turns.append(_measure(mta, message, seconds, None))
            return
        if address.transport == "unix":
            Path(address.where).unlink(missing_ok=True)
        with FilterProcess(SIDES[row.side].command("all", address, options), address, folder) as process:
            row.turns.append(_measure(mta, message, seconds, process))
    except (MailError, FilterError, build.MissingError, subprocess.TimeoutExpired) as error:
        row.failure = str(error)
