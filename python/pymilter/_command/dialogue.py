"""Follows the connections that pass through `trace`: cuts them into packets, for the screen and for the recording."""

from __future__ import annotations

import time
from typing import Final

from pymilter.testing._paint import BOLD, GREY, PLAIN, RED, YELLOW, Screen, clean, fitted
from pymilter.testing._report import COLOURS
from pymilter.testing._wire import EDIT_ACTIONS, REPLY_CODE, VERDICTS

from .packets import MACRO, Splitter, macros_of, packet_name, packet_text
from .recording import bytes_line, event_line, packet_line
from .relay import Event, Side, What

_EVENTS: Final = {
    (What.OPEN, Side.MTA): "the MTA has connected",
    (What.CLOSE, Side.MTA): "the MTA has closed the connection",
    (What.CLOSE, Side.FILTER): "the filter has closed the connection",
}
_ARROWS: Final = {Side.MTA: ">", Side.FILTER: "<"}
_NAME: Final = 12
"""Columns for the name of a packet."""


class Dialogues:
    """All connections of a trace. `began` is when the relay was made, by time.time()."""

    def __init__(self, began: float, screen: Screen) -> None:
        self._began = began
        self._screen = screen
        self._splitters: dict[tuple[int, Side], Splitter] = {}
        self._macros: dict[int, dict[str, str]] = {}

    def follow(self, event: Event, shown: list[str] | None, recorded: list[str] | None) -> None:
        """Append what an event means to the lists that are given: lines to show, and lines of a recording."""
        when = event.when
        key = event.connection, event.side
        splitter = self._splitters.get(key)
        if event.what is What.DATA:
            if splitter is None:
                splitter = self._splitters[key] = Splitter()
            for packet in splitter.packets(event.data):
                name = packet_name(event.side, packet)
                if shown is not None:
                    self._show_packet(event, name, packet, shown)
                if recorded is not None:
                    recorded.append(packet_line(when, event.connection, event.side, name, packet))
        if splitter is not None and splitter.rest and (splitter.is_foreign or event.what is What.CLOSE):
            rest, splitter.rest = splitter.rest, b""
            if shown is not None:
                shown.append(
                    self._line(event, "?", RED, f"{len(rest)} bytes that are no packet: {repr(rest[:32])[1:]}")
                )
            if recorded is not None:
                recorded.append(bytes_line(when, event.connection, event.side, rest))
        if event.what is not What.DATA:
            if shown is not None:
                colour = RED if event.what is What.FAILED else GREY
                text = _EVENTS.get((event.what, event.side)) or clean(event.data.decode())
                shown.append(self._line(event, "-", colour, text))
            if recorded is not None:
                recorded.append(event_line(when, event))
            if event.what is not What.OPEN:
                self._splitters.pop(key, None)
                if event.side is Side.MTA:
                    self._macros.pop(event.connection, None)

    def _show_packet(self, event: Event, name: str, packet: bytes, shown: list[str]) -> None:
        code = packet[:1]
        if event.side is Side.MTA and code == MACRO:
            if text := self._new_macros(event.connection, packet):
                shown.append(self._line(event, " ", GREY, "macros", text))
            return
        if event.side is Side.MTA:
            colour = BOLD
        elif code in VERDICTS:
            colour = COLOURS[VERDICTS[code]]
        else:
            colour = YELLOW if code in EDIT_ACTIONS else RED if code == REPLY_CODE else PLAIN
        shown.append(self._line(event, _ARROWS[event.side], colour, name, packet_text(event.side, packet)))

    def _new_macros(self, connection: int, packet: bytes) -> str:
        """The macros of a packet that are new on this connection, or have another value than before."""
        known = self._macros.setdefault(connection, {})
        pairs = [(name, value) for name, value in macros_of(packet) if known.get(name) != value]
        known.update(pairs)
        return ", ".join(f"{name}={value}" for name, value in pairs)

    def _line(self, event: Event, arrow: str, colour: str, name: str, text: str = "") -> str:
        seconds = event.when + self._began
        clock = time.strftime("%H:%M:%S", time.localtime(seconds))
        start = f"{clock}.{int(seconds % 1 * 1000):03} {event.connection:3} {arrow} "
        if text:
            text = f"{'':{max(_NAME - len(name), 1)}}{clean(text.replace(chr(10), ' '))}"
        if self._screen.is_narrow:
            room = self._screen.width - len(start)
            name = fitted(name, room)
            text = fitted(text, room - len(name)) if len(name) + 4 < room else ""
        return f"{start}{self._screen(colour, name)}{text}"
