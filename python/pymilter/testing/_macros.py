"""Chooses the macros for each command: Postfix's defaults, a test's values, and the lists that a filter asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ._constants import Command, Stage
from ._wire import Text, packet, strings, to_bytes, to_str

DEFAULT_MACRO_LISTS: Mapping[Stage, tuple[str, ...]] = MappingProxyType(
    {
        Stage.CONNECT: ("j", "{daemon_name}", "{daemon_addr}", "v", "_"),
        Stage.HELO: ("{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}", "{cert_issuer}"),
        Stage.ENVFROM: (
            "i",
            "{auth_type}",
            "{auth_authen}",
            "{auth_author}",
            "{mail_addr}",
            "{mail_host}",
            "{mail_mailer}",
        ),
        Stage.ENVRCPT: ("i", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"),
        Stage.DATA: ("i",),
        Stage.EOM: ("i",),
        Stage.EOH: ("i",),
    }
)
"""The macros that Postfix 3.7 sends at each stage by default; one without a value is left out."""

DEFAULT_MACROS: Mapping[str, str] = MappingProxyType(
    {
        "j": "mail.example.com",
        "v": "Postfix 3.7.11",
        "{daemon_name}": "mail.example.com",
        "{daemon_addr}": "127.0.0.1",
        "{daemon_port}": "25",
    }
)
"""Values that do not depend on the client or the message. The client sets `_`, `i`, `{client_addr}`, `{mail_addr}`,
`{rcpt_addr}` and the like as the session goes on, as Postfix does."""

_STAGES = {
    Command.CONNECT: Stage.CONNECT,
    Command.HELO: Stage.HELO,
    Command.MAIL: Stage.ENVFROM,
    Command.RCPT: Stage.ENVRCPT,
    Command.DATA: Stage.DATA,
    Command.HEADER: Stage.EOH,
    Command.EOH: Stage.EOH,
    Command.BODY: Stage.EOM,
    Command.EOM: Stage.EOM,
}


_CONTENT = frozenset({Command.HEADER, Command.EOH, Command.BODY, Command.EOM})
NOT_WITH_CONTENT = frozenset(
    {
        "client_resolve",
        "client_connections",
        "mail_addr",
        "mail_host",
        "mail_mailer",
        "rcpt_addr",
        "rcpt_host",
        "rcpt_mailer",
    }
)
"""Macros unknown to Postfix's cleanup, which sends the content; its smtpd has sent them earlier, if asked."""


class Macros:
    """The macros known in a session. Names may come with or without braces: `j` is `{j}`."""

    def __init__(
        self,
        values: Mapping[str, Text] | None = None,
        lists: Mapping[Stage, Sequence[str]] | None = None,
    ) -> None:
        self._fixed = {bare_name(name): value for name, value in (values or {}).items()}
        self._session: dict[str, Text] = {bare_name(name): value for name, value in DEFAULT_MACROS.items()}
        self._lists: dict[Stage, Sequence[str]] = {**DEFAULT_MACRO_LISTS, **(lists or {})}
        self._asked: Mapping[Stage, Sequence[str]] = {}

    def ask(self, lists: Mapping[Stage, Sequence[str]]) -> None:
        """Use the lists that the filter asked for. An empty one means the default list, as in Postfix."""
        self._asked = lists

    def set(self, **values: Text | None) -> None:
        """Set values from the session, or delete those that are None. Values given to the constructor override them."""
        for name, value in values.items():
            if value is None:
                self._session.pop(name, None)
            else:
                self._session[name] = value

    def value(self, name: str) -> str:
        """The present value of a macro, "" if it has none."""
        return to_str(to_bytes(self._fixed.get(bare_name(name), self._session.get(bare_name(name), ""))))

    def packet(self, command: Command, extra: Mapping[str, Text] | None = None) -> bytes:
        """The macro packet that goes before `command`, or nothing if there is no macro to send."""
        chosen: dict[str, tuple[str, Text]] = {}
        stage = _STAGES.get(command)
        if stage is not None:
            for name in self._asked.get(stage) or self._lists[stage]:
                bare = bare_name(name)
                known = command not in _CONTENT or bare not in NOT_WITH_CONTENT
                value = self._fixed.get(bare, self._session.get(bare) if known else None)
                if value is not None:
                    chosen[bare] = name, value
        for name, value in (extra or {}).items():
            bare = bare_name(name)
            chosen[bare] = bare if len(bare) == 1 else f"{{{bare}}}", value
        if not chosen:
            return b""
        return packet(Command.MACRO, command.value + strings(part for pair in chosen.values() for part in pair))


def bare_name(name: str) -> str:
    """The name of a macro without the braces of a long one."""
    return name.removeprefix("{").removesuffix("}")
