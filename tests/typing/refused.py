"""Mistakes, each on a line that says what mypy and pyright must report of it. Never imported.

A comment that ignores an error which does not come is an error itself, so this file checks clean only when all come.
"""

from __future__ import annotations

import pymilter
from pymilter import (
    CONTINUE,
    REJECT,
    Action,
    Base,
    Hostaddr,
    Outcome,
    Protocol,
    Reject,
    Server,
    Stage,
    Status,
    TempFail,
    decode,
    mime,
    noreply,
    symlist,
)
from pymilter.testing import AddHeader, Client, Envelope, apply_edits, send_message


class WrongArguments(Base):
    def connect(self, hostname: str, family: str, hostaddr: Hostaddr) -> Outcome:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE

    def hello(self, hostname: bytes) -> Outcome:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE

    def envfrom(self, mailfrom: bytes, *params: str) -> Outcome:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE

    def envrcpt(self, to: str, notify: str, *params: str) -> Outcome:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE

    def header(self, name: str) -> Outcome:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE

    def body(self, chunk: str) -> Outcome:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE

    def unknown(self) -> Outcome:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE

    def eom(self, message: str) -> Outcome:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE


class NarrowAddress(Base):
    """The MTA may tell another family, or nothing."""

    def connect(self, hostname: str, family: int, hostaddr: tuple[str, int]) -> Outcome:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE


class UnguardedAddress(Base):
    def connect(self, hostname: str, family: int, hostaddr: Hostaddr) -> None:
        self.ip: str = hostaddr[0]  # type: ignore[index]  # pyright: ignore[reportOptionalSubscript]
        if isinstance(hostaddr, tuple):
            self.ip, self.port = hostaddr  # type: ignore[misc]  # pyright: ignore[reportAssignmentType]


class WrongResults(Base):
    def connect(self, hostname: str, family: int, hostaddr: Hostaddr) -> int:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return 0

    def hello(self, hostname: str) -> bool:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return True

    def envfrom(self, mailfrom: str) -> Outcome:
        return 1  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    def envrcpt(self, to: str) -> Outcome:
        return "550 5.7.1 go away"  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    def data(self) -> Outcome:
        return Status.REFUSE  # type: ignore[attr-defined, no-any-return]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]

    def eoh(self) -> Outcome:
        return Reject  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    def eom(self) -> Outcome:
        return Action.ADDHDRS  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    def abort(self) -> Outcome:
        return pymilter.CONTINU  # type: ignore[attr-defined, no-any-return]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]

    def negotiate(self, opts: list[int]) -> Outcome:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE


class VerdictsFromNone(Base):
    def connect(self, hostname: str, family: int, hostaddr: Hostaddr) -> None:
        return REJECT  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    def header(self, name: str, value: str) -> None:
        if name == "X-Spam":
            return Reject(550, "5.7.1", "spam")  # type: ignore[return-value]  # pyright: ignore[reportReturnType]
        return None


class WrongEdits(Base):
    def eom(self) -> Outcome:
        self.replacebody("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        self.add_header("X-One", "1")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        self.addheader("X-One", 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        self.addheader("X-One", "1", "0")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        self.chgheader("Subject", "other")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        self.chgheader("Subject", None, "other")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        self.addrcpt("<a@example.com>", 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        self.addrcpt(["<a@example.com>"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        self.delrcpt("<a@example.com>", "NOTIFY=NEVER")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        self.chgfrom(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        self.quarantine()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        self.setreply(550, "5.7.1", "no")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        self.setsymlist(3.5, "i")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        return self.getsymval("i")  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


class WrongDecorators(Base):
    @symlist("i", 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    def envfrom(self, mailfrom: str) -> Outcome:
        return CONTINUE

    @decode("latin-1")  # type: ignore[call-overload, untyped-decorator]  # pyright: ignore[reportArgumentType, reportCallIssue, reportUntypedFunctionDecorator]
    def hello(self, hostname: str) -> Outcome:
        return CONTINUE

    @decode("bytes")
    def envrcpt(self, to: bytes) -> str:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return "no"

    @noreply
    def header(self, name: str, value: bytes) -> Outcome:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE


class CodesOfAnotherStatus(Base):
    """A code that is written out must fit the status; one that is computed is looked at when the program runs."""

    def connect(self, hostname: str, family: int, hostaddr: Hostaddr) -> Outcome:
        return Reject(250, "5.7.1", "go away")  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    def envfrom(self, mailfrom: str) -> Outcome:
        return Reject(450, "4.7.1", "later")  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    def eom(self) -> Outcome:
        held: Outcome = TempFail(250)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
        return held or TempFail(550, "5.7.1", "go away")  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


def wrong_replies() -> None:
    Reject("550", "5.7.1", "no")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    Reject(550, 5.7, "no")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    Reject(550, "5.7.1", ["no"])  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    TempFail()  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    TempFail(450).code = 451  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


class NoBase:
    pass


def wrong_factories(argument: str) -> None:
    pymilter.run(NoBase, "inet:8890@127.0.0.1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    pymilter.run(WrongEdits(), "inet:8890@127.0.0.1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    pymilter.run(lambda: None, "inet:8890@127.0.0.1")  # type: ignore[arg-type, return-value]  # pyright: ignore[reportArgumentType]
    Server(lambda argument: WrongEdits(), argument)  # type: ignore[arg-type, misc]  # pyright: ignore[reportArgumentType, reportUnknownLambdaType]
    Server(WrongEdits, 8890)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Server(WrongEdits, argument, exception_policy="ACCEPT")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Server(WrongEdits, argument, time_out=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


class WrongConnection(Base):
    """What the connection tells, and a hook that gives no verdict."""

    def begin_message(self) -> Outcome:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE

    def eom(self) -> Outcome:
        self.begin_message("sender")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        self.ip: str = self.peer  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
        self.name: str = self.queue_id  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
        self.number: int = self.queue_id  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
        self.queue_id()  # type: ignore[misc, operator]  # pyright: ignore[reportCallIssue, reportOptionalCall]
        self.context.queue_id = "none"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
        self.context.add_header("X-One", "1")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        return self.context  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


def wrong_hooks() -> None:
    pymilter.run(WrongEdits, "inet:8890@127.0.0.1", on_start=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    pymilter.run(WrongEdits, "inet:8890@127.0.0.1", on_stop="stop")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    pymilter.run(WrongEdits, "inet:8890@127.0.0.1", on_reload=lambda number: number)  # type: ignore[arg-type, misc]  # pyright: ignore[reportArgumentType, reportUnknownLambdaType]
    pymilter.run(WrongEdits, "inet:8890@127.0.0.1", max_messages="10000")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    pymilter.run(WrongEdits, "inet:8890@127.0.0.1", max_rss=2e8)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def wrong_tests(address: str, message: bytes, envelope: Envelope) -> None:
    send_message(address, message, mta="exim")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Client(address).play(message, mta=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    apply_edits(message, envelope, [AddHeader("X-One")])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    apply_edits(message, envelope, ["X-One: 1"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    apply_edits(message, envelope, [], mta="qmail")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    apply_edits(message, envelope, [], "sendmail")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    apply_edits(message, "<a@example.org>", [])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def wrong_changes(message: mime.MimeMessage) -> None:
    message.append_text(b"a footer")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    message.append_text("a footer", True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    message.drop(0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    message.drop()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    message.replace_with_text("nothing is left")  # type: ignore[arg-type, call-arg]  # pyright: ignore[reportCallIssue]
    message.replace_with_text(message, None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    mime.check_html(message, None, True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    mime.check_html(message, strict="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    mime.check_html(b"<p>")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


protocol: Protocol = Action.ADDHDRS  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
stage: Stage = 3  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
