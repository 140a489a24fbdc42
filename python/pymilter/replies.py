"""Replies: a status and its SMTP text as one value, so that they cannot disagree. Checked when made."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal, final, overload

from pymilter._constants import REJECT, TEMPFAIL, Status
from pymilter._core import encode_reply

if TYPE_CHECKING:
    # For type checkers, where a code is written out: the codes of RFC 5321 and its extensions, by what they are not.
    _Positive = Literal[211, 214, 220, 221, 235, 250, 251, 252, 334, 354]
    _Refusal = Literal[550, 551, 552, 553, 554, 555, 556]
    _Unable = Literal[500, 501, 502, 503, 504, 510, 511, 521, 523, 525, 530, 533, 534, 535, 538, 541]
    _Transient = Literal[421, 422, 430, 432, 441, 442, 446, 447, 449, 450, 451, 452, 453, 454, 455, 458, 459]
    _NotPermanent = _Positive | _Transient
    _NotTransient = _Positive | _Refusal | _Unable


class CodeOfAnotherStatus:
    """What `Reject(250)` is for a type checker: no `Outcome`. At run time it raises, and there is no such object."""


class Reply:
    """What a handler may return in place of a status. The arguments are those of `Reject` and `TempFail`."""

    status: ClassVar[Status]

    __slots__ = ("_fields", "_wire")
    __match_args__ = ("code", "xcode", "text")

    _fields: tuple[int, str | None, tuple[str, ...]]
    _wire: tuple[int, bytes, bytes, tuple[bytes, ...]]

    def __init__(self, code: int, xcode: str | None = None, *text: str) -> None:
        if type(self) is Reply:
            raise TypeError("Reply is the base of Reject and TempFail: make one of these")
        _check_types(type(self).__name__, code, xcode, text)
        object.__setattr__(self, "_fields", (code, xcode, text))
        object.__setattr__(self, "_wire", encode_reply(self.status, code, xcode, text))

    @property
    def code(self) -> int:
        """The reply code (RFC 5321)."""
        return self._fields[0]

    @property
    def xcode(self) -> str | None:
        """The enhanced status code (RFC 3463), or None."""
        return self._fields[1]

    @property
    def text(self) -> tuple[str, ...]:
        """The lines of text."""
        return self._fields[2]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to {name!r}: a reply is never changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete {name!r}: a reply is never changed")

    def __eq__(self, other: object) -> bool:
        return (
            self._fields == other._fields if isinstance(other, Reply) and type(self) is type(other) else NotImplemented
        )

    def __hash__(self) -> int:
        return hash(self._fields)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(code={self.code!r}, xcode={self.xcode!r}, text={self.text!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.xcode, *self.text)


def _check_types(kind: str, code: object, xcode: object, text: tuple[object, ...]) -> None:
    if isinstance(code, bool) or not isinstance(code, int):
        example = 'Reject(550, "5.7.1", "text")' if kind == "Reject" else 'TempFail(451, "4.7.1", "text")'
        raise TypeError(f"reply code is a {type(code).__name__}: it must be an int, as in {example}")
    if not isinstance(xcode, str | None):
        raise TypeError(f"enhanced status code is a {type(xcode).__name__}: it must be a str or None")
    for line in text:
        if not isinstance(line, str):
            raise TypeError(f"reply text is a {type(line).__name__}: each line must be a str")


@final
class Reject(Reply):
    """Refuse for good: SMFIS_REJECT with a 5xx reply (RFC 5321, 4.2).

    `code` is 500 to 599, `xcode` an enhanced status code 5.y.z (RFC 3463) or None, each `text` one line of at most 980
    bytes without CR or LF, at most 32 of them. A `%` is written as it is. Raises ValueError if one of these is wrong.
    Sent with smfi_setreply or smfi_setmlreply.
    """

    __slots__ = ()
    status: ClassVar[Status] = REJECT

    if TYPE_CHECKING:

        @overload
        def __new__(cls, code: _NotPermanent, xcode: str | None = None, *text: str) -> CodeOfAnotherStatus: ...  # type: ignore[misc]
        @overload
        def __new__(cls, code: int, xcode: str | None = None, *text: str) -> "Reject": ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...


@final
class TempFail(Reply):
    """Refuse for now: SMFIS_TEMPFAIL with a 4xx reply; 421 makes the MTA close the connection.

    `code` is 400 to 499 and `xcode` 4.y.z or None; the rest is as in `Reject`.
    """

    __slots__ = ()
    status: ClassVar[Status] = TEMPFAIL

    if TYPE_CHECKING:

        @overload
        def __new__(cls, code: _NotTransient, xcode: str | None = None, *text: str) -> CodeOfAnotherStatus: ...  # type: ignore[misc]
        @overload
        def __new__(cls, code: int, xcode: str | None = None, *text: str) -> "TempFail": ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...


Outcome = Status | Reply | None
"""What a handler answers: a status, a reply, or None for CONTINUE."""
