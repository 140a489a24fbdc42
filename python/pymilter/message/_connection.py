"""The SMTP connection that a message came over: the client, its encryption and login, and macros."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from pymilter.errors import MilterError

if TYPE_CHECKING:
    from pymilter import Context

UNVERIFIED: Final = ("", "unknown")


class Peer(NamedTuple):
    """The SMTP client."""

    ip: str | None = None
    """Its IP address; None if the MTA reported none, as for a message submitted on the MTA's own machine."""
    port: int | None = None
    """Its port."""
    name: str | None = None
    """Its name, if the MTA has verified that it belongs to the address; otherwise None."""

    @property
    def is_verified(self) -> bool:
        """True if the MTA has found the name by the address, and the address by that name."""
        return self.name is not None

    def __str__(self) -> str:
        if self.ip is None:
            return self.name or "unknown"
        return f"{self.name}[{self.ip}]" if self.name else self.ip


class Tls(NamedTuple):
    """The encryption of the connection."""

    version: str
    """The protocol, such as "TLSv1.3" (macro {tls_version})."""
    cipher: str | None
    """The cipher (macro {cipher})."""
    bits: int | None
    """The length of its key (macro {cipher_bits})."""
    subject: str | None
    """The subject of the client's certificate, if there is one (macro {cert_subject})."""
    issuer: str | None
    """Its issuer (macro {cert_issuer})."""


class HasConnection(Protocol):
    """What can give the connection of a message: its filter."""

    @property
    def connection(self) -> Connection:
        """The connection, made when it is looked at."""


class Connection:
    """The connection that a message came over. It outlives the message: a client may send several."""

    __slots__ = ("_context", "_helo", "_macro", "_names", "_peer", "_values")

    _context: Context | None  # None: what it would show is known
    _macro: Callable[[str], str | None] | None  # None: the context has them

    def __init__(
        self,
        peer: Peer | None = None,
        helo: str | None = None,
        macros: Mapping[str, str] | Callable[[str], str | None] | None = None,
    ) -> None:
        """Make a connection for a test.

        Args:
            peer: the SMTP client.
            helo: the name that it gave in HELO or EHLO.
            macros: values of macros by their names; braces around a long name may be left out.
        """
        self._peer = peer or Peer()
        self._helo = helo
        self._macro = macros if callable(macros) else _lookup(macros or {})
        self._context = None
        self._names: set[str] | None = None  # of the macros that were read
        self._values: dict[str, Any] | None = None

    @classmethod
    def _of(cls, context: Context) -> Connection:
        """The connection of a handle of libmilter's."""
        made = cls.__new__(cls)  # without __init__, which each connection would pay for
        made._context = context
        made._macro = made._names = made._values = None
        return made

    def _as_known(self, names: Iterable[str]) -> Connection:
        """What is known now, for a message that outlives its end: the client, HELO, these macros and those read.

        The others can no longer be read then. `values` stays the same dict.
        """
        self._look()
        known = {name: self.macro(name) for name in map(_bare, (*names, *(self._names or ())))}

        def macro(name: str) -> str | None:
            if _bare(name) not in known:
                raise MilterError(f"the message is over, and macro {name} was not read before: it is no longer known")
            return known[_bare(name)]

        made = Connection(self._peer, self._helo, macro)
        made._values = self.values
        return made

    def _look(self) -> None:
        # HELO may come again, as it does after STARTTLS.
        if self._context is not None:
            hostname, hostaddr, self._helo = self._context._origin()
            self._peer = peer_of(hostname, hostaddr)

    @property
    def values(self) -> dict[str, Any]:
        """Room for what a filter wants to keep from one message of the connection to the next."""
        if self._values is None:
            self._values = {}
        return self._values

    @property
    def peer(self) -> Peer:
        """The SMTP client."""
        self._look()
        return self._peer

    @property
    def helo(self) -> str | None:
        """The name that the client gave in HELO or EHLO; None if it gave none."""
        self._look()
        return self._helo

    @property
    def tls(self) -> Tls | None:
        """The encryption; None if the connection is not encrypted."""
        version = self.macro("tls_version")
        if not version:
            return None
        bits = self.macro("cipher_bits") or ""
        return Tls(
            version,
            self.macro("cipher") or None,
            int(bits) if bits.isdecimal() else None,
            self.macro("cert_subject") or None,
            self.macro("cert_issuer") or None,
        )

    @property
    def login(self) -> str | None:
        """The name that the client logged in with (SASL, macro {auth_authen}); None if it did not log in."""
        return self.macro("auth_authen") or None

    @property
    def daemon(self) -> str | None:
        """The name of the service of the MTA that received the message (macro {daemon_name})."""
        return self.macro("daemon_name") or None

    @property
    def hostname(self) -> str | None:
        """The MTA's own name (macro j)."""
        return self.macro("j") or None

    @property
    def mta(self) -> str:
        """The mail server: "postfix", "sendmail", or "" if it is another (macro v)."""
        version = (self.macro("v") or "").lower()
        if version.startswith("postfix"):
            return "postfix"
        # Sendmail gives its version alone, such as 8.17.1.9/Debian.
        return "sendmail" if version.startswith(("8.", "sendmail")) else ""

    def macro(self, name: str) -> str | None:
        """The value of a macro of the MTA, or None (smfi_getsymval). Braces may be left out."""
        if self._names is None:
            self._names = set()
        self._names.add(name)
        if self._macro is not None:
            return self._macro(name)
        assert self._context is not None
        return self._context.getsymval(name)

    def __repr__(self) -> str:
        return f"<Connection from {self.peer}>"


def peer_of(hostname: str | None, hostaddr: object) -> Peer:
    """The client as libmilter's connect callback gave it."""
    name = None if hostname is None or hostname in UNVERIFIED or hostname.startswith("[") else hostname
    if isinstance(hostaddr, tuple):
        return Peer(hostaddr[0], hostaddr[1], name)
    return Peer(None, None, name)


def _lookup(macros: Mapping[str, str]) -> Callable[[str], str | None]:
    bare = {_bare(name): value for name, value in macros.items()}
    return lambda name: bare.get(_bare(name))


def _bare(name: str) -> str:
    return name.removeprefix("{").removesuffix("}")
