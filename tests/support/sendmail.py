"""A private Sendmail out of Debian's packages, unpacked and not installed: Postfix's package excludes Sendmail's."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from support import require
from support.mta import Held, Mta, MtaError

_PACKAGES = ("sendmail-bin", "sendmail-base", "sendmail-cf")
_PARTS = ("usr/libexec/sendmail/sendmail", "usr/lib/sm.bin/sendmail")  # where Debian's releases put the program

_CONFIG = """\
divert(-1)
divert(0)dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mta.example')dnl
define(`confPID_FILE', `{folder}/pid')dnl
define(`confSERVICE_SWITCH_FILE', `{folder}/switch')dnl
define(`ALIAS_FILE', `{folder}/aliases')dnl
define(`STATUS_FILE', `{folder}/status')dnl
define(`QUEUE_DIR', `{folder}/queue')dnl
define(`MSP_QUEUE_DIR', `{folder}/queue')dnl
define(`confCW_FILE', `-o {folder}/names')dnl
define(`confCT_FILE', `-o {folder}/trusted')dnl
define(`HELP_FILE', `{folder}/help')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe')dnl
define(`confDELIVERY_MODE', `interactive')dnl
define(`confTO_IDENT', `0')dnl
define(`confBAD_RCPT_THROTTLE', `0')dnl
define(`confLOG_LEVEL', `14')dnl
dnl On a busy machine it would only queue large messages, and later refuse connections.
define(`confQUEUE_LA', `10000')dnl
define(`confREFUSE_LA', `10000')dnl
define(`confPRIVACY_FLAGS', `goaway')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {relay_port}')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unqualified_senders')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`promiscuous_relay')dnl
DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr=127.0.0.1, Port={port}')dnl
{filters}
{extra}
MAILER(`smtp')dnl
"""


class Sendmail(Mta):
    """A private Sendmail; ``settings`` are ``define`` lines of its m4 source."""

    name = "sendmail"
    start_deadline = 90.0  # see _own_hosts
    lines: tuple[str, ...] = ()
    """Further lines of its m4 source; assign them before the `with`."""

    def _find_programs(self) -> None:
        self._m4 = require.command("m4", "m4")
        self._root = unpacked()

    def _configure(self) -> None:
        self._queue = self.folder / "queue"
        self._queue.mkdir(mode=0o700)
        for name in ("aliases", "status", "names", "trusted", "help"):
            (self.folder / name).touch(mode=0o644)
        # No name is looked up in the DNS: a machine for tests may have none, and would wait for it.
        (self.folder / "switch").write_text("hosts files\naliases files\n")
        self._program = self.folder / "sendmail"
        shutil.copyfile(next(self._root / part for part in _PARTS if (self._root / part).exists()), self._program)
        self._program.chmod(0o755)  # with the package's setgid bit LD_LIBRARY_PATH would be ignored
        libraries = {str(found.parent) for found in self._root.glob("**/lib*.so*")}
        self._env = os.environ | {"LD_LIBRARY_PATH": os.pathsep.join(sorted(libraries))}
        flags = (
            f"T=S:{self.patience}s;R:{self.patience}s;E:{self.patience}s"
            if self.goes_on
            else "F=T, T=S:30s;R:30s;E:60s"
        )
        filters = [
            f"INPUT_MAIL_FILTER(`gate{number}', `S={milter}, {flags}')dnl" for number, milter in enumerate(self.milters)
        ]
        source = self.folder / "sendmail.mc"
        source.write_text(
            _CONFIG.format(
                folder=self.folder,
                relay_port=self.relay_port,
                port=self.port,
                filters="\n".join(filters),
                extra="\n".join(
                    [*(f"define(`{name}', `{value}')dnl" for name, value in self.settings.items()), *self.lines]
                ),
            )
        )
        share = self._root / "usr/share/sendmail/cf"
        made = self._run([self._m4, "-D_CF_DIR_=../", "../m4/cf.m4", source], cwd=share / "cf")
        self._config = self.folder / "sendmail.cf"
        self._config.write_text(made)

    def _start(self) -> subprocess.Popen[bytes]:
        # -bD: a daemon that stays in the foreground; -X: every line of SMTP; -d64.5 -D: what it says of filters.
        options: list[str | Path] = [
            "-C",
            self._config,
            "-X",
            self.folder / "traffic",
            "-D",
            self.folder / "debug",
            "-d64.5",
            "-bD",
        ]
        return self._spawn([*self._own_hosts(), self._program, *options], self._env)

    def _own_hosts(self) -> list[str | Path]:
        """Return a command prefix that gives the server an /etc/hosts of its own, empty where that is not permitted.

        Before it reads any configuration Sendmail sleeps for 60 s on a machine whose host name has no dot.
        """
        hosts = self.folder / "hosts"
        hosts.write_text(f"127.0.0.1 mta.example localhost {socket.gethostname()}\n")
        unshare = require.command("unshare", "util-linux")
        prefix: list[str | Path] = [
            unshare,
            "--mount",
            "sh",
            "-c",
            f'mount --bind {hosts} /etc/hosts && exec "$@"',
            "sh",
        ]
        tried = subprocess.run([*prefix, "true"], capture_output=True, timeout=60, check=False)
        return prefix if tried.returncode == 0 else []

    def log(self) -> str:
        """Return what was printed, the debug lines about filters and all SMTP lines; the log proper goes to syslog."""
        files = (self.folder / name for name in ("output", "debug", "traffic"))
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    def held(self) -> list[Held]:
        """Return the quarantined messages: Sendmail keeps each in a queue file of its own kind, hf."""
        return [_held(path) for path in sorted(self._queue.glob("hf*"))]

    def waiting(self) -> list[str]:
        """Return the queue ids of the messages with a qf file."""
        return sorted(path.name.removeprefix("qf") for path in self._queue.glob("qf*"))


def _held(path: Path) -> Held:
    """Read a queue file: S is the sender, R...: a recipient with its flags before the colon, q the reason."""
    lines = path.read_text(errors="replace").splitlines()
    (sender,) = (line[1:] for line in lines if line.startswith("S"))
    recipients = tuple(line[1:].partition(":")[2] for line in lines if line.startswith("R"))
    reason = next((line[1:] for line in lines if line.startswith("q")), None)
    return Held(path.name.removeprefix("hf"), sender, recipients, reason)


def unpacked() -> Path:
    """Return the folder that holds Sendmail's packages, fetching them where a cache does not have them yet."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        require.missing(
            "Sendmail is taken out of Debian's packages with apt-get and dpkg, which this system does not have"
        )
    release = platform.freedesktop_os_release()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pymilter-tests"
    root = cache / f"sendmail-{release['ID']}-{release.get('VERSION_ID', 'unknown')}-{platform.machine()}"
    if not root.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            packages, unfinished = Path(temporary, "packages"), Path(temporary, "root")
            packages.mkdir()
            names = [*_PACKAGES, *_missing_libraries()]
            fetched = subprocess.run(
                ["apt-get", "download", *names], cwd=packages, capture_output=True, text=True, timeout=120, check=False
            )
            if fetched.returncode != 0:
                require.missing(
                    f"apt-get cannot download {' '.join(names)} (apt-get update may help): {fetched.stderr.strip()}"
                )
            for package in packages.glob("*.deb"):
                subprocess.run(["dpkg", "-x", package, unfinished], check=True, timeout=60)
            if not any((unfinished / part).exists() for part in _PARTS):
                raise MtaError(f"no sendmail in {', '.join(_PARTS)} of Debian's packages")
            unfinished.rename(root)
    return root


def _missing_libraries() -> list[str]:
    """Return the libraries that sendmail-bin depends on and that are not installed, libwrap0 most often."""
    listed = subprocess.run(
        ["apt-cache", "depends", "sendmail-bin"], capture_output=True, text=True, timeout=60, check=False
    ).stdout
    libraries = re.findall(r"Depends: (lib\S+)", listed)
    return [
        library
        for library in libraries
        if "ok installed"
        not in subprocess.run(
            ["dpkg-query", "-W", "-f", "${Status}", library], capture_output=True, text=True, timeout=60, check=False
        ).stdout
    ]
