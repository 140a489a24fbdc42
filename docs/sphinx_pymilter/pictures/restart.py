"""How workers are replaced: SIGHUP, a successor that serves, and only then the end of the worker before it."""

from __future__ import annotations

from sphinx_pymilter.pictures.svg import Drawing


def draw() -> Drawing:
    """Draw it."""
    drawing = Drawing(780, 250)
    drawing.line((240, 30), (240, 235), kind="thin")
    drawing.text(240, 22, "SIGHUP", "head", "middle")
    rows = (
        ("supervisor", ((150, 780, "box", "holds the socket: it is open all the time"),)),
        ("worker 1", ((150, 400, "fill", "serves"), (400, 520, "mark", "finishes"))),
        ("its successor", ((240, 400, "mark", "starts"), (400, 780, "fill", "serves"))),
        ("worker 2", ((150, 560, "fill", "serves"), (560, 680, "mark", "finishes"))),
        ("its successor", ((400, 560, "mark", "starts"), (560, 780, "fill", "serves"))),
    )
    for number, (name, spans) in enumerate(rows):
        y = 40 + 40 * number
        drawing.text(0, y + 18, name)
        for start, end, kind, words in spans:
            drawing.box(start, y, end - start - 2, 26, kind)
            drawing.text(start + 8, y + 18, words, "small")
    drawing.arrow((390, 40 + 40 * 2), (390, 40 + 40 + 26))
    drawing.arrow((550, 40 + 40 * 4), (550, 40 + 40 * 3 + 26))
    return drawing
