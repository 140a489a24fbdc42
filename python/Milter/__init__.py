"""The classic high level: one object per connection, under the names of pymilter 1.0. Re-exports only.

Programs set `factory` to a class or a function that makes an object derived from `Base`, and call `runmilter`.
"""

from collections.abc import Callable
from threading import Lock

from . import _shadow  # noqa: F401

# isort: split

import milter
from milter import (
    CURR_ACTS,
    FAILURE,
    SUCCESS,
    V1_ACTS,
    V2_ACTS,
    VERSION,
    error,
    getdiag,
    getversion,
    main,
    opensocket,
    register,
    set_abort_callback,
    set_body_callback,
    set_close_callback,
    set_connect_callback,
    set_envfrom_callback,
    set_envrcpt_callback,
    set_eoh_callback,
    set_eom_callback,
    set_exception_policy,
    set_flags,
    set_header_callback,
    set_helo_callback,
    setbacklog,
    setconn,
    setdbg,
    settimeout,
    stop,
)
from pymilter import (
    Base,
    DisabledAction,
    _constants,
    decode,
    enable_protocols,
    header_leading_space,
    nocallback,
    noreply,
    rejected_recipients,
    symlist,
)
from pymilter._constants import *  # noqa: F403
from pymilter._constants import __all__ as __all__  # tells mypy which names the * above re-exports

from ._callbacks import close_callback, connect_callback, negotiate_callback
from ._milter import Milter
from ._parameters import dictfromlist, envcallback, param2dict
from ._run import runmilter
from ._serial import uniqueID
from ._tables import MACRO_CALLBACKS, OPTIONAL_CALLBACKS, R, decode_mask

__version__ = "1.9.0"

factory: Callable[[], Base] = Milter

_seq = 0
_seq_lock = Lock()

__all__ = [  # noqa: F811
    "CURR_ACTS",
    "FAILURE",
    "MACRO_CALLBACKS",
    "OPTIONAL_CALLBACKS",
    "SUCCESS",
    "V1_ACTS",
    "V2_ACTS",
    "VERSION",
    "Base",
    "DisabledAction",
    "Milter",
    "R",
    "close_callback",
    "connect_callback",
    "decode",
    "decode_mask",
    "dictfromlist",
    "enable_protocols",
    "envcallback",
    "error",
    "factory",
    "getdiag",
    "getversion",
    "header_leading_space",
    "main",
    "milter",
    "negotiate_callback",
    "nocallback",
    "noreply",
    "opensocket",
    "param2dict",
    "register",
    "rejected_recipients",
    "runmilter",
    "set_abort_callback",
    "set_body_callback",
    "set_close_callback",
    "set_connect_callback",
    "set_envfrom_callback",
    "set_envrcpt_callback",
    "set_eoh_callback",
    "set_eom_callback",
    "set_exception_policy",
    "set_flags",
    "set_header_callback",
    "set_helo_callback",
    "setbacklog",
    "setconn",
    "setdbg",
    "settimeout",
    "stop",
    "symlist",
    "uniqueID",
]
__all__ += _constants.__all__
