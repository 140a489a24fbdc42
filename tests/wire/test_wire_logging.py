"""LogFilter: the connection, the queue id and the peer on each record that is logged within a callback."""

from __future__ import annotations

import pytest

from pymilter.testing import Client, Family, Protocol, Stage, Verdict
from support.wire import Seen, Start, message, session

# A logger of the program's own, whose records come back as (message, connection, queue id, peer).
LOG = """
    import logging
    class Notes(logging.Handler):
        def emit(self, record):
            note(record.getMessage(), record.connection, record.queue_id, record.peer)
    def notes():
        handler = Notes()
        handler.addFilter(LogFilter())
        return handler
    log = logging.getLogger("program")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    log.addHandler(notes())
"""
EACH_STEP = (
    LOG
    + """
    class Filter(Base):
        def __init__(self): log.info("__init__")
        def negotiate(self, opts):
            log.info("negotiate")
            return super().negotiate(opts)
        def connect(self, *args): log.info("connect")
        def hello(self, *args): log.info("hello")
        def envfrom(self, *args): log.info("envfrom")
        def envrcpt(self, *args): log.info("envrcpt")
        def data(self): log.info("data")
        def unknown(self, *args): log.info("unknown")
        def header(self, *args): log.info("header")
        def eoh(self): log.info("eoh")
        def body(self, *args): log.info("body")
        def eom(self): log.info("eom")
        def abort(self): log.info("abort")
        def close(self): log.info("close")
        def __del__(self): log.info("__del__")
"""
)
PEER = "client.example.com[192.0.2.1]"
MACRO_PEER = "peer.example.org[192.0.2.7]"


def of_step(seen: Seen, step: str) -> Seen:
    """What the records of a step hold, without its name."""
    return [values[1:] for values in seen if values[0] == step]


def test_each_step(start: Start) -> None:
    process = start(EACH_STEP)
    with Client(process.address) as client:
        session(client)
        client.mail("<>")
        client.rcpt("<b@x>")
        client.data()
        client.abort()
        first, second = "0000000001", "0000000002"
    assert process.seen() == [
        ("__init__", 1, "-", "-"),
        ("negotiate", 1, "-", "-"),
        ("connect", 1, "-", PEER),
        ("hello", 1, "-", PEER),
        ("envfrom", 1, "-", PEER),
        ("envrcpt", 1, "-", PEER),
        ("unknown", 1, "-", PEER),
        ("data", 1, first, PEER),
        ("header", 1, first, PEER),
        ("eoh", 1, first, PEER),
        ("body", 1, first, PEER),
        ("eom", 1, first, PEER),
        ("envfrom", 1, "-", PEER),
        ("envrcpt", 1, "-", PEER),
        ("data", 1, second, PEER),
        ("abort", 1, second, PEER),
        ("close", 1, "-", PEER),
        ("__del__", 1, "-", PEER),
    ]


STEPS = {
    "envfrom": "*args",
    "envrcpt": "*args",
    "data": "",
    "header": "*args",
    "eoh": "",
    "body": "*args",
    "eom": "",
    "abort": "",
}


@pytest.mark.parametrize(
    ("wanted", "second"),
    [
        ("header", "-"),
        ("data eoh body", "- - -"),
        ("body eom", "- 2"),
        ("eom", "2"),
        ("envrcpt body", "- 2"),
        ("envfrom data", "- 2"),
    ],
)
def test_never_the_queue_id_of_the_message_before(start: Start, wanted: str, second: str) -> None:
    """libmilter forgets macros at MAIL and RCPT only: where neither is wanted, it tells old ones until eom."""
    methods = "".join(f"        def {name}(self, {STEPS[name]}): log.info('{name}')\n" for name in wanted.split())
    process = start(LOG + "    class Filter(Base):\n" + methods)
    with Client(process.address) as client:
        client.connect()
        message(client)
        message(client)
    first, *_ = wanted.split()
    before_rcpt = first in ("envfrom", "envrcpt")
    expected = ["-" if before_rcpt and name == first else "0000000001" for name in wanted.split()]
    expected += ["-" if number == "-" else "0000000002" for number in second.split()]
    assert [queue_id for _, _, queue_id, _ in process.seen()] == expected


def test_the_queue_id_of_a_message_that_is_given_up(start: Start) -> None:
    process = start(
        LOG
        + """
    class Filter(Base):
        def header(self, *args): log.info("header")
        def abort(self): log.info("abort")
    """
    )
    with Client(process.address) as client:
        client.connect()
        message(client, "header")
        message(client, "header")
        message(client)
    assert [values[::2] for values in process.seen()] == [
        ("header", "0000000001"),
        ("abort", "0000000001"),
        ("header", "0000000002"),
        ("abort", "0000000002"),
        ("header", "0000000003"),
    ]


def test_connections_that_take_turns(start: Start) -> None:
    process = start(EACH_STEP)
    with Client(process.address) as one, Client(process.address) as two:
        one.connect("one.example", "192.0.2.1")
        two.connect("two.example", "2001:db8::2")
        for client, sender in ((one, "<1>"), (two, "<2>"), (two, "<3>")):
            client.mail(sender)
            client.rcpt("<b@x>")
        two.data()
        one.data()
        for client in (two, one):
            client.header("a", "b")
            client.eoh()
            client.eom()
    first = (1, "0000000001", "one.example[192.0.2.1]")
    second = (2, "0000000002", "two.example[2001:db8::2]")
    assert of_step(process.seen(), "connect") == [(1, "-", first[2]), (2, "-", second[2])]
    assert of_step(process.seen(), "data") == [second, first]
    assert of_step(process.seen(), "eom") == [second, first]


def test_handlers_that_run_at_the_same_time(start: Start) -> None:
    process = start(
        LOG
        + """
    import threading
    both = threading.Barrier(2)
    class Filter(Base):
        def connect(self, hostname, family, hostaddr):
            for turn in range(20):
                both.wait(10)
                log.info(hostname)
    """
    )
    with Client(process.address) as one, Client(process.address) as two:
        one.send(b"C", b"one\0U")
        two.send(b"C", b"two\0U")
        assert one.receive()[0] == two.receive()[0] == b"c"
    assert sorted(set(process.seen())) == [("one", 1, "-", "one"), ("two", 2, "-", "two")]
    assert len(process.seen()) == 40


PEERS = [
    ("mail.example.org", "192.0.2.1", "mail.example.org[192.0.2.1]"),
    ("mail.example.org", "2001:db8::1", "mail.example.org[2001:db8::1]"),
    ("[192.0.2.1]", "192.0.2.1", "192.0.2.1"),
    ("unknown", "2001:db8::1", "2001:db8::1"),
    ("localhost", "/run/submit", "unix:/run/submit"),
    ("localhost", None, "localhost"),
    ("unknown", None, "macro.example"),
    ("", None, "macro.example"),
    ("a\nb\udce9\u00e9", "192.0.2.1", r"a\nb\udce9\xe9[192.0.2.1]"),
    ("x" * 300, "192.0.2.1", "x" * 255 + "[192.0.2.1]"),
]


@pytest.mark.parametrize(("hostname", "address", "peer"), PEERS)
def test_peer_from_connect(start: Start, hostname: str, address: str | None, peer: str) -> None:
    process = start(LOG + "    class Filter(Base):\n        def connect(self, *args): log.info('connect')\n")
    with Client(process.address, macros={"_": "macro.example"}) as client:
        assert client.connect(hostname, address).verdict is Verdict.CONTINUE
    assert process.seen() == [("connect", 1, "-", peer)]


AT_HELLO = (
    LOG
    + """
    class Filter(Base):
        def hello(self, hostname):
            log.info(repr(self._ctx.peer))
            return CONTINUE
"""
)


@pytest.mark.parametrize(
    ("macros", "peer"),
    [
        ({"_": "peer.example.org [192.0.2.7]"}, MACRO_PEER),
        ({"_": "ident@peer.example.org [192.0.2.7]"}, MACRO_PEER),
        ({"_": "who@other.example@peer.example.org [192.0.2.7]"}, MACRO_PEER),
        ({"_": "[192.0.2.7]"}, "192.0.2.7"),
        ({"_": "unknown [192.0.2.7]"}, "192.0.2.7"),
        ({"_": "peer.example.org [192.0.2.7] (may be forged)"}, "192.0.2.7"),
        ({"_": "[1.2.3.4]@peer.example.org [IPv6:2001:db8::7]"}, "peer.example.org[2001:db8::7]"),
        ({"_": "localhost [/run/submit]"}, "unix:/run/submit"),
        ({"_": "root@localhost"}, "localhost"),
        ({"_": "peer.example.org [unknown]"}, "peer.example.org"),
        ({"_": "unknown [unknown]"}, None),
        ({"_": "["}, None),
        ({"_": ""}, None),
        ({"_": "", "client_addr": "192.0.2.7", "client_name": "peer.example.org"}, MACRO_PEER),
        ({"_": "x [198.51.100.1]", "client_addr": "192.0.2.7", "client_name": "unknown"}, "192.0.2.7"),
        ({"_": "x [198.51.100.1]", "client_addr": "IPv6:2001:db8::7", "client_name": ""}, "2001:db8::7"),
        ({"_": "peer.example.org [192.0.2.7]", "client_addr": "unknown", "client_name": "unknown"}, MACRO_PEER),
    ],
)
def test_peer_from_macros(start: Start, macros: dict[str, str], peer: str | None) -> None:
    """Where connect is not wanted, the MTA is not asked for it; it sends its macros all the same."""
    process = start(AT_HELLO)
    lists = {Stage.CONNECT: ("_", *(f"{{{name}}}" for name in macros if name != "_"))}
    with Client(process.address, macros=macros, macro_lists=lists) as client:
        assert client.connect().verdict is Verdict.NOT_SENT
        client.helo()
        assert Protocol.NOCONNECT in client.negotiation.protocol
        assert client.negotiation.macro_lists == {}
    assert process.seen() == [(repr(peer), 1, "-", peer or "-")]


def test_peer_that_nobody_tells(start: Start) -> None:
    process = start(AT_HELLO)
    with Client(process.address, macro_lists={Stage.CONNECT: ()}) as client:
        client.connect()
        client.helo()
    assert process.seen() == [("None", 1, "-", "-")]


def test_peer_of_a_strange_family(start: Start) -> None:
    process = start(LOG + "    class Filter(Base):\n        def connect(self, *args): log.info('connect')\n")
    with Client(process.address) as client:
        client.connect("mail.example.org", None, family=Family.UNKNOWN)
    assert process.seen() == [("connect", 1, "-", "mail.example.org")]


def test_peer_is_kept_by_the_handle(start: Start) -> None:
    process = start(
        """
    kept = []
    class Filter(Base):
        def connect(self, hostname, *args):
            if kept:
                note(kept[0].peer, self._ctx.peer)
            kept.append(self._ctx)
            return CONTINUE
    """,
        keeps_connections=True,
    )
    for name in ("one", "two"):
        with Client(process.address) as client:
            client.connect(name)
    assert process.seen() == [("one[192.0.2.1]", "two[192.0.2.1]")]


def test_outside_of_callbacks(start: Start) -> None:
    process = start(
        LOG
        + """
    import threading
    log.info("before")
    class Filter(Base):
        def connect(self, *args):
            threads = [
                threading.Thread(target=log.info, args=("thread",)),
                threading.Thread(
                    target=log.info, args=("told",),
                    kwargs={"extra": {"connection": self._ctx.id, "peer": self._ctx.peer}},
                ),
            ]
            for thread in threads:
                thread.start()
                thread.join()
            log.info("extra", extra={"connection": "mine"})
            log.info("handler")
            return CONTINUE
    """
    )
    with Client(process.address) as client:
        client.connect()
    assert process.seen() == [
        ("before", "-", "-", "-"),
        ("thread", "-", "-", "-"),
        ("told", 1, "-", PEER),
        ("extra", "mine", "-", PEER),
        ("handler", 1, "-", PEER),
    ]


def test_a_format_never_fails(start: Start) -> None:
    """As a program sets it up: by dictConfig, on a handler of the root logger, for all that anybody logs."""
    process = start(
        """
    import logging, logging.config
    logging.config.dictConfig({
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"milter": {"()": "pymilter.LogFilter"}},
        "formatters": {"milter": {"format": "<%(name)s %(connection)s %(queue_id)s %(peer)s> %(message)s"}},
        "handlers": {"all": {"class": "logging.StreamHandler", "filters": ["milter"], "formatter": "milter"}},
        "root": {"level": "INFO", "handlers": ["all"]},
    })
    logging.warning("start")
    class Filter(Base):
        def eom(self):
            logging.getLogger("other.library").warning("in eom")
            raise LookupError("no luck")
    """
    )
    with Client(process.address) as client:
        session(client)
    process.stop()
    lines = [line for line in process.stderr.splitlines() if line.startswith("<")]
    place = f"1 0000000001 {PEER}"
    assert lines == [
        "<root - - -> start",
        f"<pymilter - - -> listening on {process.address}",
        f"<other.library {place}> in eom",
        f"<pymilter {place}> eom() failed (connection 1, queue id 0000000001, {PEER})",
        "<pymilter - - -> stopping on SIGTERM",
        f"<pymilter - - -> stopped listening on {process.address}",
    ]
    assert "Logging error" not in process.stderr


def test_records_of_the_librarys_own_have_them_without_a_filter(start: Start) -> None:
    process = start("""
    import io, logging, mime
    logging.getLogger().handlers[0].setFormatter(
        logging.Formatter("<%(name)s %(connection)s %(queue_id)s %(peer)s> %(message)s")
    )
    logging.getLogger("pymilter.mime").setLevel(logging.DEBUG)
    class Filter(Base):
        def connect(self, *args):
            mime.defang(mime.message_from_file(io.BytesIO(b"a: b\\n\\nx")))
            raise LookupError
    """)
    with Client(process.address) as client:
        client.connect()
    assert process.stderr.splitlines()[:3] == [
        f"<pymilter - - -> listening on {process.address}",
        f"<pymilter.mime 1 - {PEER}> checking part []: text/plain",
        f"<pymilter 1 - {PEER}> connect() failed (connection 1, {PEER})",
    ]


def test_a_queue_to_another_thread(start: Start) -> None:
    """The handlers behind the queue may have a LogFilter too: it must not say what holds in their thread."""
    process = start(
        LOG
        + """
    import logging.handlers, queue
    records = queue.SimpleQueue()
    sender = logging.handlers.QueueHandler(records)
    sender.addFilter(LogFilter())
    log.handlers = [sender]
    class Filter(Base):
        def eom(self):
            log.info("eom")
    def main(address):
        listener = logging.handlers.QueueListener(records, notes())
        listener.start()
        run(Filter, address)
        log.info("after")
        listener.stop()
    """
    )
    with Client(process.address) as client:
        session(client)
    process.stop()
    assert process.seen("eom", "after") == [("eom", 1, "0000000001", PEER), ("after", "-", "-", "-")]


def test_records_hold_no_connection(start: Start) -> None:
    process = start("""
    import gc, logging
    from pymilter import _core
    gc.disable()
    records = []
    class Keep(logging.Handler):
        def emit(self, record):
            records.append(record)
    keep = Keep()
    keep.addFilter(LogFilter())
    logging.getLogger("program").addHandler(keep)
    class Filter(Base):
        def eom(self):
            logging.getLogger("program").warning("eom")
        def close(self):
            note(_core.connections(), len(records))
    """)
    for _ in range(3):
        with Client(process.address) as client:
            session(client)
    assert process.seen() == [((1, 0), 1), ((2, 1), 2), ((3, 2), 3)]


def test_a_name_lets_only_that_logger_pass(start: Start) -> None:
    process = start(
        LOG
        + """
    only = logging.StreamHandler()
    only.addFilter(LogFilter("program.part"))
    only.setFormatter(logging.Formatter("<%(connection)s %(message)s>"))
    log.addHandler(only)
    class Filter(Base):
        def connect(self, *args):
            logging.getLogger("program.part").info("part")
            logging.getLogger("program.other").info("other")
    """
    )
    with Client(process.address) as client:
        client.connect()
    assert process.seen() == [("part", 1, "-", PEER), ("other", 1, "-", PEER)]
    assert [line for line in process.stderr.splitlines() if line.startswith("<")] == ["<1 part>"]


def test_a_forked_process_goes_on_for_its_connection(start: Start) -> None:
    process = start(
        LOG
        + """
    import multiprocessing
    def child():
        log.info("child")
    class Filter(Base):
        def eom(self):
            log.info("parent")
            process = multiprocessing.get_context("fork").Process(target=child)
            process.start()
            process.join(10)
    """
    )
    with Client(process.address) as client:
        session(client)
    place = (1, "0000000001", PEER)
    assert process.seen() == [("parent", *place), ("child", *place)]


CLASSIC = (
    LOG
    + """
    import Milter, sys
    class Program(Milter.Base):
        def hello(self, hostname):
            log.info("hello")
            return Milter.CONTINUE
        def eom(self):
            log.info("eom")
            return Milter.ACCEPT
    def main(address):
        Milter.factory = Program
        Milter.runmilter("program", address, 30)
"""
)
LOWEST = (
    LOG
    + """
    import milter
    def step(name, result):
        def callback(ctx, *args):
            log.info(name)
            return result
        return callback
    def main(address):
        milter.register("program")
        milter.set_helo_callback(step("hello", milter.CONTINUE))
        milter.set_eom_callback(step("eom", milter.ACCEPT))
        milter.setconn(address)
        milter.main()
"""
)


@pytest.mark.parametrize("source", [CLASSIC, LOWEST], ids=["Milter", "milter"])
def test_classic_programs(start: Start, source: str) -> None:
    process = start(source)
    with Client(process.address) as client:
        session(client)
        message(client)
    assert process.seen() == [
        ("hello", 1, "-", PEER),
        ("eom", 1, "0000000001", PEER),
        ("eom", 1, "0000000002", PEER),
    ]
