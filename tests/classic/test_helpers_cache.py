"""Milter.cache and Milter.plock: what 1.0.5 was seen to do, the faults of it that are mended, many threads at once."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from Milter.cache import AddrCache
from Milter.plock import PLock

DAY = 86400


def stamp(days: float) -> str:
    """The time `days` ago, as a line of the file has it."""
    return time.strftime(AddrCache.time_format, time.localtime(time.time() - days * DAY))


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def log(tmp_path: Path, utc: None) -> Path:
    return tmp_path / "log"


def test_an_address_or_its_domain_is_found() -> None:
    cache = AddrCache()
    cache["Foo@Bar.com"] = None
    cache["x@y"] = "res"
    cache["dom.com"] = "domres"
    assert len(cache) == 3
    assert cache["FOO@bar.com"] is None
    assert cache["x@y"] == "res"
    assert cache["user@dom.com"] == cache["dom.com"] == "domres"
    assert cache.has_key("user@Dom.com")
    assert not cache.has_precise_key("user@dom.com")
    for sender in ("nope@x", "bar.com", "u@sub.dom.com", "", None):
        assert sender not in cache
        assert not cache.has_key(sender)
        assert not cache.has_precise_key(sender)
    with pytest.raises(KeyError, match=r"'sub\.dom\.com'"):
        cache["u@sub.dom.com"]


def test_entries_grow_old_but_for_permanent_ones() -> None:
    cache = AddrCache(renew=7)
    old, young = time.time() - 8 * DAY, time.time() - 6 * DAY
    cache.cache.update({"old@x": (old, "r"), "ok@x": (young, "z"), "dead@dom": (old, "x")})
    cache.addperm("dom", "p")
    cache.cache["dom"] = (None, "p")
    assert "old@x" not in cache
    assert "old@x" not in cache.cache
    assert cache["ok@x"] == "z"
    assert cache["dead@dom"] == "p"


def test_only_false_results_are_written(log: Path) -> None:
    cache = AddrCache(fname=str(log))
    for sender, result in (("Aa@B", None), ("x@y", "res"), ("n@l", 5), ("e@x", "")):
        cache[sender] = result
    cache.addperm("P@x")
    cache.addperm("p2@x", "R")
    cache.addperm("P@x")
    lines = log.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["Aa@B", "e@x", "P@x"]
    assert lines[2] == "P@x"
    assert abs(time.mktime(time.strptime(lines[0], f"Aa@B {AddrCache.time_format}")) - time.time()) < 100


def test_load_drops_what_is_stale_or_no_entry(log: Path) -> None:
    kept = f"a@b {stamp(3)}\nPERM@f\nn@w\t{stamp(-3)}\n"
    log.write_text(
        f"{kept}g@h {stamp(20)}\n# comment\nc@d {stamp(1)} res\n{stamp(1)} x@y\nx@y 2004Jan01 00:00:00 XXX\n"
    )
    before = log.read_text()
    cache = AddrCache()
    cache["memory@x"] = "1"
    cache.load(str(log))
    assert set(cache.cache) == {"a@b", "perm@f", "n@w"}
    assert log.read_text() == kept
    assert (log.parent / "log.old").read_text() == before
    assert not (log.parent / "log.lock").exists()
    cache.load(str(log), age=2)
    assert set(cache.cache) == {"perm@f", "n@w"}


def test_load_leaves_a_good_file_alone(log: Path) -> None:
    log.write_text(f"a@b {stamp(1)}\nperm@x\n")
    AddrCache().load(str(log))
    assert names(log) == ["log"]


def test_a_file_that_may_only_be_read_is_loaded(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_text("a@example.org\n")
    opened, refused = os.open, []

    def read_only(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY):
            refused.append(flags)
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    cache = AddrCache()
    cache.load(str(log))
    assert refused
    assert "a@example.org" in cache
    with pytest.raises(OSError, match="Read-only"):
        cache["b@example.org"] = None
    assert "b@example.org" in cache


def test_load_of_a_missing_file_begins_one(log: Path) -> None:
    cache = AddrCache()
    cache.load(str(log))
    assert len(cache) == 0
    cache["a@b"] = None
    assert log.read_text().startswith("a@b ")


def test_load_respects_a_lock(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    (log.parent / "log.lock").touch()
    log.write_text(text := f"good@x\nstale@x {stamp(20)}\n")
    cache = AddrCache()
    cache.load(str(log))  # 1.0.5: FileExistsError, at each start if the owner of the lock was killed
    assert set(cache.cache) == {"good@x"}
    assert log.read_text() == text
    assert names(log) == ["log", "log.lock"]
    assert caplog.messages == [f"{log}: stale lines stay, because somebody holds {log}.lock"]


def test_what_is_appended_begins_a_line(log: Path) -> None:
    log.write_text("perm@x")
    AddrCache(fname=str(log)).addperm("more@x")
    assert log.read_text() == "perm@x\nmore@x\n"


def test_permanent_entries_are_permanent_after_load(log: Path) -> None:
    log.write_text("perm@x\n")
    cache = AddrCache(renew=1)
    cache.load(str(log))
    assert cache.cache == {"perm@x": (None, None)}  # 1.0.5: (the time of loading, None), gone `renew` days later


def test_addperm_needs_no_file() -> None:
    cache = AddrCache()
    cache.addperm("x@y")  # 1.0.5: TypeError, after the entry was made
    assert "x@y" in cache


def test_addperm_takes_the_place_of_what_is_kept_for_a_time() -> None:
    cache = AddrCache()
    cache["Aa@B"] = "timed"
    cache.addperm("AA@b", "perm")
    assert cache.cache == {"aa@b": (None, "perm")}
    cache.addperm("aA@b", "other")
    assert cache["aa@b"] == "perm"


def test_what_cannot_be_read_back_is_not_written(log: Path) -> None:
    cache = AddrCache(fname=str(log))
    senders = ['"sp ace"@x', "caf\udce9@x", "ü@x", "two words", "a@b\nforged@x", "#no@x"]
    for sender in senders:
        cache[sender] = None
        assert sender in cache
    again = AddrCache()
    again.load(str(log))
    assert set(again.cache) == {'"sp ace"@x', "caf\udce9@x", "ü@x"}  # 1.0.5: "forged@x" too; and it cannot write \udce9


def test_many_threads_may_add_to_one_cache(log: Path) -> None:
    cache = AddrCache(fname=str(log))

    def work(number: int) -> None:
        for step in range(100):
            cache[f"u{step}@t{number}"] = None
            assert f"u{step}@t{number}" in cache
            if step % 50 == 0:
                cache.load(str(log))

    _in_threads(8, work)
    again = AddrCache()
    again.load(str(log))
    assert len(again) == 800


def _in_threads(count: int, work: Callable[[int], None]) -> None:
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


# -- PLock


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "b"
    path.write_text("orig")
    path.chmod(0o640)
    return path


def names(base: Path) -> list[str]:
    return sorted(path.name for path in base.parent.iterdir())


def test_commit_replaces_the_file(base: Path) -> None:
    lock = PLock("b")
    lock.lock().write("new")
    assert (lock.lockname, names(base)) == ("b.lock", ["b", "b.lock", "b.lock.own"])
    assert base.read_text() == "orig"
    lock.commit()
    assert lock.fp is None
    assert base.read_text() == "new"
    assert names(base) == ["b"]


def test_commit_keeps_the_old_file(base: Path) -> None:
    lock = PLock("b")
    lock.lock().write("new")
    lock.commit("b.old")
    assert (base.read_text(), Path("b.old").read_text()) == ("new", "orig")
    assert names(base) == ["b", "b.old"]


def test_unlock_throws_the_new_file_away(base: Path) -> None:
    lock = PLock("b")
    file = lock.lock("other.lock")
    assert names(base) == ["b", "other.lock", "other.lock.own"]
    lock.unlock()
    lock.unlock()
    assert file.closed
    assert names(base) == ["b"]
    assert base.read_text() == "orig"


def test_only_one_has_the_lock(base: Path) -> None:
    first, second = PLock("b"), PLock("b")
    first.lock()
    with pytest.raises(FileExistsError):
        second.lock()
    first.lock()  # its own: begins anew
    first.unlock()
    second.lock()
    second.unlock()


def test_a_lock_that_was_taken_away_is_not_committed(base: Path) -> None:
    first, second = PLock("b"), PLock("b")
    first.lock().write("first")
    Path("b.lock").unlink()
    Path("b.lock.own").unlink()
    second.lock().write("second")
    with pytest.raises(OSError, match=r"b\.lock was taken away"):
        first.commit()
    first.unlock()
    assert names(base) == ["b", "b.lock", "b.lock.own"]
    second.commit()
    assert base.read_text() == "second"


def test_wlock_waits(base: Path) -> None:
    first, second = PLock("b"), PLock("b")
    first.lock()
    waiting = threading.Thread(target=second.wlock)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    first.unlock()
    waiting.join(10)
    assert second.fp is not None
    second.unlock()


@pytest.mark.parametrize(
    ("present", "mode", "result"),
    [(0o640, 0o660, 0o660), (0o640, 0o600, 0o640), (0o640, 0o666, 0o664), (0o604, 0o660, 0o664)],
)
def test_permissions(base: Path, present: int, mode: int, result: int) -> None:
    base.chmod(present)
    lock = PLock("b")
    lock.lock(mode=mode)
    lock.commit()
    assert base.stat().st_mode & 0o777 == result


def test_the_group_is_kept(base: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give a file to any group")
    os.chown(base, -1, 1)
    lock = PLock("b")
    lock.lock(strict_perms=True)
    lock.commit()
    assert base.stat().st_gid == 1


def test_a_group_that_cannot_be_set_matters_only_if_the_program_says_so(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fchown(descriptor: int, user: int, group: int) -> None:
        raise PermissionError("not your group")

    monkeypatch.setattr(os, "fchown", fchown)
    lock = PLock("b")
    lock.lock().write("new")
    lock.commit()
    assert base.read_text() == "new"
    with pytest.raises(PermissionError, match="not your group"):
        lock.lock(strict_perms=True)
    assert lock.fp is None
    assert names(base) == ["b"]


def test_the_lock_file_of_another_user_is_somebody_elses_lock(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def refusing(path: str | os.PathLike[str], flags: int, mode: int = 0o777) -> int:
        if os.fspath(path).endswith(".own"):
            raise PermissionError(errno.EACCES, "of another user")
        return opened(path, flags, mode)

    own = Path("b.lock.own")
    own.touch()
    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(FileExistsError, match=r"b\.lock"):
        PLock("b").lock()
    own.unlink()
    with pytest.raises(PermissionError, match="of another user"):  # the folder may not be written to
        PLock("b").lock()


def test_who_gets_no_lock_keeps_nothing_open(base: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    Path("b.lock").touch()  # of another program: with no ".own" file beside it
    before = descriptors()
    with pytest.raises(FileExistsError):
        PLock("b").lock()
    assert names(base) == ["b", "b.lock"]
    assert descriptors() == before
    Path("b.lock").unlink()
    lock = PLock("b")
    lock.lock()
    held = descriptors()
    with pytest.raises(FileExistsError):
        PLock("b").lock()
    assert descriptors() == held
    lock.unlock()
    assert descriptors() == before


def test_commit_needs_a_lock(base: Path) -> None:
    with pytest.raises(OSError, match="File not locked"):
        PLock("b").commit()


def test_a_first_file_has_nothing_to_keep(base: Path) -> None:
    lock = PLock("new")
    lock.lock().write("x")
    lock.commit("new.old")  # 1.0.5: FileNotFoundError, and the lock stays
    assert names(base) == ["b", "new"]


def test_the_file_is_never_missing(base: Path) -> None:
    done = threading.Event()
    seen = 0

    def write() -> None:
        for number in range(100):
            lock = PLock("b")
            lock.lock().write(str(number))
            lock.commit("b.old")
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        base.read_text()  # 1.0.5 moved it away first
        seen += 1
    writer.join()
    assert seen


def test_commit_has_the_file_on_the_disk_before_it_takes_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that loses its power then has the old file or the new one, and not an empty one."""
    path = tmp_path / "file"
    path.write_text("old")
    seen: list[tuple[str, str]] = []
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        seen.append((Path(f"/proc/self/fd/{descriptor}").read_text(), path.read_text()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    lock = PLock(str(path))
    lock.lock().write("new")
    lock.commit()
    assert ("new", "old") in seen
    assert path.read_text() == "new"
