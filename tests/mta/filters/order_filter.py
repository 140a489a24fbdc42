"""Small filters that mark what passes them: order_filter.py KIND ADDRESS."""

from __future__ import annotations

import sys

import pymilter
from pymilter import CONTINUE, Base, Outcome, Reject


class Header(Base):
    """The README's first kind of filter: no word of where the headers end.

    With a handler for MAIL, libmilter may not pass over that step on its way to a later one.
    """

    def envfrom(self, mailfrom: str, *params: str) -> Outcome:
        return CONTINUE

    def header(self, name: str, value: str) -> Outcome:
        return CONTINUE

    def eom(self) -> Outcome:
        self.addheader("X-Mark", type(self).__name__)
        return CONTINUE


class HeaderData(Header):
    """Asks for DATA by itself."""

    def data(self) -> Outcome:
        return CONTINUE


class Everything(HeaderData):
    """Hears of unknown commands, and of the rest."""

    def envrcpt(self, to: str, *params: str) -> None:
        pass

    def unknown(self, command: str) -> Outcome:
        return CONTINUE

    def eoh(self) -> None:
        pass

    def body(self, chunk: bytes) -> None:
        pass


class HeaderUnknown(Header):
    """Hears of unknown commands, and has no handler for DATA."""

    def unknown(self, command: str) -> None:
        pass


class RefusesData(Header):
    """Takes no message."""

    def data(self) -> Outcome:
        return Reject(554, "5.7.1", "not this one")


class FailsAtData(HeaderUnknown):
    """Fails where it gives no answer."""

    def data(self) -> None:
        raise LookupError("an inner matter")


class RefusesFirst(Base):
    """Refuses the first DATA of each connection alone, as greylisting by message does."""

    was_asked = False

    def data(self) -> Outcome:
        if self.was_asked:
            return CONTINUE
        self.was_asked = True
        return Reject(554, "5.7.1", "not at first")


if __name__ == "__main__":
    kind, address = sys.argv[1:]
    pymilter.run(globals()[kind], address, socket_mode=0o666 if address.startswith("unix:") else None)
