"""The classic low level: thin functions over libmilter, with callbacks that are registered one by one.

Names, arguments and results are those of pymilter 1.0. Each callback gets the context as its first argument, header
values and envelope arguments as bytes, and other text as str. It returns a status, or None for CONTINUE.
"""

import operator
from collections.abc import Callable
from typing import Final

from pymilter import _constants, _core
from pymilter._class.base import Base
from pymilter._constants import *  # noqa: F403
from pymilter._constants import Action, Status
from pymilter._constants import __all__ as __all__  # tells mypy which names the * above re-exports
from pymilter._core import Context
from pymilter._low_level import Callback, Program
from pymilter._process.process import PROCESS
from pymilter._run import stop
from pymilter.errors import MilterError

__all__ = [  # noqa: F811
    "CURR_ACTS",
    "FAILURE",
    "SUCCESS",
    "V1_ACTS",
    "V2_ACTS",
    "VERSION",
    "Callback",
    "Context",
    "error",
    "getdiag",
    "getversion",
    "main",
    "opensocket",
    "register",
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
]
__all__ += _constants.__all__

SUCCESS: Final = 0
FAILURE: Final = -1
_MAJOR, _MINOR, _PATCH = _core.version()
VERSION: Final = _MAJOR << 24 | _MINOR << 8 | _PATCH
V1_ACTS: Final = Action.ADDHDRS | Action.CHGBODY | Action.ADDRCPT | Action.DELRCPT
V2_ACTS: Final = V1_ACTS | Action.CHGHDRS | Action.QUARANTINE
CURR_ACTS: Final = V2_ACTS | Action.CHGFROM | Action.ADDRCPT_PAR | Action.SETSYMLIST

error = MilterError
"""Raised if libmilter refuses a request."""


def _program() -> Program:
    return PROCESS.only(Program)


def set_connect_callback(callback: Callback | None, /) -> Callback | None:
    """Call `callback(ctx, hostname, family, hostaddr)`; None removes the callback.

    Returns the previous callback, as do all of these functions.
    """
    return _program().set_callback("connect", callback)


def set_helo_callback(callback: Callback | None, /) -> Callback | None:
    """Call `callback(ctx, hostname)`."""
    return _program().set_callback("hello", callback)


def set_envfrom_callback(callback: Callback | None, /) -> Callback | None:
    """Call `callback(ctx, sender, *parameters)`, all of them bytes."""
    return _program().set_callback("envfrom", callback)


def set_envrcpt_callback(callback: Callback | None, /) -> Callback | None:
    """Call `callback(ctx, recipient, *parameters)`, all of them bytes."""
    return _program().set_callback("envrcpt", callback)


def set_header_callback(callback: Callback | None, /) -> Callback | None:
    """Call `callback(ctx, name, value)`: a str, and bytes."""
    return _program().set_callback("header", callback)


def set_eoh_callback(callback: Callback | None, /) -> Callback | None:
    """Call `callback(ctx)`."""
    return _program().set_callback("eoh", callback)


def set_body_callback(callback: Callback | None, /) -> Callback | None:
    """Call `callback(ctx, chunk)` with bytes."""
    return _program().set_callback("body", callback)


def set_eom_callback(callback: Callback | None, /) -> Callback | None:
    """Call `callback(ctx)`."""
    return _program().set_callback("eom", callback)


def set_abort_callback(callback: Callback | None, /) -> Callback | None:
    """Call `callback(ctx)`; its result is ignored."""
    return _program().set_callback("abort", callback)


def set_close_callback(callback: Callback | None, /) -> Callback | None:
    """Call `callback(ctx)`; its result is ignored."""
    return _program().set_callback("close", callback)


def set_flags(flags: int, /) -> None:
    """Do nothing, as in pymilter 1.0: the filter always asks for every action that the MTA offers (SMFIF_*)."""
    Action(operator.index(flags) & CURR_ACTS)


def set_exception_policy(status: int, /) -> None:
    """Set the answer for a callback that fails.

    Args:
        status: TEMPFAIL (the default), REJECT, ACCEPT or CONTINUE.

    Raises:
        TypeError: `status` is no number, or one of another kind, such as False, which is 0 and would be CONTINUE.
        error: `status` is another number.
    """
    allowed = (Status.TEMPFAIL, Status.REJECT, Status.ACCEPT, Status.CONTINUE)
    if type(status) not in (int, Status):
        raise TypeError(f"exception policy is {status!r}: allowed are TEMPFAIL, REJECT, ACCEPT and CONTINUE")
    if status not in allowed:
        raise error(f"exception policy is {status!r}: allowed are TEMPFAIL, REJECT, ACCEPT and CONTINUE")
    if (handlers := _program().handlers) is not None:
        handlers.set_exception_policy(status)
    _program().policy = status


def register(
    name: str,
    unknown: Callback | None = None,
    data: Callback | None = None,
    negotiate: Callback | None = None,
) -> None:
    """Name the filter and set the callbacks that have no function of their own (smfi_register).

    Args:
        name: The name of the filter.
        unknown: Called as `unknown(ctx, command)`. None, here and below, leaves the callback as it is.
        data: Called as `data(ctx)`.
        negotiate: Called as `negotiate(ctx, options)`, with a list of four numbers to change: actions, protocol, 0, 0.

    Raises:
        TypeError: `name` is not a str.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be str, not {type(name).__name__}")
    for step, callback in (("unknown", unknown), ("data", data), ("negotiate", negotiate)):
        if callback is not None:
            _program().set_callback(step, callback)
    _program().name = name
    _program().factory = None


def setconn(address: str, /) -> None:
    """Set where to listen (smfi_setconn). The address is checked later, by opensocket() or main().

    Args:
        address: inet:PORT@HOST, inet6:PORT@HOST, unix:PATH, local:PATH or a path.

    Raises:
        error: `address` is empty.
        TypeError: `address` is not a str.
    """
    if not isinstance(address, str):
        raise TypeError(f"address must be str, not {type(address).__name__}")
    if not address:
        raise error("the address is empty")
    _program().connection = address


def opensocket(rmsock: bool, /) -> None:
    """Open the listening socket before main() does.

    Args:
        rmsock: Whether to remove a unix socket first if no process serves it any more.

    Raises:
        error: The socket cannot be opened; the text gives the reason.
    """
    _program().open(bool(rmsock))


def settimeout(seconds: int, /) -> None:
    """Set how many seconds libmilter waits for the MTA (smfi_settimeout)."""
    _program().timeout = operator.index(seconds)


def setbacklog(size: int, /) -> None:
    """Set the length of the listening queue, as smfi_setbacklog does. Raises `error` if it is less than 1."""
    backlog = operator.index(size)
    if backlog < 1:
        raise error(f"backlog is {backlog}: it must be at least 1")
    _program().backlog = backlog


def setdbg(level: int, /) -> None:
    """Set the level of debug output from libmilter; 0 for none (smfi_setdbg)."""
    _core.setdbg(level)


def main() -> None:
    """Serve the socket until SIGTERM, SIGHUP, SIGINT or stop() (smfi_main). May run in any thread, once in a process.

    Raises:
        error: register() or setconn() was not called, the socket cannot be opened, or main() has run before.
    """
    _program().run()


def getdiag() -> tuple[int, int]:
    """Return how many contexts were created, and how many were freed."""
    return _core.connections()


def getversion() -> tuple[int, int, int]:
    """Return the version of the libmilter in use (smfi_version)."""
    return _core.version()


def _serve(name: str, factory: Callable[[], Base], address: str, timeout: int, rmsock: bool) -> None:
    """Do the work of Milter.runmilter: call methods of the object that `factory` makes for each connection."""
    register(name)
    _program().factory = factory
    setconn(address)
    if timeout > 0:
        settimeout(timeout)
    _program().run(rmsock)
