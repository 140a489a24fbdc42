r"""The MTA's side of the milter protocol, for tests and demonstrations of filters.

    with temporary_socket() as address, FilterProcess([sys.executable, "gate.py", address], address):
        result = send_message(address, b"Subject: hello\r\n\r\ntext\r\n", "a@example.org", ["b@example.net"])
        assert result.verdict is Verdict.ACCEPT
        assert ("X-Gate", "open") in result.headers

`session` runs a filter class in the test's own process, with real libmilter:

    with session(Gate) as gate:
        assert gate.send(b"Subject: hello\\r\\n\\r\\ntext\\r\\n") == accepted(headers={"X-Gate": "open"})

`Client` sends one step at a time. `python -m pymilter.testing MESSAGE.eml SOCKET` prints what a running filter does.
The result of a filter's edits depends on the mail server, so calls take `mta="postfix"` or `mta="sendmail"`;
`apply_edits` computes that result without a socket.

The client is written in Python and does not use libmilter. Importing it still loads libmilter, because the package
`pymilter` does.
"""

from typing import TYPE_CHECKING

from pymilter.message._edits import (
    AddHeader,
    AddRecipient,
    ChangeFrom,
    ChangeHeader,
    DeleteRecipient,
    Edit,
    InsertHeader,
    Quarantine,
    ReplaceBody,
)

from ._address import free_port, temporary_socket
from ._agreement import Negotiation
from ._client import Client
from ._constants import Action, Command, Family, Protocol, Stage, Verdict
from ._delivery import Delivered, Mta, apply_edits
from ._errors import (
    ClientError,
    FilterFailed,
    FilterGone,
    FilterTimeout,
    FilterUnreachable,
    NotGranted,
    ProtocolError,
)
from ._expect import Expected, accepted, discarded, rejected, tempfailed
from ._macros import DEFAULT_MACRO_LISTS, DEFAULT_MACROS
from ._message import Envelope
from ._process import FilterProcess
from ._report import print_result
from ._response import Response, SmtpReply
from ._result import Refusal, Result, Step
from ._send import send_message

if TYPE_CHECKING:
    from ._fixtures import MilterFixture, MilterProcessFixture, RunningProgram
    from ._session import Session, session

__all__ = [
    "DEFAULT_MACROS",
    "DEFAULT_MACRO_LISTS",
    "Action",
    "AddHeader",
    "AddRecipient",
    "ChangeFrom",
    "ChangeHeader",
    "Client",
    "ClientError",
    "Command",
    "DeleteRecipient",
    "Delivered",
    "Edit",
    "Envelope",
    "Expected",
    "Family",
    "FilterFailed",
    "FilterGone",
    "FilterProcess",
    "FilterTimeout",
    "FilterUnreachable",
    "InsertHeader",
    "MilterFixture",
    "MilterProcessFixture",
    "Mta",
    "Negotiation",
    "NotGranted",
    "Protocol",
    "ProtocolError",
    "Quarantine",
    "Refusal",
    "ReplaceBody",
    "Response",
    "Result",
    "RunningProgram",
    "Session",
    "SmtpReply",
    "Stage",
    "Step",
    "Verdict",
    "accepted",
    "apply_edits",
    "discarded",
    "free_port",
    "print_result",
    "rejected",
    "send_message",
    "session",
    "tempfailed",
    "temporary_socket",
]


_THAT_RUN_FILTERS = ("MilterFixture", "MilterProcessFixture", "RunningProgram", "Session", "session")


def __getattr__(name: str) -> object:
    if name not in _THAT_RUN_FILTERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import _fixtures  # needs more than the rest, which is used without them too

    return getattr(_fixtures, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_THAT_RUN_FILTERS} - {"TYPE_CHECKING"})
