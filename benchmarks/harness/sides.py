"""The sides that are compared: how each filter is started, and whether it answers its steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from harness import build
from harness.process import Address


@dataclass(frozen=True)
class Side:
    """One side: a filter program in one way of use."""

    name: str
    title: str
    program: Callable[[], list[str]]
    noreply: bool = False
    arguments: tuple[str, ...] = ()
    transports: tuple[str, ...] = ("tcp", "unix")
    on_libmilter: bool = True
    checks_concurrently: bool = (
        True  # False: it cannot tell connections apart, so its counts mean nothing with more than one
    )
    options: bool = True  # False: takes the address alone
    ready: str = ""  # what it prints once all of it serves; empty: it serves as soon as it listens

    def command(self, mode: str, address: Address, options: Sequence[str]) -> list[str]:
        """The command line of this side's filter."""
        noreply = ["--noreply"] if self.noreply else []
        if not self.options:
            return [*self.program(), address.for_libmilter, *(["--nothing"] if mode == "nothing" else noreply)]
        return [*self.program(), *noreply, *self.arguments, *options, mode, address.for_libmilter]


@cache
def _c() -> list[str]:
    return [str(build.BUILD / "c_filter")]


@cache
def _sink() -> list[str]:
    return [str(build.BUILD / "sink")]


@cache
def _ours() -> list[str]:
    return [str(build.our_python()), "-m", "filters.ours"]


def _traced(program: Callable[[], list[str]]) -> Callable[[], list[str]]:
    return lambda: [str(build.our_python()), "-m", "filters.traced", *program()]


def _peer(name: str) -> Callable[[], list[str]]:
    @cache
    def command() -> list[str]:
        return [str(build.peer_python(name)), "-m", f"filters.{name}"]

    return command


_OLD, _PURE, _PYLIB = _peer("pymilter105"), _peer("purepython"), _peer("pylibmilter")

SIDES = {
    side.name: side
    for side in (
        Side("sink", "sink (client's limit), answers", _sink, on_libmilter=False, options=False),
        Side("sink-noreply", "sink (client's limit), no reply", _sink, noreply=True, on_libmilter=False, options=False),
        Side("c", "C filter, answers", _c),
        Side("c-cures", "C filter, answers, TCP cured", _c, arguments=("--cures",), transports=("tcp",)),
        Side("c-noreply", "C filter, no reply", _c, noreply=True),
        Side(
            "c-noreply-cures",
            "C filter, no reply, TCP cured",
            _c,
            noreply=True,
            arguments=("--cures",),
            transports=("tcp",),
        ),
        Side("old", "pymilter 1.0.5, answers", _OLD),
        Side("old-noreply", "pymilter 1.0.5, @noreply", _OLD, noreply=True),
        Side("pylib", "python-libmilter, answers", _PYLIB, on_libmilter=False),
        Side("pylib-noreply", "python-libmilter, @noReply", _PYLIB, noreply=True, on_libmilter=False),
        Side(
            "pure",
            "purepythonmilter, answers",
            _PURE,
            transports=("tcp",),
            on_libmilter=False,
            checks_concurrently=False,
        ),
        Side(
            "pure-noreply",
            "purepythonmilter, -> None",
            _PURE,
            noreply=True,
            transports=("tcp",),
            on_libmilter=False,
            checks_concurrently=False,
        ),
        Side("ours", "pymilter (this), answers", _ours),
        Side("ours-none", "pymilter (this), -> None", _ours, noreply=True),
        *(
            Side(
                f"ours-{count}",
                f"pymilter (this), workers={count}",
                _ours,
                arguments=("--workers", str(count)),
                ready=f"{count} workers serve",
            )
            for count in (1, 2)
        ),
        *(
            Side(
                f"{name}-traced",
                f"{title}, behind `pymilter trace`",
                _traced(program),
                noreply=noreply,
                transports=("unix",),
                on_libmilter=False,
            )
            for name, title, program, noreply in (
                ("c", "C filter, answers", _c, False),
                ("c-noreply", "C filter, no reply", _c, True),
                ("ours", "pymilter (this), answers", _ours, False),
            )
        ),
        Side("ours-message", "pymilter (this), MessageFilter", _ours, noreply=True, arguments=("--whole",)),
        Side("ours-view", "pymilter (this), @gather(view=True)", _ours, noreply=True, arguments=("--view",)),
    )
}
