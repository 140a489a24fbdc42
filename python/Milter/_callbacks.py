"""Callbacks of the low level that make an object of `Milter.factory` for a connection and call its methods."""

from typing import Protocol, cast

import Milter
from pymilter import CONTINUE, P_NR_CONN, Base, Context, Outcome
from pymilter._class.base import Hostaddr


class PrivateData(Protocol):
    """The part of a context that is needed here; a test may bring its own."""

    def getpriv(self) -> object: ...
    def setpriv(self, priv: object) -> object: ...


def _make(ctx: PrivateData) -> Base:
    receiver: Base = Milter.factory()
    receiver._setctx(cast(Context, ctx))
    return receiver


def negotiate_callback(ctx: PrivateData, opts: list[int]) -> int | None:
    """Make the object of a connection and let it negotiate."""
    return _make(ctx).negotiate(opts)


def connect_callback(
    ctx: PrivateData, hostname: str, family: int, hostaddr: Hostaddr, nr_mask: int = P_NR_CONN
) -> Outcome:
    """Call `connect`; makes the object where nothing was negotiated. `nr_mask` has no use any more."""
    receiver = cast("Base | None", ctx.getpriv()) or _make(ctx)
    return receiver.connect(hostname, family, hostaddr)


def close_callback(ctx: PrivateData) -> Outcome:
    """Call `close` and take the context from the object."""
    receiver = cast("Base | None", ctx.getpriv())
    if receiver is None:
        return CONTINUE
    try:
        return receiver.close()
    finally:
        receiver._setctx(None)
