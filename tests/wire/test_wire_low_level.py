"""What holds for classes holds for functions too; and what is agreed, kept and called at the edges of a connection."""

from __future__ import annotations

from pathlib import Path

from pymilter.testing import Client, Command, Protocol, Verdict
from support.wire import Start, message


def test_functions_with_unknown_and_without_data_get_headers(start: Start) -> None:
    process = start("""
        import milter
        def told(name, status=milter.CONTINUE):
            def callback(ctx, *args):
                note(name)
                return status
            return callback
        def main(address):
            milter.set_header_callback(told("header"))
            milter.set_eom_callback(told("eom", milter.ACCEPT))
            milter.register("low", unknown=told("unknown"))
            milter.setconn(address)
            milter.main()
    """)
    with Client(process.address) as client:
        client.connect()
        assert not client.negotiation.protocol & Protocol.NODATA
        assert client.negotiation.protocol & Protocol.NR_DATA
        answers = message(client)
    assert answers["header"].verdict is Verdict.CONTINUE
    assert answers["eom"].verdict is Verdict.ACCEPT
    assert process.seen() == [("unknown",), ("header",), ("eom",)]


def test_functions_may_be_set_while_they_are_called(start: Start) -> None:
    process = start("""
        import milter
        def tried():
            try:
                milter.main()
            except milter.error as error:
                note(str(error))
        def first(ctx, name):
            note("first", name)
            note(milter.set_helo_callback(second) is first)
            milter.set_exception_policy(milter.REJECT)
            return milter.CONTINUE
        def second(ctx, name):
            note("second", name)
            raise LookupError("SECRET")
        def main(address):
            tried()
            milter.register("low")
            tried()
            note(milter.set_helo_callback(first))
            milter.setconn(address)
            milter.opensocket(True)
            milter.main()
            tried()
    """)
    with Client(process.address) as client:
        client.connect()
        assert client.helo("one").verdict is Verdict.CONTINUE
        assert client.helo("two").verdict is Verdict.REJECT
    process.stop()
    assert process.seen()[:-1] == [
        ("there is no filter to run: call register() first",),
        ("there is no socket to open: call setconn() first",),
        (None,),
        ("first", "one"),
        (True,),
        ("second", "two"),
        ("main() can run only once in a process: start another process for another run",),
    ]
    assert "LookupError: SECRET" in process.stderr


def test_functions_after_classes_that_could_not_be_served(start: Start) -> None:
    process = start("""
        import Milter, milter
        class Unused(Milter.Base):
            def hello(self, hostname): note("hello")
        def told(ctx, name):
            note("told", name)
            return milter.CONTINUE
        def main(address):
            Milter.factory = Unused
            try:
                Milter.runmilter("high", "unix:/nowhere/socket")
            except milter.error as error:
                note("No such file" in str(error))
            milter.set_helo_callback(told)
            milter.register("low")
            milter.setconn(address)
            milter.main()
    """)
    with Client(process.address) as client:
        client.connect()
        client.helo("name")
    assert process.seen() == [(True,), ("told", "name")]


def test_over_tcp_data_is_asked_for_and_not_answered(start: Start) -> None:
    process = start("class Filter(Base):\n    def eom(self): return ACCEPT", kind="inet")
    with Client(process.address) as client:
        client.connect()
        protocol = client.negotiation.protocol
        assert message(client)["data"].verdict is Verdict.NO_REPLY
    assert not protocol & Protocol.NODATA
    assert protocol & Protocol.NR_DATA


def test_a_failing_negotiation_leaves_no_option_agreed(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def __setattr__(self, name, value):
                if name == "_protocol" and value:
                    raise LookupError("SECRET")
                super().__setattr__(name, value)
            def connect(self, *args) -> None: note("connect")
            def header(self, *args) -> None: note("header")
            def eom(self): return ACCEPT
    """)
    with Client(process.address) as client:
        assert client.negotiation.protocol == Protocol.NONE
        assert client.connect().code == 451
    assert process.seen() == []
    assert "LookupError: SECRET" in process.stderr


STOPPED = """
    import os, threading, time
    begun, stopped = threading.Event(), threading.Event()
    class Filter(Base):
        def connect(self, *args):
            note("connect")
            begun.set()
            assert stopped.wait(20)
        def hello(self, hostname): note("hello")
        def unknown(self, command): note("unknown")
        def envfrom(self, *args): note("envfrom")
        def eom(self): note("eom")
    def main(address):
        server = Server(Filter, address)
        server.start()
        assert begun.wait(20)
        server.stop()
        note("stopped")
        stopped.set()
        while not os.path.exists({over!r}):
            time.sleep(0.005)
"""


def test_after_the_stop_no_handler_hears_of_a_connection_that_is_still_open(start: Start, tmp_path: Path) -> None:
    over = tmp_path / "over"
    process = start(STOPPED.format(over=str(over)), keeps_connections=True)
    with Client(process.address) as client:
        try:
            # libmilter goes on with this connection after its stop while there is something to read, and no longer: so
            # all is sent before the first answer comes.
            for command, payload in (
                (Command.CONNECT, b"host\0U"),
                (Command.HELO, b"name\0"),
                (Command.UNKNOWN, b"FOO\0"),
                (Command.MAIL, b"<>\0"),
            ):
                client.send(command, payload)
            answers = [client.receive()[0] for _ in range(4)]
        finally:
            over.touch()
    assert process.wait() == 0
    assert answers == [b"c", b"t", b"t", b"t"]
    assert process.seen("connect", "hello", "unknown", "envfrom", "eom") == [("connect",)]
    assert "the filter has stopped, the answer is TEMPFAIL" in process.stderr
