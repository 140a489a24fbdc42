"""Addresses of the envelope: their parts, and how they are written in SMTP."""

import re
from collections.abc import Iterable
from typing import Final, TypeVar

from pymilter._checks import check_address, check_parameters

_ROUTE: Final = re.compile(r"@[^:\"]*:")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)


class Address:
    """An address of the envelope, such as the sender (RFC 5321, 4.1.2).

    Two addresses are equal if their local parts are the same and their domains differ at most in case.
    """

    __slots__ = ("_address", "_params")

    def __init__(self, address: str, params: Iterable[str] = ()) -> None:
        """Make an address.

        Args:
            address: with or without angle brackets; a source route is dropped. "" is the null sender.
            params: the ESMTP parameters, such as ["RET=HDRS", "ENVID=1"].

        Raises:
            ValueError: this is no address, it has no domain, or a parameter is not one word.
        """
        self._address = without_brackets(address)
        self._params = (params,) if isinstance(params, str) else tuple(params)
        _check(self)

    @property
    def address(self) -> str:
        """The address without angle brackets and without a source route; "" for the null sender."""
        return self._address

    @property
    def params(self) -> tuple[str, ...]:
        """The ESMTP parameters, such as ("SIZE=1000", "BODY=8BITMIME")."""
        return self._params

    @property
    def local(self) -> str:
        """The local part, without the quotes of a quoted string."""
        local = self._split()[0]
        if len(local) > 1 and local[0] == local[-1] == '"':
            return _QUOTED_PAIR.sub(r"\1", local[1:-1])
        return local

    @property
    def domain(self) -> str:
        """The domain as it was written; "" if there is none."""
        return self._split()[1]

    @property
    def ascii_domain(self) -> str:
        """The domain in lower case, with labels that are not ASCII as A-labels (RFC 5890).

        A domain that cannot be written so is given as it is, in lower case.
        """
        domain = self.domain.lower()
        if domain.isascii():
            return domain
        try:
            return domain.encode("idna").decode("ascii")
        except UnicodeError:
            return domain

    def _split(self) -> tuple[str, str]:
        local, at, domain = self._address.rpartition("@")
        # An "@" within a quoted string is part of the local part.
        return (local, domain) if at and not domain.endswith('"') else (self._address, "")

    @property
    def _key(self) -> tuple[str, str]:
        local, domain = self._split()
        return local, domain.lower()

    def __str__(self) -> str:
        return self._address

    def __repr__(self) -> str:
        params = f", {self._params!r}" if self._params else ""
        return f"{type(self).__name__}({self._address!r}{params})"

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Address) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)


class Recipient(Address):
    """A recipient of the message."""

    __slots__ = ("_accepted",)

    def __init__(self, address: str, params: Iterable[str] = (), *, is_accepted: bool = True) -> None:
        """Make a recipient: see `Address`.

        Args:
            address: the address, with or without angle brackets.
            params: the ESMTP parameters, such as "NOTIFY=NEVER".
            is_accepted: False if the MTA has refused the recipient already.

        Raises:
            ValueError: see `Address`; or the address is empty.
        """
        super().__init__(address, params)
        if not self._address:
            raise ValueError("address is empty: a recipient has a mailbox")
        self._accepted = is_accepted

    @property
    def is_accepted(self) -> bool:
        """False if the MTA has refused this recipient; only `rejected_recipients` shows such recipients."""
        return self._accepted


A = TypeVar("A", bound=Address)


def received(kind: type[A], address: str, params: Iterable[str], *, is_accepted: bool = True) -> A:
    """Make an address from what the MTA sent, without checks: a filter must see whatever the MTA let through."""
    made = kind.__new__(kind)
    made._address = without_brackets(address)
    made._params = tuple(params)
    if isinstance(made, Recipient):
        made._accepted = is_accepted
    return made


def without_brackets(address: str) -> str:
    """The address without angle brackets around it, and without a source route."""
    text = address[1:-1] if address[:1] == "<" and address[-1:] == ">" else address
    if text[:1] != "@":
        return text
    route = _ROUTE.match(text)
    return text[route.end() :] if route else text


def in_brackets(address: Address) -> str:
    """The address in the form that it has in MAIL and RCPT."""
    return f"<{address.address}>"


def _check(made: Address) -> None:
    text = made.address
    check_address("address", in_brackets(made).encode("utf-8", "surrogateescape"))
    if text and not made.domain:
        raise ValueError(f"address is {text!r}: it has no domain, which each MTA would complete in its own way")
    if " " in _QUOTED.sub("", text):
        raise ValueError(f"address is {text!r}: a blank is allowed only in a quoted string")
    for param in made.params:
        check_parameters(param.encode("utf-8", "surrogateescape"))
        if not param or " " in param:
            raise ValueError(f"parameter is {param!r}: give each ESMTP parameter alone, such as 'RET=HDRS'")
