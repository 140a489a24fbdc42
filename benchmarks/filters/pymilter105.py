"""The benchmark filter on pymilter 1.0.5 (or on our `Milter`, which takes the same program)."""
# mypy: ignore-errors

from collections.abc import Callable
from io import BytesIO
from typing import Any

import Milter

from .common import ADDED, compute, read_options

OPTIONS = read_options()


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


step = Milter.noreply if OPTIONS.noreply else plain


class Nothing(Milter.Base):
    pass


class All(Milter.Base):
    def __init__(self) -> None:
        self.headers = self.recipients = self.size = 0

    @step
    def connect(self, hostname: str, family: int, hostaddr: Any) -> int:
        return Milter.CONTINUE

    @step
    def hello(self, hostname: str) -> int:
        return Milter.CONTINUE

    @step
    def envfrom(self, mailfrom: str, *params: str) -> int:
        self.headers = self.recipients = self.size = 0
        return Milter.CONTINUE

    @step
    def envrcpt(self, to: str, *params: str) -> int:
        self.recipients += 1
        return Milter.CONTINUE

    @step
    def data(self) -> int:
        return Milter.CONTINUE

    @step
    def header(self, name: str, value: str) -> int:
        self.headers += 1
        return Milter.CONTINUE

    @step
    def eoh(self) -> int:
        return Milter.CONTINUE

    @step
    def body(self, chunk: bytes) -> int:
        self.size += len(chunk)
        return Milter.CONTINUE

    def eom(self) -> int:
        right = (self.headers, self.recipients, self.size) == (OPTIONS.headers, OPTIONS.recipients, OPTIONS.size)
        return Milter.ACCEPT if right else Milter.TEMPFAIL


class Body(Milter.Base):
    def __init__(self) -> None:
        self.size = 0

    @step
    def body(self, chunk: bytes) -> int:
        self.size += len(chunk)
        return Milter.CONTINUE

    def eom(self) -> int:
        right = self.size == OPTIONS.size
        self.size = 0
        return Milter.ACCEPT if right else Milter.TEMPFAIL


class Gather(Milter.Base):
    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    @step
    def body(self, chunk: bytes) -> int:
        self.chunks.append(chunk)
        return Milter.CONTINUE

    def eom(self) -> int:
        body = b"".join(self.chunks)
        self.chunks = []
        return Milter.ACCEPT if OPTIONS.is_body(body) else Milter.TEMPFAIL


class GatherMessage(Milter.Base):
    @step
    def connect(self, hostname: str, family: int, hostaddr: Any) -> int:
        self.client = hostname, hostaddr
        return Milter.CONTINUE

    @step
    def hello(self, hostname: str) -> int:
        self.helo = hostname
        return Milter.CONTINUE

    @step
    def envfrom(self, mailfrom: str, *params: str) -> int:
        self.sender = mailfrom
        self.recipients: list[str] = []
        self.headers: list[tuple[str, str]] = []
        self.content = BytesIO()
        return Milter.CONTINUE

    @step
    def envrcpt(self, to: str, *params: str) -> int:
        self.recipients.append(to)
        return Milter.CONTINUE

    @step
    def header(self, name: str, value: str) -> int:
        self.headers.append((name, value))
        return Milter.CONTINUE

    @step
    def body(self, chunk: bytes) -> int:
        self.content.write(chunk)
        return Milter.CONTINUE

    def eom(self) -> int:
        right = OPTIONS.is_message(len(self.headers), len(self.recipients), self.content.getvalue())
        return Milter.ACCEPT if right else Milter.TEMPFAIL


class Edits(Milter.Base):
    def eom(self) -> int:
        for name, value in ADDED:
            self.addheader(name, value)
        self.replacebody(OPTIONS.replacement)
        return Milter.ACCEPT


class Compute(Milter.Base):
    @step
    def envfrom(self, mailfrom: str, *params: str) -> int:
        compute(OPTIONS.work)
        return Milter.CONTINUE

    @step
    def header(self, name: str, value: str) -> int:
        compute(OPTIONS.work)
        return Milter.CONTINUE

    def eom(self) -> int:
        compute(OPTIONS.work)
        return Milter.ACCEPT


class Boundary(Milter.Base):
    @step
    def header(self, name: str, value: str) -> int:
        return Milter.CONTINUE

    def eom(self) -> int:
        return Milter.ACCEPT


FILTERS = {
    "nothing": Nothing,
    "all": All,
    "body": Body,
    "gather": Gather,
    "message": GatherMessage,
    "edits": Edits,
    "compute": Compute,
    "boundary": Boundary,
}


def main() -> None:
    Milter.factory = FILTERS[OPTIONS.mode]
    Milter.set_flags(Milter.ADDHDRS | Milter.CHGBODY if OPTIONS.mode == "edits" else 0)
    Milter.runmilter("bench", OPTIONS.address, 600)


if __name__ == "__main__":
    main()
