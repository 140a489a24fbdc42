"""The benchmark filter on this project's pymilter: handlers that answer, and the same with `-> None`."""

import logging
from io import BytesIO

import pymilter
from pymilter import ACCEPT, CONTINUE, TEMPFAIL, Base, Hostaddr, Outcome

from .common import ADDED, Options, compute, read_options

OPTIONS: Options = read_options()


class Nothing(Base):
    pass


class All(Base):
    def __init__(self) -> None:
        self.headers = self.recipients = self.size = 0

    def connect(self, hostname: str, family: int, hostaddr: Hostaddr) -> Outcome:
        return CONTINUE

    def hello(self, hostname: str) -> Outcome:
        return CONTINUE

    def envfrom(self, mailfrom: str, *params: str) -> Outcome:
        self.headers = self.recipients = self.size = 0
        return CONTINUE

    def envrcpt(self, to: str, *params: str) -> Outcome:
        self.recipients += 1
        return CONTINUE

    def data(self) -> Outcome:
        return CONTINUE

    def header(self, name: str, value: str) -> Outcome:
        self.headers += 1
        return CONTINUE

    def eoh(self) -> Outcome:
        return CONTINUE

    def body(self, chunk: bytes) -> Outcome:
        self.size += len(chunk)
        return CONTINUE

    def eom(self) -> Outcome:
        right = (self.headers, self.recipients, self.size) == (OPTIONS.headers, OPTIONS.recipients, OPTIONS.size)
        return ACCEPT if right else TEMPFAIL


class AllNone(Base):
    def __init__(self) -> None:
        self.headers = self.recipients = self.size = 0

    def connect(self, hostname: str, family: int, hostaddr: Hostaddr) -> None:
        pass

    def hello(self, hostname: str) -> None:
        pass

    def envfrom(self, mailfrom: str, *params: str) -> None:
        self.headers = self.recipients = self.size = 0

    def envrcpt(self, to: str, *params: str) -> None:
        self.recipients += 1

    def data(self) -> None:
        pass

    def header(self, name: str, value: str) -> None:
        self.headers += 1

    def eoh(self) -> None:
        pass

    def body(self, chunk: bytes) -> None:
        self.size += len(chunk)

    def eom(self) -> Outcome:
        right = (self.headers, self.recipients, self.size) == (OPTIONS.headers, OPTIONS.recipients, OPTIONS.size)
        return ACCEPT if right else TEMPFAIL


class Body(Base):
    def __init__(self) -> None:
        self.size = 0

    def body(self, chunk: bytes) -> Outcome:
        self.size += len(chunk)
        return CONTINUE

    def eom(self) -> Outcome:
        right = self.size == OPTIONS.size
        self.size = 0
        return ACCEPT if right else TEMPFAIL


class BodyNone(Base):
    def __init__(self) -> None:
        self.size = 0

    def body(self, chunk: bytes) -> None:
        self.size += len(chunk)

    def eom(self) -> Outcome:
        right = self.size == OPTIONS.size
        self.size = 0
        return ACCEPT if right else TEMPFAIL


class Gather(Base):
    right = False

    @pymilter.gather
    def body(self, body: bytes) -> None:
        self.right = OPTIONS.is_body(body)

    def eom(self) -> Outcome:
        return ACCEPT if self.right else TEMPFAIL


class GatherView(Base):
    right = False

    @pymilter.gather(view=True)
    def body(self, body: memoryview) -> None:
        self.right = OPTIONS.is_body(body)

    def eom(self) -> Outcome:
        return ACCEPT if self.right else TEMPFAIL


class GatherMessage(Base):
    """A whole message put together by hand, as a program does that has events only."""

    def connect(self, hostname: str, family: int, hostaddr: Hostaddr) -> None:
        self.client = hostname, hostaddr

    def hello(self, hostname: str) -> None:
        self.helo = hostname

    def envfrom(self, mailfrom: str, *params: str) -> None:
        self.sender = mailfrom
        self.recipients: list[str] = []
        self.headers: list[tuple[str, str]] = []
        self.content = BytesIO()

    def envrcpt(self, to: str, *params: str) -> None:
        self.recipients.append(to)

    def header(self, name: str, value: str) -> None:
        self.headers.append((name, value))

    def body(self, chunk: bytes) -> None:
        self.content.write(chunk)

    def eom(self) -> Outcome:
        right = OPTIONS.is_message(len(self.headers), len(self.recipients), self.content.getvalue())
        return ACCEPT if right else TEMPFAIL


class Edits(Base):
    def eom(self) -> Outcome:
        for name, value in ADDED:
            self.addheader(name, value)
        self.replacebody(OPTIONS.replacement)
        return ACCEPT


class Compute(Base):
    def envfrom(self, mailfrom: str, *params: str) -> Outcome:
        compute(OPTIONS.work)
        return CONTINUE

    def header(self, name: str, value: str) -> Outcome:
        compute(OPTIONS.work)
        return CONTINUE

    def eom(self) -> Outcome:
        compute(OPTIONS.work)
        return ACCEPT


class Boundary(Base):
    def header(self, name: str, value: str) -> Outcome:
        return CONTINUE

    def eom(self) -> Outcome:
        return ACCEPT


class BoundaryNone(Base):
    def header(self, name: str, value: str) -> None:
        pass

    def eom(self) -> Outcome:
        return ACCEPT


FILTERS: dict[str, tuple[type[Base], type[Base]]] = {
    # mode: the class whose handlers answer, the class whose handlers cannot
    "nothing": (Nothing, Nothing),
    "all": (All, AllNone),
    "body": (Body, BodyNone),
    "gather": (GatherView, GatherView) if OPTIONS.view else (Gather, Gather),
    "message": (GatherMessage, GatherMessage),
    "edits": (Edits, Edits),
    "compute": (Compute, Compute),
    "boundary": (Boundary, BoundaryNone),
}


def whole() -> type[Base]:
    """The filter that gets whole messages; the others do not load what it needs."""

    @pymilter.message_filter
    def check(message: pymilter.Message) -> Outcome:
        # A body above 8 MiB lies in a file, which can be read without a copy.
        body = message.body_view if OPTIONS.size > 8 * 2**20 else message.body
        right = OPTIONS.is_message(len(message.headers), len(message.recipients), body)
        return ACCEPT if right else TEMPFAIL

    return check


def main() -> None:
    if OPTIONS.workers:
        logging.basicConfig(level=logging.INFO)  # the harness waits for "N workers serve"
    chosen = whole() if OPTIONS.whole else FILTERS[OPTIONS.mode][OPTIONS.noreply]
    pymilter.run(chosen, OPTIONS.address, workers=OPTIONS.workers)


if __name__ == "__main__":
    main()
