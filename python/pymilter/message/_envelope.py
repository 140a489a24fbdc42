"""The envelope of a message: its sender and its recipients (RFC 5321, 2.3.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from pymilter._constants import Action
from pymilter.message._address import Address, Recipient, received, without_brackets
from pymilter.message._grant import Grant
from pymilter.message._source import Source


class Recipients:
    """The recipients of a message, as a set that keeps its order. Address and str are taken alike.

    Addresses are compared without regard to case: Postfix takes two that differ only in that for one. Made by
    `make_recipients`.
    """

    __slots__ = ("_count", "_grant", "_originals", "_recipients", "_source")

    _source: Source
    _count: int  # of the recipients that came
    _grant: Grant
    _originals: list[Recipient] | None  # made, with _recipients, when a recipient is looked at
    _recipients: list[Recipient]

    def __iter__(self) -> Iterator[Recipient]:
        return iter(tuple(self._present()))

    def __len__(self) -> int:
        return self._count if self._originals is None else len(self._recipients)

    def __contains__(self, address: object) -> bool:
        return isinstance(address, str | Address) and bool(_found(self._present(), address))

    def add(self, address: str | Recipient, params: Iterable[str] = ()) -> Recipient:
        """Add a recipient; one that is there already stays as it is, since some MTAs would deliver to it twice.

        Args:
            address: the address, with or without angle brackets.
            params: the ESMTP parameters; Postfix honours NOTIFY and ORCPT.

        Raises:
            ValueError: this is no address: see `Address`.
            DisabledAction: the MTA does not let filters add recipients, or none with parameters.
            MilterError: the message is over.
        """
        made = address if isinstance(address, Recipient) else Recipient(address, params)
        self._grant.check(Action.ADDRCPT_PAR if made.params else Action.ADDRCPT)
        for present in _found(self._present(), made):
            return present
        # A recipient that was removed before comes back unchanged: some MTAs add none that they have removed.
        namesakes = [one for one in self._originals or () if one.address == made.address]
        for original in namesakes:
            if made.params in ((), original.params):
                made = original
        # One of several with this address is sent anew, since an MTA removes all of them at once.
        if len(namesakes) > 1 and made.params:
            self._grant.check(Action.ADDRCPT_PAR)
        self._recipients.append(made)
        return made

    def remove(self, address: str | Address) -> None:
        """Remove a recipient.

        Raises:
            KeyError: the message is not for this recipient.
            DisabledAction: the MTA does not let filters remove recipients.
            MilterError: the message is over.
        """
        self._grant.check(Action.DELRCPT)
        found = _found(self._present(), address)
        if not found:
            raise KeyError(str(address))
        self._recipients = [one for one in self._recipients if one not in found]

    def discard(self, address: str | Address) -> None:
        """Remove a recipient if the message is for it. Raises what `remove` raises, but no KeyError."""
        if address in self:
            self.remove(address)

    def clear(self) -> None:
        """Remove all recipients. Add others then: a message without any is refused. Raises what `remove` raises."""
        self._grant.check(Action.DELRCPT)
        self._present().clear()

    def _present(self) -> list[Recipient]:
        if self._originals is None:
            self._originals = list(islice(_recipients_of(self._source), self._count))
            self._recipients = self._originals.copy()
        return self._recipients

    def __repr__(self) -> str:
        return f"<Recipients: {', '.join(map(str, self))}>"


def make_recipients(source: Source, count: int, grant: Grant) -> Recipients:
    """Make the recipients of a message of what came."""
    made = Recipients()
    made._source = source
    made._count = count
    made._grant = grant
    made._originals = None
    return made


class Envelope:
    """Sender and recipients of a message."""

    __slots__ = ("_grant", "_recipients", "_sender", "_source")

    def __init__(self, source: Source, grant: Grant, recipients: Recipients) -> None:
        self._sender: Address | None = None  # made when it is looked at, or assigned
        self._source = source
        self._grant = grant
        self._recipients = recipients

    def _original_sender(self) -> Address:
        address, *params = self._source.sender() or ("",)
        return received(Address, address, params)

    @property
    def sender(self) -> Address:
        """The sender (MAIL FROM); its address is "" for the null sender. An Address or a str may be assigned.

        Parameters of an `Address` that is assigned go with it (Postfix honours RET and ENVID); without any, those that
        the client gave stay.

        Raises:
            ValueError: on assignment of a str that is no address: see `Address`.
            DisabledAction: on assignment, if the MTA does not let filters change the sender.
            MilterError: on assignment, if the message is over.
        """
        if self._sender is None:
            self._sender = self._original_sender()
        return self._sender

    @sender.setter
    def sender(self, sender: Address | str) -> None:
        self._grant.check(Action.CHGFROM)
        self._sender = sender if isinstance(sender, Address) else Address(sender)

    @property
    def recipients(self) -> Recipients:
        """The recipients that the MTA has accepted, and those that filters added."""
        return self._recipients

    @property
    def smtputf8(self) -> bool:
        """True if the client announced a message with UTF-8 in addresses and header (RFC 6531)."""
        return any(param.upper() == "SMTPUTF8" for param in self._original_sender().params)

    def __repr__(self) -> str:
        return f"<Envelope from {self.sender.address or '<>'} to {', '.join(map(str, self.recipients))}>"


def _recipients_of(source: Source) -> Iterator[Recipient]:
    for is_accepted, (address, *params) in source.recipients():
        yield received(Recipient, address, params, is_accepted=is_accepted)


def _found(recipients: list[Recipient], address: str | Address) -> list[Recipient]:
    text = address if isinstance(address, str) else address.address
    wanted = without_brackets(text).lower()
    return [one for one in recipients if one.address.lower() == wanted]
