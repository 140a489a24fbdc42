"""What became of the messages that were played: their verdicts in one word, as JSON, and how long they took."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from pymilter.message._edits import Edit, ReplaceBody
from pymilter.testing._constants import Verdict
from pymilter.testing._paint import BOLD, Screen
from pymilter.testing._report import COLOURS
from pymilter.testing._response import SmtpReply
from pymilter.testing._result import Result
from pymilter.testing._wire import to_str

STATUSES: Final = {"accept": 0, "reject": 10, "tempfail": 11, "discard": 12, "quarantine": 13}
"""The outcomes of a message, and the exit status for each."""
_NO_BREAK: Final = "\xa0"


def outcome_of(result: Result) -> str:
    """What became of a message, in one word of STATUSES."""
    if result.verdict is Verdict.ACCEPT:
        return "accept" if result.quarantine is None else "quarantine"
    return result.verdict.value if result.verdict.value in STATUSES else "tempfail"


def result_as_json(name: str, result: Result, seconds: float) -> dict[str, Any]:
    """A result for json.dumps. Bytes that are no UTF-8 become lone surrogates, as Python's surrogateescape has it."""
    return {
        "name": name,
        "outcome": outcome_of(result),
        "verdict": result.verdict.value,
        "decided_at": result.decided_at.name,
        "reply": _reply(result.reply),
        "sender": result.sender,
        "sender_params": result.envelope.sender_params,
        "recipients": list(result.recipients),
        "refused": [{"recipient": one.recipient, "reply": _reply(one.reply)} for one in result.refused],
        "quarantine": result.quarantine,
        "edits": [edit_as_json(edit) for edit in result.edits],
        "transcript": [
            {
                "step": step.command.name,
                "text": step.text,
                "answer": step.response.verdict.value,
                "reply": None if step.response.reply is None else _reply(step.response.reply),
                "progress": step.response.progress,
            }
            for step in result.transcript
        ],
        "queue_id": result.queue_id,
        "seconds": round(seconds, 6),
        "changed": result.changed,
        "message": to_str(result.message) if result.changed else None,
    }


def edit_as_json(edit: Edit) -> dict[str, Any]:
    """An edit for json.dumps: its kind, and its values by name."""
    values = {"data": to_str(edit.data)} if isinstance(edit, ReplaceBody) else asdict(edit)
    return {"edit": type(edit).__name__, **values}


def _reply(reply: SmtpReply) -> dict[str, Any]:
    return {"code": reply.code, "enhanced": reply.enhanced, "text": reply.text}


def times_lines(results: Sequence[Result], times: Sequence[float], screen: Screen) -> list[str]:
    """How many messages got which verdict, and how long they took."""
    total = sum(times)
    verdicts = Counter(result.verdict for result in results)
    ordered = sorted(times)
    late = ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]
    figures = {"shortest": ordered[0], "median": statistics.median(ordered), "95 %": late, "longest": ordered[-1]}
    return [
        *_titled("Messages", [f"{len(results)} in {total:.3f} s", f"{len(results) / total:.1f} a second"], screen),
        f"{screen(BOLD, 'Verdicts')}  "
        + ", ".join(f"{screen(COLOURS[verdict], verdict.value)} {number}" for verdict, number in verdicts.items()),
        *_titled("Time", [f"{name} {1000 * value:.2f} ms" for name, value in figures.items()], screen),
    ]


def _titled(title: str, parts: list[str], screen: Screen) -> list[str]:
    """Parts behind a title, on more than one line if the screen is narrow."""
    first, *rest = screen.wrapped(", ".join(part.replace(" ", _NO_BREAK) for part in parts), " " * 10)
    return [line.replace(_NO_BREAK, " ") for line in (f"{screen(BOLD, title)}{first[len(title) :]}", *rest)]
