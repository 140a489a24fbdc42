"""Message: a whole message as a filter sees it and changes it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from pymilter._checks import check_line
from pymilter._constants import Action
from pymilter.errors import MilterError
from pymilter.message._address import Address
from pymilter.message._connection import Connection, HasConnection
from pymilter.message._edits import Edit
from pymilter.message._envelope import Envelope, Recipients, make_recipients
from pymilter.message._grant import Grant, make_grant
from pymilter.message._headers import Headers, make_headers
from pymilter.message._mail import Mail
from pymilter.message._source import Parsed, Source, with_line_ends
from pymilter.message._writer import edits_of

if TYPE_CHECKING:
    from pymilter import Context
    from pymilter.mime import MimeMessage

ALL_ACTIONS = sum(Action)


class Message:
    """A message: its envelope, its header and its body, with the connection that it came over.

    What is changed here is sent to the MTA once the filter has answered CONTINUE or ACCEPT, and only what differs from
    the message as it came. A message that is refused or discarded is not changed. Once the filter has answered, each
    change raises MilterError.

    What the MTA does not let filters change raises DisabledAction where it is changed.
    """

    __slots__ = (
        *("_body", "_came_body", "_came_header", "_connection", "_context", "_envelope", "_field_count", "_filter"),
        *("_grant", "_has_headers", "_headers", "_leading_space", "_mail", "_quarantine", "_recipient_count"),
        *("_recipients", "_source"),
        "__weakref__",
    )

    _grant: Grant
    _context: Context | None  # of the MTA that may be asked for time; None in a test
    # What came.
    _source: Source
    _recipient_count: int
    _came_header: bytes
    _field_count: int
    _came_body: bytes | memoryview | None  # None: the MTA did not send it
    _has_headers: bool
    _leading_space: bool
    # Made when they are looked at, or changed.
    _filter: HasConnection | None  # makes the connection
    _connection: Connection | None
    _envelope: Envelope | None
    _recipients: Recipients | None
    _headers: Headers | None
    _body: bytes | memoryview | None
    _mail: Mail | None
    _quarantine: str | None

    def __init__(self, *_arguments: object) -> None:
        raise TypeError("a Message is made by Message.parse(data, ...)")

    def _begin(
        self, source: Source, recipient_count: int, header: bytes, field_count: int, body: bytes | memoryview | None
    ) -> None:
        """Take what came, in place of `__init__`: see `make_grant`."""
        self._source = source
        self._recipient_count = recipient_count
        self._came_header = header
        self._field_count = field_count
        self._came_body = self._body = body
        self._has_headers = self._leading_space = True
        self._envelope = self._recipients = self._headers = self._mail = self._quarantine = None
        self._context = self._filter = self._connection = None

    @classmethod
    def parse(
        cls,
        data: bytes,
        *,
        sender: str = "",
        recipients: Iterable[str] = (),
        connection: Connection | None = None,
        actions: int = ALL_ACTIONS,
    ) -> Self:
        """Make a message for a test: no MTA and no process is needed.

        Args:
            data: the message, header and body, with CRLF or LF.
            sender: the address of the sender; "" is the null sender.
            recipients: the addresses of the recipients.
            connection: the connection that it came over; its macro v names the MTA, whose habits `edits` then follows.
            actions: what the MTA lets the filter do (SMFIF_*).

        Raises:
            TypeError: `data` is not bytes, or `recipients` is one str.
        """
        return cls._parsed(Parsed(data, sender, recipients), connection or Connection(), int(actions))

    @classmethod
    def _parsed(cls, came: Parsed, connection: Connection, actions: int) -> Self:
        made = cls.__new__(cls)
        made._begin(came, len(came.recipients()), came.header, came.field_count, came.body)
        made._connection = connection
        made._grant = make_grant(actions)
        return made

    # ------------------------------------------------------------------------------------ what came

    @property
    def connection(self) -> Connection:
        """The connection that the message came over."""
        if self._connection is None:
            assert self._filter is not None
            self._connection = self._filter.connection
        return self._connection

    @property
    def queue_id(self) -> str | None:
        """The queue id (macro i); None if the MTA gave none."""
        return self.connection.macro("i")

    def macro(self, name: str) -> str | None:
        """The value of a macro of the MTA, or None (smfi_getsymval). Braces around a long name may be left out."""
        return self.connection.macro(name)

    # ------------------------------------------------------------------------------------ envelope, header, body

    @property
    def envelope(self) -> Envelope:
        """Sender and recipients."""
        envelope = self._envelope
        if envelope is None:
            envelope = self._envelope = Envelope(self._source, self._grant, self.recipients)
        return envelope

    @property
    def sender(self) -> Address:
        """The sender; the same as `envelope.sender`, and assignable like it."""
        return self.envelope.sender

    @sender.setter
    def sender(self, sender: Address | str) -> None:
        self.envelope.sender = sender

    @property
    def recipients(self) -> Recipients:
        """The recipients; the same as `envelope.recipients`."""
        recipients = self._recipients
        if recipients is None:
            recipients = self._recipients = make_recipients(self._source, self._recipient_count, self._grant)
        return recipients

    @property
    def headers(self) -> Headers:
        """The header fields in their order."""
        headers = self._headers
        if headers is None:
            headers = self._own_headers()
        mail = self._mail
        if mail is not None and mail.has_header_changes:
            # Changes are made in the order in which the program makes them.
            mail.take_header_changes(headers)
        return headers

    @property
    def body(self) -> bytes:
        """The body, each line ended by CRLF. A large one is copied from its file: `body_view` needs no memory.

        Lines that are assigned may end in LF; all get CRLF, the last one too, as an MTA would do.

        Raises:
            TypeError: on assignment of anything but bytes, bytearray and memoryview.
            DisabledAction: on assignment, if the MTA does not let filters change the body.
            MilterError: on assignment, if the message is over.
        """
        if self._mail is not None:
            self._take_changes_of_email()
        body = self._body
        return body if isinstance(body, bytes) else bytes(self._present_body())

    @body.setter
    def body(self, body: bytes | bytearray | memoryview) -> None:
        self._grant.check(Action.CHGBODY)
        if not isinstance(body, bytes | bytearray | memoryview):
            raise TypeError(f"body is a {type(body).__name__}: it must be bytes")
        self._take_changes_of_email()
        if self._mail is not None:
            self._mail.replace()
            self._mail = None
        self._body = with_line_ends(bytes(body))

    @property
    def body_view(self) -> memoryview:
        """The body, without a copy: it may lie in a file that is mapped into memory."""
        self._take_changes_of_email()
        return memoryview(self._present_body())

    @property
    def email(self) -> MimeMessage:
        """The message as `pymilter.mime` reads it; made at the first look.

        Changes of its header fields and of its parts are changes of this message. Where one cannot be, it raises
        DisabledAction (the MTA does not let filters change that) or MilterError (the message is over, or `body` was
        assigned since: a new email is made then).
        """
        if self._mail is None:
            self._mail = Mail(self._bytes(), self._grant)
        return self._mail.message

    def as_bytes(self) -> bytes:
        """The message as it is now: what the next mail server gets, but for the fields that the MTA itself adds."""
        self._take_changes_of_email()
        return self._bytes()

    # ------------------------------------------------------------------------------------ requests

    def quarantine(self, reason: str) -> None:
        """Hold the message in the MTA's queue, if the filter then answers ACCEPT or CONTINUE (smfi_quarantine).

        Raises:
            ValueError: the reason is empty or has more than one line.
            DisabledAction: the MTA does not let filters hold messages.
            MilterError: the message is over.
        """
        self._grant.check(Action.QUARANTINE)
        if not reason:
            raise ValueError("reason is empty: an MTA holds no message without one")
        check_line("reason", reason.encode("utf-8", "surrogateescape"))
        self._quarantine = reason

    def progress(self) -> None:
        """Tell the MTA that the filter needs more time, which restarts its timers (smfi_progress).

        Raises:
            MilterError: the message is over.
        """
        self._grant.check_time()
        if self._context is not None:
            self._context.progress()

    @property
    def edits(self) -> list[Edit]:
        """The edits that make the message what it is now, in the order in which they are sent.

        Raises:
            MilterError: no recipient is left, so that the MTA would drop the message.
        """
        self._take_changes_of_email()
        return list(edits_of(self))

    # ------------------------------------------------------------------------------------ within the package

    def _keep(self, macros: Iterable[str]) -> None:
        """Note what can be read only now, for a program that keeps the message for longer than it lasts.

        Args:
            macros: the macros that were asked for.
        """
        connection = self._connection = self.connection
        self._filter = None  # which may hold the message
        with suppress(MilterError):  # the connection is gone
            self._connection = connection._as_known(macros)
        with suppress(MilterError, ValueError):  # a message that is refused may have changes that cannot be made
            self._take_changes_of_email()

    def _own_headers(self) -> Headers:
        if self._headers is None:
            self._headers = make_headers(
                self._came_header, self._field_count, self._grant, self._leading_space, self._has_headers
            )
        return self._headers

    def _bytes(self) -> bytes:
        lines = [f"{field._name}:{field._raw}\n" for field in self._own_headers()._known()]
        header = "".join([*lines, "\n"]).replace("\n", "\r\n")
        return b"".join([header.encode("utf-8", "surrogateescape"), self._present_body()])

    def _take_changes_of_email(self) -> None:
        if self._mail is not None:
            body = self._mail.take_changes(self._own_headers())
            if body is not None and body != self._present_body():
                self._grant.check(Action.CHGBODY)
                self._body = body

    def _present_body(self) -> bytes | memoryview:
        if self._body is None:
            raise MilterError("the class has body=False, so the MTA did not send the body: it can only be assigned")
        return self._body

    def __repr__(self) -> str:
        return f"<Message from {self.sender.address or '<>'} to {', '.join(map(str, self.recipients))}>"
