"""What Postfix or Sendmail will not do for a filter, although it asked for it in the negotiation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pymilter.testing._agreement import Negotiation
from pymilter.testing._constants import Stage
from pymilter.testing._macros import NOT_WITH_CONTENT, bare_name

# In the order of a session, in which SMFIM_EOM stands before SMFIM_EOH.
_ORDER: Final = (Stage.CONNECT, Stage.HELO, Stage.ENVFROM, Stage.ENVRCPT, Stage.DATA, Stage.EOH, Stage.EOM)
_LATER: Final = _ORDER[3:]
_CONTENT: Final = (Stage.EOH, Stage.EOM)
_TLS: Final = ("tls_version", "cipher", "cipher_bits", "cert_issuer", "cert_subject")
_AUTH: Final = ("auth_authen", "auth_author", "auth_type")
_MAIL: Final = ("mail_addr", "mail_host", "mail_mailer")
_RCPT: Final = ("rcpt_addr", "rcpt_host", "rcpt_mailer")
_KNOWN_FROM: Final = {
    **dict.fromkeys(_TLS, Stage.HELO),
    **dict.fromkeys((*_AUTH, *_MAIL, "i"), Stage.ENVFROM),
    **dict.fromkeys(_RCPT, Stage.ENVRCPT),
}
"""The first stage at which an MTA can know a macro; other macros are known from the beginning."""
_POSTFIX: Final = frozenset(
    {
        *("i", "j", "v", "_"),
        *(f"client_{part}" for part in ("addr", "connections", "name", "port", "ptr", "resolve")),
        *(f"daemon_{part}" for part in ("addr", "name", "port")),
        *(*_TLS, *_AUTH, *_MAIL, *_RCPT),
    }
)
"""The macros that Postfix has (MILTER_README); Sendmail has any that its configuration defines."""


def warnings_about(agreed: Negotiation) -> list[str]:
    """Warnings about what a filter negotiated, most serious first."""
    return [*_too_much(agreed), *_steps(agreed), *_macros(agreed)]


def _too_much(agreed: Negotiation) -> Iterator[str]:
    if agreed.version > agreed.offered_version:
        yield (
            f"it answers with version {agreed.version} of the protocol, but {agreed.offered_version} was offered:"
            " an MTA does not go on with it"
        )
    actions = int(agreed.actions) & ~int(agreed.offered_actions)
    protocol = int(agreed.protocol) & ~int(agreed.offered_protocol)
    if actions:
        yield f"it asks for actions that no MTA offers ({actions:#x}): an MTA does not go on with it"
    if protocol:
        yield f"it asks for protocol options that no MTA offers ({protocol:#x}): an MTA does not go on with it"


def _steps(agreed: Negotiation) -> Iterator[str]:
    if agreed.version < 4:
        missing = "DATA" if agreed.version == 3 else "DATA and unknown commands"
        yield f"version {agreed.version} of the protocol has no {missing}: they are never sent"


def _macros(agreed: Negotiation) -> Iterator[str]:
    for stage in _ORDER:
        names = [bare_name(name) for name in agreed.macro_lists.get(stage, ())]
        early = [name for name in names if _is_before(stage, _KNOWN_FROM.get(name, Stage.CONNECT))]
        foreign = [name for name in names if name not in _POSTFIX]
        late = [name for name in names if stage in _CONTENT and name in NOT_WITH_CONTENT]
        if early:
            yield f"no MTA knows {_listed(early)} at {stage.name} yet"
        if foreign:
            yield f"Postfix has no {_listed(foreign)}, which it asks for at {stage.name}"
        if late:
            yield f"Postfix does not send {_listed(late)} at {stage.name}: ask for it before the content"
        if stage is Stage.ENVFROM and "i" in names and not any("i" in agreed.macro_lists.get(s, ()) for s in _LATER):
            yield "Postfix has no i at ENVFROM: a message has a queue id from its first accepted recipient on"


def _is_before(stage: Stage, other: Stage) -> bool:
    return _ORDER.index(stage) < _ORDER.index(other)


def _listed(names: list[str]) -> str:
    return ", ".join(name if len(name) == 1 else f"{{{name}}}" for name in names)
