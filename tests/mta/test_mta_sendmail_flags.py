"""The tables of the page on Sendmail: what F= does without the filter, and the times of T=.

One Sendmail has a port for each letter and time; InputMailFilters gives each port its filter.
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from pymilter.testing import FilterProcess
from support import require
from support.mta import free_port, socket_folder
from support.sendmail import Sendmail
from support.sink import Sink

FILTER = Path(__file__).with_name("filters") / "failing_filter.py"
PAGE = Path(__file__).parents[2] / "docs" / "howto" / "sendmail.md"
LETTERS = {"none": "", "T": ", F=T", "R": ", F=R", "4": ", F=4"}
TIMES = {f"{letter}-{time}": f"{LETTERS[letter]}, T={time}" for letter in ("none", "T") for time in "CSRE"}
"""That time is short, and all others are long."""
SHORT, LONG = 2, 60  # seconds
BODY = b"line\r\n"


class Site:
    """A Sendmail with one filter, at `address`, which each port asks with equates of its own."""

    def __init__(self, sendmail: Sendmail, sink: Sink, address: str, ports: dict[str, int]) -> None:
        self.sendmail = sendmail
        self.sink = sink
        self.address = address
        self.ports = ports
        self.count = 0

    @contextmanager
    def filter(self) -> Iterator[FilterProcess]:
        """The filter, which may end as it likes."""
        with FilterProcess([sys.executable, FILTER, self.address], self.address, timeout=30) as program:
            try:
                yield program
            finally:
                if program.returncode is None:
                    program.send_signal(signal.SIGKILL)  # it may be stopped, or sleep
                    program.wait()

    def replies(self, port: str, sender: str, body: bytes = BODY) -> list[int]:
        """The codes of all replies to a message, from the greeting on; 0 is the end of the connection."""
        with (
            socket.create_connection(("127.0.0.1", self.ports[port]), timeout=100) as peer,
            peer.makefile("rb") as file,
        ):
            lines = [b"EHLO a.example", f"MAIL FROM:<{sender}@example.org>".encode(), b"RCPT TO:<b@x.example>", b"DATA"]
            text = f"Message-ID: <{self.token()}@example.org>\r\n\r\n".encode() + body + b"."
            codes = [reply(file)]
            while lines and codes[-1] != 421:
                peer.sendall(lines.pop(0) + b"\r\n")
                codes.append(reply(file))
                if codes[-1] == 354:
                    lines.append(text)
            if codes[-1] == 421:
                codes.append(reply(file))
        return codes

    def token(self) -> str:
        return f"sendmail-{self.count}"

    def passed(self, port: str, sender: str, body: bytes = BODY) -> str:
        """What becomes of a message: the fields X-Gate that it is delivered with, or the first code that refuses it."""
        self.count += 1
        codes = self.replies(port, sender, body)
        refusals = [code for code in codes if code >= 400 or code == 0]
        if refusals:
            return " ".join(map(str, refusals[:2] if 0 in refusals else refusals[:1]))
        return "delivered " + (self.sink.wait(self.token()).header("X-Gate") or ["unfiltered"])[0]


def reply(file: BinaryIO) -> int:
    """The code of a reply, 0 at the end."""
    while (line := file.readline())[3:4] == b"-":
        pass
    return int(line[:3] or b"0")


def times_of(time: str) -> str:
    """The equate T= with one short time, in the order of the page."""
    return ";".join(f"{letter}:{SHORT if letter == time else LONG}s" for letter in "CSRE")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    require.root("a mail server of our own")
    folder = socket_folder()
    address = f"unix:{folder}/gate"
    kinds = LETTERS | {
        name: re.sub("(?<=T=).$", lambda found: times_of(found[0]), kind) for name, kind in TIMES.items()
    }
    ports = {name: free_port() for name in kinds}
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        sink = stack.enter_context(Sink())
        sendmail = Sendmail([], sink.port)
        for name, equates in kinds.items():
            name = name.replace("-", "")
            sendmail.lines += (f"MAIL_FILTER(`gate{name}', `S={address}{equates}')dnl",)
        for name, port in ports.items():
            filters = f"InputMailFilters=gate{name.replace('-', '')}"
            sendmail.lines += (
                f"DAEMON_OPTIONS(`Name=MTA{name}, Family=inet, Addr=127.0.0.1, Port={port}, {filters}')dnl",
            )
        stack.enter_context(sendmail)
        yield Site(sendmail, sink, address, ports)


def of_page(letter: str) -> tuple[str, str]:
    """What the page says of a letter: without the filter, and if it breaks off."""
    name = "no `F=`" if letter == "none" else f"`F={letter}`"
    ((absent, broken),) = re.findall(rf"^\| {name} \| (.*?) \| (.*?) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return absent, broken


MEANS = {
    "mail passes unfiltered": "delivered unfiltered",
    "451 to MAIL": "451",
    "451": "451",
    "the greeting is 554, and each command is refused with 550": "554",
    "550": "550",
    "421, and the connection is closed": "421 0",
}


@pytest.mark.parametrize("letter", LETTERS)
def test_without_the_filter(site: Site, letter: str) -> None:
    assert site.passed(letter, "well") == MEANS[of_page(letter)[0]]
    if letter == "R":
        assert site.replies(letter, "well")[2:] == [550, 550, 550]
    if letter == "T":
        assert site.replies(letter, "well")[:3] == [220, 250, 451]


@pytest.mark.parametrize("letter", LETTERS)
def test_the_filter_breaks_off(site: Site, letter: str) -> None:
    with site.filter() as program:
        assert site.passed(letter, "well") == "delivered open"
        assert site.passed(letter, "dies") == MEANS[of_page(letter)[1]]
        assert program.wait() != 0


def test_a_socket_in_a_folder_that_others_may_write_to(site: Site) -> None:
    """Sendmail does not even try to connect, and says why."""
    folder = Path(site.address.removeprefix("unix:")).parent
    with site.filter():
        folder.chmod(0o777)
        try:
            assert site.passed("T", "well") == "451"
            assert site.passed("none", "well") == "delivered unfiltered"
        finally:
            folder.chmod(0o755)
        assert f"local socket name {folder}/gate unsafe" in site.sendmail.log()
        assert site.passed("T", "well") == "delivered open"


AFTER = pytest.mark.parametrize(("letter", "end"), [("none", "delivered unfiltered"), ("T", "451")])


@AFTER
@pytest.mark.parametrize("sender", ["slow-20", "late-20"])
@pytest.mark.long
def test_the_time_for_an_answer(site: Site, letter: str, end: str, sender: str) -> None:
    """Also at the end of a message, where the filter may start it anew."""
    with site.filter():
        assert site.passed(f"{letter}-R", "works-6") == "delivered open"
        assert site.passed(f"{letter}-R", sender) == end


@AFTER
@pytest.mark.long
def test_the_time_for_the_end_of_a_message(site: Site, letter: str, end: str) -> None:
    """It cannot be started anew."""
    with site.filter():
        assert site.passed(f"{letter}-E", "slow-5") == "delivered open"
        assert site.passed(f"{letter}-E", "works-20") == end


@AFTER
@pytest.mark.long
def test_the_time_to_send(site: Site, letter: str, end: str) -> None:
    """The filter reads no more, and answers are not waited for."""
    with site.filter():
        assert site.passed(f"{letter}-S", "stops", BODY * 500_000) == end


@AFTER
@pytest.mark.long
def test_the_time_to_connect(site: Site, letter: str, end: str) -> None:
    """Nobody takes connections, and the queue of the socket is full."""
    path = site.address.removeprefix("unix:")
    with ExitStack() as stack:
        Path(path).unlink(missing_ok=True)  # of a filter that was killed
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        listener.listen(0)
        while True:
            waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
            waiting.setblocking(False)
            try:
                waiting.connect(path)
            except BlockingIOError:
                break
        assert site.passed(f"{letter}-C", "well") == end


@pytest.mark.parametrize(
    ("sender", "end"),
    [("slow-5", "delivered open"), ("slow-20", "451"), ("late-20", "451"), ("works-20", "delivered open")],
)
@pytest.mark.long
def test_the_times_if_none_is_given(site: Site, sender: str, end: str) -> None:
    with site.filter():
        assert site.passed("T", sender) == end
