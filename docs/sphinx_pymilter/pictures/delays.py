"""Why a step that is not answered can be slow over TCP: Nagle's algorithm and the delayed acknowledgement."""

from __future__ import annotations

from typing import Final, NamedTuple

from sphinx_pymilter.pictures.svg import Drawing


class Packet(NamedTuple):
    """What goes from one side to the other: when, from which side, and its words."""

    at: float
    from_mta: bool
    words: str
    kind: str = "line"


class Column(NamedTuple):
    """One of the dialogues."""

    title: str
    packets: tuple[Packet, ...]
    pause: tuple[float, float, str] | None = None


COLUMNS: Final = (
    Column(
        "each step answered",
        (
            Packet(0, True, "header"),
            Packet(26, False, "CONTINUE"),
            Packet(52, True, "header"),
            Packet(78, False, "CONTINUE"),
        ),
    ),
    Column(
        "no reply, and nothing done about it",
        (Packet(0, True, "header"), Packet(176, False, "ACK", "mark"), Packet(202, True, "header")),
        (14, 172, "44 ms"),
    ),
    Column(
        "no reply, as pymilter does it",
        (
            Packet(0, True, "header"),
            Packet(22, False, "ACK", "mark"),
            Packet(44, True, "header"),
            Packet(66, False, "ACK", "mark"),
        ),
    ),
)
SPACE: Final = 262
TOP: Final = 74


def draw() -> Drawing:
    """Draw it."""
    drawing = Drawing(SPACE * len(COLUMNS), 310)
    for number, column in enumerate(COLUMNS):
        mta, filter_ = number * SPACE + 34, number * SPACE + 214
        drawing.text((mta + filter_) / 2, 18, column.title, "head", "middle")
        for x, words in ((mta, "MTA"), (filter_, "filter")):
            drawing.text(x, 44, words, "", "middle")
            drawing.line((x, 52), (x, 296))
        for packet in column.packets:
            y = TOP + packet.at
            ends = ((mta, y), (filter_, y)) if packet.from_mta else ((filter_, y), (mta, y))
            drawing.arrow(*ends, kind=packet.kind)
            drawing.text((mta + filter_) / 2, y - 4, packet.words, "code", "middle")
        if column.pause is not None:
            start, end, words = column.pause
            drawing.box(mta + 3, TOP + start, filter_ - mta - 6, end - start - 16, "fill", 0)
            middle, y = (mta + filter_) / 2, TOP + (start + end) / 2
            drawing.text(middle, y - 22, words, "head", "middle")
            drawing.text(middle, y - 4, "the MTA (Nagle) waits for", "small", "middle")
            drawing.text(middle, y + 12, "the ACK of the first header,", "small", "middle")
            drawing.text(middle, y + 28, "which the kernel delays", "small", "middle")
    return drawing
