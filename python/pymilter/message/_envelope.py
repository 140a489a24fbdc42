"""The envelope of a message: its sender and its recipients (RFC 5321, 2.3.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pymilter._constants import Action
from pymilter.message._address import Address, Recipient, received
from pymilter.message._grant import Grant
from pymilter.message._source import Source


class Recipients:
    """The recipients of a message, as a set that keeps its order. Address and str are taken alike."""

    def __init__(self, recipients: Iterable[Recipient], grant: Grant) -> None:
        self._grant = grant
        self._originals = tuple(recipients)
        # Keyed by the address, so that a client that names one twice does not get two entries.
        self._recipients = {one._key: one for one in self._originals}

    def __iter__(self) -> Iterator[Recipient]:
        return iter(tuple(self._recipients.values()))

    def __len__(self) -> int:
        return len(self._recipients)

    def __contains__(self, address: object) -> bool:
        return isinstance(address, str | Address) and _key_of(address) in self._recipients

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
        return self._recipients.setdefault(made._key, made)

    def remove(self, address: str | Address) -> None:
        """Remove a recipient.

        Raises:
            KeyError: the message is not for this recipient.
            DisabledAction: the MTA does not let filters remove recipients.
            MilterError: the message is over.
        """
        self._grant.check(Action.DELRCPT)
        key = _key_of(address)
        if key not in self._recipients:
            raise KeyError(str(address))
        del self._recipients[key]

    def discard(self, address: str | Address) -> None:
        """Remove a recipient if the message is for it. Raises what `remove` raises, but no KeyError."""
        if address in self:
            self.remove(address)

    def clear(self) -> None:
        """Remove all recipients. Add others then: a message without any is refused. Raises what `remove` raises."""
        self._grant.check(Action.DELRCPT)
        self._recipients.clear()

    def __repr__(self) -> str:
        return f"<Recipients: {', '.join(map(str, self))}>"


class Envelope:
    """Sender and recipients of a message."""

    def __init__(self, source: Source, grant: Grant) -> None:
        self._source = source
        self._grant = grant
        self._sender: Address | None = None
        self._recipients: Recipients | None = None

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
        if self._recipients is None:
            self._recipients = Recipients(_recipients_of(self._source), self._grant)
        return self._recipients

    @property
    def smtputf8(self) -> bool:
        """True if the client announced a message with UTF-8 in addresses and header (RFC 6531)."""
        return any(param.upper() == "SMTPUTF8" for param in self._original_sender().params)

    def __repr__(self) -> str:
        return f"<Envelope from {self.sender.address or '<>'} to {', '.join(map(str, self.recipients))}>"


def _recipients_of(source: Source) -> Iterator[Recipient]:
    for is_accepted, (address, *params) in source.recipients():
        made = received(Recipient, address, params, is_accepted=is_accepted)
        assert isinstance(made, Recipient)
        yield made


def _key_of(address: str | Address) -> tuple[str, str]:
    if isinstance(address, str):
        text = address[1:-1] if address[:1] == "<" and address[-1:] == ">" else address
        local, at, domain = text.rpartition("@")
        return (local, domain.lower()) if at else (text, "")
    return address._key
