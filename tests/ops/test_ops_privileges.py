"""Root's rights: what is written while they are there, and that nobody keeps them once all is open."""

from __future__ import annotations

import os
import pwd
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pymilter._serve.pid_file import keep_pid_file
from support import require
from support.crew import serving
from support.other_user import python_for
from support.wire import Script

NOBODY = pwd.getpwnam("nobody")


def ids(pid: int, task: str = "") -> tuple[set[str], set[str], list[str]]:
    """All user ids, all group ids and the supplementary groups of a process or a thread."""
    status = Path(f"/proc/{pid}/{task}status").read_text()
    found = dict(re.findall(r"^(Uid|Gid|Groups):\s*(.*)$", status, re.MULTILINE))
    return set(found["Uid"].split()), set(found["Gid"].split()), found["Groups"].split()


def test_nobody_serves_as_root(open_folder: Path) -> None:
    """Neither the supervisor nor its workers, the later ones included, nor the thread of the metrics."""
    python = python_for("nobody", open_folder)
    expected = {str(NOBODY.pw_uid)}, {str(NOBODY.pw_gid)}, [str(NOBODY.pw_gid)]
    with serving(open_folder, python=python, workers=2, user="nobody", metrics="127.0.0.1:0") as crew:
        os.kill(min(crew.pids()), signal.SIGKILL)
        crew.wait_for("listening on", 3)
        for pid in (crew.process.pid, *crew.pids()):
            for task in Path(f"/proc/{pid}/task").iterdir():
                assert ids(pid, f"task/{task.name}/") == expected
        assert crew.process.stop() == 0, crew.process.stderr


def test_no_scrape_is_answered_before_the_rights_are_given_up(script: Script) -> None:
    done = script("""
        import threading
        import pymilter._serve.opening as runs
        drop = runs.drop_privileges
        def watched(*arguments):
            note("before", "pymilter metrics" in [thread.name for thread in threading.enumerate()])
            drop(*arguments)
        runs.drop_privileges = watched
        def main(address):
            when_serving(lambda: (
                note("after", "pymilter metrics" in [thread.name for thread in threading.enumerate()]), stop()
            ))
            run(Base, address, metrics="127.0.0.1:0")
    """)
    assert done.seen == [("before", False), ("after", True)], done.stderr


@pytest.mark.parametrize("workers", [0, 1])
def test_a_pid_file_in_a_folder_of_root(open_folder: Path, workers: int) -> None:
    """The stop is none of an error, and the file holds no number of a process that is gone."""
    python = python_for("nobody", open_folder)
    with serving(open_folder, python=python, workers=workers, user="nobody") as crew:
        assert crew.pid_file.read_text() == f"{crew.process.pid}\n"
        assert crew.process.stop() == 0, crew.process.stderr
        assert crew.pid_file.read_text() == ""
        assert (
            f"cannot remove the pid file {crew.pid_file}, which is empty now: Permission denied" in crew.process.stderr
        )


def test_a_pid_file_is_not_written_through_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may write to the folder has put links there, even under the name that nobody can guess."""
    target, file = tmp_path / "target", tmp_path / "pid"
    target.write_text("precious")
    file.symlink_to(target)
    (tmp_path / f"pid.{os.getpid()}").symlink_to(target)
    with keep_pid_file(file):
        assert not file.is_symlink()
        assert file.read_text() == f"{os.getpid()}\n"
    assert not file.exists()
    monkeypatch.setattr("secrets.token_hex", lambda size: "guessed")
    (tmp_path / ".pid.guessed").symlink_to(tmp_path / "made")
    with pytest.raises(OSError, match="cannot write the pid file"), keep_pid_file(file):
        pass
    assert target.read_text() == "precious"
    assert not (tmp_path / "made").exists()


def test_a_pid_file_that_another_one_has_put_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    with keep_pid_file(file):
        (tmp_path / "other").write_text(f"{os.getpid()}\n")
        (tmp_path / "other").replace(file)
    assert file.exists()


def test_a_child_of_the_main_thread_leaves_the_pid_file(tmp_path: Path) -> None:
    program = """
import os, sys
from pymilter._serve.pid_file import keep_pid_file
with keep_pid_file(sys.argv[1]):
    if os.fork() == 0:
        sys.exit(0)
    os.wait()
    print(os.path.exists(sys.argv[1]))
"""
    command = [sys.executable, "-c", program, str(tmp_path / "pid")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "True\n", done.stderr


WISHES = """
    import os
    from pymilter._serve.privileges import drop_privileges
    def main(address):
        {before}
        try:
            drop_privileges({user!r}, {group!r})
        except OSError as error:
            note(type(error).__name__, error.strerror)
        note(os.getresuid(), os.getresgid(), os.getgroups())
"""


def became(script: Script, user: object, group: object, before: str = "os.setgroups([1, 2])") -> list[object]:
    require.root("a process that becomes another user")
    done = script(WISHES.format(user=user, group=group, before=before))
    assert done.returncode == 0, done.stderr
    return list(done.seen)


def test_a_group_alone_is_the_only_one(script: Script) -> None:
    assert became(script, None, 12) == [((0, 0, 0), (12, 12, 12), [])]


def test_a_user_with_its_groups(script: Script) -> None:
    uid, gid = NOBODY.pw_uid, NOBODY.pw_gid
    assert became(script, "nobody", None) == [((uid,) * 3, (gid,) * 3, os.getgrouplist("nobody", gid))]
    assert became(script, "nobody", 12) == [((uid,) * 3, (12,) * 3, os.getgrouplist("nobody", 12))]


def test_who_is_that_user_already_has_nothing_to_give_up(script: Script) -> None:
    """As under systemd's User= and SupplementaryGroups=."""
    uid, gid = NOBODY.pw_uid, NOBODY.pw_gid
    before = f"os.setgroups([1]); os.setgid({gid}); os.setuid({uid})"
    as_before = [((uid,) * 3, (gid,) * 3, [1])]
    assert became(script, "nobody", None, before) == as_before
    assert became(script, "nobody", gid, before) == as_before
    assert became(script, None, gid, before) == as_before
    assert became(script, None, None, before) == as_before


@pytest.mark.parametrize(("user", "group"), [("root", None), ("nobody", 12), (None, 12)])
def test_who_is_not_root_can_become_nobody_else(script: Script, user: str | None, group: int | None) -> None:
    uid, gid = NOBODY.pw_uid, NOBODY.pw_gid
    before = f"os.setgroups([]); os.setgid({gid}); os.setuid({uid})"
    wish = " and ".join([f"user={user!r}"] * (user is not None) + [f"group={group}"] * (group is not None))
    assert became(script, user, group, before) == [
        ("PermissionError", f"{wish}: only root can become another, and this is user {uid}"),
        ((uid,) * 3, (gid,) * 3, []),
    ]
