"""Mail filters for Postfix and Sendmail in typed Python, on the real libmilter.

Derive from `Base`, override the methods you want, and `run` it. Re-exports only: no logic lives here.
"""

from pymilter import _constants
from pymilter._class.base import (
    Base,
    Hostaddr,
    Parameters,
)
from pymilter._class.decorators import (
    decode,
    enable_protocols,
    header_leading_space,
    nocallback,
    noreply,
    rejected_recipients,
    symlist,
)
from pymilter._class.gather import gather
from pymilter._constants import *
from pymilter._constants import Action, Protocol, Stage, Status
from pymilter._constants import __all__ as __all__  # tells mypy which names the * above re-exports
from pymilter._core import (
    Context,
    setdbg,
    setmaxdatasize,
    version,
)
from pymilter._observe.logging import LogFilter
from pymilter._observe.stats import Stats, Transports, stats
from pymilter._process.process import is_worker
from pymilter._run import (
    Server,
    run,
    stop,
)
from pymilter.errors import (
    BadValue,
    DisabledAction,
    MilterError,
)
from pymilter.message import (
    Address,
    Connection,
    Envelope,
    Field,
    Headers,
    Message,
    MessageFilter,
    Recipient,
    chain,
    message_filter,
)
from pymilter.replies import (
    Outcome,
    Reject,
    Reply,
    TempFail,
)

__version__: str

__all__ = [  # noqa: F811
    "Action",
    "Address",
    "BadValue",
    "Base",
    "Connection",
    "Context",
    "DisabledAction",
    "Envelope",
    "Field",
    "Headers",
    "Hostaddr",
    "LogFilter",
    "Message",
    "MessageFilter",
    "MilterError",
    "Outcome",
    "Parameters",
    "Protocol",
    "Recipient",
    "Reject",
    "Reply",
    "Server",
    "Stage",
    "Stats",
    "Status",
    "TempFail",
    "Transports",
    "__version__",
    "chain",
    "decode",
    "enable_protocols",
    "gather",
    "header_leading_space",
    "is_worker",
    "message_filter",
    "nocallback",
    "noreply",
    "rejected_recipients",
    "run",
    "setdbg",
    "setmaxdatasize",
    "stats",
    "stop",
    "symlist",
    "version",
]
__all__ += _constants.__all__
