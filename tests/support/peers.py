"""Other people's daemons, each a private one in a folder of its own: scanners, a directory, memory, a collector."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from support import require
from support.milters import RSPAMD_OPTIONS
from support.mta import free_port

VIRUS = b"pymilter's own test virus"
SPAM = b"pymilter's own test spam"
_DEADLINE = 60.0  # seconds until a daemon listens on a busy machine


@contextlib.contextmanager
def clamd(folder: Path) -> Iterator[Path]:
    """The socket of a clamd that knows one signature, that of VIRUS."""
    program = require.command("clamd", "clamav-daemon")
    database, path = folder / "signatures", folder / "clamd.ctl"
    database.mkdir()
    # Name, kind of file (any), offset (any), bytes.
    (database / "own.ndb").write_text(f"Own.Test:0:*:{VIRUS.hex()}\n")
    config = folder / "clamd.conf"
    config.write_text(
        f"Foreground yes\nDatabaseDirectory {database}\nLocalSocket {path}\nTemporaryDirectory {folder}\n"
        "User root\nStreamMaxLength 1M\nLogClean no\n"
    )
    with _running([program, "-c", config], path):
        yield path


@contextlib.contextmanager
def spamd(folder: Path) -> Iterator[int]:
    """The port of a spamd with rules of our own alone: SPAM has 10 points, twice so much with a second rule."""
    program = require.command("spamd", "spamd")
    rules = folder / "rules"
    rules.mkdir()
    (rules / "v320.pre").write_text("loadplugin Mail::SpamAssassin::Plugin::Check\n")
    (rules / "own.cf").write_text(
        "util_rb_tld com org net example\n"
        f"body OWN_SPAM /{SPAM.decode()}/\nscore OWN_SPAM 10\n"
        "header OWN_WORSE Subject =~ /worse/\nscore OWN_WORSE 10\n"
        "header OWN_CLIENT X-Spam-Relays-External =~ /ip=192\\.0\\.2\\.7 /\nscore OWN_CLIENT 0.5\n"
    )
    port = free_port()
    options = ["-L", "-x", "-m", "1", "-u", "nobody", "-s", "stderr", "-i", "127.0.0.1", "-p", str(port)]
    with _running([program, *options, "-C", rules, "--siteconfigpath", rules], port):
        yield port


@contextlib.contextmanager
def rspamd(folder: Path) -> Iterator[int]:
    """The port of an rspamd's HTTP, with rules of our own alone: SPAM has 8 points, twice so much with "worse"."""
    program = require.command("rspamd", "rspamd")
    (folder / "tlds").write_text("com\norg\nnet\n")  # the whole list takes it seconds
    (folder / "rules.lua").write_text(_RSPAMD_RULES)
    port = free_port()
    config = folder / "rspamd.conf"
    config.write_text(_RSPAMD.format(folder=folder, port=port))
    with _running([program, "-f", "-i", "-c", config], port, RSPAMD_DBDIR=str(folder)):
        yield port


_RSPAMD = (
    RSPAMD_OPTIONS
    + """\
logging {{ type = "console"; level = "error"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
actions {{ reject = 15; rewrite_subject = 10; add_header = 6; greylist = 4; subject = "[SPAM] %s"; }}
lua = "{folder}/rules.lua";
"""
)
_RSPAMD_RULES = f"""\
local function rule(name, score, test)
  rspamd_config:register_symbol({{name = name, score = score, callback = test}})
end
rule("OWN_SPAM", 8, function(task) return tostring(task:get_content()):find("{SPAM.decode()}", 1, true) ~= nil end)
rule("OWN_WORSE", 8, function(task) return (task:get_subject() or ""):find("worse", 1, true) ~= nil end)
rule("OWN_BAD", 3, function(task) return (task:get_subject() or ""):find("bad", 1, true) ~= nil end)
rule("OWN_ODD", 5, function(task) return (task:get_subject() or ""):find("odd", 1, true) ~= nil end)
rule("OWN_CLIENT", 0.5, function(task)
  return tostring(task:get_ip()) == "192.0.2.7" and task:get_helo() == "mail.example.org"
end)
"""


@contextlib.contextmanager
def slapd(folder: Path, people: str) -> Iterator[str]:
    """The address of an LDAP directory, dc=example,dc=net, with the `people` of an LDIF below ou=people."""
    program = require.command("slapd", "slapd")
    data, port = folder / "data", free_port()
    data.mkdir()
    config = folder / "slapd.conf"
    schemas = "".join(f"include /etc/ldap/schema/{name}.schema\n" for name in ("core", "cosine", "inetorgperson"))
    config.write_text(
        f"{schemas}modulepath /usr/lib/ldap\nmoduleload back_mdb\ndatabase mdb\nmaxsize 10485760\n"
        f'suffix "dc=example,dc=net"\ndirectory {data}\npidfile {folder}/pid\n'
    )
    base = (
        "dn: dc=example,dc=net\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n"
        "dn: ou=people,dc=example,dc=net\nobjectClass: organizationalUnit\nou: people\n\n"
    )
    # One program with several names.
    subprocess.run([program, "-T", "add", "-f", config], input=base + people, text=True, check=True, timeout=60)
    address = f"ldap://127.0.0.1:{port}"
    with _running([program, "-d", "0", "-f", config, "-h", address], port):
        yield address


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The address of a Redis that writes nothing to the disk."""
    program, port = require.command("redis-server", "redis-server"), free_port()
    with _running([program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder], port):
        yield f"redis://127.0.0.1:{port}"


@contextlib.contextmanager
def prometheus(folder: Path, config: str) -> Iterator[int]:
    """The port of a Prometheus with this configuration."""
    program, port = require.command("prometheus", "prometheus"), free_port()
    path = folder / "prometheus.yml"
    path.write_text(config)
    options = [f"--config.file={path}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]
    with _running([program, *options], port):
        yield port


@contextlib.contextmanager
def _running(command: Sequence[str | Path], listens: Path | int, **env: str) -> Iterator[None]:
    """A daemon that stays in the foreground, from when it takes connections until the end of the ``with``."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **env}
    )
    try:
        deadline = time.monotonic() + _DEADLINE
        while not takes_connections(listens):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                output, _ = process.communicate()
                raise RuntimeError(f"{command[0]} does not listen:\n{output.decode(errors='replace')[-2000:]}")
            time.sleep(0.02)  # there is no event for a socket of somebody else
        yield
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def takes_connections(listens: Path | int) -> bool:
    """Whether somebody listens at a socket, or at a port of the loopback address."""
    family, address = (
        (socket.AF_INET, ("127.0.0.1", listens)) if isinstance(listens, int) else (socket.AF_UNIX, str(listens))
    )
    with socket.socket(family) as probe:
        return probe.connect_ex(address) == 0
