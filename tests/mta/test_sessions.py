"""The testing client beside a real Postfix: both tell a bare C filter the same, packet for packet, macros included."""

from __future__ import annotations

import itertools
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pymilter.testing import Client, FilterGone, Result
from support import require
from support.cfilter import probe
from support.mta import socket_folder
from support.postfix import Postfix
from support.recorder import Recorder, Told
from support.sink import Sink

HEADER = b"From: a@x\r\nTo: b@x\r\nSubject: x\r\nMessage-ID: <m@x>\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\n"
MESSAGE = HEADER + b"\r\none\r\n.two\r\n"
_CLIENT = "[127.0.0.1]"
# The next hop and what `anvil` counts; neither is the client's affair.
_OF_THE_SERVER = ("{mail_host}", "{rcpt_host}", "{client_connections}", "{daemon_port}")


@dataclass(frozen=True)
class Mail:
    """One message of a session."""

    sender: str = "<s@example.org>"
    recipients: tuple[str, ...] = ("<a@example.net>", "<b@example.net>")
    message: bytes = MESSAGE
    params: tuple[str, ...] = ()


@dataclass
class Course:
    """What a session came to: what the filter was told, and what the SMTP client was answered."""

    told: list[Told] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    """The last reply to each message."""
    refused: list[list[tuple[str, str]]] = field(default_factory=list)
    """For each message the refused recipients with the replies."""
    callbacks: list[str] = field(default_factory=list)


class Sessions:
    """Runs sessions against Postfix and against the client, each with a filter of its own behind the recorder."""

    def __init__(self, folder: Path, recorder: Recorder, server: Postfix) -> None:
        self._folder, self._recorder, self._server = folder, recorder, server
        self._program = probe.build(folder)
        self._numbers = itertools.count()
        postconf = [str(require.command("postconf", "postfix")), "-d", "-h", "mail_version"]
        self._version = subprocess.run(postconf, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    def of_postfix(self, options: list[str], mails: list[Mail], helo: str = "client.example") -> Course:
        """As an SMTP client that sends RSET after a refusal, which is what smtplib does."""
        course = Course()
        where = ("127.0.0.1", self._server.port)
        with self._filter(options, course), socket.create_connection(where, timeout=30) as sock:
            self.port = int(sock.getsockname()[1])
            smtp = _Smtp(sock)
            greeting = smtp.ask(None)
            answer = greeting if greeting.startswith("421") else smtp.ask(f"EHLO {helo}".encode())
            if answer.startswith("421"):
                course.replies.append(answer)
                course.refused.append([])
            for mail in mails:
                smtp.send(mail, course)
            smtp.ask(b"QUIT")
        return course

    def of_client(self, options: list[str], mails: list[Mail], helo: str = "client.example") -> Course:
        """The same; `of_postfix` must have run before."""
        course = Course()
        macros = {"j": "mta.example", "{daemon_name}": "mta.example", "v": f"Postfix {self._version}"}
        with self._filter(options, course), Client(self._recorder.address, macros=macros) as client:
            for mail in mails:
                try:
                    result = client.play(
                        mail.message,
                        mail.sender,
                        mail.recipients,
                        sender_params=mail.params,
                        hostname=_CLIENT,
                        address="127.0.0.1",
                        port=self.port,
                        helo=helo,
                    )
                except FilterGone:
                    break
                _note(result, course)
        return course

    def _filter(self, options: list[str], course: Course) -> _Behind:
        address = f"unix:{self._folder}/filter{next(self._numbers)}"
        return _Behind(self._recorder, self._program, options, address, course)


class _Behind:
    """A filter behind the recorder; at the end the course has what it was told."""

    def __init__(self, recorder: Recorder, program: Path, options: list[str], address: str, course: Course) -> None:
        self._recorder, self._course, self._address = recorder, course, address
        self._running = probe.running(program, *options, address=address)

    def __enter__(self) -> None:
        self._process = self._running.__enter__()
        self._recorder.target = self._address

    def __exit__(self, *failure: object) -> None:
        self._recorder.target = ""
        try:
            self._course.told = _comparable(self._recorder.take())
            self._course.callbacks = [line.split()[0] for line in probe.log(self._process)]
        finally:
            self._running.__exit__(None, None, None)


class _Smtp:
    """An SMTP client that shows each reply as it is."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._file = sock, sock.makefile("rb")

    def ask(self, command: bytes | None) -> str:
        """Send a command, if any, and return the reply, its lines joined by LF; "" if the server has hung up."""
        lines: list[str] = []
        try:
            if command is not None:
                self._sock.sendall(command + b"\r\n")
            while not lines or lines[-1][3:4] == "-":
                line = self._file.readline()
                if not line:
                    break
                lines.append(line.decode().rstrip("\r\n"))
        except ConnectionError:
            pass
        return "\n".join(lines)

    def send(self, mail: Mail, course: Course) -> None:
        reply = self.ask(" ".join((f"MAIL FROM:{mail.sender}", *mail.params)).encode())
        refused: list[tuple[str, str]] = []
        if reply.startswith("250"):
            for recipient in mail.recipients:
                answer = self.ask(f"RCPT TO:{recipient}".encode())
                if not answer:
                    break
                if not answer.startswith("250"):
                    refused.append((recipient, answer))
                    reply = answer
            reply = self.ask(b"DATA") or reply
        if reply.startswith("354"):
            reply = self.ask(_as_data(mail.message))
        if not reply:
            return
        if not reply.startswith("250"):
            self.ask(b"RSET")
        course.replies.append(reply.partition(" queued as ")[0])
        course.refused.append(refused)


def _as_data(message: bytes) -> bytes:
    """The message with dots doubled, and the dot that ends it."""
    end = b"" if not message or message.endswith(b"\n") else b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", message) + end + b"."


def _note(result: Result, course: Course) -> None:
    course.replies.append(str(result.reply).partition(" queued as ")[0])
    course.refused.append([(one.recipient, str(one.reply)) for one in result.refused])


def _comparable(told: list[Told]) -> list[Told]:
    """With queue ids numbered as they come, and without the macros that are the server's affair."""
    ids: dict[str, str] = {}
    result: list[Told] = []
    for one in told:
        macros = [
            (name, ids.setdefault(value, f"queue id {len(ids)}") if name == "i" else value)
            for name, value in one.macros
            if name not in _OF_THE_SERVER
        ]
        result.append(Told(one.command, one.payload, tuple(macros)))
    return result


@pytest.fixture(scope="module")
def sessions() -> Iterator[Sessions]:
    require.root("a mail server of our own")
    folder = socket_folder()
    try:
        settings = {"local_header_rewrite_clients": "", "smtpd_soft_error_limit": "1000"}
        with (
            Sink() as sink,
            Recorder(f"{folder}/recorder") as recorder,
            Postfix([recorder.address], sink.port, settings) as server,
        ):
            yield Sessions(folder, recorder, server)
    finally:
        shutil.rmtree(folder)


def compare(sessions: Sessions, options: list[str], *mails: Mail, helo: str = "client.example") -> Course:
    """Both sessions, and that they are the same; returns the client's."""
    wanted = list(mails) or [Mail(), Mail()]
    real = sessions.of_postfix(options, wanted, helo)
    ours = sessions.of_client(options, wanted, helo)
    assert ours.told == real.told
    assert ours.callbacks == real.callbacks
    assert ours.replies == real.replies
    assert ours.refused == real.refused
    return ours


def test_two_messages(sessions: Sessions) -> None:
    course = compare(sessions, [])
    assert "".join(one.command for one in course.told) == "OCHMRRTLLLLLNBEAMRRTLLLLLNBEAAQ"


_ANSWERS = ["reject", "tempfail", "550 5.7.1 my words|and more", "451 4.7.1 later", "421 4.7.0 go", "accept", "discard"]


@pytest.mark.parametrize("step", ["connect", "helo", "mail", "rcpt", "data", "header", "eoh", "body", "eom"])
def test_each_answer_at_a_step(sessions: Sessions, step: str) -> None:
    for answer in _ANSWERS:
        if (step, answer[:3]) == ("eom", "421"):
            continue  # a reply of cleanup's, after which smtpd goes on
        compare(sessions, ["-r", f"{step}={answer}"])


@pytest.mark.parametrize("answer", _ANSWERS)
@pytest.mark.parametrize("recipient", ["a@", "b@"])
def test_each_answer_at_one_recipient(sessions: Sessions, recipient: str, answer: str) -> None:
    """Among others: no queue id before the first recipient that is accepted."""
    compare(sessions, ["-r", f"rcpt@{recipient}={answer}"])


def test_a_refused_message_before_another(sessions: Sessions) -> None:
    compare(sessions, ["-r", "mail@bad=reject"], Mail("<bad@example.org>"), Mail())
    compare(sessions, ["-r", "rcpt@none=reject"], Mail(recipients=("<none@example.net>",)), Mail())


def test_every_macro_at_every_stage(sessions: Sessions) -> None:
    names = (
        "j _ v i {daemon_name} {daemon_addr} {daemon_port} {client_addr} {client_name} {client_port} {client_ptr}"
        " {client_resolve} {client_connections} {if_addr} {if_name} {tls_version} {auth_authen} {mail_addr} {mail_host}"
        " {mail_mailer} {rcpt_addr} {rcpt_host} {rcpt_mailer}"
    )
    options = [word for stage in range(7) for word in ("-l", f"{stage}={names}")]
    three = ("<a@example.net>", "<b@example.net>", "<c@example.net>")
    compare(sessions, [*options, "-r", "rcpt@a@=reject"], Mail(recipients=three), Mail("<>", three))


@pytest.mark.parametrize(
    "protocol", [0x1, 0x2, 0x4, 0x8, 0xC, 0x10, 0x20, 0x40, 0x200, 0x27F, 0xFF080, 0xFF0FF, 0x100000], ids=hex
)
def test_steps_left_out_and_unanswered(sessions: Sessions, protocol: int) -> None:
    compare(sessions, ["-P", hex(protocol)])


@pytest.mark.parametrize("edit", ["quarantine|odd", "addheader|X|y", "replacebody|new", "delrcpt|<a@example.net>"])
def test_edits_change_nothing_in_the_session(sessions: Sessions, edit: str) -> None:
    compare(sessions, ["-e", edit])


ADDRESSES = {
    "null sender": Mail("<>"),
    "parameters": Mail(params=("SIZE=100", "BODY=8BITMIME")),
    "SMTPUTF8": Mail("<ä@exämple.org>", ("<ö@exämple.net>",), params=("SMTPUTF8",)),
    "source route": Mail("<@x.example:a@example.org>", ("<@y.example:b@example.net>",)),
    "quoted": Mail('<"a b"@example.org>', ('<"c d"@example.net>',)),
    "capitals": Mail("<A.B+x@EXAMPLE.org>", ("<C@EXAMPLE.net>",)),
}


@pytest.mark.parametrize("mail", ADDRESSES.values(), ids=ADDRESSES)
def test_addresses(sessions: Sessions, mail: Mail) -> None:
    compare(sessions, [], mail)


CONTENTS = {
    "nothing": b"",
    "no body": HEADER,
    "empty body": HEADER + b"\r\n",
    "no header": b"\r\nbody\r\n",
    "no line end": HEADER + b"\r\nbody",
    "no line end in the header": HEADER[:-2],
    "text alone": b"text\r\nmore\r\n",
    "From line": b"From me Mon\r\n" + MESSAGE,
    "quoted From line": b">>From me Mon\r\n" + MESSAGE,
    "fold first": b" fold\r\n" + MESSAGE,
    "odd fields": HEADER + b"X:\r\nZ :z\r\nW:\tw\r\n V\r\n \r\nU: \r\nT:  two\r\n\r\nbody\r\n",
    "8 bit": HEADER + b"X: \xe9\r\n\r\n\xe9\r\n",
    "no field name": HEADER + b"\xe9: x\r\n\r\nbody\r\n",
    "NUL": HEADER + b"X: a\0b\r\n\r\na\0b\r\n",
    "CR without LF": HEADER + b"X: a\rb\r\nY: c\r\r\n\r\na\rb\r\r\n",
    "LF without CR": HEADER + b"X: a\nY: b\n c\r\n\r\na\nb\r\n",
    "large body": HEADER + b"\r\n" + (b"z" * 76 + b"\r\n") * 3000,
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_contents(sessions: Sessions, content: bytes) -> None:
    compare(sessions, [], Mail(message=content))


def _folded(first: int, line: int, count: int) -> bytes:
    return HEADER + b"X: " + b"x" * first + b"\r\n" + (b"\t" + b"y" * line + b"\r\n") * count + b"\r\nbody\r\n"


LONG_FIELDS = [(59_997, 1, 0), (59_998, 1, 0), (120_000, 1, 0), (900, 900, 100), (900, 20_000, 5), (900, 8000, 9)]
LONG_FIELDS += [
    (53_000, 9000, 1),
    (53_996, 9000, 1),
    (53_997, 9000, 1),
    (59_990, 5, 1),
    (59_990, 6, 1),
    (55_000, 4995, 2),
]


@pytest.mark.parametrize("shape", LONG_FIELDS, ids=str)
def test_fields_longer_than_a_packet_are_cut(sessions: Sessions, shape: tuple[int, int, int]) -> None:
    compare(sessions, [], Mail(message=_folded(*shape)))
