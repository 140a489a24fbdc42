"""Mail filters for Postfix and Sendmail in typed Python, on the real libmilter.

Derive from `Base`, override the methods you want, and `run` it. Re-exports only: no logic lives here.
"""

from importlib import import_module as _import_module

from pymilter import _constants, _library  # noqa: F401

# isort: split

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
from pymilter._core import (
    Context,
    setdbg,
    setmaxdatasize,
    version,
)
from pymilter._process.process import is_worker
from pymilter.errors import (
    BadValue,
    DisabledAction,
    MilterError,
)
from pymilter.replies import (
    Outcome,
    Reject,
    Reply,
    TempFail,
)

__version__ = "1.9.0"

__all__ = [
    *_constants.__all__,
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

# Names by module, loaded on first use: many filters need no messages and no counters, and a program that defines or
# tests a filter need not run one.
_LOGGING = "pymilter._observe.logging"
_MESSAGES = "pymilter.message"
_RUN = "pymilter._run"
_STATS = "pymilter._observe.stats"
_LATER = {
    "Address": _MESSAGES,
    "Connection": _MESSAGES,
    "Envelope": _MESSAGES,
    "Field": _MESSAGES,
    "Headers": _MESSAGES,
    "LogFilter": _LOGGING,
    "Message": _MESSAGES,
    "MessageFilter": _MESSAGES,
    "Recipient": _MESSAGES,
    "Server": _RUN,
    "Stats": _STATS,
    "Transports": _STATS,
    "chain": _MESSAGES,
    "message_filter": _MESSAGES,
    "run": _RUN,
    "stats": _STATS,
    "stop": _RUN,
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module 'pymilter' has no attribute {name!r}")
    found: object = getattr(_import_module(_LATER[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
