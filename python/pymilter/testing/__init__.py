r"""The MTA's side of the milter protocol, for tests and demonstrations of filters.

    with temporary_socket() as address, FilterProcess([sys.executable, "gate.py", address], address):
        result = send_message(address, b"Subject: hello\r\n\r\ntext\r\n", "a@example.org", ["b@example.net"])
        assert result.verdict is Verdict.ACCEPT
        assert ("X-Gate", "open") in result.headers

`Client` sends one step at a time. `python -m pymilter.testing MESSAGE.eml SOCKET` prints what a running filter does.
The result of a filter's edits depends on the mail server, so calls take `mta="postfix"` or `mta="sendmail"`;
`apply_edits` computes that result without a socket.

The client is written in Python and does not use libmilter. Importing it still loads libmilter, because the package
`pymilter` does.
"""

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
from ._macros import DEFAULT_MACRO_LISTS, DEFAULT_MACROS
from ._message import Envelope
from ._process import FilterProcess
from ._report import print_result
from ._response import Response, SmtpReply
from ._result import Refusal, Result, Step
from ._send import send_message

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
    "Family",
    "FilterFailed",
    "FilterGone",
    "FilterProcess",
    "FilterTimeout",
    "FilterUnreachable",
    "InsertHeader",
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
    "SmtpReply",
    "Stage",
    "Step",
    "Verdict",
    "apply_edits",
    "free_port",
    "print_result",
    "send_message",
    "temporary_socket",
]
