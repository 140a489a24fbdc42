"""Low-level callbacks that call the methods of the object that `Milter.factory` makes for each connection."""

from typing import Protocol, cast

import Milter
from pymilter import CONTINUE, P_NR_CONN, Base, Context, Outcome
from pymilter._class.base import Hostaddr


class PrivateData(Protocol):
    """The methods of a context that these callbacks use; a test may pass an object of its own."""

    def getpriv(self) -> object: ...
    def setpriv(self, priv: object) -> object: ...


def _make(ctx: PrivateData) -> Base:
    receiver: Base = Milter.factory()
    receiver._setctx(cast(Context, ctx))
    return receiver


def negotiate_callback(ctx: PrivateData, opts: list[int]) -> int | None:
    """Make the object for a connection and call its `negotiate`.

    Args:
        ctx: The context of the connection.
        opts: What the MTA offers: actions, protocol options, 0, 0. Changed in place to what the filter wants.

    Returns:
        The status that `negotiate` returns.
    """
    return _make(ctx).negotiate(opts)


def connect_callback(
    ctx: PrivateData, hostname: str, family: int, hostaddr: Hostaddr, nr_mask: int = P_NR_CONN
) -> Outcome:
    """Call `connect`, and make the object first if there was no negotiation.

    Args:
        ctx: The context of the connection.
        hostname: The name of the client, or "[ip]" if it has no verified name.
        family: One of the AF_* numbers of `socket`.
        hostaddr: The address of the client, as `Base.connect` gets it.
        nr_mask: Ignored; pymilter 1.0 had this argument.
    """
    receiver = cast("Base | None", ctx.getpriv()) or _make(ctx)
    return receiver.connect(hostname, family, hostaddr)


def close_callback(ctx: PrivateData) -> Outcome:
    """Call `close`, then detach the context from the object."""
    receiver = cast("Base | None", ctx.getpriv())
    if receiver is None:
        return CONTINUE
    try:
        return receiver.close()
    finally:
        receiver._setctx(None)
