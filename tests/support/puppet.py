"""One filter process for many tests: each connection brings the code that the filter runs at one step."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from pymilter.testing import Action, Client, Edit, Negotiation, Protocol, Response
from support.wire import Seen, WireFilter, session

# The code comes as a macro of CONNECT, because libmilter keeps those macros for the whole connection.
SOURCE = """
    def note_error(function, *args, **kwargs):
        try:
            function(*args, **kwargs)
        except Exception as error:
            note(type(error).__name__, str(error))
        else:
            note("no error")

    class Filter(Base):
        def _at(self, step, *args):
            if self.getsymval("{at}") != step:
                return CONTINUE
            names = {}
            exec(self.getsymval("{code}"), globals(), names)
            return names["act"](self, *args)
        def connect(self, *args): return self._at("connect", *args)
        def hello(self, *args): return self._at("hello", *args)
        def envfrom(self, *args): return self._at("envfrom", *args)
        def envrcpt(self, *args): return self._at("envrcpt", *args)
        def data(self, *args): return self._at("data", *args)
        def unknown(self, *args): return self._at("unknown", *args)
        def header(self, *args): return self._at("header", *args)
        def eoh(self, *args): return self._at("eoh", *args)
        def body(self, *args): return self._at("body", *args)
        def eom(self, *args): return self._at("eom", *args)
        def abort(self, *args): return self._at("abort", *args)
        def close(self, *args): return self._at("close", *args)
"""


@dataclass(frozen=True)
class Played:
    """The results of one connection with one message."""

    answers: dict[str, Response]
    """By the names of the methods."""
    seen: Seen
    """What the code told with note()."""
    negotiation: Negotiation

    @property
    def edits(self) -> list[Edit]:
        """What the filter asked to change."""
        return list(self.answers["eom"].edits)


class Puppet:
    """Plays messages to the filter above."""

    def __init__(self, process: WireFilter) -> None:
        self.process = process

    def play(
        self,
        code: str,
        at: str = "eom",
        *,
        macros: Mapping[str, str] | None = None,
        actions: Action = Action.ALL,
        protocol: Protocol = Protocol.ALL,
    ) -> Played:
        """Play one message on a connection; at the step `at` the filter runs `code`, the body of act(self, *args)."""
        body = textwrap.indent(textwrap.dedent(code).strip(), "    ")
        script = {"at": at, "code": f"def act(self, *args):\n{body}\n", **(macros or {})}
        before = len(self.process.seen())
        with Client(self.process.address, actions=actions, protocol=protocol) as client:
            answers = session(client, macros=script)
            negotiation = client.negotiation
        return Played(answers, self.process.seen()[before:], negotiation)

    def errors(self, code: str, at: str = "eom", *, actions: Action = Action.ALL) -> Seen:
        """What `code` told, after which the message must be as it was and be accepted."""
        played = self.play(code, at, actions=actions)
        assert {name: answer.verdict.passes for name, answer in played.answers.items()} == dict.fromkeys(
            played.answers, True
        )
        assert played.edits == []
        return played.seen
