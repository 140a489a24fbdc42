"""What a test expects of a message: an object that equals each result that fits, and describes what does not fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Final, TypeAlias

from ._constants import Command, Verdict
from ._message import bracketed
from ._response import SmtpReply
from ._result import Result

Pattern: TypeAlias = str | re.Pattern[str]
"""A text that must be equal, or a compiled expression that must be found (re.search)."""


class _Ungiven(Enum):
    """The default of an argument that is not given; None means that there must be no value."""

    UNGIVEN = 0

    def __repr__(self) -> str:
        return "..."


_UNGIVEN: Final = _Ungiven.UNGIVEN


class Expected:
    """What is expected of a `Result`; compare them with ``==``. `differences` describes what does not fit."""

    def __init__(self, name: str, verdict: Verdict, **wanted: object) -> None:
        self._name = name
        self._verdict = verdict
        self._wanted = {key: value for key, value in wanted.items() if value is not _UNGIVEN}

    def __eq__(self, other: object) -> bool:
        return not self.differences(other) if isinstance(other, Result) else NotImplemented

    def __repr__(self) -> str:
        return f"{self._name}({', '.join(f'{key}={value!r}' for key, value in self._wanted.items())})"

    def differences(self, result: Result) -> list[str]:
        """Describe what does not fit, a line for each difference."""
        return list(self._differences(result))

    def _differences(self, result: Result) -> Iterator[str]:
        if result.verdict is not self._verdict:
            yield (
                f"verdict: {result.verdict.name} at {result.decided_at.name}, not {self._verdict.name}"
                f" (the client got {_refusal(result)})"
            )
            return
        for key, wanted in self._wanted.items():
            if key == "headers":
                assert isinstance(wanted, Mapping)
                for name, value in wanted.items():
                    yield from _of_header(result, name, value)
                continue
            found = _FOUND[key](result)
            if key in ("recipients", "refused"):
                assert isinstance(wanted, Sequence)
                wanted = tuple(map(bracketed, map(str, wanted)))
            elif key == "sender":
                wanted = bracketed(str(wanted))
            if not _fits(found, wanted):
                yield f"{key}: {found!r}, not {_shown(wanted)}"


def _of_header(result: Result, name: str, wanted: object) -> Iterator[str]:
    """`wanted` is a value, a pattern, None for no such field, or a list of the values of all fields of the name."""
    found = [value for other, value in result.headers if other.lower() == name.lower()]
    if wanted is None:
        if found:
            yield f"header {name}: {found!r}, but there should be none"
    elif isinstance(wanted, list | tuple):
        if len(found) != len(wanted) or not all(map(_fits, found, wanted)):
            yield f"header {name}: {found!r}, not {list(wanted)!r}"
    elif not found:
        yield f"header {name}: there is none, not {_shown(wanted)}"
    elif not any(_fits(value, wanted) for value in found):
        yield f"header {name}: {', '.join(map(repr, found))}, not {_shown(wanted)}"


def _fits(found: object, wanted: object) -> bool:
    if isinstance(wanted, re.Pattern):
        return isinstance(found, str | bytes) and wanted.search(found) is not None
    return found == wanted


def _shown(wanted: object) -> str:
    return f"/{wanted.pattern}/" if isinstance(wanted, re.Pattern) else repr(wanted)


_FOUND: Final[Mapping[str, Callable[[Result], object]]] = {
    "sender": lambda result: result.sender,
    "recipients": lambda result: result.recipients,
    "body": lambda result: result.body,
    "quarantine": lambda result: result.quarantine,
    "changed": lambda result: result.changed,
    "refused": lambda result: tuple(refusal.recipient for refusal in result.refused),
    "code": lambda result: _refusal(result).code,
    "enhanced": lambda result: _refusal(result).enhanced,
    "text": lambda result: _refusal(result).text,
}


def _refusal(result: Result) -> SmtpReply:
    """The filter's own reply: where every recipient was refused, the MTA ends the message with another one."""
    return result.refused[-1].reply if result.decided_at is Command.RCPT and result.refused else result.reply


def accepted(
    *,
    headers: Mapping[str, Pattern | Sequence[Pattern] | None] | _Ungiven = _UNGIVEN,
    sender: str | _Ungiven = _UNGIVEN,
    recipients: Sequence[str] | _Ungiven = _UNGIVEN,
    refused: Sequence[str] | _Ungiven = _UNGIVEN,
    body: bytes | re.Pattern[bytes] | _Ungiven = _UNGIVEN,
    quarantine: Pattern | _Ungiven | None = _UNGIVEN,
    changed: bool | _Ungiven = _UNGIVEN,
) -> Expected:
    """Expect that the message is delivered; only the arguments that are given are compared.

    Args:
        headers: by name, a value that one field of the name has, a compiled pattern for it, None if there is to be no
            such field, or a list with the values of all fields of the name.
        sender: the envelope sender after the edits, with or without angle brackets.
        recipients: the envelope recipients after the edits, in their order.
        refused: the recipients that were refused at RCPT, in their order.
        body: the body after the edits, or a compiled pattern.
        quarantine: why the message is held, or None if it is not.
        changed: whether any byte of the message differs from the original.
    """
    return Expected(
        "accepted", Verdict.ACCEPT,
        headers=headers, sender=sender, recipients=recipients, refused=refused, body=body, quarantine=quarantine,
        changed=changed,
    )  # fmt: skip


def rejected(
    code: int | _Ungiven = _UNGIVEN, enhanced: str | _Ungiven = _UNGIVEN, text: Pattern | _Ungiven = _UNGIVEN
) -> Expected:
    """Expect that the message, or each recipient, is refused for good.

    Args:
        code: the reply code, such as 550.
        enhanced: the enhanced status code, such as "5.7.1".
        text: the text of the reply, lines joined by LF, or a compiled pattern.
    """
    return Expected("rejected", Verdict.REJECT, code=code, enhanced=enhanced, text=text)


def tempfailed(
    code: int | _Ungiven = _UNGIVEN, enhanced: str | _Ungiven = _UNGIVEN, text: Pattern | _Ungiven = _UNGIVEN
) -> Expected:
    """Expect that the message, or each recipient, is refused for now; the arguments are those of `rejected`."""
    return Expected("tempfailed", Verdict.TEMPFAIL, code=code, enhanced=enhanced, text=text)


def discarded() -> Expected:
    """Expect that the MTA accepts the message, and drops it."""
    return Expected("discarded", Verdict.DISCARD)
