"""How long state lives: what belongs to the process, to a connection and to a message, beside a run of both."""

from __future__ import annotations

from typing import Final

from sphinx_pymilter.pictures.svg import Drawing

ROW: Final = 40
NAMES: Final = 250
CONNECTIONS: Final = ((270, 560), (600, 760))
MESSAGES: Final = ((290, 400), (430, 540), (620, 740))
WHOLE: Final = ((262, 770),)
ROWS: Final = (
    ("the process (a worker)", "", WHOLE),
    ("  modules, globals, what on_start opens", "small", WHOLE),
    ("a connection of the MTA", "", CONNECTIONS),
    ("  self, one object of your class", "small", CONNECTIONS),
    ("  message.connection and its values", "small", CONNECTIONS),
    ("  peer, HELO, TLS, login", "small", CONNECTIONS),
    ("a message", "", MESSAGES),
    ("  self.context, Message and its parts", "small", MESSAGES),
    ("  queue id and macros of the message", "small", MESSAGES),
    ("  a gathered body, permission to edit", "small", MESSAGES),
)
"""What lives, in which script, and when; heads of a group have no indentation."""


def draw() -> Drawing:
    """Draw it."""
    drawing = Drawing(780, 30 + ROW * len(ROWS) + 30)
    drawing.text(NAMES + 12, 16, "time →", "small")
    for number, (words, kind, spans) in enumerate(ROWS):
        y = 28 + ROW * number
        is_head = not words.startswith(" ")
        drawing.text(0 if is_head else 14, y + 18, words.strip(), "head" if is_head else kind)
        for place, (start, end) in enumerate(spans, 1):
            drawing.box(start, y, end - start, 26, "box" if is_head else "fill")
            if is_head and len(spans) > 1:
                drawing.text((start + end) / 2, y + 18, f"{words.split()[1]} {place}", "small", "middle")
    bottom = 28 + ROW * len(ROWS) + 6
    for start, end in MESSAGES:
        for x in (start, end):
            drawing.line((x, 28 + ROW * 2 + 26), (x, bottom), kind="thin")
    return drawing
