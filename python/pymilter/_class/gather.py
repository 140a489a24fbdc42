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
    """The arguments of @gather; sizes in bytes, `piece` is 0 for the whole body."""

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

    Chunks are gathered without Python, and the MTA need not wait for an answer to each. The verdict of `body` is the
    answer to the message.

    Args:
        func: the method `body`; left out if keywords follow, as in ``@gather(limit=...)``.
        piece: if not 0, call `body` for each piece of at least this many bytes; the last piece may be smaller, and
            `body` is not called for an empty body.
        limit: the most bytes that a body may have. A larger one is freed at once and never accepted unseen.
        in_memory: a body of more than this many bytes waits in a nameless file in TMPDIR.
        view: pass a read-only memoryview instead of bytes, without a copy; it is valid for as long as it is held.
        exceeded: the answer to a message whose body exceeds `limit`.

    Raises:
        ValueError: a size is out of range, `exceeded` is no reply, or the method is not `body`.
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
