"""The order of events: the steps of a session, what may follow what, and what each verdict ends."""

from __future__ import annotations

from typing import Final, NamedTuple

from sphinx_pymilter.pictures.svg import Drawing


class Event(NamedTuple):
    """A step, the SMTP command or part of the message that brings it, and what may come after it besides the next."""

    name: str
    brought_by: str
    repeats: bool
    may_skip_to: str
    ends: str
    """What REJECT, TEMPFAIL, ACCEPT and DISCARD end there: "connection", "message", "recipient" or nothing."""


EVENTS: Final = (
    Event("negotiate", "the MTA connects to the filter", False, "", ""),
    Event("connect", "a client connects", False, "", "connection"),
    Event("hello", "HELO, EHLO", True, "", "connection"),
    Event("envfrom", "MAIL FROM", False, "", "message"),
    Event("envrcpt", "RCPT TO", True, "", "recipient"),
    Event("data", "DATA", False, "eoh", "message"),
    Event("header", "a header field", True, "", "message"),
    Event("eoh", "the empty line", False, "eom", "message"),
    Event("body", "up to 64 KiB of the body", True, "", "message"),
    Event("eom", "the end: edits are made here", False, "", "message"),
    Event("close", "QUIT, or the connection is lost", False, "", ""),
)
ROW: Final = 46
LEFT: Final = 176
WIDTH: Final = 122
NOTES: Final = {
    "connection": "a verdict ends the filtering of the connection",
    "message": "a verdict ends the message",
    "recipient": "a refusal ends this recipient, ACCEPT and DISCARD the message",
}


def top_of(name: str) -> float:
    """Where the box of an event begins."""
    return 34 + ROW * [event.name for event in EVENTS].index(name)


def middle_of(name: str) -> float:
    """The height at which lines meet the box of an event."""
    return top_of(name) + 14


def draw() -> Drawing:
    """Draw it."""
    drawing = Drawing(800, 34 + ROW * len(EVENTS) + 50)
    drawing.text(LEFT, 20, "method", "head")
    drawing.text(LEFT + WIDTH + 60, 20, "when it is called, and what its answer ends", "head")
    for event in EVENTS:
        y = top_of(event.name)
        drawing.box(LEFT, y, WIDTH, 28)
        drawing.text(LEFT + WIDTH / 2, y + 18, event.name, "code", "middle")
        drawing.text(LEFT + WIDTH + 60, y + 11, event.brought_by)
        drawing.text(LEFT + WIDTH + 60, y + 27, NOTES.get(event.ends, "its answer ends nothing"), "small")
        if event.name != EVENTS[-1].name:
            drawing.arrow((LEFT + WIDTH / 2, y + 28), (LEFT + WIDTH / 2, y + ROW))
        if event.repeats:
            right = LEFT + WIDTH
            drawing.arrow((right, y + 6), (right + 16, y + 6), (right + 16, y + 22), (right, y + 22))
        if event.may_skip_to:
            right, target = LEFT + WIDTH, middle_of(event.may_skip_to)
            drawing.arrow((right, y + 14), (right + 36, y + 14), (right + 36, target), (right, target), kind="thin")
    drawing.arrow(
        (LEFT, middle_of("eom")), (LEFT - 22, middle_of("eom")), (LEFT - 22, middle_of("envfrom")),
        (LEFT, middle_of("envfrom")), kind="mark",
    )  # fmt: skip
    for number, words in enumerate(("the next", "message")):
        drawing.text(LEFT - 28, middle_of("data") + 16 * number, words, "small", "end")
    brace(drawing, 62, "envfrom", "eom", "a message")
    brace(drawing, 20, "connect", "close", "a connection")
    y = top_of("close") + ROW + 12
    drawing.box(LEFT, y, WIDTH, 28)
    drawing.text(LEFT + WIDTH / 2, y + 18, "abort", "code", "middle")
    drawing.text(LEFT + WIDTH + 60, y + 11, "instead of eom: RSET, or the client is gone")
    drawing.text(LEFT + WIDTH + 60, y + 27, "its answer ends nothing", "small")
    return drawing


def brace(drawing: Drawing, x: float, first: str, last: str, words: str) -> None:
    """Mark that the events from one to another belong to something."""
    top, bottom = top_of(first), top_of(last) + 28
    drawing.line((x + 8, top), (x, top), (x, bottom), (x + 8, bottom), kind="mark")
    drawing.parts.append(
        f'<text class="head" text-anchor="middle" transform="translate({x - 4:g},{(top + bottom) / 2:g}) '
        f'rotate(-90)">{words}</text>'
    )
