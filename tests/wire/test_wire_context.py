"""A handle that outlives its connection, or is used at the wrong time or by another thread: an error, never a crash."""

from __future__ import annotations

from pymilter.testing import AddHeader, Client, Verdict
from support.wire import Start, session

CALLS = """
    CALLS = {
        "getsymval": lambda ctx: ctx.getsymval("j"),
        "setsymlist": lambda ctx: ctx.setsymlist(0, "j"),
        "setreply": lambda ctx: ctx.setreply("550"),
        "addheader": lambda ctx: ctx.addheader("A", "b"),
        "chgheader": lambda ctx: ctx.chgheader("A", 1, "b"),
        "addrcpt": lambda ctx: ctx.addrcpt("<a@x>"),
        "delrcpt": lambda ctx: ctx.delrcpt("<a@x>"),
        "chgfrom": lambda ctx: ctx.chgfrom("<a@x>"),
        "replacebody": lambda ctx: ctx.replacebody(b"x"),
        "quarantine": lambda ctx: ctx.quarantine("x"),
        "progress": lambda ctx: ctx.progress(),
    }

    def use(ctx):
        for name, call in CALLS.items():
            try:
                call(ctx)
            except Exception as error:
                note(name, type(error).__name__, str(error))
            else:
                note(name, "no error")
"""
NAMES = (
    "getsymval",
    "setsymlist",
    "setreply",
    "addheader",
    "chgheader",
    "addrcpt",
    "delrcpt",
    "chgfrom",
    "replacebody",
    "quarantine",
    "progress",
)


def test_a_handle_is_dead_after_close(start: Start) -> None:
    process = start(
        CALLS
        + """
    kept = []
    class Filter(Base):
        def connect(self, hostname, family, hostaddr):
            if hostname == "second":
                use(kept[0])
            kept.append(self._ctx)
    """,
        keeps_connections=True,
    )
    with Client(process.address) as client:
        client.connect("first")
    with Client(process.address) as client:
        assert client.connect("second").verdict is Verdict.CONTINUE
    errors = {name: (kind, text) for name, kind, text in process.seen()}
    assert tuple(errors) == NAMES
    for kind, text in errors.values():
        assert kind == "MilterError"
        assert text.endswith("is not possible: the connection is closed")


BETWEEN = (
    CALLS
    + """
    import threading

    class Filter(Base):
        def connect(self, hostname, family, hostaddr):
            self.go = threading.Event()
            threading.Thread(target=self.run).start()
        def run(self):
            self.go.wait(10)
            use(self._ctx)
            note("done")
    """
)


def test_a_handle_rests_between_two_callbacks(start: Start) -> None:
    source = (
        BETWEEN
        + """
    first = []
    class Filter(Filter):
        def __init__(self): first.append(self)
        def hello(self, hostname):
            if len(first) == 2:
                first[0].go.set()
    """
    )
    process = start(source, keeps_connections=True)
    with Client(process.address) as idle, Client(process.address) as busy:
        idle.connect()
        busy.connect()
        busy.helo()
        seen = process.wait_for(lambda seen: ("done",) in seen)
        assert idle.helo().verdict is Verdict.CONTINUE
    assert tuple(values[0] for values in seen[:-1]) == NAMES
    for _, kind, text in seen[:-1]:
        assert kind == "MilterError"
        assert text.endswith("is not possible between two callbacks")


def test_another_thread_may_work_for_a_handler(start: Start) -> None:
    process = start("""
        import threading
        class Filter(Base):
            def eom(self):
                workers = [threading.Thread(target=self.addheader, args=("X-N", str(n))) for n in range(20)]
                for worker in workers: worker.start()
                for worker in workers: worker.join()
    """)
    with Client(process.address) as client:
        edits = session(client)["eom"].edits
    assert sorted(edits, key=str) == sorted((AddHeader("X-N", str(number)) for number in range(20)), key=str)


RACING = """
    import threading

    stop = threading.Event()
    contexts = []
    surprises = set()

    def hammer():
        while not stop.is_set():
            for ctx in contexts[-3:]:
                for call in (
                    lambda: ctx.getsymval("j"),
                    lambda: ctx.addheader("X-A", "b"),
                    lambda: ctx.setreply("450", "4.7.1", "x"),
                ):
                    try:
                        call()
                    except MilterError:
                        pass
                    except BaseException as error:
                        surprises.add(repr(error))

    class Filter(Base):
        def __init__(self):
            if not contexts:
                for _ in range(2):
                    threading.Thread(target=hammer, daemon=True).start()
        def connect(self, hostname, family, hostaddr):
            contexts.append(self._ctx)
            if hostname == "last":
                stop.set()
                note(sorted(surprises))
        def header(self, name, value): pass
        def eom(self): return ACCEPT
"""


def test_threads_that_use_handles_all_the_time(start: Start) -> None:
    process = start(RACING, keeps_connections=True)
    for _ in range(40):
        with Client(process.address) as client:
            assert session(client)["eom"].verdict is Verdict.ACCEPT
    with Client(process.address) as client:
        client.connect("last")
    assert process.seen() == [([],)]


def test_a_handle_kept_after_the_end_of_run(start: Start) -> None:
    process = start(
        CALLS
        + """
    kept = []
    class Filter(Base):
        def connect(self, hostname, family, hostaddr):
            kept.append(self._ctx)
    def main(address):
        run(Filter, address)
        use(kept[0])
    """,
        keeps_connections=True,
    )
    with Client(process.address) as client:
        client.connect()
    assert process.stop() == 0
    assert [values[1] for values in process.seen() if values[0] != "end"] == ["MilterError"] * len(NAMES)


def test_connections_are_numbered(start: Start) -> None:
    process = start("class Filter(Base):\n    def connect(self, *args): note(self._ctx.id)")
    for _ in range(3):
        with Client(process.address) as client:
            client.connect()
    assert process.seen() == [(1,), (2,), (3,)]


def test_an_object_stored_in_the_context(start: Start) -> None:
    process = start("""
        import weakref
        class Thing: pass
        things = weakref.WeakSet()
        class Filter(Base):
            def connect(self, hostname, family, hostaddr):
                note(len(things), self._ctx.getpriv() is self)
                thing = Thing()
                things.add(thing)
                self._ctx.setpriv(thing)
            def hello(self, hostname):
                note(type(self._ctx.getpriv()).__name__)
                self._ctx.setpriv(None)
                note(self._ctx.getpriv())
                self._ctx.setpriv(self._ctx)
    """)
    for _ in range(2):
        with Client(process.address) as client:
            client.connect()
            client.helo()
    assert process.seen() == [(0, True), ("Thing",), (None,)] * 2
