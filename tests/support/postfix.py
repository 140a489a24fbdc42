"""A private Postfix: its own configuration, queue, log and port, started by root and stopped for sure."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from support import require
from support.mta import Held, Mta

_SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup     unix  n  -  n  60    1  pickup
cleanup    unix  n  -  n  -     0  cleanup
qmgr       unix  n  -  n  300   1  qmgr
rewrite    unix  -  -  n  -     -  trivial-rewrite
bounce     unix  -  -  n  -     0  bounce
defer      unix  -  -  n  -     0  bounce
trace      unix  -  -  n  -     0  bounce
verify     unix  -  -  n  -     1  verify
flush      unix  n  -  n  1000? 0  flush
proxymap   unix  -  -  n  -     -  proxymap
smtp       unix  -  -  n  -     -  smtp
relay      unix  -  -  n  -     -  smtp
showq      unix  n  -  n  -     -  showq
error      unix  -  -  n  -     -  error
retry      unix  -  -  n  -     -  error
discard    unix  -  -  n  -     -  discard
anvil      unix  -  -  n  -     1  anvil
postlog    unix-dgram n - n -   1  postlogd
"""


def postfix_address(milter: str) -> str:
    """Return libmilter's address ``inet:PORT@HOST`` or ``unix:PATH`` as Postfix writes it."""
    kind, _, rest = milter.partition(":")
    if kind in ("inet", "inet6"):
        port, _, host = rest.partition("@")
        return f"inet:[{host}]:{port}" if ":" in host else f"inet:{host}:{port}"
    return f"unix:{rest}"


class Postfix(Mta):
    """A private Postfix; ``settings`` are lines of its main.cf."""

    name = "postfix"

    def _find_programs(self) -> None:
        self._postfix = require.command("postfix", "postfix")
        self._postqueue = require.command("postqueue", "postfix")
        self._master = self._daemon_directory() / "master"

    def _configure(self) -> None:
        config, queue, data = (self.folder / name for name in ("etc", "queue", "data"))
        for folder in (config, queue, data):
            folder.mkdir(mode=0o755)
        self._run(["chown", "postfix", data])
        self._maillog = self.folder / "maillog"
        settings = {
            "compatibility_level": "3.6",
            "config_directory": str(config),
            "queue_directory": str(queue),
            "data_directory": str(data),
            "maillog_file": str(self._maillog),
            "maillog_file_prefixes": str(self.folder),
            "myhostname": "mta.example",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "relay_domains": "",
            "default_transport": f"smtp:[127.0.0.1]:{self.relay_port}",
            "relay_transport": f"smtp:[127.0.0.1]:{self.relay_port}",
            "smtp_dns_support_level": "disabled",
            "smtpd_peername_lookup": "no",
            "smtpd_relay_restrictions": "permit_mynetworks, reject",
            "smtpd_recipient_restrictions": "permit_mynetworks, reject",
            "smtpd_milters": ", ".join(map(postfix_address, self.milters)),
            "milter_default_action": "tempfail",
            "smtpd_client_connection_count_limit": "0",
            **(self._without_filters() if self.goes_on else {}),
            **self.settings,
        }
        (config / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        (config / "master.cf").write_text(_SERVICES.format(port=self.port))
        self._config = config

    def _start(self) -> subprocess.Popen[bytes]:
        # "postfix start" would leave a daemon that is nobody's child; "check" makes the queue's folders as it does.
        self._run([self._postfix, "-c", self._config, "check"])
        return self._spawn([self._master, "-c", self._config, "-d"])

    def log(self) -> str:
        """Return the mail log, and before it what was printed at the start."""
        files = (self.folder / "output", self._maillog)
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    def held(self) -> list[Held]:
        """Return the messages in the hold queue; Postfix 3.7 keeps the reason of a quarantine in its log alone."""
        return self._queue(lambda queue: queue == "hold")

    def waiting(self) -> list[str]:
        """Return the queue ids in every queue but hold."""
        return [message.queue_id for message in self._queue(lambda queue: queue != "hold")]

    def _without_filters(self) -> dict[str, str]:
        """Return the settings with which it goes on without a filter that is gone or silent."""
        patience = dict.fromkeys(("milter_command_timeout", "milter_content_timeout"), f"{self.patience}s")
        return {"milter_default_action": "accept", **patience}

    def _daemon_directory(self) -> Path:
        return Path(self._run([require.command("postconf", "postfix"), "-d", "-h", "daemon_directory"]).strip())

    def _queue(self, wanted: Callable[[str], bool]) -> list[Held]:
        listing = self._run([self._postqueue, "-j", "-c", self._config])
        messages = [json.loads(line) for line in listing.splitlines()]
        return [
            Held(
                message["queue_id"],
                f"<{message['sender'].removeprefix('MAILER-DAEMON')}>",
                tuple(f"<{recipient['address']}>" for recipient in message["recipients"]),
                None,
            )
            for message in messages
            if wanted(message["queue_name"])
        ]


class ChrootedPostfix(Postfix):
    """Its smtpd is confined to the queue, as Debian's is."""

    def _configure(self) -> None:
        super()._configure()
        services = self.folder / "etc" / "master.cf"
        text, count = re.subn(r"^(127\S+ inet n - )n", r"\1y", services.read_text(), flags=re.MULTILINE)
        assert count == 1
        services.write_text(text)
