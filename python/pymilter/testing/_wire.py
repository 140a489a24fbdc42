"""Packets of the milter protocol: how commands are written and replies are read. No socket here."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from typing import TypeAlias

from pymilter.message._edits import (
    AddHeader,
    AddRecipient,
    ChangeFrom,
    ChangeHeader,
    DeleteRecipient,
    Edit,
    InsertHeader,
    Quarantine,
    ReplaceBody,
)

from ._constants import Action, Command, Protocol, Stage, Verdict
from ._errors import ProtocolError
from ._response import SmtpReply

Text: TypeAlias = str | bytes
"""Text for the wire: bytes as they are, str as UTF-8 with surrogateescape."""

MAX_REPLY = 2 * 1024 * 1024
"""The longest packet accepted from a filter. libmilter's own are 64 KiB, 1 MiB with the largest data size."""

VERDICTS = {
    b"c": Verdict.CONTINUE,
    b"a": Verdict.ACCEPT,
    b"r": Verdict.REJECT,
    b"t": Verdict.TEMPFAIL,
    b"d": Verdict.DISCARD,
    b"s": Verdict.SKIP,
    b"f": Verdict.CONN_FAIL,
    b"4": Verdict.SHUTDOWN,
}
"""Replies that end a step and carry no data."""

EDIT_ACTIONS = {
    b"+": Action.ADDRCPT,
    b"2": Action.ADDRCPT_PAR,
    b"-": Action.DELRCPT,
    b"b": Action.CHGBODY,
    b"h": Action.ADDHDRS,
    b"i": Action.ADDHDRS,
    b"m": Action.CHGHDRS,
    b"e": Action.CHGFROM,
    b"q": Action.QUARANTINE,
}
"""Edits, and the action that must have been granted for each."""

REPLY_CODE = b"y"
PROGRESS = b"p"

REPLY_NAMES = {
    **{code: verdict.value for code, verdict in VERDICTS.items()},
    REPLY_CODE: "reply code",
    PROGRESS: "progress",
    b"O": "negotiation",
    b"+": "add recipient",
    b"2": "add recipient with parameters",
    b"-": "delete recipient",
    b"b": "replace body",
    b"h": "add header",
    b"i": "insert header",
    b"m": "change header",
    b"e": "change sender",
    b"q": "quarantine",
}

_LONG = struct.Struct("!I")
_OPTIONS = struct.Struct("!III")


def to_bytes(text: Text) -> bytes:
    """`text` as it goes over the wire."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def to_str(data: bytes) -> str:
    """Bytes from the wire as text; nothing is lost."""
    return data.decode("utf-8", "surrogateescape")


def packet(command: Command | bytes, payload: bytes = b"") -> bytes:
    """One packet: length, command byte, payload."""
    code = command.value if isinstance(command, Command) else command
    return _LONG.pack(len(payload) + 1) + code + payload


def packet_length(head: bytes | bytearray) -> int:
    """The length that the first four bytes of a packet announce, command byte included."""
    length: int = _LONG.unpack_from(head)[0]
    return length


def strings(texts: Iterable[Text]) -> bytes:
    """NUL-terminated strings, one after another.

    Raises:
        ValueError: one of them contains NUL, which would end it early.
    """
    parts = []
    for text in texts:
        data = to_bytes(text)
        if b"\0" in data:
            raise ValueError(f"{text!r} contains NUL, which ends a string on the wire; use Client.send for raw packets")
        parts.append(data + b"\0")
    return b"".join(parts)


def offer(version: int, actions: int, protocol: int) -> bytes:
    """The payload of the MTA's negotiation packet."""
    return _OPTIONS.pack(version, actions, protocol)


def read_agreement(payload: bytes) -> tuple[int, Action, Protocol, dict[Stage, tuple[str, ...]]]:
    """The filter's half of the negotiation: version, actions, protocol, and the macro lists it asks for."""
    if len(payload) < _OPTIONS.size:
        raise ProtocolError(f"the filter's negotiation packet has {len(payload)} bytes of data; 12 are the least")
    version, actions, protocol = _OPTIONS.unpack_from(payload)
    lists: dict[Stage, tuple[str, ...]] = {}
    rest = payload[_OPTIONS.size :]
    while rest:
        if len(rest) < _LONG.size + 1 or b"\0" not in rest[_LONG.size :]:
            raise ProtocolError(f"the filter's negotiation packet ends with {rest!r}, which is no macro list")
        number = packet_length(rest)
        names, _, rest = rest[_LONG.size :].partition(b"\0")
        if number not in Stage._value2member_map_:
            raise ProtocolError(f"the filter asks for macros at stage {number}; the stages are 0 to {max(Stage)}")
        lists[Stage(number)] = tuple(re.split(r"[ ,\t\r\n]+", to_str(names).strip(" ,\t\r\n"))) if names else ()
    return version, Action(actions), Protocol(protocol), lists


def read_reply_code(payload: bytes) -> SmtpReply:
    """The SMTP reply in a reply-code packet; a doubled `%` is one, a single one goes, as Postfix does."""
    if not payload.endswith(b"\0") or b"\0" in payload[:-1]:
        raise ProtocolError(f"the filter's reply code {payload!r} is not one string that ends with NUL")
    text = re.sub("%(%?)", r"\1", to_str(payload[:-1]))
    try:
        return SmtpReply.parse(text)
    except ValueError as error:
        raise ProtocolError(f"the filter sent the reply code {payload[:-1]!r}: {error}") from None


def read_edit(code: bytes, payload: bytes) -> Edit:
    """One edit as the filter sent it."""
    match code:
        case b"b":
            return ReplaceBody(payload)
        case b"h":
            name, value = _texts(code, payload, 2, 2)
            return AddHeader(name, value)
        case b"i" | b"m":
            if len(payload) < _LONG.size:
                raise ProtocolError(f"the filter's edit {describe(code)} has no index: {payload!r}")
            name, value = _texts(code, payload[_LONG.size :], 2, 2)
            return (InsertHeader if code == b"i" else ChangeHeader)(packet_length(payload), name, value)
        case b"+":
            return AddRecipient(_texts(code, payload, 1, 1)[0])
        case b"2":
            address, *params = _texts(code, payload, 1, 2)
            return AddRecipient(address, params[0] if params else "")
        case b"e":
            address, *params = _texts(code, payload, 1, 2)
            return ChangeFrom(address, params[0] if params else None)
        case b"-":
            return DeleteRecipient(_texts(code, payload, 1, 1)[0])
        case b"q":
            return Quarantine(_texts(code, payload, 1, 1)[0])
        case _:
            raise ProtocolError(f"{describe(code)} is no edit")


def describe(code: bytes) -> str:
    """A reply byte for an error text."""
    name = REPLY_NAMES.get(code)
    return f"{code!r} ({name})" if name else f"{code!r} (0x{code.hex()}, no such reply)"


def _texts(code: bytes, payload: bytes, least: int, most: int) -> list[str]:
    parts = payload.split(b"\0")
    if parts.pop() or not least <= len(parts) <= most:
        wanted = f"{least}" if least == most else f"{least} or {most}"
        kind = "string" if most == 1 else "strings"
        raise ProtocolError(
            f"the filter's edit {describe(code)} must hold {wanted} NUL-terminated {kind}, not {payload!r}"
        )
    return [to_str(part) for part in parts]
