"""@gather: the body of a message in one call, or in large pieces, gathered in C++ without Python."""

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, TypeVar, overload

from pymilter._class.decorators import GATHER_MARK, check_name
from pymilter._class.marks import mark
from pymilter.replies import Reject, TempFail

S = TypeVar("S")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

MIB: Final = 1024 * 1024
DEFAULT_LIMIT: Final = 256 * MIB
DEFAULT_IN_MEMORY: Final = 8 * MIB
TOO_LARGE: Final = TempFail(452, "4.3.4", "Message too large for the mail filter")


class GatherMark(NamedTuple):
    """What @gather was told; sizes in bytes, `piece` 0 for the whole body."""

    piece: int
    limit: int
    in_memory: int
    view: bool
    exceeded: Reject | TempFail


@overload
def gather(func: F, /) -> F: ...
@overload
def gather(
    func: None = None,
    /,
    *,
    piece: int = ...,
    limit: int = ...,
    in_memory: int = ...,
    view: Literal[False] = ...,
    exceeded: Reject | TempFail = ...,
) -> Callable[[F], F]: ...
@overload
def gather(
    func: None = None,
    /,
    *,
    piece: int = ...,
    limit: int = ...,
    in_memory: int = ...,
    view: Literal[True],
    exceeded: Reject | TempFail = ...,
) -> Callable[[Callable[[S, memoryview], R]], Callable[[S, bytes], R]]: ...
def gather(
    func: Callable[..., Any] | None = None,
    /,
    *,
    piece: int = 0,
    limit: int = DEFAULT_LIMIT,
    in_memory: int = DEFAULT_IN_MEMORY,
    view: bool = False,
    exceeded: Reject | TempFail = TOO_LARGE,
) -> Any:
    """Call `body` once with the whole body, before `eom`; also when it is empty.

    Chunks are gathered without Python, and the MTA is not made to wait for answers to them. A verdict that `body` gives
    is the answer to the message. With `piece`, `body` is called with pieces of at least so many bytes as they come, the
    last one smaller, and not at all for an empty body.

    A body of more than `limit` bytes is given back at once and answered with `exceeded`: it is never accepted unseen.
    What is larger than `in_memory` bytes waits in a file without a name in TMPDIR. With `view`, the body is a read-only
    memoryview instead of bytes, with no copy made; it stays valid as long as it is held.

    Raises ValueError for a size that is out of range, or on another method than `body`.
    """
    if piece < 0 or limit < 1 or in_memory < 0:
        raise ValueError(
            f"@gather got piece={piece}, limit={limit}, in_memory={in_memory}: sizes are in bytes, limit > 0"
        )
    if not isinstance(exceeded, Reject | TempFail):
        raise ValueError(f"@gather got exceeded={exceeded!r}: allowed are Reject(...) and TempFail(...)")

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        check_name("gather", handler, ("body",))
        mark(handler, GATHER_MARK, GatherMark(piece, limit, in_memory, view, exceeded))
        return handler

    return decorate if func is None else decorate(func)
