"""A whole message in one object: envelope, header and body, read and changed, and the edits that make it so."""

from ._address import Address, Recipient
from ._chain import chain, message_filter
from ._connection import Connection, Peer, Tls
from ._envelope import Envelope, Recipients
from ._field import Field
from ._filter import MessageFilter
from ._headers import Headers
from ._message import Message

__all__ = [
    "Address",
    "Connection",
    "Envelope",
    "Field",
    "Headers",
    "Message",
    "MessageFilter",
    "Peer",
    "Recipient",
    "Recipients",
    "Tls",
    "chain",
    "message_filter",
]
