"""Where a message begins and ends: begin_message, the handle of a message, and threads that outlive it."""

from __future__ import annotations

import pytest

from pymilter.testing import AddHeader, Client, Protocol, Verdict
from support.wire import Start, WireFilter, message

HANDLERS = {
    "connect": "def connect(self, *args): note('connect')",
    "envfrom": "def envfrom(self, *args): note('envfrom')",
    "envrcpt": "def envrcpt(self, *args): note('envrcpt')",
    "data": "def data(self): note('data')",
    "unknown": "def unknown(self, *args): note('unknown')",
    "header": "def header(self, *args) -> None: note('header')",
    "eoh": "def eoh(self): note('eoh')",
    "body": "def body(self, *args): note('body')",
    "gather": "@gather\n        def body(self, *args): note('body')",
    "eom": "def eom(self): note('eom')",
}


def words(process: WireFilter) -> list[str]:
    return [values[0] for values in process.seen()]


@pytest.mark.parametrize("kind", ["unix", "inet"])
@pytest.mark.parametrize("name", HANDLERS)
def test_it_is_called_before_the_first_event_of_each_message(start: Start, name: str, kind: str) -> None:
    process = start(
        f"""
    class Filter(Base):
        def begin_message(self): note("begin")
        {HANDLERS[name]}
    """,
        kind=kind,
    )
    with Client(process.address) as client:
        client.connect()
        for _ in range(3):
            assert message(client)["eom"].verdict is Verdict.CONTINUE
    step = "body" if name == "gather" else name
    before = {"connect": ["connect", "begin", "begin", "begin"], "unknown": ["unknown", "begin"] * 3}
    assert words(process) == before.get(name, ["begin", step] * 3)


def test_it_begins_anew_after_each_way_a_message_can_end(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def begin_message(self): note("begin")
            def envfrom(self, mailfrom): note(mailfrom)
            def envrcpt(self, to): return DISCARD if "gone" in to else REJECT if "no" in to else CONTINUE
            def header(self, name, value): return REJECT
            def abort(self): note("abort")
            def eom(self): return TEMPFAIL
    """)
    with Client(process.address) as client:
        client.connect()
        client.mail("<1>")
        client.abort()
        client.mail("<2>")
        client.rcpt("<no>")
        client.rcpt("<yes>")
        client.header("A", "b")
        client.mail("<3>")
        client.rcpt("<gone>")
        client.abort()
        client.mail("<4>")
        client.rcpt("<yes>")
        client.eom()
        client.mail("<5>")
        client.mail("<6>")
        client.rcpt("<yes>")
    assert words(process) == [
        *("begin", "<1>", "abort", "begin", "<2>", "begin", "<3>", "begin", "<4>"),
        *("begin", "<5>", "abort", "begin", "<6>", "abort"),
    ]


def test_a_message_that_nothing_was_heard_of_is_not_aborted(start: Start) -> None:
    # Postfix says ABORT after each message too.
    process = start("""
        class Filter(Base):
            def begin_message(self): note("begin")
            def eom(self): note("eom")
            def abort(self): note("abort")
    """)
    with Client(process.address) as client:
        client.connect()
        for _ in range(2):
            client.mail("<>")
            client.abort()
            client.mail("<>")
            client.rcpt("<b@x>")
            client.eom()
            client.abort()
    assert words(process) == ["begin", "eom"] * 2


def test_a_refused_data_begins_no_new_message(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def begin_message(self): note("begin")
            def envfrom(self, mailfrom, *params): return CONTINUE
            def data(self): return REJECT
            def abort(self): note("abort")
    """)
    with Client(process.address) as client:
        client.connect()
        client.mail("<1>")
        client.rcpt("<2>")
        for _ in range(2):
            assert client.data().verdict is Verdict.REJECT
            client.rcpt("<3>")
        client.abort()
        client.mail("<4>")
    assert words(process) == ["begin", "begin", "abort"]


@pytest.mark.parametrize("handler", ["envfrom", "header", "eom"])
@pytest.mark.parametrize("fault", ["raise LookupError", "return REJECT"])
def test_its_failure_is_answered_by_the_policy(start: Start, handler: str, fault: str) -> None:
    process = start(f"""
        class Filter(Base):
            count = 0
            def begin_message(self):
                Filter.count += 1
                if Filter.count == 1:
                    {fault}
            {HANDLERS[handler]}
    """)
    with Client(process.address) as client:
        client.connect()
        answers = message(client)
        assert [answer.code for answer in answers.values() if answer.verdict is Verdict.TEMPFAIL] == [451]
        assert words(process) == []
        assert message(client)["eom"].verdict is Verdict.CONTINUE
    assert words(process) == [handler]
    assert "begin_message() failed (connection 1" in process.stderr


def test_libmilter_can_be_asked_in_it(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def begin_message(self): note(self.getsymval("{word}"))
            def envfrom(self, *args): pass
    """)
    with Client(process.address) as client:
        client.connect()
        for word in ("one", "two"):
            client.mail("<>", macros={"word": word})
            client.abort()
    assert process.seen() == [("one",), ("two",)]


LATE = """
    import _thread, asyncio, functools, queue, threading
    from concurrent.futures import ThreadPoolExecutor

    pool, loop, early = ThreadPoolExecutor(1), asyncio.new_event_loop(), queue.SimpleQueue()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    def serve_early():
        while True:
            (lambda filter: filter.late(filter))(early.get())

    threading.Thread(target=serve_early, daemon=True).start()
    class Filter(Base):
        count = 0
        def envfrom(self, *args): pass
        def eom(self):
            self.count += 1
            if self.count == 1:
                self.in_second, self.tried = threading.Event(), threading.Event()
                {begin}
                self.addheader("X-First", "of the handler")
            else:
                self.in_second.set()
                assert self.tried.wait(20)
                self.addheader("X-Second", "of the handler")
            return ACCEPT
        def late(self, requests):
            assert self.in_second.wait(20)
            for name, *args in [("addheader", "X-Late", "x"), ("chgheader", "Subject", 1, "x"), ("addrcpt", "<c@x>"),
                                ("delrcpt", "<b@x>"), ("chgfrom", "<c@x>"), ("replacebody", b"x"),
                                ("quarantine", "x"), ("progress",), ("getsymval", "i"),
                                ("setreply", "550", "5.7.1", "x")]:
                try:
                    getattr(requests, name)(*args)
                except MilterError as error:
                    note(name, str(error))
                else:
                    note(name, "done")
            note("queue_id", getattr(requests, "queue_id", None))
            self.tried.set()
"""


@pytest.mark.parametrize(
    "begin",
    [
        "threading.Thread(target=self.late, args=(self.context,)).start()",
        "threading.Thread(target=self.late, args=(self,)).start()",
        "threading.Timer(0, self.late, (self,)).start()",
        "threading.Thread(target=functools.partial(self.late, self)).start()",
        "_thread.start_new_thread(self.late, (self.context,))",
        "pool.submit(self.late, self.context)",
        "pool.submit(self.late, self)",
        "pool.submit(lambda: self.late(self.context))",
        "_thread.start_new_thread(self.late, (self,))",
        "threading.Thread(target=lambda: threading.Thread(target=self.late, args=(self,)).start()).start()",
        "loop.call_soon_threadsafe(loop.run_in_executor, None, self.late, self)",
        "early.put(self)",
    ],
    ids=[
        "handle", "thread", "timer", "partial", "_thread", "pool", "pool-self", "pool-takes-context", "_thread-self",
        "thread-of-thread", "executor", "early-thread",
    ],
)  # fmt: skip
def test_a_late_thread_changes_no_other_message(start: Start, begin: str) -> None:
    process = start(LATE.format(begin=begin))
    with Client(process.address) as client:
        client.connect()
        first = message(client)["eom"]
        second = message(client)["eom"]
    assert first.edits == (AddHeader("X-First", "of the handler"),)
    assert second.edits == (AddHeader("X-Second", "of the handler"),)
    told = process.seen()
    assert len(told) == 11
    for name, *what in told[:-1]:
        reasons = (f"{name} is not possible: the message has ended", f"{name} is not possible in this thread")
        assert what[0].startswith(reasons), name
    assert told[-1] == ("queue_id", None)


def test_threads_edit_while_their_message_lasts(start: Start) -> None:
    process = start("""
        import asyncio, concurrent.futures, threading
        pool = concurrent.futures.ThreadPoolExecutor(1)
        class Filter(Base):
            loop = None
            def eom(self):
                thread = threading.Thread(target=self.addheader, args=("X-Thread", "1"))
                thread.start()
                thread.join()
                pool.submit(self.work, self.context).result()
                if Filter.loop is None:
                    Filter.loop = asyncio.new_event_loop()
                    threading.Thread(target=Filter.loop.run_forever, daemon=True).start()
                asyncio.run_coroutine_threadsafe(self.task(self.context), Filter.loop).result()
                return ACCEPT
            def work(self, requests): requests.addheader("X-Pool", "1")
            async def task(self, context): context.addheader("X-Loop", "1")
    """)
    with Client(process.address) as client:
        client.connect()
        for _ in range(3):
            edits = message(client)["eom"].edits
            assert [getattr(edit, "name", None) for edit in edits] == ["X-Thread", "X-Pool", "X-Loop"]


CLASSIC = """
    import queue, threading
    import Milter

    work, done = queue.SimpleQueue(), queue.SimpleQueue()

    def serve():
        while True:
            filter = work.get()
            filter.addheader("X-Queue", filter.getsymval("i"))
            done.put(None)

    class Program(Milter.Base):
        def envfrom(self, *args):
            if not any(thread.name == "queue" for thread in threading.enumerate()):
                threading.Thread(target=serve, name="queue", daemon=True).start()
        def eom(self):
            work.put(self)
            done.get(timeout=20)
            return Milter.ACCEPT

    def main(address):
        Milter.factory = Program
        Milter.runmilter("gate", address)
"""


def test_a_classic_program_may_leave_edits_to_its_queue(start: Start) -> None:
    """As with 1.0.5: its thread was begun in the first message and works for all."""
    process = start(CLASSIC, keeps_connections=True)  # the thread still has the object
    with Client(process.address) as client:
        client.connect()
        for word in ("one", "two", "three"):
            client.mail("<a@x>")
            client.rcpt("<b@x>")
            assert client.eom(macros={"i": word}).edits == (AddHeader("X-Queue", word),)


def test_what_a_classic_begin_message_returns_is_ignored(start: Start) -> None:
    """A method of the program's that has the name of the hook by chance."""
    process = start("""
        import Milter
        class Program(Milter.Base):
            def begin_message(self):
                note("called")
                return Milter.REJECT
            def envfrom(self, *args): return Milter.CONTINUE
        def main(address):
            Milter.factory = Program
            Milter.runmilter("gate", address)
    """)
    with Client(process.address) as client:
        client.connect()
        for _ in range(3):
            assert message(client)["eom"].verdict is Verdict.CONTINUE
    assert words(process) == ["called"] * 3
    assert process.stderr.count("begin_message() returned Status, which is ignored") == 1


def test_an_unknown_command_has_a_queue_id_only_within_a_message(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def envrcpt(self, to): pass
            def unknown(self, command): note(command, self.queue_id)
    """)
    with Client(process.address) as client:
        client.connect()
        client.unknown("before")
        for number in ("one", "two"):
            client.mail("<a@x>")
            client.rcpt("<b@x>", macros={"i": number})
            client.unknown("within")
            client.eom(macros={"i": number})
            client.unknown("after")
    within = [("within", "one"), ("after", None), ("within", "two"), ("after", None)]
    assert process.seen() == [("before", None), *within]


def test_a_handle_taken_before_messages_serves_them_all(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def connect(self, *args): self.ctx = self.context
            def eom(self):
                self.ctx.addheader("A", "b")
                self.context.addheader("C", "d")
                note(self.context.id, self.context.queue_id == self.queue_id, self.context.peer)
                return ACCEPT
    """)
    with Client(process.address) as client:
        client.connect()
        for _ in range(2):
            assert len(message(client)["eom"].edits) == 2
    assert process.seen() == [(1, True, "client.example.com[192.0.2.1]")] * 2


def test_a_handle_outlives_a_connection_without_harm(start: Start) -> None:
    process = start(
        """
        kept = []
        class Filter(Base):
            def eom(self): kept.append(self.context)
            def close(self):
                for context in kept:
                    try:
                        context.addheader("A", "b")
                    except MilterError as error:
                        note(str(error))
        """,
        keeps_connections=True,
    )
    with Client(process.address, protocol=Protocol.ALL) as client:
        client.connect()
        message(client)
    [(told,)] = process.wait_for(lambda seen: seen)
    assert told.startswith("addheader is not possible: the message has ended")
