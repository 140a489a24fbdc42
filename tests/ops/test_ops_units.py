"""The units of the examples and the filter that opens its socket itself, tried with a real Postfix: who may connect."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import smtplib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pymilter._serve.settings import Settings
from pymilter.testing import FilterProcess
from support import require
from support.mta import socket_folder
from support.other_user import python_for
from support.postfix import ChrootedPostfix, Postfix
from support.sink import Sink
from support.wire import eventually

EXAMPLES = Path(__file__).parents[2] / "examples"
README = Path(__file__).parents[2] / "README.md"
OPERATING = Path(__file__).parents[2] / "docs" / "reference" / "operating.md"
MESSAGE = b"Subject: a test\r\nMessage-ID: <units-test@client.example>\r\n\r\ntext\r\n"
# As systemd makes one for DynamicUser=, from 61184 on: a number that no name has.
DYNAMIC = 61234


def settings_of(unit: str) -> dict[str, str]:
    """What a unit file sets; of a name that comes twice, the last."""
    return dict(re.findall(r"^(\w+)=(.*)$", (EXAMPLES / unit).read_text(), re.MULTILINE))


def postconf_of(text: str) -> dict[str, str]:
    """What `postconf -e` is told to set in a text."""
    return dict(re.findall(r"postconf -e '(\w+) = ([^']*)'", text))


@pytest.fixture
def queue() -> Iterator[Path]:
    """A folder for Postfix's queue."""
    require.root("Postfix")
    folder = Path(socket_folder())
    folder.chmod(0o755)
    (folder / "queue").mkdir(mode=0o755)
    try:
        yield folder / "queue"
    finally:
        shutil.rmtree(folder)


# As the manager does it: the socket is there, with its owner and mode, before the program is.
PASS_SOCKET = """
import os, shutil, socket, sys
path, owner, group, mode, *command = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
shutil.chown(path, owner, group)
os.chmod(path, int(mode, 8))
listener.listen()
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(command[0], command)
"""


def under_systemd(command: Sequence[object], unit: dict[str, str], groups: str = "") -> list[str]:
    """The command line that gives a program the user, the groups and the umask that a unit asks for."""
    assert unit["DynamicUser"] == "yes"
    setpriv = str(require.command("setpriv", "util-linux"))
    rights = ["--groups", groups] if groups else ["--clear-groups"]
    identity = ["--reuid", str(DYNAMIC), "--regid", str(DYNAMIC), *rights, "--no-new-privs"]
    return [setpriv, *identity, "/bin/sh", "-c", f'umask {unit["UMask"]}; exec "$@"', "sh", *map(str, command)]


def delivered(queue: Path, postconf: dict[str, str], kind: type[Postfix]) -> bytes:
    """A message, as it comes out of a Postfix with these settings."""
    settings = {"queue_directory": str(queue), **postconf}
    with Sink() as sink, kind([f"unix:{queue}/unused"], sink.port, settings) as mta:
        with smtplib.SMTP("127.0.0.1", mta.port, timeout=30) as client:
            client.sendmail("ada@example.com", ["grace@example.net"], MESSAGE)
        sink.wait("units-test")
        [delivery] = sink.deliveries("units-test")
        return delivery.data


@pytest.mark.parametrize("kind", [Postfix, ChrootedPostfix])
def test_the_units_with_postfix(queue: Path, open_folder: Path, kind: type[Postfix]) -> None:
    require.command("postfix", "postfix")
    python = python_for("nobody", open_folder)
    service, unit = settings_of("pymilter-gate.service"), settings_of("pymilter-gate.socket")
    program = shutil.copy(EXAMPLES / "gate.py", open_folder)
    path = queue / Path(unit["ListenStream"]).relative_to("/var/spool/postfix")
    path.parent.mkdir(mode=int(unit["DirectoryMode"], 8))
    how = [path, unit["SocketUser"], unit["SocketGroup"], unit["SocketMode"]]
    command = under_systemd([python, program, *service["ExecStart"].split()[2:]], service)
    everything = [sys.executable, "-c", PASS_SOCKET, *map(str, how), *command]
    with FilterProcess(everything, f"unix:{path}", cwd="/") as process:
        eventually(lambda: process.stderr, lambda said: "listening on" in said)
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(rf"^Uid:\s+{DYNAMIC}\s", status, re.MULTILINE)
        postconf = postconf_of((EXAMPLES / "pymilter-gate.socket").read_text())
        assert set(postconf) == {"smtpd_milters", "milter_default_action"}
        assert b"\r\nX-Gate: open; " in delivered(queue, postconf, kind)
        assert process.stop() == 0, process.stderr


def test_docs_and_unit_are_one_way() -> None:
    """What README and docs install is what the unit starts, and neither lies in a folder that the unit closes."""
    unit = settings_of("pymilter-gate.service")
    python, program, address = unit["ExecStart"].split()
    readme, operating = README.read_text(), OPERATING.read_text()
    [venv] = re.findall(r"^python3 -m venv (\S+)$", readme, re.MULTILINE)
    assert python == f"{venv}/bin/python"
    assert f"\n. {venv}/bin/activate\npip install .\n" in readme
    assert f"\ncp examples/gate.py {program}\n" in operating
    assert "\ncp examples/pymilter-gate.service examples/pymilter-gate.socket /etc/systemd/system/\n" in operating
    assert address == "systemd:"
    assert unit["ProtectHome"] == unit["PrivateTmp"] == "yes"
    for path in (venv, program):
        assert path.startswith("/opt/")
        assert f"`{path}`" in operating
    # The steps to take are the same in the docs and in the unit's own words.
    socket_unit = (EXAMPLES / "pymilter-gate.socket").read_text()
    steps = re.findall(r"^#   (.*)$", socket_unit, re.MULTILINE)
    assert len(steps) == 5
    assert "\n".join(steps) in operating


def test_systemd_waits_longer_than_the_supervisor() -> None:
    """Otherwise a start that hangs would be ended by systemd, before the log has the reason."""
    assert int(settings_of("pymilter-gate.service")["TimeoutStartSec"]) > Settings.start_timeout.default
    assert f"{Settings.start_timeout.default:g} s after its start" in " ".join(OPERATING.read_text().split())


@pytest.mark.parametrize("is_in_group", [True, False])
def test_a_filter_that_opens_its_socket_itself(queue: Path, open_folder: Path, is_in_group: bool) -> None:
    """As the docs say: with SupplementaryGroups=postfix; without it the reason is told."""
    require.command("postfix", "postfix")
    text = OPERATING.read_text()
    assert "SupplementaryGroups=postfix" in text
    assert 'socket_mode=0o660, socket_group="postfix"' in text
    python = python_for("nobody", open_folder)
    folder = queue / "gate"
    folder.mkdir()
    os.chown(folder, DYNAMIC, DYNAMIC)
    program = open_folder / "program.py"
    program.write_text(
        "import sys; sys.path.insert(0, sys.argv[2]); from gate import *; logging.basicConfig(level=logging.INFO)\n"
        'pymilter.run(Gate, sys.argv[1], socket_mode=0o660, socket_group="postfix")\n'
    )
    shutil.copy(EXAMPLES / "gate.py", open_folder)
    group = str(pwd.getpwnam("postfix").pw_gid) if is_in_group else ""
    address = f"unix:{folder}/socket"
    command = under_systemd([python, program, address, open_folder], settings_of("pymilter-gate.service"), group)
    process = FilterProcess(command, address, cwd="/")
    if is_in_group:
        with process:
            postconf = {"smtpd_milters": "unix:gate/socket", "milter_default_action": "tempfail"}
            assert b"\r\nX-Gate: open; " in delivered(queue, postconf, Postfix)
    else:
        with pytest.raises(Exception, match="so it cannot give the socket to that"), process:
            pass
        assert os.listdir(folder) == []  # noqa: PTH208
