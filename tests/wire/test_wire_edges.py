"""Edges of the boundary between libmilter and Python: how many arguments, which texts, what is whose message's."""

from __future__ import annotations

import pytest

from pymilter.testing import Action, Client, Protocol, Verdict
from support.puppet import Puppet
from support.wire import Start, message

PARAMETERS = [[f"P{number}={count}" for number in range(count)] for count in range(12)]


def play_parameters(client: Client) -> list[tuple[str, ...]]:
    """MAIL and RCPT with each number of parameters; what their handlers must get."""
    client.connect()
    for parameters in PARAMETERS:
        client.mail("<a@x>", *parameters)
        client.rcpt("<b@x>", *parameters)
        client.abort()
    return [("<a@x>", *parameters) for parameters in PARAMETERS for _ in "ab"]


def test_methods_and_hooks_get_any_number_of_parameters(start: Start) -> None:
    process = start("""
        import Milter
        class Filter(Milter.Base):
            def envfrom(self, *args):
                note(*args)
                return CONTINUE
            def envrcpt_bytes(self, to, *args):
                note("<a@x>", *map(bytes.decode, args))
                return CONTINUE
        """)
    with Client(process.address) as client:
        expected = play_parameters(client)
    assert process.seen() == expected


def test_functions_get_any_number_of_parameters(start: Start) -> None:
    process = start("""
        import milter
        def sender(ctx, *args):
            note(*map(bytes.decode, args))
            return milter.CONTINUE
        def recipient(ctx, to, *args): return sender(ctx, b"<a@x>", *args)
        def main(address):
            milter.set_envfrom_callback(sender)
            milter.set_envrcpt_callback(recipient)
            milter.register("low")
            milter.setconn(address)
            milter.main()
    """)
    with Client(process.address) as client:
        expected = play_parameters(client)
    assert process.seen() == expected


def test_a_byte_that_is_not_ascii_is_seen_wherever_it_stands(start: Start) -> None:
    values = ["x" * size for size in range(1, 20)]
    values += [f"{'x' * place}\xe9{'x' * (size - place - 1)}" for size in range(1, 20) for place in range(size)]
    process = start("""
        class Filter(Base):
            def header(self, name, value):
                note(*map(ord, value))
                return CONTINUE
        """)
    with Client(process.address) as client:
        client.connect()
        client.mail("<a@x>")
        for value in values:
            client.header("A", value.encode("latin-1"))
    assert process.seen() == [tuple(0xDCE9 if sign == "\xe9" else ord(sign) for sign in value) for value in values]


def test_threads_of_libmilter_are_followed_like_those_of_python(start: Start) -> None:
    process = start("""
        import sys, threading
        def trace(*_): return None
        def profile(*_): return None
        def refuse(hook): raise LookupError("SECRET")
        threading.settrace(trace)
        threading.setprofile(profile)
        class Filter(Base):
            def hello(self, name):
                note(sys.gettrace() is trace, sys.getprofile() is profile)
                sys.settrace(None)
                sys.setprofile(None)
                return CONTINUE
    """)
    with Client(process.address) as client:
        client.connect()
        client.helo()
    assert process.seen() == [(True, True)]


def test_a_thread_that_cannot_be_followed_serves_all_the_same(start: Start) -> None:
    process = start("""
        import sys, threading
        def refuse(hook): raise LookupError("SECRET")
        threading.setprofile(print)
        sys.setprofile = refuse
        class Filter(Base):
            def hello(self, name): return REJECT
    """)
    with Client(process.address) as client:
        client.connect()
        assert client.helo().verdict is Verdict.REJECT
    assert "pymilter: following a thread" in process.stderr
    assert "LookupError: SECRET" in process.stderr


def test_negotiate_gets_what_is_offered_and_two_zeros(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def negotiate(self, opts):
                note(*opts)
                return CONTINUE
            def eom(self): note(int(self._actions), int(self._protocol))
    """)
    with Client(process.address, actions=Action(0x1F), protocol=Protocol(0x1FFFFF)) as client:
        client.connect()
        negotiation = client.negotiation
        message(client)
    offered, agreed = process.seen()
    assert offered == (0x1F, 0x1FFFFF, 0, 0)
    assert agreed == (int(negotiation.actions), int(negotiation.protocol))


@pytest.mark.parametrize("more", ["", "def envfrom(self, *args): return CONTINUE"])
def test_a_queue_id_is_that_of_its_own_message(start: Start, more: str) -> None:
    # libmilter goes on to report macro i of the last message, if it gets neither MAIL nor RCPT.
    process = start(f"""
        class Filter(Base):
            {more}
            def header(self, *args):
                note("header", self.queue_id)
                return CONTINUE
            def eom(self):
                note("eom", self.queue_id)
                return CONTINUE
    """)
    with Client(process.address) as client:
        client.connect()
        for queue_id in ("ONE", "TWO"):
            client.mail("<>")
            client.header("Subject", "x")
            client.eom(macros={"i": queue_id})
    assert process.seen() == [("header", None), ("eom", "ONE"), ("header", None), ("eom", "TWO")]


@pytest.mark.parametrize(
    ("result", "count"),
    [("CONTINUE", 3), ("ACCEPT", 3), ("REJECT", 2), ("TEMPFAIL", 2), ("DISCARD", 2), ("1/0", 2)],
)
def test_edits_after_a_body_go_out_only_if_the_message_is_taken(puppet: Puppet, result: str, count: int) -> None:
    played = puppet.play(f"""
        self.addheader("X-First", "1")
        self.replacebody("text")
        self.addheader("X-Last", "1")
        return {result}
    """)
    assert len(played.edits) == count


def test_a_thread_of_no_message_is_told_what_to_do(start: Start) -> None:
    process = start(
        """
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)
        kept = []
        class Filter(Base):
            def envfrom(self, *args):
                pool.submit(int).result()
            def eom(self):
                kept.append(self.context)
                for handle in (self, kept[0]):
                    note(str(pool.submit(handle.progress).exception()))
                try:
                    kept[0].addheader("X", "1")
                except MilterError as error:
                    note(str(error))
                return ACCEPT
            def envrcpt(self, *args):
                try:
                    self.addheader("X", "1")
                except MilterError as error:
                    note(str(error))
                return CONTINUE
        """,
        keeps_connections=True,
    )
    with Client(process.address) as client:
        client.connect()
        message(client)
        message(client)
    of_pool = (
        "progress is not possible in this thread: nothing tells for which message it works. Take self.context in the "
        "handler, which is the handle of this message, and call progress of it"
    )
    over = (
        " is not possible: the message has ended to which this handle, or the thread that uses it, belongs "
        "(self.context, taken in a callback, is its message's handle)"
    )
    early = "addheader is possible only at eom, not at envrcpt"
    assert [text for (text,) in process.seen()] == [
        *(early, of_pool, "None"),
        *(early, of_pool, f"progress{over}", f"addheader{over}"),
    ]
