"""TestBase: mixed into a class of handlers, it plays the MTA for the unit tests of a program."""

from collections.abc import Callable, Iterable
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Generic, TypeVar, cast

from pymilter import CONTINUE, Base, Stage

from .testctx import TestCtx


class _OwnCtx(TestCtx):
    """A context whose object under test is the TestBase that made it."""

    def __init__(self, owner: "TestBase") -> None:
        super().__init__()
        self._owner = owner

    def _negotiate_with(self, opts: list[int]) -> int | None:
        owner = cast(Base, self._owner)
        owner._setctx(cast(Any, self))
        return owner.negotiate(opts)

    def _handler(self, method: str) -> Callable[..., Any]:
        # TestBase.connect begins a connection; the handler of that name is in the class behind it.
        owner = super(TestBase, self._owner) if method == "connect" else self._owner
        return cast("Callable[..., Any]", getattr(owner, method))


T = TypeVar("T")


class _Result(Generic[T]):
    """An attribute of the context under the same name; tests of programs may set it too."""

    def __set_name__(self, owner: type[object], name: str) -> None:
        self._name = name

    def __get__(self, owner: "TestBase", kind: type[object]) -> T:
        return cast(T, getattr(owner._testctx, self._name))

    def __set__(self, owner: "TestBase", value: T) -> None:
        setattr(owner._testctx, self._name, value)


class TestBase:
    """Derive a class from this and from the class under test, in this order, and call `connect` and `feedMsg`.

    Results are kept under the names that `TestCtx` has; `_addrcpt` holds recipients only. The log and the edits are
    written to `logfile`, or to stdout once that is closed.
    """

    __test__ = False

    def __init__(self, logfile: str = "test/milter.log") -> None:
        self._protocol = 0
        self.logfp: IO[str] | None = Path(logfile).open("a", encoding="utf-8")  # noqa: SIM115 - closed in _close

    @cached_property
    def _testctx(self) -> _OwnCtx:
        # Not made in __init__, because the class under test may come first and set one of the results.
        return _OwnCtx(self)

    def log(self, *msg: object) -> None:
        """Write the items of `msg`, each on a line of its own."""
        print(*msg, "", sep="\n", file=self.logfp)

    def _close(self) -> None:
        if self.logfp is not None:
            self.logfp.close()
            self.logfp = None

    # ------------------------------------------------------------------------------ results

    _msg = _Result[Any]()
    _body = _Result[BytesIO | None]()
    _bodyreplaced = _Result[bool]()
    _headerschanged = _Result[bool]()
    _envfromchanged = _Result[bool]()
    _sender = _Result[str | None]()
    _reply = _Result[tuple[str | None, ...] | None]()
    _delrcpt = _Result[list[str]]()
    _macros = _Result[dict[str, str]]()
    _symlist = _Result[list[str | None]]()
    _stage = _Result[str | None]()

    @property
    def _addrcpt(self) -> list[str]:
        return [rcpt for rcpt, _ in self._testctx._addrcpt]

    @_addrcpt.setter
    def _addrcpt(self, recipients: list[str]) -> None:
        self._testctx._addrcpt = [(rcpt, None) for rcpt in recipients]

    # ------------------------------------------------------------------------------ what the class under test asks for

    def setsymval(self, name: str, val: str) -> None:
        """Set a macro."""
        self._testctx._setsymval(name, val)

    def getsymval(self, name: str) -> str | None:
        """A macro that `setsymval` set, or None."""
        return self._testctx.getsymval(name)

    def setreply(self, rcode: str, xcode: str | None = None, *msg: str | None) -> None:
        """Set the reply."""
        self._testctx.setreply(rcode, xcode, *msg)

    def setsymlist(self, stage: Stage | int | str, *macros: str) -> None:
        """Remember the macros asked for."""
        self._testctx.setsymlist(stage, *macros)

    def addheader(self, field: str, value: str | bytes, idx: int = -1) -> None:
        """Add a header."""
        self._testctx.addheader(field, value, idx)
        self.log(f"addheader: {field}={value!s}")

    def chgheader(self, field: str, idx: int, value: str | bytes | None) -> None:
        """Change a header."""
        self._testctx.chgheader(field, idx, value)
        self.log(f"chgheader: {field}[{idx}]={value!s}")

    def addrcpt(self, rcpt: str, params: str | Iterable[str] | None = None) -> None:
        """Add a recipient."""
        self._testctx.addrcpt(rcpt, params)

    def delrcpt(self, rcpt: str) -> None:
        """Remove a recipient."""
        self._testctx.delrcpt(rcpt)

    def chgfrom(self, sender: str, params: str | Iterable[str] | None = None) -> None:
        """Change the envelope sender."""
        self._testctx.chgfrom(sender, params)
        self.log(f"chgfrom: sender={sender}")

    def replacebody(self, chunk: str | bytes | bytearray | memoryview) -> None:
        """Replace the body; further calls append."""
        self._testctx.replacebody(chunk)

    def quarantine(self, reason: str) -> None:
        """Hold the message."""
        self._testctx.quarantine(reason)

    def progress(self) -> None:
        """Report that eom takes longer."""
        self._testctx.progress()

    # ------------------------------------------------------------------------------ the MTA's part

    def connect(self, host: str = "localhost", helo: str = "spamrelay", ip: str | None = "1.2.3.4") -> int:
        """Begin a connection: negotiate, connect and HELO. Returns the first status that is not CONTINUE."""
        return self._testctx._connect(host, helo, ip)

    def feedFile(  # noqa: N802 - the classic name
        self, fp: IO[bytes], sender: str = "spam@adv.com", rcpt: str = "victim@lamb.com", *rcpts: str
    ) -> int:
        """Send the message that `fp` holds; if its end was reached, close the connection and the log.

        Returns the first status that is not CONTINUE.
        """
        if not self._testctx._is_open and self._testctx._verdict == CONTINUE:
            self._testctx._negotiate()
        status = self._testctx._feedFile(fp, sender, rcpt, *rcpts)
        if self._body is not None:
            self._testctx._close()
        if not self._testctx._is_open:
            self._close()
        return status

    def feedMsg(self, fname: str, sender: str = "spam@adv.com", *rcpts: str) -> int:  # noqa: N802
        """Do what feedFile does, with the file `fname` in the folder "test"."""
        with Path("test", fname).open("rb") as fp:
            return self.feedFile(fp, sender, *rcpts)
