"""The benchmark filter on python-libmilter: the protocol in Python, a thread or a process per connection."""
# mypy: disable-error-code="import-not-found, misc, no-any-return, untyped-decorator"

import os
from collections.abc import Callable
from typing import Any

import libmilter as lm

from .common import ADDED, compute, read_options

OPTIONS = read_options()
FORKS = os.environ.get("BENCH_FORK") == "1"
Mixin: Any = lm.ForkMixin if FORKS else lm.ThreadMixin


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


step: Any = lm.noReply if OPTIONS.noreply else plain


class Nothing(Mixin, lm.MilterProtocol):
    def __init__(self, opts: int = 0, protos: int = 0) -> None:
        lm.MilterProtocol.__init__(self, opts, protos)
        Mixin.__init__(self)
        self.headers = self.recipients = self.size = 0
        self.chunks: list[bytes] = []

    def log(self, msg: str) -> None:
        pass


class All(Nothing):
    @step
    def connect(self, hostname: bytes, family: bytes, ip: bytes, port: int, macros: dict[bytes, bytes]) -> Any:
        return lm.CONTINUE

    @step
    def helo(self, name: bytes) -> Any:
        return lm.CONTINUE

    @step
    def mailFrom(self, sender: bytes, macros: dict[bytes, bytes]) -> Any:  # noqa: N802
        self.headers = self.recipients = self.size = 0
        return lm.CONTINUE

    @step
    def rcpt(self, recipient: bytes, macros: dict[bytes, bytes]) -> Any:
        self.recipients += 1
        return lm.CONTINUE

    @step
    def data(self, macros: dict[bytes, bytes]) -> Any:
        return lm.CONTINUE

    @step
    def header(self, name: bytes, value: bytes, macros: dict[bytes, bytes]) -> Any:
        self.headers += 1
        return lm.CONTINUE

    @step
    def eoh(self, macros: dict[bytes, bytes]) -> Any:
        return lm.CONTINUE

    @step
    def body(self, chunk: bytes, macros: dict[bytes, bytes]) -> Any:
        self.size += len(chunk)
        return lm.CONTINUE

    def eob(self, macros: dict[bytes, bytes]) -> Any:
        right = (self.headers, self.recipients, self.size) == (OPTIONS.headers, OPTIONS.recipients, OPTIONS.size)
        return lm.ACCEPT if right else lm.TEMPFAIL


class Body(Nothing):
    @step
    def body(self, chunk: bytes, macros: dict[bytes, bytes]) -> Any:
        self.size += len(chunk)
        return lm.CONTINUE

    def eob(self, macros: dict[bytes, bytes]) -> Any:
        right = self.size == OPTIONS.size
        self.size = 0
        return lm.ACCEPT if right else lm.TEMPFAIL


class Gather(Nothing):
    @step
    def body(self, chunk: bytes, macros: dict[bytes, bytes]) -> Any:
        self.chunks.append(chunk)
        return lm.CONTINUE

    def eob(self, macros: dict[bytes, bytes]) -> Any:
        body = b"".join(self.chunks)
        self.chunks = []
        return lm.ACCEPT if OPTIONS.is_body(body) else lm.TEMPFAIL


class Edits(Nothing):
    def eob(self, macros: dict[bytes, bytes]) -> Any:
        for name, value in ADDED:
            self.addHeader(name.encode(), value.encode())
        self.replBody(OPTIONS.replacement)
        return lm.ACCEPT


class Compute(Nothing):
    @step
    def mailFrom(self, sender: bytes, macros: dict[bytes, bytes]) -> Any:  # noqa: N802
        compute(OPTIONS.work)
        return lm.CONTINUE

    @step
    def header(self, name: bytes, value: bytes, macros: dict[bytes, bytes]) -> Any:
        compute(OPTIONS.work)
        return lm.CONTINUE

    def eob(self, macros: dict[bytes, bytes]) -> Any:
        compute(OPTIONS.work)
        return lm.ACCEPT


class Boundary(Nothing):
    @step
    def header(self, name: bytes, value: bytes, macros: dict[bytes, bytes]) -> Any:
        return lm.CONTINUE

    def eob(self, macros: dict[bytes, bytes]) -> Any:
        return lm.ACCEPT


FILTERS = {
    "nothing": Nothing,
    "all": All,
    "body": Body,
    "gather": Gather,
    "edits": Edits,
    "compute": Compute,
    "boundary": Boundary,
}


def main() -> None:
    if OPTIONS.address.startswith("inet:"):
        host, port = OPTIONS.host_port
        address = f"inet:{host}:{port}"
    else:
        address = OPTIONS.address.removeprefix("unix:")
    factory: Any = lm.ForkFactory if FORKS else lm.ThreadFactory
    actions = lm.SMFIF_ADDHDRS | lm.SMFIF_CHGBODY if OPTIONS.mode == "edits" else 0
    factory(address, FILTERS[OPTIONS.mode], actions).run()


if __name__ == "__main__":
    main()
