"""A log that is slow, or an exception that is: the MTA has its answer all the same, and the log what was to be said."""

from __future__ import annotations

import signal
import textwrap
from pathlib import Path

import pytest

from pymilter.testing import Client
from support.wire import Start, eventually

# The first record hangs, in the log's handler or in the text of the exception, until there is a file.
SLOW = """
    import logging, sys, time
    from pathlib import Path
    GO = Path({go!r})
    def hang():
        print("hangs", file=sys.stderr, flush=True)
        while not GO.exists():
            time.sleep(0.01)
    class SlowHandler(logging.Handler):
        def emit(self, record):
            if record.levelno >= logging.ERROR and not GO.exists():
                hang()
    class Slow(Exception):
        def __str__(self):
            hang()
            return "at last"
        __repr__ = __str__
    class Filter(Base):
        count = 0
        def hello(self, hostname):
            type(self).count += 1
            raise {error}
    if {is_handler}:
        logging.getLogger("pymilter").addHandler(SlowHandler())
"""
HANDLER = ("ValueError(self.count)", True)
TEXT = ("Slow() if self.count == 1 else ValueError(self.count)", False)


@pytest.mark.parametrize(("error", "is_handler"), [HANDLER, TEXT])
def test_the_answer_does_not_wait(start: Start, tmp_path: Path, error: str, is_handler: bool) -> None:
    go = tmp_path / "go"
    process = start(SLOW.format(go=str(go), error=error, is_handler=is_handler), keeps_connections=True)
    for _ in range(5):
        with Client(process.address, timeout=20) as client:
            client.connect()
            assert client.helo().code == 451
    assert process.stderr.count("hangs\n") == 1
    assert "ValueError: 5" not in process.stderr
    go.touch()
    text = eventually(lambda: process.stderr, lambda said: "ValueError: 5" in said)
    assert [line for line in text.splitlines() if line.startswith("ValueError: ")][-4:] == [
        f"ValueError: {number}" for number in (2, 3, 4, 5)
    ]
    # Each is about its own connection.
    places = [line for line in text.splitlines() if "hello() failed (connection " in line]
    assert len(set(places)) == len(places) == 5


def test_what_the_log_has_not_taken_is_written_at_the_end(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    source = (
        SLOW.format(go=str(go), error=HANDLER[0], is_handler=False)
        + """
    import threading
    class Waiting(logging.Handler):
        def emit(self, record):
            if "stopping" in record.getMessage():
                threading.Timer(0.2, GO.touch).start()
    logging.getLogger("pymilter").addHandler(Waiting())
    logging.getLogger("pymilter").addHandler(SlowHandler())
    """
    )
    process = start(source, keeps_connections=True)
    for _ in range(3):
        with Client(process.address, timeout=20) as client:
            client.connect()
            assert client.helo().code == 451
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert "ValueError: 3" in process.stderr


def test_more_than_can_wait_is_counted(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    source = "import pymilter._observe.writer\npymilter._observe.writer.MOST = 3\n"
    slow = SLOW.format(go=str(go), error=HANDLER[0], is_handler=True)
    process = start(source + textwrap.dedent(slow), keeps_connections=True)
    for _ in range(10):
        with Client(process.address, timeout=20) as client:
            client.connect()
            assert client.helo().code == 451
    go.touch()
    eventually(lambda: process.stderr, lambda said: "the log is slow: 6 records are missing here" in said)
