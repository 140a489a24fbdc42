"""Milter.greylist and Milter.greysql: what 1.0.5's was seen to answer, its mended faults, many threads and processes.

1.0.5's greylist does not import on Python 3 (`thread`), nor does it run once that is put in (`urllib.quote`): what is
expected of it was seen with these names supplied. Its greysql runs.
"""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from Milter import greylist, greysql

MINUTE, HOUR, DAY = 60, 3600, 86400
TRIPLE = ("1.2.3.4", "s@x", "r@y")
EMPTY = "1.2.3.4,s@x,r@y,1000000000.25,1000000700.25,1,\r\n"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000_000.25

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.time", clock.time)
    return clock


@pytest.fixture(params=[greylist.Greylist, greysql.Greylist], ids=["greylist", "greysql"])
def grey(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[greysql.Greylist]:
    found = request.param(str(tmp_path / "grey.db"))
    yield found
    found.close()


@pytest.mark.parametrize(
    ("times", "answers"),
    [
        ((0, 1), [0, 0]),
        ((0, 604.9), [0, 0]),
        ((0, 605), [0, 1]),
        ((0, 300, 700, 900), [0, 0, 1, 2]),
        ((0, 540, 601, 660, 720), [0, 0, 0, 1, 2]),
        ((0, 4 * HOUR - 1), [0, 1]),
        ((0, 4 * HOUR), [0, 0]),
        ((0, 300, 4 * HOUR), [0, 0, 0]),
        ((0, 100, 4 * HOUR + 50, 4 * HOUR + 700), [0, 0, 0, 1]),
        ((0, 700, 700 + 36 * DAY), [0, 1, 2]),
        ((0, 700, 701 + 36 * DAY), [0, 1, 0]),
        ((0, 700, 20 * DAY, 50 * DAY, 87 * DAY), [0, 1, 2, 3, 0]),
        ((0, 700, 5 * HOUR, 24 * HOUR), [0, 1, 2, 3]),
        ((0, 700, -50, 800), [0, 1, 0, 2]),
    ],
)
def test_check(grey: greysql.Greylist, clock: Clock, times: tuple[float, ...], answers: list[int]) -> None:
    start = clock.now
    found = []
    for number, seconds in enumerate(times):
        clock.now = start + (seconds if number % 2 else 0)
        found.append(grey.check(*TRIPLE, timeinc=0 if number % 2 else seconds))
    assert found == answers


def test_periods_are_those_given(tmp_path: Path, clock: Clock) -> None:
    grey = greysql.Greylist(str(tmp_path / "g"), 1, 2, 3)
    assert (grey.greylist_time, grey.greylist_expire, grey.greylist_retain) == (60, 7200, 3 * DAY)
    assert [grey.check(*TRIPLE, timeinc=t) for t in (0, 64, 65, 65 + 3 * DAY, 66 + 6 * DAY)] == [0, 0, 1, 2, 0]
    grey.close()


def test_triples_are_told_apart(grey: greysql.Greylist) -> None:
    for other in (("1.2.3.5", *TRIPLE[1:]), ("1.2.3.4", "S@X", "r@y"), ("1.2.3.4", "<s@x>", "r@y"), ("", "", "")):
        grey.check(*TRIPLE)
        assert grey.check(*other, timeinc=700) == 0
    assert grey.check(*TRIPLE, timeinc=700) == 1


@given(st.tuples(*[st.text(st.characters(codec=None), max_size=20)] * 3))
def test_any_text_will_do(triple: tuple[str, str, str]) -> None:
    grey = greysql.Greylist(":memory:", grey_time=0)
    grey.check(*triple)
    assert grey.check(*triple, timeinc=6) == 1
    written = io.StringIO()
    grey.export_csv(written)
    other = greysql.Greylist(":memory:", grey_time=0)
    other.import_csv(io.StringIO(written.getvalue(), newline=""))
    assert other.check(*triple, timeinc=7) == 2
    grey.close()
    other.close()


def test_what_is_no_text_breaks_nothing(grey: greysql.Greylist) -> None:
    for triple in ((None, "s", "r"), ("i", None, "r"), ("i", "s", b"r")):
        with pytest.raises(TypeError, match="ip, sender and recipient must be str"):
            grey.check(*triple)
    assert grey.check("1", "caf\udce9@x", "r") == 0
    # 1.0.5: UnicodeEncodeError, and then OperationalError for whatever is asked
    assert grey.check("1", "caf\udce9@x", "r", timeinc=700) == 1
    assert grey.check("1", "caf\udce8@x", "r", timeinc=700) == 0  # is another sender
    written = io.StringIO()
    grey.export_csv(written)
    assert written.getvalue().count("@x") == 2


def test_the_last_byte_can_be_ignored(grey: greysql.Greylist) -> None:
    grey.ignoreLastByte = True
    grey.check("192.0.2.1", "s", "r")
    assert grey.check("192.0.2.9", "s", "r", timeinc=700) == 1  # 1.0.5: 0, it only has the attribute
    grey.check("2001:db8::1", "s", "r")
    assert grey.check("2001:db8::2", "s", "r", timeinc=700) == 0


def test_clean(grey: greysql.Greylist) -> None:
    grey.check(*TRIPLE)
    grey.check("other", "s", "r", timeinc=HOUR)
    assert grey.clean(36 * DAY) == 0
    assert grey.clean(36 * DAY + 1) == 1
    assert grey.clean(200 * DAY) == 1
    assert grey.clean(200 * DAY) == 0


def test_it_is_still_there_when_opened_again(tmp_path: Path, clock: Clock) -> None:
    for answer in (0, 1, 2):
        grey = greylist.Greylist(str(tmp_path / "g"))
        assert grey.check(*TRIPLE) == answer
        grey.close()
        clock.now += 700


def test_close(grey: greysql.Greylist) -> None:
    grey.close()
    grey.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        grey.check(*TRIPLE)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shelf.db").write_bytes(b"\0" * 100 + b"a shelf of Python 2" * 50)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        greylist.Greylist(str(tmp_path / "shelf.db"))


def test_a_file_of_1_0_5_goes_on(tmp_path: Path, clock: Clock, old_python: Path) -> None:
    program = f"""
import time
time.time = lambda: {clock.now}
from Milter.greysql import Greylist
g = Greylist("g.db")
g.check("1.2.3.4", "s@x", "r@y"); print(g.check("1.2.3.4", "s@x", "r@y", timeinc=700)); g.close()
"""
    command = [str(old_python), "-W", "ignore", "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "1\n"
    grey = greysql.Greylist(str(tmp_path / "g.db"))
    assert grey.check(*TRIPLE, timeinc=800) == 2
    grey.close()


# -- csv


def test_export(grey: greysql.Greylist) -> None:
    grey.check(*TRIPLE)
    grey.check(*TRIPLE, timeinc=700)
    grey.check("1", "a'b %;c", 'c"d\n,')
    written = io.StringIO()
    grey.export_csv(written)
    second = "1,a%27b%20%25%3Bc,c%22d%0A%2C,1000000000.25,1000000000.25,0,\r\n"
    assert written.getvalue() == EMPTY + second
    written = io.StringIO()
    grey.export_csv(written, 36 * DAY + 1)
    assert written.getvalue() == EMPTY
    grey.export_csv(written, 200 * DAY)
    assert written.getvalue() == EMPTY


def test_import(grey: greysql.Greylist) -> None:
    grey.import_csv(["1.2.3.4,%3Cs@x%3E,r%20,1000000000.25,1000000001.25,3,id\n", "\n"])
    assert grey.check("1.2.3.4", "<s@x>", "r ", timeinc=700) == 4  # 1.0.5: 0, the name stays quoted


def test_import_keeps_the_later_seen(grey: greysql.Greylist) -> None:
    grey.import_csv(["1,s,r,1000000000,1000000500,3,\n", "1,s,r,1000000000,1000000400,7,\n"])  # 1.0.5: IntegrityError
    assert grey.check("1", "s", "r", timeinc=700) == 4
    grey.import_csv(["1,s,r,1000000000,1000009999,9,\n"])
    assert grey.check("1", "s", "r", timeinc=700) == 10


def test_import_of_one_that_was_seen_as_late_changes_nothing(grey: greysql.Greylist) -> None:
    grey.import_csv(["1,s,r,1000000000,1000000500,3,\n"])
    grey.import_csv(["1,s,r,1000000000,1000000500,7,\n"])
    assert grey.check("1", "s", "r", timeinc=700) == 4


@pytest.mark.parametrize("row", ["a", "1,s,r,1,2,3", "1,s,r,x,y,z,", "1,s,r,nan,2,3,", "1,s,r,1,2,3,,"])
def test_import_takes_all_or_nothing(grey: greysql.Greylist, row: str) -> None:
    with pytest.raises(ValueError, match="greylist line 2 is not ip,sender,recipient,first,last,count,id"):
        grey.import_csv([EMPTY, row + "\n"])
    assert grey.clean(1000 * DAY) == 0


# -- many at once


def test_many_threads(tmp_path: Path) -> None:
    grey = greysql.Greylist(str(tmp_path / "g"), grey_time=-1)
    accepted: list[int] = []

    def work(number: int) -> None:
        for step in range(50):
            accepted.append(grey.check("shared", "s", "r"))
            grey.check("1", f"s{number}.{step}", "r")
            if step % 25 == 0:
                grey.clean()
                grey.export_csv(io.StringIO())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(accepted) == list(range(400))
    assert grey.clean(1000 * DAY) == 401
    grey.close()


def test_many_processes(tmp_path: Path) -> None:
    program = """
import sys
from Milter.greysql import Greylist
grey = Greylist(sys.argv[1], grey_time=-1)
print("ready", flush=True)
sys.stdin.read(1)
print(*[grey.check("shared", "s", "r") for _ in range(500)])
grey.close()
"""
    command = [sys.executable, "-c", program, str(tmp_path / "g")]
    pipe = subprocess.PIPE
    running = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("x")
        process.stdin.flush()
    answers = [int(answer) for process in running for answer in process.communicate(timeout=60)[0].split()]
    assert sorted(answers) == list(range(2000))


# -- the other names of Milter.greylist


@pytest.mark.parametrize(
    ("address", "quoted"),
    [
        ("<a@b>", "%3Ca@b%3E"),
        ("a b", "a%20b"),
        ("ü", "%C3%BC"),
        ("a:b,c/d", "a%3Ab%2Cc%2Fd"),
        ("a+b!c~d%e", "a+b!c~d%e"),
        (".a.b.", "%2ea.b."),
        ("a=b", "a%3Db"),
        ("", ""),
    ],
)
def test_quote_address(address: str, quoted: str) -> None:
    assert greylist.quoteAddress(address) == quoted


def test_record(clock: Clock) -> None:
    record = greylist.Record(7)
    assert record.firstseen == record.lastseen == clock.now + 7
    assert (record.umis, record.cnt) == (None, 0)
    record.umis, record.cnt = "x,y", 3
    assert str(record).startswith("Grey[")
    assert str(record).endswith("2001:x,y:3]")


def test_a_file_that_is_no_database_is_not_kept_open(tmp_path: Path) -> None:
    (tmp_path / "odd").write_bytes(b"no database" * 1000)
    with pytest.raises(sqlite3.DatabaseError) as raised:
        greysql.Greylist(str(tmp_path / "odd"))
    assert raised.traceback  # which refers to the connection, so that nothing but close() closes the file
    assert (tmp_path / "odd").resolve() not in [entry.resolve() for entry in Path("/proc/self/fd").iterdir()]
