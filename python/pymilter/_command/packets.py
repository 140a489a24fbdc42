"""Packets of the milter protocol as a bystander sees them: cut out of a stream, and described in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pymilter.testing._constants import Action, Command, Family, Protocol
from pymilter.testing._errors import ProtocolError
from pymilter.testing._wire import (
    EDIT_ACTIONS,
    MAX_REPLY,
    REPLY_CODE,
    REPLY_NAMES,
    packet_length,
    read_agreement,
    read_edit,
    read_reply_code,
    to_str,
)
from pymilter.testing._words import edit_text

from .relay import Side

_HEAD: Final = 4
NEGOTIATE: Final = Command.NEGOTIATE.value
MACRO: Final = Command.MACRO.value


class Splitter:
    """Cuts what one side sends into packets: each a command byte and its payload, in one bytes object."""

    def __init__(self) -> None:
        self.rest = b""
        """Bytes that are not a whole packet yet, or no packet at all."""
        self.is_foreign = False
        """True once something came that is no packet: nothing is cut out any more."""

    def packets(self, data: bytes) -> Iterator[bytes]:
        """Add to the stream, and yield the packets that are whole now."""
        data = self.rest + data if self.rest else data
        position, size = 0, len(data)
        while not self.is_foreign and size - position >= _HEAD:
            length = packet_length(data[position : position + _HEAD])
            if not 1 <= length <= MAX_REPLY:
                self.is_foreign = True
                break
            end = position + _HEAD + length
            if end > size:
                break
            yield data[position + _HEAD : end]
            position = end
        self.rest = data[position:]


def packet_name(side: Side, packet: bytes) -> str:
    """What kind of packet it is: "MAIL", "continue"; "?" and the byte in hexadecimal if there is none such."""
    code = packet[:1]
    if side is Side.FILTER:
        return REPLY_NAMES.get(code) or f"?{code.hex()}"
    return _COMMANDS[code].name if code in _COMMANDS else f"?{code.hex()}"


def macros_of(packet: bytes) -> list[tuple[str, str]]:
    """Names and values in a packet with macros."""
    parts = to_str(packet[2:].removesuffix(b"\0")).split("\0")
    return list(zip(parts[::2], [*parts[1::2], ""], strict=False))


def packet_text(side: Side, packet: bytes) -> str:
    """The content of a packet in words, without its name. Text from the peers is not cleaned."""
    code, payload = packet[:1], packet[1:]
    try:
        if side is Side.FILTER:
            return _reply_text(code, payload)
        return _TEXTS[code](payload) if code in _TEXTS else _raw(payload)
    except (ProtocolError, ValueError, IndexError):
        return f"{_raw(payload)} (malformed)"


def _reply_text(code: bytes, payload: bytes) -> str:
    if code == NEGOTIATE:
        version, actions, protocol, lists = read_agreement(payload)
        asked = "".join(f", macros at {stage.name}: {' '.join(names)}" for stage, names in lists.items())
        return f"{_options(version, actions, protocol)}{asked}"
    if code == REPLY_CODE:
        return str(read_reply_code(payload)).replace("\n", " / ")
    if code in EDIT_ACTIONS:
        text = edit_text(read_edit(code, payload))
        return text.partition("  ")[2].lstrip() if "  " in text else text.removeprefix(REPLY_NAMES[code]).lstrip()
    return _raw(payload)


def _options(version: int, actions: int, protocol: int) -> str:
    return f"version {version}, actions {flags_text(Action, actions)}, protocol {flags_text(Protocol, protocol)}"


def flags_text(kind: type[Action] | type[Protocol], value: int) -> str:
    """Actions or options of the protocol by name."""
    if value == kind.ALL:
        return "all"
    known = [flag for flag in kind.__members__.values() if flag.bit_count() == 1 and flag & value]
    left = value & ~sum(known)
    return " ".join([*(str(flag.name) for flag in known), *([hex(left)] if left else [])]) or "none"


def _negotiation(payload: bytes) -> str:
    version, actions, protocol, _ = read_agreement(payload)
    return _options(version, actions, protocol)


def _connect(payload: bytes) -> str:
    name, _, rest = payload.partition(b"\0")
    family, port, address = Family(rest[:1]), int.from_bytes(rest[1:3], "big"), to_str(rest[3:].removesuffix(b"\0"))
    if family is Family.UNKNOWN:
        return f"{to_str(name)} [unknown address]"
    return f"{to_str(name)} [{address}]{f' port {port}' if family is not Family.UNIX else ''}"


def _strings(payload: bytes) -> str:
    return to_str(payload.removesuffix(b"\0").replace(b"\0", b" "))


def _header(payload: bytes) -> str:
    name, value = to_str(payload).split("\0")[:2]
    return f"{name}: {value.removeprefix(' ')}"


def _size(payload: bytes) -> str:
    return f"{len(payload)} bytes" if payload else ""


def _raw(payload: bytes) -> str:
    return repr(payload[:64])[1:] if payload else ""


_COMMANDS: Final = {command.value: command for command in Command}
_TEXTS: Final[dict[bytes, Callable[[bytes], str]]] = {
    NEGOTIATE: _negotiation,
    Command.CONNECT.value: _connect,
    Command.HELO.value: _strings,
    Command.MAIL.value: _strings,
    Command.RCPT.value: _strings,
    Command.UNKNOWN.value: _strings,
    Command.HEADER.value: _header,
    Command.BODY.value: _size,
    Command.EOM.value: _size,
}
