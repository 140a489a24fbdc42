"""An exception as text for the log: bounded, in ASCII, and no line of it made by the exception itself."""

import traceback
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Final

MOST_FRAMES: Final = 40  # at each end of a traceback
MOST_EXCEPTIONS: Final = 10  # of a chain, and of a group
MOST_IN_ALL: Final = 50  # exceptions, in groups within groups
MOST_TEXT: Final = 4000  # characters of what an exception says

CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n"
CONTEXT: Final = "\nDuring handling of the above exception, another exception occurred:\n"


def plain(text: str) -> str:
    """Return one line of printable ASCII, with escapes for the rest: peers choose `text`, and any stream takes it."""
    return text if text.isascii() and text.isprintable() else ascii(text)[1:-1]


def text_of(error: BaseException) -> str:
    """Return the traceback of `error` and of the exceptions that led to it, as Python prints it."""
    return "\n".join(_chain(error, set()))


def headline(error: BaseException) -> str:
    """Return the type of `error` and what it says, in one line, as Python ends a traceback."""
    kind = type(error)
    module = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    text = _bounded(error)
    return plain(f"{module}{kind.__qualname__}") + (f": {text}" if text else "")


def shortened(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback of at most 2 * MOST_FRAMES frames: both ends of `trace`."""
    entries = list(_entries(trace))
    if len(entries) <= 2 * MOST_FRAMES:
        return trace
    short = None
    for entry in reversed(entries[:MOST_FRAMES] + entries[-MOST_FRAMES:]):
        short = TracebackType(short, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return short


def _chain(error: BaseException, seen: set[int]) -> Iterator[str]:
    if len(seen) >= MOST_IN_ALL:
        yield "(more exceptions are left out here)"
        return
    links: list[tuple[BaseException, str]] = []
    link, following = error, ""
    while True:
        seen.add(id(link))
        links.append((link, following))
        if link.__cause__ is not None:
            earlier, following = link.__cause__, CAUSE
        elif link.__context__ is not None and not link.__suppress_context__:
            earlier, following = link.__context__, CONTEXT
        else:
            break
        if id(earlier) in seen:
            break
        if len(links) == MOST_EXCEPTIONS:
            yield "(exceptions before these are left out)\n"
            break
        link = earlier
    for link, following in reversed(links):
        yield from _one(link, seen)
        if following:
            yield following


def _one(error: BaseException, seen: set[int]) -> Iterator[str]:
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):"
        yield from _stack(error.__traceback__)
    yield headline(error)
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list):
        for note in notes[:MOST_EXCEPTIONS]:
            yield f"  note: {_bounded(note)}"
    if isinstance(error, BaseExceptionGroup):
        for number, member in enumerate(error.exceptions[:MOST_EXCEPTIONS], 1):
            if id(member) not in seen:
                yield f"  Exception {number} of {len(error.exceptions)}:"
                yield from _chain(member, seen)


def _bounded(said: object) -> str:
    try:
        text = str(said)
    except BaseException:  # whatever a program's exception does: it is to be logged
        return "<its str() failed>"
    return plain(text) if len(text) <= MOST_TEXT else f"{plain(text[:MOST_TEXT])}... ({len(text)} characters)"


def _stack(trace: TracebackType) -> Iterator[str]:
    entries = list(_entries(trace))
    left_out = len(entries) - 2 * MOST_FRAMES
    if left_out <= 0:
        yield from _frames(entries)
        return
    yield from _frames(entries[:MOST_FRAMES])
    yield f"  ({left_out} frames are left out here)"
    yield from _frames(entries[-MOST_FRAMES:])


def _frames(entries: list[TracebackType]) -> Iterator[str]:
    def places() -> Iterator[tuple[FrameType, int]]:
        for entry in entries:
            yield entry.tb_frame, entry.tb_lineno

    # A program may give its code objects any names, which must not become lines of their own.
    summaries = [
        traceback.FrameSummary(plain(item.filename), item.lineno, plain(item.name), line=plain(item.line or ""))
        for item in traceback.StackSummary.extract(places())
    ]
    for text in traceback.StackSummary.from_list(summaries).format():
        for line in text.rstrip("\n").split("\n"):
            yield plain(line)


def _entries(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next
