"""TestCtx and TestBase: a program's own unit tests, the real negotiation, and no state from one to the next."""

from __future__ import annotations

import ast
import inspect
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import pytest

import Milter
from Milter.test import TestBase
from Milter.testctx import TestCtx
from pymilter import Base, Outcome, Reject
from pymilter.testing import Client, FilterProcess, temporary_socket

UNIT = Path(__file__).with_name("programs") / "unit"
MESSAGE = (
    b"From mbox Mon Jan  1 00:00:00 2024\nSubject: one\nX-Fold: a\n\tb\nX-8bit: caf\xe9\nX-Many: 1\nX-Many: 2\n\nbody\n"
)


@pytest.mark.parametrize("which", ["1.0.5", "ours"])
def test_unit_tests_of_a_classic_program(old_python: Path, tmp_path: Path, which: str) -> None:
    python = old_python if which == "1.0.5" else sys.executable
    done = subprocess.run(
        [python, "-W", "ignore", "tests.py", tmp_path / "milter.log"],
        cwd=UNIT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Ran 12 tests" in done.stderr


@pytest.fixture(autouse=True)
def factory() -> Iterator[None]:
    earlier = Milter.factory
    yield
    Milter.factory = earlier


class Recording(Base):
    """Writes down its events; answers what `results` has for them."""

    results: dict[str, Any] = {}  # noqa: RUF012 - set by each test

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def _note(self, event: str, value: Any) -> Outcome:
        self.events.append((event, value))
        result: Outcome = self.results.get(event, Milter.CONTINUE)
        return result

    def connect(self, hostname: str, family: int, hostaddr: Any, /) -> Outcome:
        return self._note("connect", (hostname, int(family), hostaddr))

    def envfrom(self, mailfrom: str, /, *params: str) -> Outcome:
        return self._note("envfrom", (mailfrom, *params))

    def header(self, name: str, value: str, /) -> Outcome:
        return self._note("header", (name, value))

    def body(self, chunk: bytes, /) -> Outcome:
        return self._note("body", chunk)

    def eom(self) -> Outcome:
        return self._note("eom", None)

    def close(self) -> Outcome:
        return self._note("close", None)


def _recorded(**results: Any) -> TestCtx:
    Milter.factory = type("Recorded", (Recording,), {"results": results})
    return TestCtx()


def test_steps_are_those_that_the_class_negotiates() -> None:
    ctx = _recorded()
    assert ctx._connect("host", "helo", "192.0.2.7") == Milter.CONTINUE
    events = ctx.getpriv().events
    assert ctx._feedFile(BytesIO(MESSAGE)) == Milter.CONTINUE
    ctx._close()
    assert events == [
        ("connect", ("host", 2, ("192.0.2.7", 1234))),
        ("envfrom", ("<spam@adv.com>",)),
        ("header", ("Subject", "one")),
        ("header", ("X-Fold", "a\n\tb")),
        ("header", ("X-8bit", "caf\udce9")),
        ("header", ("X-Many", "1")),
        ("header", ("X-Many", "2")),
        ("body", b"body\n"),
        ("eom", None),
        ("close", None),
    ]
    assert ctx._protocol & Milter.P_NOHELO
    assert not ctx._protocol & Milter.P_NOHDRS


@pytest.mark.parametrize(
    ("ip", "family", "hostaddr"),
    [
        ("192.0.2.7", 2, ("192.0.2.7", 1234)),
        ("2001:db8::1", 10, ("2001:db8::1", 1234, 0, 0)),
        ("/run/x", 1, "/run/x"),
        (None, 0, None),
    ],
)
def test_addresses_are_what_libmilter_gives(ip: str | None, family: int, hostaddr: object) -> None:
    ctx = _recorded()
    ctx._connect("host", "helo", ip)
    assert ctx.getpriv().events == [("connect", ("host", family, hostaddr))]


def test_an_address_that_is_none() -> None:
    with pytest.raises(ValueError, match="allowed are an IPv4 or IPv6 address"):
        _recorded()._connect(ip="nowhere")


def test_no_state_between_contexts() -> None:
    first = _recorded()
    first._connect()
    assert TestCtx.default_opts == [511, 0x1FFFFF, 0, 0]
    second = _recorded()
    second._connect()
    assert first._opts == second._opts
    assert (second._reply, second._msg, second._addrcpt) == (None, None, [])


def test_each_message_begins_anew() -> None:
    class Adds(Base):
        def eom(self) -> Outcome:
            self.addrcpt("<more@example.net>")
            self.replacebody(b"new")
            return Reject(550, "5.7.1", "no")

    Milter.factory = Adds
    ctx = TestCtx()
    ctx._connect()
    for _ in range(2):
        assert ctx._feedFile(BytesIO(MESSAGE)) == Milter.REJECT
        assert ctx._addrcpt == [("<more@example.net>", None)]
        assert ctx._reply == ("550", "5.7.1", "no")
        assert ctx._body is not None
        assert ctx._body.getvalue().endswith(b"\n\nnew")
    ctx._envfrom("<a@example.org>")
    assert (ctx._addrcpt, ctx._reply, ctx._bodyreplaced) == ([], None, False)


def test_begin_message_is_called_before_each_message() -> None:
    class Counting(Milter.Base):
        heard: ClassVar[list[str]] = []

        def begin_message(self) -> None:
            self.heard.append("begin")

        def header(self, name: str, value: str) -> None:
            self.heard.append(name)

        def eom(self) -> Outcome:
            self.heard.append("eom")
            return Milter.CONTINUE

    ctx = TestCtx()
    Milter.factory = Counting
    assert ctx._connect() == Milter.CONTINUE
    assert Counting.heard == []
    for _ in range(2):
        assert ctx._feedFile(BytesIO(b"A: b\n\nx\n")) == Milter.CONTINUE
    assert Counting.heard == ["begin", "A", "eom"] * 2


@pytest.mark.parametrize("status", [Milter.ACCEPT, Milter.REJECT, Milter.TEMPFAIL])
def test_a_connection_that_was_answered_gets_no_message(status: int) -> None:
    ctx = _recorded(connect=status)
    assert ctx._connect() == status
    assert ctx._feedFile(BytesIO(MESSAGE)) == status
    assert [event for event, _ in ctx.getpriv().events] == ["connect", "close"]
    with pytest.raises(Milter.error, match="there is no connection"):
        ctx._envfrom("<a@example.org>")


def test_skip_ends_the_body_and_not_the_message() -> None:
    ctx = _recorded(body=Milter.SKIP)
    ctx._connect()
    assert ctx._feedFile(BytesIO(MESSAGE + b"x" * 200_000)) == Milter.CONTINUE
    events = [event for event, _ in ctx.getpriv().events]
    assert (events.count("body"), events[-1]) == (1, "eom")
    assert ctx._body is not None
    assert len(ctx._body.getvalue()) > 200_000


def test_header_edits_of_msg() -> None:
    class Edits(Base):
        def eom(self) -> Outcome:
            self.chgheader("Subject", 1, "changed")
            self.chgheader("X-Many", 2, "second")
            self.chgheader("X-Fold", 1, None)
            self.chgheader("X-New", 1, "added")
            self.addheader("X-Top", "top", 0)
            return Milter.CONTINUE

    Milter.factory = Edits
    ctx = TestCtx()
    ctx._connect()
    ctx._feedFile(BytesIO(MESSAGE))
    assert ctx._msg["subject"] == "changed"
    assert ctx._msg.get_all("x-many") == ["1", "second"]
    assert (ctx._msg["x-fold"], ctx._msg["x-new"], ctx._msg["x-top"]) == (None, "added", "top")


def test_edits_have_their_place_and_their_action() -> None:
    class Wrong(Base):
        def envfrom(self, mailfrom: str, /, *params: str) -> Outcome:
            self.addheader("X-A", "b")
            return Milter.CONTINUE

        def negotiate(self, opts: list[int], /) -> Any:
            status = super().negotiate(opts)
            opts[0] &= ~Milter.CHGBODY
            return status

        def eom(self) -> Outcome:
            self.replacebody(b"x")
            return Milter.CONTINUE

    Milter.factory = Wrong
    ctx = TestCtx()
    ctx._connect()
    with pytest.raises(Milter.error, match="only at eom"):
        ctx._envfrom("<a@example.org>")
    with pytest.raises(Milter.DisabledAction, match="CHGBODY"):
        ctx._eom()


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda self: self.addheader("X A", "b"), r"\\x20 at position 1"),
        (lambda self: self.addheader("X-A", "b\r\nX-B: c"), "it would begin a new header"),
        (lambda self: self.addheader("X-A", "b\n "), "nothing but blanks in the line after it"),
        (lambda self: self.chgheader("X-A", 1, "a\rb"), "a CR without LF"),
        (lambda self: self.addrcpt("<a@example.org>,<b@example.org>"), "recipient contains '>' at position 14"),
        (lambda self: self.addrcpt("<a@example.org>", "A=1\r\nDATA"), "ESMTP parameter contains"),
        (lambda self: self.chgfrom("<a@example.org>", "A=1\r\nDATA"), "ESMTP parameter contains"),
        (lambda self: self.chgfrom("<a@example.org>", ["A=1", "B=\0"]), "ESMTP parameter contains"),
        (lambda self: self.delrcpt("<a@example.org"), "only one of its angle brackets"),
        (lambda self: self.chgfrom("a\x7f@example.org"), "sender contains"),
        (lambda self: self.quarantine(""), "quarantine reason is empty"),
        (lambda self: self.setreply("250", None, "fine"), "250"),
        (lambda self: self.setreply("550", "4.7.1", "x"), r"4\.7\.1"),
    ],
)
def test_what_libmilter_would_not_take(edit: Any, reason: str) -> None:
    Milter.factory = type("Edits", (Base,), {"eom": edit})
    ctx = TestCtx()
    ctx._connect()
    with pytest.raises(ValueError, match=reason):
        ctx._eom()


def test_a_verdict_without_an_answer_is_an_error() -> None:
    class Mute(Base):
        @Milter.noreply
        def header(self, name: str, value: str, /) -> Outcome:
            return Milter.REJECT

    Milter.factory = Mute
    ctx = TestCtx()
    ctx._connect()
    with pytest.raises(ValueError, match="declared to give no verdict"):
        ctx._header("A", "b")


@pytest.mark.parametrize("result", [True, False, socket.AF_INET, Milter.ADDHDRS, "250 ok"])
def test_a_result_that_is_no_status_is_an_error(result: Any) -> None:
    class Answering(Milter.Base):
        def envfrom(self, *params: str) -> Any:
            return result

    ctx = TestCtx()
    Milter.factory = Answering
    assert ctx._connect() == Milter.CONTINUE
    with pytest.raises(TypeError, match=r"envfrom\(\) returned .*: allowed are a Status, a Reply"):
        ctx._envfrom("<a@example.org>")


def test_what_a_handler_raises_comes_out() -> None:
    class Fails(Base):
        def eom(self) -> Outcome:
            raise KeyError("from the handler")

    Milter.factory = Fails
    ctx = TestCtx()
    ctx._connect()
    with pytest.raises(KeyError, match="from the handler"):
        ctx._feedFile(BytesIO(MESSAGE))


def test_symlist_and_setsymlist_are_kept() -> None:
    class Asks(Base):
        @Milter.symlist("i", "{auth_authen}")
        def envfrom(self, mailfrom: str, /, *params: str) -> Outcome:
            return Milter.CONTINUE

    Milter.factory = Asks
    ctx = TestCtx()
    ctx._connect()
    assert ctx._symlist[Milter.M_ENVFROM] == "i {auth_authen}"
    with pytest.raises(Milter.error, match="only in negotiate"):
        ctx.setsymlist(0, "j")


def test_setsymlist_takes_a_stage_in_each_form_once() -> None:
    class Asks(Base):
        def negotiate(self, opts: list[int], /) -> Any:
            ctx: Any = self._ctx
            ctx.setsymlist("envrcpt", "{rcpt_addr}")
            ctx.setsymlist(Milter.M_EOM, "i")
            ctx.setsymlist(int(Milter.M_CONNECT), "j", "_")
            with pytest.raises(Milter.error, match="called before for the stage EOM"):
                ctx.setsymlist("eom", "v")
            return super().negotiate(opts)

    Milter.factory = Asks
    ctx = TestCtx()
    ctx._connect()
    asked = {stage: ctx._symlist[stage] for stage in (Milter.M_ENVRCPT, Milter.M_EOM, Milter.M_CONNECT)}
    assert list(asked.values()) == ["{rcpt_addr}", "i", "j _"]
    ctx._negotiate()  # a connection's lists are its own: this raises nothing


def test_a_filter_may_take_all_that_is_offered() -> None:
    class Takes(Recording):
        def negotiate(self, opts: list[int], /) -> Any:
            opts[:] = [0, 0, 0, 0]
            return Milter.ALL_OPTS

    Milter.factory = Takes
    ctx = TestCtx()
    assert ctx._connect() == Milter.CONTINUE
    assert (ctx.actions, ctx.protocol) == (Milter.CURR_ACTS, Milter.P_SKIP)
    assert ctx._opts == [Milter.CURR_ACTS, Milter.P_SKIP, 0, 0]


def test_what_eom_asks_for_is_kept() -> None:
    class Asks(Base):
        def eom(self) -> Outcome:
            self.replacebody("caf\xe9\n")  # type: ignore[arg-type]  # classic programs do
            self.replacebody(bytearray(b"more\n"))
            self.quarantine("look at it\r\n")
            self.addrcpt("<a@example.org>", ["NOTIFY=NEVER", "ORCPT=x"])
            self.addrcpt("<b@example.org>", [])
            self.progress()
            return Milter.CONTINUE

    Milter.factory = Asks
    ctx = TestCtx()
    ctx._connect()
    begun = ctx._activity
    ctx._feedFile(BytesIO(MESSAGE))
    assert ctx._body is not None
    assert ctx._body.getvalue().endswith(b"\n\ncaf\xc3\xa9\nmore\n")
    assert ctx._bodyreplaced
    assert ctx._quarantine == "look at it"
    assert ctx._addrcpt == [("<a@example.org>", "NOTIFY=NEVER ORCPT=x"), ("<b@example.org>", None)]
    assert ctx._activity > begun
    for ask in (ctx.progress, lambda: ctx.quarantine("x"), lambda: ctx.chgfrom("<>")):
        with pytest.raises(Milter.error, match="possible only at eom"):
            ask()


def test_headers_are_changed_in_a_message_that_is_fed_step_by_step() -> None:
    class Adds(Base):
        def eom(self) -> Outcome:
            self.addheader("X-New", "added")
            self.chgheader("Subject", 1, None)
            return Milter.CONTINUE

    Milter.factory = Adds
    ctx = TestCtx()
    ctx._connect()
    ctx._envfrom("<a@example.org>")
    ctx._header("Subject", "one")
    ctx._eoh()
    ctx._eom()
    assert (ctx._msg["x-new"], ctx._msg["subject"], ctx._headerschanged) == ("added", None, True)


def test_callbacks_make_the_object_where_there_was_no_negotiation() -> None:
    class Failing(Recording):
        def close(self) -> Outcome:
            super().close()
            raise KeyError("at the close")

    Milter.factory = Failing
    ctx = TestCtx()
    assert Milter.close_callback(ctx) == Milter.CONTINUE
    assert Milter.connect_callback(ctx, "host", socket.AF_INET, ("192.0.2.7", 1)) == Milter.CONTINUE
    made = ctx.getpriv()
    assert made.events == [("connect", ("host", 2, ("192.0.2.7", 1)))]
    Milter.connect_callback(ctx, "again", socket.AF_INET, ("192.0.2.7", 1))
    assert ctx.getpriv() is made
    with pytest.raises(KeyError, match="at the close"):
        Milter.close_callback(ctx)
    assert made.events[-1] == ("close", None)
    with pytest.raises(Milter.error, match="has no connection"):
        _ = made.context


def test_milter_logs_what_happens(capsys: pytest.CaptureFixture[str]) -> None:
    Milter.factory = Milter.Milter
    ctx = TestCtx()
    ctx._connect("host", "name", "192.0.2.7")
    assert ctx._envfrom("<a@example.org>", "SIZE=9") == Milter.CONTINUE
    assert ctx._envrcpt("<b@example.org>") == Milter.CONTINUE
    assert [ctx._header("A", "b"), ctx._eoh(), ctx._eom()] == [Milter.CONTINUE] * 3
    ctx._abort()
    assert capsys.readouterr().out.split("Milter:\n")[1:] == [
        "connect from host at ('192.0.2.7', 1234)\n\n",
        "hello from name\n\n",
        "mail from\n<a@example.org>\n('SIZE=9',)\n\n",
        "rcpt to\n<b@example.org>\n()\n\n",
        *(f"{line}\n\n" for line in ("A: b", "eoh", "eom", "abort", "close")),
    ]


class Asking(Base):
    """Notes at each step which of the macros it sees."""

    names = ("j", "i", "{auth_authen}", "{mail_addr}", "{client_addr}", "{x}")

    def __init__(self) -> None:
        self.seen: dict[str, list[str]] = {}

    def _look(self, step: str) -> Outcome:
        self.seen[step] = [name for name in self.names if self.getsymval(name)]
        return Milter.CONTINUE

    def connect(self, hostname: str, family: int, hostaddr: Any, /) -> Outcome:
        return self._look("connect")

    @Milter.symlist("{auth_authen}", "client_addr", "{x}")
    def envfrom(self, mailfrom: str, /, *params: str) -> Outcome:
        return self._look("envfrom")

    def header(self, name: str, value: str, /) -> Outcome:
        return self._look("header")

    @Milter.symlist("i")
    def eom(self) -> Outcome:
        return self._look("eom")


def test_a_step_sees_the_macros_that_its_list_and_the_stages_before_it_send() -> None:
    Milter.factory = Asking
    ctx = TestCtx()
    for name in Asking.names:
        ctx._setsymval(name, "value")
    ctx._connect()
    ctx._feedFile(BytesIO(MESSAGE))
    seen = ctx.getpriv().seen
    # Where nothing was asked for, a test may set what it likes. Postfix sends j at connect.
    assert seen["connect"] == seen["header"] == list(Asking.names)
    assert seen["envfrom"] == ["j", "{auth_authen}", "{x}"]
    assert seen["eom"] == ["j", "i", "{auth_authen}", "{x}"]
    assert ctx.getsymval("client_addr") == "value"


def test_a_step_sees_those_macros_on_the_wire() -> None:
    """What the test before expects is what libmilter gives: client_addr was asked for without its braces."""
    source = textwrap.dedent(inspect.getsource(Asking)).replace("Milter.CONTINUE", "CONTINUE")
    program = (
        "import sys\nfrom typing import Any\nimport Milter\nfrom pymilter import CONTINUE, Base, Outcome\n"
        f"{source}\n    def close(self):\n        print(self.seen['envfrom'], self.seen['eom'], flush=True)\n"
        "Milter.factory = Asking\nMilter.runmilter('asking', sys.argv[1])\n"
    )
    with (
        temporary_socket() as address,
        FilterProcess([sys.executable, "-c", program, address], address) as process,
    ):
        with Client(address, macros=dict.fromkeys(Asking.names, "value")) as client:
            client.play(MESSAGE.partition(b"\n")[2])
        process.stop()
        assert process.stdout == "['j', '{auth_authen}', '{x}'] ['j', 'i', '{auth_authen}', '{x}']\n"


class Telling(Base):
    """Notes at each step what the connection is called."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def _tell(self, step: str) -> None:
        self.told.append((step, self.peer, self.queue_id, self.context.peer, self.context.queue_id))

    def connect(self, hostname: str, family: int, hostaddr: Any, /) -> None:
        self._tell("connect")

    def hello(self, hostname: str, /) -> None:
        self._tell("hello")

    def unknown(self, command: str, /) -> None:
        self._tell("unknown")

    def begin_message(self) -> None:
        self._tell("begin_message")

    def envfrom(self, mailfrom: str, /, *params: str) -> None:
        self._tell("envfrom")

    def eom(self) -> None:
        self._tell("eom")

    def close(self) -> None:
        self._tell("close")


CLIENTS = [
    ("mail.example.org", "192.0.2.1", "mail.example.org[192.0.2.1]"),
    ("mail.example.org", "2001:db8::1", "mail.example.org[2001:db8::1]"),
    ("[192.0.2.1]", "192.0.2.1", "192.0.2.1"),
    ("unknown", "192.0.2.1", "192.0.2.1"),
    ("localhost", "/run/client.sock", "unix:/run/client.sock"),
    ("mail.example.org", None, "mail.example.org"),
    ("unknown", None, None),
]


def _told(peer: str | None, queue_id: str | None) -> list[Any]:
    steps = ["connect", "hello", "unknown", "begin_message", "envfrom", "unknown", "eom", "unknown", "close"]
    of_message = range(3, 7)
    return [(step, *(peer, queue_id if place in of_message else None) * 2) for place, step in enumerate(steps)]


@pytest.mark.parametrize(("host", "ip", "peer"), CLIENTS)
def test_the_client_and_the_queue_id_are_those_of_the_test(host: str, ip: str | None, peer: str | None) -> None:
    Milter.factory = Telling
    ctx = TestCtx()
    ctx._setsymval("i", "4D2A")
    ctx._connect(host, ip=ip)
    ctx._unknown("XYZZY")
    ctx._envfrom("<a@example.org>")
    ctx._unknown("XYZZY")
    ctx._eom()
    ctx._unknown("XYZZY")
    told = ctx.getpriv().told
    ctx._close()
    assert told == _told(peer, "4D2A")


@pytest.mark.parametrize(("host", "ip", "peer"), CLIENTS)
def test_the_client_and_the_queue_id_are_those_that_libmilter_gives(
    host: str, ip: str | None, peer: str | None
) -> None:
    """What the test before expects."""
    source = textwrap.dedent(inspect.getsource(Telling))
    program = (
        "import sys\nfrom typing import Any\nimport Milter\nfrom pymilter import Base\n"
        f"{source}        print(self.told, flush=True)\n"
        "Milter.factory = Telling\nMilter.runmilter('telling', sys.argv[1])\n"
    )
    with (
        temporary_socket() as address,
        FilterProcess([sys.executable, "-c", program, address], address) as process,
    ):
        with Client(address, macros={"i": "4D2A"}) as client:
            client.connect(host, ip)
            client.helo()
            client.unknown("XYZZY")
            client.mail("<a@example.org>")
            client.unknown("XYZZY")
            client.rcpt("<b@example.org>")
            client.data()
            client.eoh()
            client.eom()
            client.unknown("XYZZY")
        process.stop()
        assert ast.literal_eval(process.stdout) == _told(peer, "4D2A")


def test_a_context_has_a_number_and_what_was_agreed() -> None:
    Milter.factory = Recording
    first, second = TestCtx(), TestCtx()
    assert second.id == first.id + 1
    assert (first.peer, first.queue_id) == (None, None)
    first._connect()
    handlers = first.getpriv()
    assert (first.actions, first.protocol) == (handlers._actions, handlers._protocol)
    assert first.actions == Milter.CURR_ACTS


def test_results_of_test_base_may_be_set_even_before_it_is_made() -> None:
    class Early(TestBase, Recording):  # type: ignore[misc]  # its connect is the MTA's part
        def __init__(self) -> None:
            self._delrcpt = ["<early@example.org>"]
            TestBase.__init__(self, os.devnull)
            Recording.__init__(self)

    early = Early()
    assert early._delrcpt == ["<early@example.org>"]
    early._addrcpt = ["<a@example.org>"]
    assert (early._addrcpt, early._testctx._addrcpt) == (["<a@example.org>"], [("<a@example.org>", None)])
    early._close()


def test_test_base_passes_on_and_logs_what_the_class_asks_for(tmp_path: Path) -> None:
    class Asks(TestBase, Base):  # type: ignore[misc]  # its connect is the MTA's part
        def __init__(self) -> None:
            TestBase.__init__(self, str(tmp_path / "log"))

        def negotiate(self, opts: list[int], /) -> Any:
            self.setsymlist("eom", "i")
            return Base.negotiate(self, opts)

        def eom(self) -> Outcome:
            self.chgheader("Subject", 1, "new")
            self.addheader("X-A", "b")
            self.chgfrom("<c@example.org>")
            self.quarantine("reason")
            self.progress()
            return Milter.CONTINUE

    asks = Asks()
    asks.setsymval("i", "4711")
    assert asks.connect() == Milter.CONTINUE
    begun = asks._testctx._activity
    assert asks.feedFile(BytesIO(MESSAGE)) == Milter.CONTINUE
    assert asks._symlist[Milter.M_EOM] == "i"
    assert (asks._msg["subject"], asks._msg["x-a"], asks._sender) == ("new", "b", "<c@example.org>")
    assert (asks._headerschanged, asks._envfromchanged) == (True, True)
    assert asks._testctx._quarantine == "reason"
    assert asks._testctx._activity > begun
    lines = ["chgheader: Subject[1]=new", "addheader: X-A=b", "chgfrom: sender=<c@example.org>"]
    assert (tmp_path / "log").read_text() == "".join(f"{line}\n\n" for line in lines)


def test_test_base_negotiates_where_nobody_connected() -> None:
    class Fed(TestBase, Recording):  # type: ignore[misc]  # its connect is the MTA's part
        def __init__(self) -> None:
            TestBase.__init__(self, os.devnull)
            Recording.__init__(self)

    fed = Fed()
    assert fed.feedFile(BytesIO(MESSAGE)) == Milter.CONTINUE
    assert [event for event, _ in fed.events[:1]] == ["envfrom"]
    assert fed.events[-1] == ("close", None)


def test_the_log_is_closed_where_the_client_was_refused() -> None:
    class Refusing(TestBase, Recording):  # type: ignore[misc]  # its connect is the MTA's part
        results = {"connect": Milter.REJECT}  # noqa: RUF012

        def __init__(self) -> None:
            TestBase.__init__(self, os.devnull)
            Recording.__init__(self)

    refusing = Refusing()
    assert refusing.connect() == Milter.REJECT
    assert refusing.feedFile(BytesIO(MESSAGE)) == Milter.REJECT
    assert refusing.logfp is None


def test_messages_without_headers_or_without_anything() -> None:
    for data, expected in ((b"\nbody", [b"body"]), (b"", []), (b"no header\n", [b"no header\n"])):
        ctx = _recorded()
        ctx._connect()
        assert ctx._feedFile(BytesIO(data)) == Milter.CONTINUE
        assert [value for event, value in ctx.getpriv().events if event == "body"] == expected


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
def test_a_file_is_split_after_its_empty_line(eol: bytes) -> None:
    ctx = _recorded()
    ctx._connect()
    lines = [b"From mbox Mon Jan  1 00:00:00 2024", b"Subject: one", b" more", b"X-Tab:\ttwo", b"", b"body", b""]
    ctx._feedFile(BytesIO(eol.join(lines)))
    events = ctx.getpriv().events
    assert [value for event, value in events if event == "header"] == [("Subject", "one\n more"), ("X-Tab", "two")]
    assert [value for event, value in events if event == "body"] == [b"body" + eol]
    assert ctx._body is not None
    assert ctx._body.getvalue() == eol.join(lines[1:])


def test_feed_msg_reads_the_folder_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "one").write_bytes(MESSAGE)
    monkeypatch.chdir(tmp_path)

    class Mixed(TestBase, Recording):  # type: ignore[misc]  # its connect is the MTA's part
        def __init__(self) -> None:
            TestBase.__init__(self)
            Recording.__init__(self)

    mixed = Mixed()
    assert mixed.connect("host", "helo", "192.0.2.7") == Milter.CONTINUE
    assert mixed.feedMsg("one", "a@example.org", "b@example.net") == Milter.CONTINUE
    assert mixed.events[0] == ("connect", ("host", 2, ("192.0.2.7", 1234)))
    assert mixed.events[-1] == ("close", None)
    assert mixed._sender == "<a@example.org>"
    ctx = _recorded()
    ctx._connect()
    assert ctx._feedMsg("one") == Milter.CONTINUE
