"""One filter process: started on a fresh socket, looked at through /proc, ended for sure."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.build import BENCHMARKS


class FilterError(Exception):
    """The filter did not start, or died; the text ends with what it printed."""


@dataclass(frozen=True)
class Address:
    """Where a filter listens: a TCP port of 127.0.0.1 or a unix socket."""

    transport: str
    where: str

    @property
    def for_libmilter(self) -> str:
        return f"inet:{self.where}@127.0.0.1" if self.transport == "tcp" else f"unix:{self.where}"

    @property
    def for_client(self) -> list[str]:
        return ["--tcp", f"127.0.0.1:{self.where}"] if self.transport == "tcp" else ["--unix", self.where]

    def answers(self) -> bool:
        """Whether somebody listens there."""
        family = socket.AF_INET if self.transport == "tcp" else socket.AF_UNIX
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(("127.0.0.1", int(self.where)) if self.transport == "tcp" else self.where) == 0


def fresh_address(transport: str, folder: Path) -> Address:
    """A free TCP port, or a path in `folder` that no socket has yet."""
    if transport == "tcp":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return Address("tcp", str(probe.getsockname()[1]))
    return Address("unix", str(folder / f"{time.monotonic_ns():x}.sock"))


def on_cores(cores: set[int] | None) -> Callable[[], None] | None:
    """What a child is to do before it becomes its program, so that all its threads stay on `cores`; None: anywhere."""
    return (lambda: os.sched_setaffinity(0, cores)) if cores else None


class FilterProcess:
    """A filter program and its children: `with FilterProcess(command, address, folder) as filter: ...`."""

    def __init__(
        self,
        command: Sequence[str],
        address: Address,
        folder: Path,
        cores: set[int] | None = None,
        ready: str = "",
    ) -> None:
        self._cores = cores
        self._ready = ready
        self._command = list(command)
        self._address = address
        self._output = folder / f"{time.monotonic_ns():x}.log"

    def __enter__(self) -> Self:
        with self._output.open("wb") as output:
            # umask 0: Postfix's smtpd is another user, and the mode of a unix socket comes from the umask alone
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=BENCHMARKS,
                env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
                start_new_session=True,
                umask=0,
                preexec_fn=on_cores(self._cores),
            )
        try:
            deadline = time.monotonic() + 20
            while not self._address.answers() or self._ready not in self.output():
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise FilterError(f"{' '.join(self._command)}: did not listen\n{self.output()}")
                time.sleep(0.01)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        # libmilter needs up to five seconds for a graceful end, and there is nothing to save here.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def output(self) -> str:
        """The end of what the filter printed."""
        return self._output.read_text(errors="replace")[-3000:]

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def _pids(self) -> list[int]:
        """The process and its children."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()  # those of its main thread
        return [self.pid, *map(int, children.split())]

    def cpu_seconds(self) -> float:
        """Processor time of the process and its children, ended threads and children that were waited for included."""
        # The clock of another process's CPU time, see clock_getcpuclockid(3): ns, where /proc has ticks of 10 ms.
        alive = sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in self._pids()) / 1e9
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return alive + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def ticks(self) -> tuple[int, int]:
        """Processor time of the process in user space and in the kernel, in ticks of SC_CLK_TCK."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]), int(fields[12])

    def memory(self) -> tuple[float, float]:
        """Resident memory now and at its peak, in MB (10^6 bytes), the children's added."""
        now = peak = 0.0
        for pid in self._pids():
            status = Path(f"/proc/{pid}/status").read_text()
            found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", status, re.MULTILINE))
            now += int(found["VmRSS"]) * 1.024e-3
            peak += int(found["VmHWM"]) * 1.024e-3
        return now, peak

    def libmilter(self) -> str | None:
        """The file of the libmilter that it has loaded, or None."""
        maps = Path(f"/proc/{self.pid}/maps").read_text()
        found = re.search(r"(/\S*libmilter\.so\S*)", maps)
        return found.group(1) if found else None
