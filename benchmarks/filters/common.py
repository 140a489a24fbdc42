"""What the Python filters share: the command line, the work they pretend to do, the checks of what they received."""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

MODES = ("nothing", "all", "body", "gather", "message", "edits", "compute", "boundary")
ADDED = (("X-Bench-One", "first value"), ("X-Bench-Two", "second value"))


@dataclass(frozen=True)
class Options:
    """One command line: the same for every filter, the C one included."""

    mode: str
    address: str
    noreply: bool
    view: bool
    whole: bool
    workers: int
    work: int
    headers: int
    recipients: int
    size: int
    body: bytes | None
    replacement: bytes

    @property
    def host_port(self) -> tuple[str, int]:
        """The address of `inet:PORT@HOST`."""
        port, host = self.address.removeprefix("inet:").split("@")
        return host, int(port)

    def is_body(self, body: bytes | memoryview) -> bool:
        """Whether a gathered body is the one that was sent: in whole when it is known, else by its length."""
        return body == self.body if self.body is not None else len(body) == self.size

    def is_message(self, headers: int, recipients: int, body: bytes | memoryview) -> bool:
        """Whether a gathered message has what was sent."""
        return (headers, recipients) == (self.headers, self.recipients) and self.is_body(body)


def read_options() -> Options:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("address")
    parser.add_argument("--noreply", action="store_true")
    parser.add_argument("--view", action="store_true", help="gather: a memoryview and no bytes (our pymilter only)")
    parser.add_argument("--whole", action="store_true", help="message: a MessageFilter (our pymilter only)")
    parser.add_argument("--workers", type=int, default=0, help="processes (our pymilter only)")
    parser.add_argument("--work", type=int, default=100, help="compute: µs a handler works")
    parser.add_argument("--headers", type=int, default=0)
    parser.add_argument("--recipients", type=int, default=0)
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--body", type=Path)
    parser.add_argument("--replacement", type=Path)
    read = parser.parse_args()
    return Options(
        mode=read.mode,
        address=read.address,
        noreply=read.noreply,
        view=read.view,
        whole=read.whole,
        workers=read.workers,
        work=read.work,
        headers=read.headers,
        recipients=read.recipients,
        size=read.size,
        body=read.body.read_bytes() if read.body else None,
        replacement=read.replacement.read_bytes() if read.replacement else b"",
    )


def compute(microseconds: int) -> None:
    """So much of this thread's own processor time: waiting for the GIL or a core does not count as work."""
    end = time.thread_time_ns() + microseconds * 1000
    while time.thread_time_ns() < end:
        pass
