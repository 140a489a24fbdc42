"""Run by test_helpers_crash.py: what several processes do with one PLock or AddrCache, and what is left of it.

`shared_files.py NAME FOLDER` writes what went wrong to stderr, and its exit status tells whether anything did.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from Milter.cache import AddrCache
from Milter.plock import PLock

Work = Callable[[], object]
# Reads a time once, so that what is imported for it is no part of what is done in each process.
time.strptime("2026", "%Y")
STALE = f"stale@x {time.strftime(AddrCache.time_format, time.localtime(time.time() - 100 * 86400))}\n"


def in_processes(*works: Work) -> list[int]:
    """Do each work in a process of its own, all at the same time; their exit statuses, or minus the signal."""
    start, go = os.pipe()
    children = []
    for work in works:
        child = os.fork()
        if not child:
            os.close(go)
            os.read(start, 1)  # ends when the parent closes its end
            status = 0
            try:
                work()
            except BaseException:
                traceback.print_exc()
                status = 1
            os._exit(status)
        children.append(child)
    os.close(start)
    os.close(go)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def killed_at(number: int, work: Work) -> Work:
    """The work, in which the process kills itself before its system call of that number on a file or a name."""

    def killed() -> None:
        left = number

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in ("open", "os.link", "os.rename", "os.remove", "os.truncate", "os.chmod", "fcntl.flock"):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        work()

    return killed


def each_kill(folder: Path, base: Path, work: Work, check: Work) -> None:
    """Kill a process at each place in `work`; then `check` must succeed, and leave nothing but `base` and .old."""
    for kept in (False, True):
        number = 0
        while True:
            for path in folder.iterdir():
                path.unlink()
            base.write_text(f"old@x\n{STALE}")
            if kept:
                Path(f"{base}.old").write_text("older")
            statuses = in_processes(killed_at(number, work))
            assert base.read_text().startswith("old@x\n"), (number, base.read_text())
            if statuses == [0]:
                break
            assert statuses == [-signal.SIGKILL], (number, statuses)
            print(number, *sorted(path.name for path in folder.iterdir()))
            for _ in range(2):
                assert in_processes(check) == [0], f"after a kill at {number}: {list(folder.iterdir())}"
            assert {path.name for path in folder.iterdir()} == {base.name, f"{base.name}.old"}, number
            number += 1
        assert number > 8


def kill_commit(folder: Path) -> None:
    base = folder / "b"

    def replace() -> None:
        lock = PLock(str(base))
        lock.lock().write("old@x\nnew@x\n")
        lock.commit(f"{base}.old")

    each_kill(folder, base, replace, replace)


def kill_load(folder: Path) -> None:
    base = folder / "log"

    def load() -> None:
        with base.open("a") as file:
            file.write(STALE)
        cache = AddrCache()
        cache.load(str(base))
        assert set(cache.cache) == {"old@x"}
        assert base.read_text() == "old@x\n"

    each_kill(folder, base, load, load)


def load_and_append(folder: Path) -> None:
    """Four processes append, one loads all the time, with something to drop each time."""
    base = folder / "log"
    count = 100

    def append(number: int) -> None:
        cache = AddrCache(fname=str(base))
        for step in range(count):
            cache[f"{step}@{number}"] = None
        (folder / f"done-{number}").touch()

    def load() -> None:
        cache = AddrCache()
        is_done = False
        while not is_done:
            is_done = len(list(folder.glob("done-*"))) == 4
            with base.open("a") as file:
                file.write(STALE)
            cache.load(str(base))
        assert len(cache) == 4 * count

    base.write_text("")
    assert in_processes(*(lambda number=number: append(number) for number in range(4)), load) == [0] * 5


def load_at_start(folder: Path) -> None:
    """Eight workers load at the same moment."""
    base = folder / "log"
    for _ in range(6):
        base.write_text(f"{STALE}good@x\n{STALE}")

        def load() -> None:
            cache = AddrCache()
            cache.load(str(base))
            assert set(cache.cache) == {"good@x"}

        assert in_processes(*[load] * 8) == [0] * 8
        assert base.read_text() == "good@x\n"
        assert {path.name for path in folder.iterdir()} == {"log", "log.old"}


def dies_with_lock(folder: Path) -> None:
    """The lock of a process that ended without unlock() is free, and that of one that lives is not."""
    base = folder / "b"
    base.write_text("x")

    def take() -> None:
        PLock(str(base)).lock().write("y")
        os.kill(os.getpid(), signal.SIGKILL)

    def refused() -> None:
        try:
            PLock(str(base)).lock()
        except FileExistsError:
            return
        raise AssertionError("got a lock that somebody has")

    assert in_processes(take) == [-signal.SIGKILL]
    lock = PLock(str(base))
    lock.lock()
    assert in_processes(refused) == [0]
    lock.unlock()
    Path(f"{base}.lock").touch()  # as 1.0.5 makes it
    assert in_processes(refused) == [0]
    assert {path.name for path in folder.iterdir()} == {"b", "b.lock"}


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
