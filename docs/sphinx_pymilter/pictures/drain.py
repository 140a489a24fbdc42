"""How a filter ends: SIGTERM, new connections, messages in progress, the grace, the end."""

from __future__ import annotations

from typing import Final

from sphinx_pymilter.pictures.svg import Drawing

START: Final = 190
SIGNAL: Final = 330
DEADLINE: Final = 570
LAST: Final = 640


def draw() -> Drawing:
    """Draw it."""
    drawing = Drawing(780, 300)
    for x, words in ((SIGNAL, "SIGTERM"), (DEADLINE, "grace (5 s) is over"), (LAST, "")):
        drawing.line((x, 30), (x, 270), kind="thin")
        drawing.text(x, 22, words, "head", "middle")
    rows = (
        ("the socket", "box", START, SIGNAL, "listens", "closed, and its file removed: nobody can connect"),
        ("a message that ends in time", "fill", START + 60, SIGNAL + 150, "goes on, and gets its verdict", ""),
        ("a message that takes longer", "fill", START + 90, LAST, "goes on until the deadline", "then TEMPFAIL"),
        ("a connection without one", "fill", START + 20, SIGNAL + 150, "stays as long as a message runs", "closed"),
        ("a new message on it", "mark", SIGNAL + 60, SIGNAL + 100, "", "is answered too, while there is time"),
        ("the process", "box", START, LAST + 40, "ends once no message is in progress", "status 0"),
    )
    for number, (name, kind, start, end, inside, after) in enumerate(rows):
        y = 40 + 39 * number
        drawing.text(0, y + 18, name)
        drawing.box(start, y, end - start, 26, kind)
        drawing.text(start + 8, y + 18, inside, "small")
        drawing.text(end + 8, y + 18, after, "small")
    drawing.text(LAST, 288, "at most a second later", "small", "middle")
    return drawing
