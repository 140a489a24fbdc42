"""The loads: what the client sends, what the filter does with it, and which sides take part."""

from dataclasses import dataclass

from harness.build import body_file
from harness.sides import Side

_ANSWERING = ("c", "old", "pylib", "pure", "ours")
_BOTH = (
    "c",
    "c-noreply",
    "c-noreply-cures",
    "old",
    "old-noreply",
    "pylib",
    "pylib-noreply",
    "pure",
    "pure-noreply",
    "ours",
    "ours-none",
)
_ON_LIBMILTER = ("c", "c-noreply", "c-noreply-cures", "old", "old-noreply", "ours-none")
_SINKS = ("sink", "sink-noreply")


@dataclass(frozen=True)
class Load:
    """One load; sizes in bytes."""

    name: str
    title: str
    mode: str
    sides: tuple[str, ...]
    headers: int = 20
    recipients: int = 1
    body: int = 10240
    replacement: int = 0
    connections: int = 1
    per_connection: int = 1
    no_delay: bool = False
    each: bool = False
    idle: int = 0
    warm_up: int = 20
    seconds: float = 1.0  # times the seconds asked for
    transports: tuple[str, ...] = ("tcp", "unix")
    placement: str = ""  # "same": filter and client on one core, whatever the run asks for
    callbacks: int = 0  # callbacks a message, where their cost is to be told
    verdicts: str = "a"
    work: int = 100  # µs that a computing handler works

    def filter_options(self, side: Side, verify: bool) -> list[str]:
        """Options of the filter program; `verify` has it compare gathered bodies in whole."""
        options: list[str] = []
        if self.replacement:
            options += ["--replacement", str(body_file(self.replacement, seed=2))]
        if verify:
            options += ["--body", str(body_file(self.body))]
        if self.work != Load.work:
            options += ["--work", str(self.work)]
        return [
            *options,
            *("--headers", str(self.headers)),
            *("--recipients", str(self.recipients)),
            *("--size", str(self.body)),
        ]

    def client_options(self, side: Side) -> list[str]:
        """Options of the load client, but for the address and the length of the run."""
        # purepythonmilter's eom with edits can only go on, not accept; "nothing" has no eom handler
        verdicts = "ac" if self.replacement else self.verdicts
        if self.connections > 1 and not side.checks_concurrently:
            verdicts += "ty"
        options = [
            *("--headers", str(self.headers)),
            *("--recipients", str(self.recipients)),
            *("--body", str(body_file(self.body))),
            *("--connections", str(self.connections)),
            *("--messages-per-connection", str(self.per_connection)),
            *("--expect", verdicts),
        ]
        if self.replacement:
            options += ["--expect-header", "X-Bench-One", "--expect-header", "X-Bench-Two"]
            options += ["--expect-body", str(body_file(self.replacement, seed=2))]
        if self.no_delay:
            options.append("--nodelay")
        if self.each:
            options.append("--each")
        return options


LOADS = {
    load.name: load
    for load in (
        Load("nothing", "nothing overridden (20 headers, 10 KB)", "nothing", _ANSWERING, verdicts="ac"),
        Load("steps", "every step overridden (20 headers, 10 KB)", "all", (*_SINKS, *_BOTH)),
        Load(
            "each",
            "the same with one write a command: not even unanswered steps wait for each other",
            "all",
            _BOTH,
            each=True,
        ),
        Load(
            "onecore",
            "every step overridden, filter and client on one core: no wake-ups of idle cores, processor time alone",
            "all",
            (*_SINKS, *_BOTH),
            placement="same",
        ),
        Load("body5", "5 MB body by chunk", "body", (*_SINKS, *_BOTH), body=5_000_000, warm_up=3),
        Load(
            "gather5",
            "whole 5 MB body gathered (others: list and join)",
            "gather",
            ("c", "c-noreply", "c-noreply-cures", "old", "old-noreply", "pylib", "pure", "ours-none", "ours-view"),
            body=5_000_000,
            warm_up=3,
        ),
        Load(
            "body5each",
            "5 MB body by chunk, one write a command",
            "body",
            _ON_LIBMILTER,
            body=5_000_000,
            warm_up=3,
            each=True,
        ),
        Load(
            "gather5each",
            "whole 5 MB body gathered, one write a command",
            "gather",
            _ON_LIBMILTER,
            body=5_000_000,
            warm_up=3,
            each=True,
        ),
        *(
            Load(
                f"message{name}",
                f"a whole message, {title}, put together (others: lists and BytesIO)",
                "message",
                ("c-noreply", "c-noreply-cures", "old", "old-noreply", "pure-noreply", "ours-none", "ours-message"),
                body=size,
                warm_up=warm_up,
            )
            for name, title, size, warm_up in (
                ("", "20 headers, 10 KB", 10240, 20),
                ("5", "20 headers, 5 MB", 5_000_000, 3),
                ("50", "20 headers, 50 MB", 50_000_000, 1),
            )
        ),
        Load(
            "edits",
            "eom: 2 headers added, 1 MB body replaced",
            "edits",
            ("c", "c-cures", "old", "pylib", "pure", "ours"),
            replacement=1_048_576,
        ),
        Load(
            "body50",
            "50 MB body by chunk",
            "body",
            ("c", "c-noreply", "c-noreply-cures", "old", "old-noreply", "pylib", "pure", "ours", "ours-none"),
            body=50_000_000,
            warm_up=1,
            seconds=1.5,
        ),
        Load(
            "gather50",
            "whole 50 MB body gathered (others: list and join)",
            "gather",
            ("c", "old", "pylib", "pure", "ours-none", "ours-view"),
            body=50_000_000,
            warm_up=1,
            seconds=1.5,
        ),
        *(
            Load(
                f"trace{connections}",
                f"every step overridden, behind `pymilter trace --save`, connections: {connections}",
                "all",
                ("c", "c-traced", "c-noreply", "c-noreply-traced", "ours", "ours-traced"),
                connections=connections,
                transports=("unix",),
            )
            for connections in (1, 2, 8)
        ),
        Load(
            "compute8",
            "100 µs of work in each of 7 handlers, 8 connections",
            "compute",
            _ANSWERING,
            headers=5,
            connections=8,
        ),
        Load(
            "workers",
            "5 ms of work in each of 4 handlers, 8 connections: many processes",
            "compute",
            ("old", "ours", "ours-1", "ours-2"),
            headers=2,
            connections=8,
            work=5000,
            seconds=3.0,
        ),
        Load(
            "idle2000",
            "2,000 idle connections beside 4 busy ones",
            "all",
            ("c", "old", "pylib", "pure", "ours", "ours-none"),
            connections=4,
            idle=2000,
        ),
        Load(
            "kind",
            "kinder client: TCP_NODELAY, 100 messages a connection (20 headers, 10 KB)",
            "all",
            (*_SINKS, *_BOTH),
            per_connection=100,
            no_delay=True,
        ),
        Load(
            "boundary",
            "the boundary alone: 1,000 empty header callbacks a message, 10 messages a connection",
            "boundary",
            ("c", "c-noreply", "old", "old-noreply", "ours", "ours-none"),
            headers=1000,
            body=0,
            per_connection=10,
            transports=("unix",),
            placement="same",
            callbacks=1000,
        ),
    )
}
