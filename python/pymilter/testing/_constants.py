"""The numbers and letters of the milter protocol, version 6 (libmilter/mfdef.h), as Python enums."""

from enum import Enum, IntEnum, IntFlag

VERSION = 6
"""The protocol version that the client offers (SMFI_PROT_VERSION)."""

CHUNK_SIZE = 65535
"""How many bytes of body an MTA puts into one packet (MILTER_CHUNK_SIZE)."""


class Command(Enum):
    """A command from the MTA to the filter (SMFIC_*). The value is the byte on the wire."""

    ABORT = b"A"
    BODY = b"B"
    CONNECT = b"C"
    MACRO = b"D"
    EOM = b"E"
    """End of message, perhaps with a last piece of body (SMFIC_BODYEOB)."""
    HELO = b"H"
    QUIT_NC = b"K"
    """Quit, and a new connection follows on the same socket (SMFIC_QUIT_NC)."""
    HEADER = b"L"
    MAIL = b"M"
    EOH = b"N"
    NEGOTIATE = b"O"
    QUIT = b"Q"
    RCPT = b"R"
    DATA = b"T"
    UNKNOWN = b"U"


class Family(Enum):
    """The kind of address in a CONNECT command (SMFIA_*)."""

    UNKNOWN = b"U"
    UNIX = b"L"
    INET = b"4"
    INET6 = b"6"


class Stage(IntEnum):
    """Where macros are sent (SMFIM_*), as in smfi_setsymlist."""

    CONNECT = 0
    HELO = 1
    ENVFROM = 2
    ENVRCPT = 3
    DATA = 4
    EOM = 5
    EOH = 6


class Action(IntFlag):
    """What a filter may do to a message (SMFIF_*)."""

    NONE = 0
    ADDHDRS = 0x001
    CHGBODY = 0x002
    ADDRCPT = 0x004
    DELRCPT = 0x008
    CHGHDRS = 0x010
    QUARANTINE = 0x020
    CHGFROM = 0x040
    ADDRCPT_PAR = 0x080
    SETSYMLIST = 0x100
    ALL = 0x1FF
    """All of them: what Postfix since 2.6 and Sendmail 8.14 and later offer."""


class Protocol(IntFlag):
    """Steps left out, steps not answered, and extras (SMFIP_*)."""

    NONE = 0
    NOCONNECT = 0x000001
    NOHELO = 0x000002
    NOMAIL = 0x000004
    NORCPT = 0x000008
    NOBODY = 0x000010
    NOHDRS = 0x000020
    NOEOH = 0x000040
    NR_HDR = 0x000080
    NOUNKNOWN = 0x000100
    NODATA = 0x000200
    SKIP = 0x000400
    RCPT_REJ = 0x000800
    NR_CONN = 0x001000
    NR_HELO = 0x002000
    NR_MAIL = 0x004000
    NR_RCPT = 0x008000
    NR_DATA = 0x010000
    NR_UNKN = 0x020000
    NR_EOH = 0x040000
    NR_BODY = 0x080000
    HDR_LEADSPC = 0x100000
    MDS_256K = 0x10000000
    MDS_1M = 0x20000000
    ALL = 0x1FFFFF
    """What Postfix 3.7 offers (milter_protocol = 6)."""
    NR_ALL = NR_HDR | NR_CONN | NR_HELO | NR_MAIL | NR_RCPT | NR_DATA | NR_UNKN | NR_EOH | NR_BODY
    """Every no-reply step."""


class Verdict(Enum):
    """What a filter's answer to one step means for the MTA."""

    CONTINUE = "continue"
    ACCEPT = "accept"
    REJECT = "reject"
    TEMPFAIL = "tempfail"
    DISCARD = "discard"
    SKIP = "skip"
    """Send no more of this kind (the rest of the body)."""
    CONN_FAIL = "connection failure"
    """Treat the SMTP connection as failed (SMFIR_CONN_FAIL)."""
    SHUTDOWN = "shutdown"
    """End the SMTP session with 421 (SMFIR_SHUTDOWN)."""
    NO_REPLY = "no reply"
    """The step was sent; the filter had asked not to be waited for (SMFIP_NR_*)."""
    NOT_SENT = "not sent"
    """The step was not sent: the filter had asked so (SMFIP_NO*, SMFIR_SKIP), or the protocol version lacks it."""

    @property
    def passes(self) -> bool:
        """True if the MTA goes on with the next step after this answer."""
        return self in _PASSING

    @property
    def refuses(self) -> bool:
        """True if the SMTP client is answered 4xx or 5xx."""
        return self in _REFUSING


_PASSING = frozenset({Verdict.CONTINUE, Verdict.SKIP, Verdict.NO_REPLY, Verdict.NOT_SENT})
_REFUSING = frozenset({Verdict.REJECT, Verdict.TEMPFAIL, Verdict.CONN_FAIL, Verdict.SHUTDOWN})
