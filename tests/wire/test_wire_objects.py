"""The object of a connection: handlers set on it, attributes that hide handlers, and an object that is given twice."""

from __future__ import annotations

import pytest

from pymilter.testing import AddHeader, Client, Protocol, Verdict
from support.wire import Start, message

SET_ON_THE_OBJECT = """
    class Filter(Base):
        def __init__(self):
            for name in {names}:
                setattr(self, name, getattr(self, "my_" + name))
        def my_connect(self, hostname, family, hostaddr): note("connect")
        def my_hello(self, hostname): note("hello")
        def my_envfrom(self, mailfrom): note("envfrom", mailfrom)
        def my_envrcpt(self, to, *params): note("envrcpt", to, params)
        def my_data(self): note("data")
        def my_unknown(self, command): note("unknown")
        def my_header(self, name, value): note("header", name)
        def my_header_bytes(self, name, value): note("header_bytes", value)
        def my_eoh(self): note("eoh")
        def my_body(self, chunk): note("body", chunk)
        def my_eom(self):
            note("eom")
            self.addheader("X-Seen", "yes")
            return ACCEPT
        def my_abort(self): note("abort")
        def my_close(self): note("close")
        def my_negotiate(self, opts):
            note("negotiate")
            return Base.negotiate(self, opts)
        def my_begin_message(self): note("begin_message")
"""
HEARD: dict[str, list[tuple[object, ...]]] = {
    "connect": [("connect",)],
    "hello": [],
    "envfrom": [("envfrom", "<a@example.org>")],
    "envrcpt": [("envrcpt", "<b@example.org>", ())],
    "data": [("data",)],
    "header": [("header", "Subject")],
    "header_bytes": [("header_bytes", b"hello")],
    "eoh": [("eoh",)],
    "body": [("body", b"text\r\n")],
    "eom": [("eom",)],
    "close": [("close",)],
    "negotiate": [("negotiate",)],
}


@pytest.mark.parametrize("name", HEARD)
def test_a_handler_set_on_the_object_is_called(start: Start, name: str) -> None:
    process = start(SET_ON_THE_OBJECT.format(names=(name,)), keeps_connections=True)
    with Client(process.address) as client:
        client.connect()
        answers = message(client)
        client.mail("<>")
        client.abort()
    heard = HEARD[name] if name != "envfrom" else [*HEARD[name], ("envfrom", "<>")]
    assert [values for values in process.seen() if values[0] != "end"] == heard
    if name == "eom":
        assert answers["eom"].verdict is Verdict.ACCEPT
        assert answers["eom"].edits == (AddHeader("X-Seen", "yes"),)


def test_all_of_them_at_once(start: Start) -> None:
    process = start(
        SET_ON_THE_OBJECT.format(names=(*HEARD, "abort", "unknown", "begin_message")), keeps_connections=True
    )
    with Client(process.address) as client:
        client.connect()
        message(client)
        client.mail("<>")
        client.abort()
    words = [values[0] for values in process.seen()]
    steps = ["connect", "begin_message", "envfrom", "envrcpt", "unknown", "data", "header_bytes", "eoh", "body", "eom"]
    assert words == ["negotiate", *steps, "begin_message", "envfrom", "abort", "close"]


LATER = """
    class Steps(Base):
        def envfrom(self, *args): pass
    class Filter(Steps):
        def {where}(self, *args):
            self.{name} = self.late
            note("set")
        def late(self):
            note("{name}", type(self).__name__)
            return REJECT if "{name}" == "eom" else CONTINUE
"""


@pytest.mark.parametrize("name", ["eom", "abort", "close"])
@pytest.mark.parametrize("where", ["connect", "hello", "envfrom", "envrcpt", "data", "header", "eoh", "body"])
def test_a_handler_set_while_the_connection_lasts_is_called(start: Start, where: str, name: str) -> None:
    process = start(LATER.format(where=where, name=name), keeps_connections=True)  # the object refers to itself
    with Client(process.address) as client:
        client.connect()
        client.helo()
        for _ in range(2):
            assert message(client)["eom"].verdict is (Verdict.REJECT if name == "eom" else Verdict.CONTINUE)
        client.mail("<a@x>")
        client.rcpt("<b@x>")
        client.data()
        client.header("A", "b")
        client.eoh()
        client.body(b"x")
        client.abort()
    process.wait_for(lambda seen: (name, "Filter") in seen)


def test_a_handler_set_later_that_cannot_be_called_is_a_failure(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def envfrom(self, *args): self.eom = lambda one, two: CONTINUE
    """)
    with Client(process.address) as client:
        client.connect()
        assert message(client)["eom"].verdict is Verdict.TEMPFAIL
    assert "eom" in process.stderr


def test_only_that_object_has_them(start: Start) -> None:
    process = start("""
        made = []
        class Filter(Base):
            def __init__(self):
                made.append(1)
                if len(made) == 2:
                    self.eom = lambda: note("eom")
                    self.header = lambda name, value: note("header")
    """)
    agreed = []
    for _ in range(3):
        with Client(process.address) as client:
            client.connect()
            message(client)
            agreed.append(bool(client.negotiation.protocol & Protocol.NOHDRS))
    assert process.seen() == [("header",), ("eom",)]
    assert agreed == [True, False, True]


def test_a_function_set_on_the_object_wins_over_the_method(start: Start) -> None:
    process = start(
        """
        class Filter(Base):
            def __init__(self):
                self.header = self.verdict
            def header(self, name, value) -> None: note("method")
            def verdict(self, name, value): return REJECT
        """,
        keeps_connections=True,
    )
    with Client(process.address) as client:
        client.connect()
        assert message(client)["header"].verdict is Verdict.REJECT
    assert process.seen() == []


def test_attributes_that_are_no_functions_are_the_programs_own(start: Start) -> None:
    process = start("""
        import io
        class Filter(Base):
            def __init__(self):
                self.body, self.data, self.header, self.connect = io.BytesIO(), {}, [], None
            def envfrom(self, *args): self.close = False
            def eom(self):
                note(self.data)
                return ACCEPT
    """)
    with Client(process.address) as client:
        client.connect()
        assert message(client)["eom"].verdict is Verdict.ACCEPT
    assert process.seen() == [({},)]
    assert "WARNING" not in process.stderr


@pytest.mark.parametrize(
    ("step", "handler", "value", "kind"),
    [
        ("body", "def body(self, chunk)", "io.BytesIO()", "_io.BytesIO"),
        ("data", "def data(self)", "{}", "dict"),
        ("envrcpt", "def envrcpt(self, to)", "'x'", "str"),
        ("header", "def header(self, name, value)", "None", "NoneType"),
        ("eom", "def eom(self)", "7", "int"),
    ],
)
def test_an_attribute_that_hides_a_handler_is_named(
    start: Start, step: str, handler: str, value: str, kind: str
) -> None:
    process = start(f"""
        import io
        class Filter(Base):
            def envfrom(self, *args): self.{step} = {value}
            {handler}: note("called")
    """)
    with Client(process.address) as client:
        client.connect()
        assert message(client)[step].code == 451
    assert f"TypeError: self.{step} was set to {kind}: it hides the method" in process.stderr
    assert process.seen() == []


def test_a_type_error_of_the_program_stays_as_it_is(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def eom(self): return None + 1
    """)
    with Client(process.address) as client:
        client.connect()
        assert message(client)["eom"].code == 451
    assert "TypeError: unsupported operand type(s) for +" in process.stderr
    assert "hides" not in process.stderr


TWICE = """
    class Gate(Base):
        def hello(self, hostname): self.name = hostname
        def eom(self):
            self.addheader("X-Name", self.name)
            return ACCEPT
    gates = [Gate(), Gate()]
    gates = iter([gates[0], gates[0], gates[1], gates[0]])
    def Filter(): return next(gates)
"""


def test_an_object_serves_one_connection(start: Start, kind: str) -> None:
    process = start(TWICE, kind=kind, keeps_connections=True)
    with Client(process.address) as one, Client(process.address) as two:
        one.connect()
        one.helo("one")
        assert two.connect().code == 451
        assert two.helo("two").code == 451
        edits = message(one)["eom"].edits
    assert edits == (AddHeader("X-Name", "one"),)
    told = "TypeError: the factory gave the same Gate twice: it must make a new object for each connection"
    assert process.stderr.count(told) == 1
    with Client(process.address) as client:
        client.connect()
        assert client.helo("three").verdict is Verdict.CONTINUE
    with Client(process.address) as client:
        assert client.connect().code == 451
    assert process.stderr.count(told) == 2


def test_without_a_connection_it_says_how_to_test(start: Start) -> None:
    process = start("""
        def told(function):
            try:
                function()
            except MilterError as error:
                note(str(error))
        class Filter(Base):
            def __init__(self):
                told(lambda: self.getsymval("i"))
                told(lambda: self.queue_id)
        gate = Filter()
        for name in ("context", "peer"):
            told(lambda: getattr(gate, name))
        told(lambda: gate.addheader("A", "b"))
    """)
    told = [values[0] for values in process.seen()]
    assert len(told) == 5
    reason = "this Filter has no connection: libmilter gives it one after __init__"
    assert set(told) == {
        f"{reason}. To test it without an MTA, use pymilter.testing, or Milter.testctx, which needs no process"
    }


def test_what_the_connection_tells_can_be_hidden(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def envrcpt(self, to):
                note(self.queue_id, self.peer, type(self.context).__name__)
                self.queue_id, self.peer, self.context = 1, 2, 3
            def eom(self):
                note(self.queue_id, self.peer, self.context)
                self.addheader("A", "b")
                del self.queue_id
                note(self.queue_id is not None)
        class Own(Filter):
            peer = "of the class"
    """)
    with Client(process.address) as client:
        client.connect()
        message(client)
    assert process.seen() == [(None, "client.example.com[192.0.2.1]", "Context"), (1, 2, 3), (True,)]
