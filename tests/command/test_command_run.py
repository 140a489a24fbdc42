"""`pymilter run` and `check`: settings from everywhere, filters that cannot be loaded, plans, faults and the log."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pymilter._command.options import OF_RUN
from pymilter.testing import ClientError, FilterProcess, FilterUnreachable, Verdict, send_message, temporary_socket
from support.commands import argv, environment, in_pipe, in_terminal, read_to_end, start_program_in_terminal

pytestmark = pytest.mark.timeout(90)

MESSAGE = b"From: ann@example.org\r\nTo: bob@example.net\r\n\r\nline\r\n"
PROGRAM = """\
import logging
import pymilter
from pymilter import CONTINUE, Reject

class Gate(pymilter.Base):
    @pymilter.symlist("{auth_authen}")
    def envfrom(self, sender, *params):
        logging.getLogger("gate").info("from %s", sender)
        return Reject(550, "5.7.1", "no") if "spam" in sender else CONTINUE

    def header(self, name, value) -> None:
        pass

class Broken(pymilter.Base):
    def envfrm(self, sender):
        return CONTINUE

    def header(self, name):
        return CONTINUE

    async def eom(self):
        return CONTINUE

class Failing(pymilter.Base):
    def envfrom(self, sender, *params):
        raise RuntimeError("oh")

class Nothing(pymilter.Base):
    pass

class Slip(pymilter.Base):
    def envform(self, sender, *params):
        return CONTINUE

    def eom(self):
        return CONTINUE

@pymilter.message_filter
def whole(message):
    return CONTINUE

def made():
    return Gate()

def fails():
    raise RuntimeError("no database")

def makes_a_class():
    return Gate

number = 7
"""
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the program gate.py."""
    (tmp_path / "gate.py").write_text(PROGRAM)
    return tmp_path


@pytest.fixture
def command(folder: Path) -> Command:
    """Runs the command in that folder."""

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv(*arguments),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=folder,
            env=environment(**env),
        )

    return run


@contextlib.contextmanager
def serving(folder: Path, name: str, *options: str, **env: str) -> Iterator[FilterProcess]:
    with temporary_socket() as address:
        command = argv("run", name, address, *options)
        with FilterProcess(command, address, cwd=folder, env=environment(**env), timeout=30) as process:
            yield process


@pytest.mark.parametrize("name", ["gate:Gate", "gate:made"])
def test_a_filter_is_served(folder: Path, name: str) -> None:
    with serving(folder, name) as process:
        assert send_message(process.address, MESSAGE).verdict is Verdict.ACCEPT
        assert send_message(process.address, MESSAGE, "spam@example.org").verdict is Verdict.REJECT
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    assert " INFO gate [- 1 - client.example.com[192.0.2.1]] from <sender@example.com>" in process.stderr
    assert "Traceback" not in process.stderr


def test_workers_are_served(folder: Path) -> None:
    with serving(folder, "gate:Gate", "--workers=2") as process:
        assert send_message(process.address, MESSAGE).verdict is Verdict.ACCEPT
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    assert " INFO gate [1[" in process.stderr or " INFO gate [2[" in process.stderr


def test_the_log_may_be_json(folder: Path) -> None:
    with serving(folder, "gate:Failing", "--log-json", "--log-level=warning") as process:
        assert send_message(process.address, MESSAGE).verdict is Verdict.TEMPFAIL
        assert process.stop() == 0
    lines = [json.loads(line) for line in process.stderr.splitlines()]
    (failure,) = [line for line in lines if line["level"] == "ERROR"]
    assert "RuntimeError" in failure["message"] + failure.get("exception", "")
    assert failure["peer"] == "client.example.com[192.0.2.1]"
    assert failure["connection"] == 1
    assert {line["level"] for line in lines} <= {"WARNING", "ERROR"}


def test_settings_come_from_the_file_the_environment_and_the_command_line(folder: Path) -> None:
    config = folder / "conf.toml"
    with temporary_socket() as address:
        config.write_text(f"filter = 'gate:Failing'\nsocket = '{address}'\nexception_policy = 'reject'\n")
        for env, options, verdict in (
            ({}, [], Verdict.REJECT),
            ({"PYMILTER_EXCEPTION_POLICY": "accept"}, [], Verdict.ACCEPT),
            ({"PYMILTER_EXCEPTION_POLICY": "accept"}, ["--exception-policy=tempfail"], Verdict.TEMPFAIL),
        ):
            where = {"PYMILTER_CONFIG": str(config)} if options else {}
            command = argv("run", *options, *([] if options else ["--config", str(config)]))
            with FilterProcess(command, address, cwd=folder, env=environment(**env, **where), timeout=30):
                assert send_message(address, MESSAGE).verdict is verdict


def test_a_socket_has_its_mode(folder: Path) -> None:
    with serving(folder, "gate:Gate", "--socket-mode=600", PYMILTER_GRACE="0.5") as process:
        assert Path(process.address.removeprefix("unix:")).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("how", ["by watchfiles", "every 0.25 s"])
def test_a_change_starts_it_anew(folder: Path, tmp_path_factory: pytest.TempPathFactory, how: str) -> None:
    def verdict(wanted: Verdict) -> None:
        while True:  # the test's own timeout is the limit
            with contextlib.suppress(ClientError):
                if send_message(process.address, MESSAGE).verdict is wanted:
                    return
            time.sleep(0.02)

    def told(text: str) -> None:
        while text not in process.stderr:
            time.sleep(0.02)

    config = tmp_path_factory.mktemp("config") / "conf.toml"
    config.write_text("grace = 1.0\n")
    env = {} if how == "by watchfiles" else {"PYTHONPATH": without_watchfiles(tmp_path_factory.mktemp("without"))}
    program = folder / "gate.py"
    with serving(folder, "gate:Gate", "--reload", f"--config={config}", **env) as process:
        verdict(Verdict.ACCEPT)
        assert f"pymilter run: watching the Python files below {folder} {how}\n" in process.stderr
        program.write_text(PROGRAM.replace('"spam" in sender', "True"))
        verdict(Verdict.REJECT)
        assert "pymilter run: changed: gate.py; the filter starts anew" in process.stderr
        program.write_text("class\n")
        told("it starts anew when a file changes")
        assert "SyntaxError" in process.stderr
        program.write_text(PROGRAM)
        verdict(Verdict.ACCEPT)
        config.write_text("grace = 0.5\n")
        told("conf.toml; the filter starts anew")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        with pytest.raises(FilterUnreachable):
            send_message(process.address, MESSAGE)


def without_watchfiles(place: Path) -> str:
    """A PYTHONPATH with which watchfiles is as good as not installed."""
    (place / "watchfiles.py").write_text("raise ModuleNotFoundError('No module named watchfiles')\n")
    return f"{place}:{environment()['PYTHONPATH']}"


@pytest.mark.parametrize("how", ["by watchfiles", "every 0.25 s"])
def test_ctrl_c_ends_what_is_reloaded(folder: Path, tmp_path_factory: pytest.TempPathFactory, how: str) -> None:
    env = {} if how == "by watchfiles" else {"PYTHONPATH": without_watchfiles(tmp_path_factory.mktemp("without"))}
    with temporary_socket() as address:
        command = argv("run", "gate:Gate", address, "--reload")
        running, master = start_program_in_terminal(command, 80, str(folder), **env)
        with running:
            while True:
                with contextlib.suppress(ClientError):
                    if send_message(address, MESSAGE).verdict is Verdict.ACCEPT:
                        break
                time.sleep(0.02)
            os.write(master, b"\x03")
            shown = read_to_end(master)  # only when the child has ended too
            assert running.wait(30) == 130
        with pytest.raises(FilterUnreachable):
            send_message(address, MESSAGE)
    assert how in shown
    assert "Traceback" not in shown


def test_a_socket_of_somebody_else_cannot_be_opened_anew(command: Command) -> None:
    done = command("run", "gate:Gate", "fd:0", "--reload")
    assert done.returncode == 2
    assert done.stderr == "pymilter run: --reload needs a socket that the filter opens itself, not fd:0\n"


def test_ctrl_c_ends_it(folder: Path) -> None:
    with serving(folder, "gate:Gate") as process:
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert "Traceback" not in process.stderr


def test_the_plan_is_shown(command: Command) -> None:
    done = command("check", "gate:Gate")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0].startswith("gate:Gate, on libmilter 1.0.")
    assert "CONNECT not sent the MTA's own list" in lines
    assert "MAIL answered Gate.envfrom {auth_authen}" in lines
    assert "HEADER no reply Gate.header" in lines
    assert lines[-1] == "Nothing is wrong with it."


def test_the_build_of_libmilter_is_shown(command: Command) -> None:
    found = json.loads(command("check", "--json", "gate:Gate").stdout)["libmilter"]
    shown = command("check", "gate:Gate").stdout
    assert f"  - version {found['version']}" in shown
    assert f"  - loaded from {found['file']}\n" in shown
    library = ctypes.CDLL(found["file"])
    numbers = [ctypes.c_uint() for _ in range(3)]
    assert library.smfi_version(*map(ctypes.byref, numbers)) == 0
    assert found["version"] == ".".join(str(number.value) for number in numbers)
    # What the file itself has, read by another program.
    symbols = subprocess.run(["nm", "-D", found["file"]], capture_output=True, text=True, check=True).stdout
    assert found["pool"] is ("mi_pool_controller_init" in symbols)
    assert found["ipv6"] is ("mi_inet_pton" in symbols)
    assert found["data_size"] is ("smfi_setmaxdatasize" in symbols)
    assert ("one pool of threads for all connections" in shown) is found["pool"]
    assert ("IPv6\n" in shown) is found["ipv6"]


def test_the_plan_of_a_message_filter_is_shown(command: Command) -> None:
    done = command("check", "--strict", "gate:whole")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "HEADER no reply (gathered)" in lines
    assert "EOM answered whole.message i" in lines


def test_the_plan_is_what_is_negotiated(folder: Path, command: Command) -> None:
    for name in ("gate:Gate", "gate:whole", "gate:Nothing"):
        plan = json.loads(command("check", "--json", name).stdout)
        with serving(folder, name) as process:
            found = json.loads(command("inspect", "--json", process.address).stdout)
        for part in ("version", "actions", "extras", "steps"):
            assert plan[part] == found[part], (name, part)


def test_all_faults_are_shown(command: Command) -> None:
    done = command("check", "gate:Broken", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, "")
    assert [fault.split()[0] for fault in found["faults"]] == ["Broken.header", "Broken.eom"]
    assert "envfrom" in found["warnings"][0]
    shown = command("check", "gate:Broken").stdout
    assert all(fault in shown for fault in found["faults"])


@pytest.mark.parametrize(
    ("name", "told"), [("gate:Slip", "envfrom"), ("gate:Nothing", "it handles no step: the MTA asks it nothing")]
)
def test_warnings_fail_only_if_asked_for(command: Command, name: str, told: str) -> None:
    done = command("check", name)
    assert done.returncode == 0
    assert told in done.stdout
    assert command("check", "--strict", name).returncode == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gate:fails", "the factory failed:\n    Traceback (most recent call last):\n      File"),
        ("gate:makes_a_class", "the factory made the class Gate itself: it must make an object derived from"),
    ],
)
def test_a_factory_that_fails_is_shown(command: Command, name: str, told: str) -> None:
    done = command("check", name)
    assert (done.returncode, done.stderr) == (1, "")
    assert told in done.stdout
    assert "_command" not in done.stdout


@pytest.mark.parametrize("subcommand", ["run", "check"])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gate", "it must be MODULE:ATTRIBUTE, such as gate:Gate; gate has gate:Gate, gate:Broken"),
        ("gote:Gate", "there is no module 'gote' in "),
    ],
)
def test_a_filter_that_cannot_be_named_so_is_told(command: Command, subcommand: str, name: str, told: str) -> None:
    done = command(subcommand, name, "unix:/x")
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_module_that_fails_shows_the_users_own_frames(folder: Path, command: Command) -> None:
    (folder / "deep.py").write_text("import gate\n\ndef read():\n    return {}['x']\n\nvalue = read()\n")
    (folder / "outer.py").write_text("from deep import value\n")
    for subcommand in ("run", "check"):
        done = command(subcommand, "outer:Gate", "unix:/x")
        assert done.returncode == 1
        assert done.stderr.startswith(
            f"pymilter {subcommand}: cannot import outer:\nTraceback (most recent call last):\n"
        )
        assert done.stderr.endswith("KeyError: 'x'\n")
        assert [Path(line.split('"')[1]).name for line in done.stderr.splitlines() if "File" in line] == [
            "outer.py",
            "deep.py",
            "deep.py",
        ]


def test_a_mistake_in_a_class_shows_the_users_own_frames(folder: Path, command: Command) -> None:
    (folder / "outer.py").write_text(
        "import pymilter\nclass Gate(pymilter.Base):\n    @pymilter.symlist('a b')\n    def eom(self):\n        pass\n"
    )
    done = command("check", "outer:Gate")
    assert done.returncode == 1
    assert {Path(line.split('"')[1]).name for line in done.stderr.splitlines() if "File" in line} == {"outer.py"}
    assert done.stderr.splitlines()[-1].startswith("ValueError: @symlist got 'a b'")


def test_a_module_that_imports_what_is_missing_is_told(folder: Path, command: Command) -> None:
    (folder / "outer.py").write_text("import not_installed_here\n")
    done = command("check", "outer:Gate")
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'not_installed_here'" in done.stderr


def test_a_module_that_exits_is_told(folder: Path, command: Command) -> None:
    (folder / "outer.py").write_text("raise SystemExit(3)\n")
    done = command("check", "outer:Gate")
    assert (done.returncode, done.stdout) == (1, "")
    assert 'importing outer ended with SystemExit(3): put what runs the filter below `if __name__ == "__main__":`' in (
        done.stderr
    )


@pytest.mark.parametrize("subcommand", ["run", "check"])
@pytest.mark.parametrize(
    ("options", "env", "toml", "told"),
    [
        (["--grace=-1"], {}, "", "argument --grace: grace is -1.0: it must be a number of seconds from 0 to"),
        (["--max-rss=1000000"], {}, "", "max_rss needs workers="),
        ([], {"PYMILTER_GRACE": "x"}, "", "PYMILTER_GRACE: grace is 'x': it must be a number of seconds"),
        ([], {}, "grace = 'x'", "conf.toml: grace is 'x': it must be a number of seconds"),
        (["nonsense:x"], {}, "", "socket is 'nonsense:x': 'nonsense' is no kind of socket"),
    ],
)
def test_wrong_settings_are_told(
    folder: Path, command: Command, subcommand: str, options: list[str], env: dict[str, str], toml: str, told: str
) -> None:
    if toml:
        (folder / "conf.toml").write_text(toml)
        options = [*options, "--config=conf.toml"]
    address = [] if "nonsense:x" in options else ["unix:/x"]
    done = command(subcommand, "gate:Gate", *address, *options, **env)
    assert done.returncode == 2
    assert told in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_what_is_missing_is_told(command: Command) -> None:
    assert command("run").stderr == "pymilter run: FILTER is missing: see --help\n"
    assert command("run", "gate:Gate").stderr == "pymilter run: SOCKET is missing: see --help\n"
    assert command("check").stderr == "pymilter check: FILTER is missing: see --help\n"


def test_a_filter_that_cannot_be_served_is_told(command: Command) -> None:
    done = command("run", "gate:Broken", "unix:/x")
    assert done.returncode == 2
    assert "pymilter run: Broken.header cannot be called as it will be" in done.stderr
    done = command("run", "gate:Gate", "unix:/absent/x")
    assert done.returncode == 1
    assert "pymilter run: cannot listen on unix:/absent/x: " in done.stderr
    assert "Traceback" not in done.stderr


def test_help_has_each_setting_with_its_variable(command: Command) -> None:
    shown = " ".join(command("run", "--help").stdout.split())
    for name, setting in OF_RUN.items():
        assert f"--{name.replace('_', '-')}" in shown
        assert f"variable: PYMILTER_{name.upper()})" in shown
        assert setting.help.split(".")[0].split()[0] in shown
    assert "(default: 5.0, variable: PYMILTER_GRACE)" in shown


def test_settings_are_checked_once(folder: Path) -> None:
    # Each making of Settings looks the user up: a NIS or LDAP server is asked no more often than needed.
    (folder / "sitecustomize.py").write_text(
        "import sys\nfrom pymilter._serve.settings import Settings\nmake = Settings.__init__\n"
        "def told(self, **values):\n    print('settings', file=sys.stderr)\n    make(self, **values)\n"
        "Settings.__init__ = told\n"
    )
    with serving(folder, "gate:Gate", PYTHONPATH=f"{folder}:{environment()['PYTHONPATH']}") as process:
        assert process.stop() == 0
    assert process.stderr.count("settings\n") == 1


@pytest.mark.parametrize("columns", [40, 100])
def test_the_plan_fits_the_terminal(folder: Path, columns: int) -> None:
    path = f"{environment()['PYTHONPATH']}:{folder}"
    status, shown = in_terminal("check", "gate:Slip", columns=columns, NO_COLOR="1", PYTHONPATH=path)
    assert status == 0
    lines = shown.splitlines()
    assert max(len(line) for line in lines if " " in line.strip()) <= columns  # but for the path of a file
    assert [line for line in lines if "Slip.eom" in line] == (
        ["    Slip.eom"] if columns == 40 else ["EOM       answered   Slip.eom the MTA's own list"]
    )
    in_a_file = [" ".join(line.split()) for line in in_pipe("check", "gate:Slip", PYTHONPATH=path).stdout.splitlines()]
    assert "EOM answered Slip.eom the MTA's own list" in in_a_file


@pytest.mark.parametrize(
    ("env", "has_colour"), [({"TERM": "dumb"}, False), ({"NO_COLOR": "1"}, False), ({"FORCE_COLOR": "1"}, True)]
)
def test_colours_are_those_asked_for(folder: Path, env: dict[str, str], has_colour: bool) -> None:
    path = f"{environment()['PYTHONPATH']}:{folder}"
    assert ("\x1b" in in_terminal("check", "gate:Gate", columns=80, PYTHONPATH=path, **env)[1]) is has_colour
    assert ("\x1b" in in_pipe("check", "gate:Gate", stdin=b"", PYTHONPATH=path, **env).stdout) is has_colour


def test_a_reader_of_the_plan_that_has_seen_enough_is_no_error(folder: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        argv("check", "gate:Gate"), stdout=write, stderr=subprocess.PIPE, cwd=folder, timeout=60, env=environment()
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_has_colours(folder: Path) -> None:
    status, shown = in_terminal("check", "gate:Gate", PYTHONPATH=f"{environment()['PYTHONPATH']}:{folder}")
    assert status == 0
    assert "\x1b[32mNothing is wrong with it.\x1b[0m" in shown
