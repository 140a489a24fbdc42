"""libmilter for Python: the C++ half of pymilter. Private; use pymilter or milter."""

import sys
from collections.abc import Callable, Iterable
from enum import IntEnum, IntFlag
from types import FunctionType
from typing import Any, Final

class _pybind11_type(type): ...  # noqa: N801 - its name at run time

class Status(IntEnum):
    """What a handler answers (SMFIS_*)."""

    __pybind11_native_enum__: object
    CONTINUE = 0
    REJECT = 1
    DISCARD = 2
    ACCEPT = 3
    TEMPFAIL = 4
    NOREPLY = 7
    SKIP = 8
    ALL_OPTS = 10

class Action(IntFlag):
    """What a filter may do to a message at eom (SMFIF_*)."""

    __pybind11_native_enum__: object
    ADDHDRS = 0x1
    CHGBODY = 0x2
    ADDRCPT = 0x4
    DELRCPT = 0x8
    CHGHDRS = 0x10
    QUARANTINE = 0x20
    CHGFROM = 0x40
    ADDRCPT_PAR = 0x80
    SETSYMLIST = 0x100

class Protocol(IntFlag):
    """Options of the milter protocol (SMFIP_*)."""

    __pybind11_native_enum__: object
    NOCONNECT = 0x1
    NOHELO = 0x2
    NOMAIL = 0x4
    NORCPT = 0x8
    NOBODY = 0x10
    NOHDRS = 0x20
    NOEOH = 0x40
    NR_HDR = 0x80
    NOUNKNOWN = 0x100
    NODATA = 0x200
    SKIP = 0x400
    RCPT_REJ = 0x800
    NR_CONN = 0x1000
    NR_HELO = 0x2000
    NR_MAIL = 0x4000
    NR_RCPT = 0x8000
    NR_DATA = 0x10000
    NR_UNKN = 0x20000
    NR_EOH = 0x40000
    NR_BODY = 0x80000
    HDR_LEADSPC = 0x100000

class Stage(IntEnum):
    """The stages at which macros are sent, for setsymlist (SMFIM_*)."""

    __pybind11_native_enum__: object
    CONNECT = 0
    HELO = 1
    ENVFROM = 2
    ENVRCPT = 3
    DATA = 4
    EOM = 5
    EOH = 6

class Context(metaclass=_pybind11_type):
    """A connection from the MTA, valid until close: after that, every call raises MilterError."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    @property
    def id(self) -> int:
        """The number of the connection, counted from 1 in this process."""
    @property
    def actions(self) -> int:
        """The actions agreed in negotiation (SMFIF_*), as an int."""
    @property
    def protocol(self) -> int:
        """The protocol options agreed in negotiation (SMFIP_*), as an int."""
    @property
    def peer(self) -> str | None:
        """The SMTP client as 'name[ip]', 'ip' or 'unix:path', or only its name; None if the MTA has sent neither. It
        comes from connect if that is called, otherwise from the macros _, {client_addr} and {client_name}, which
        are read within a callback only."""
    @property
    def queue_id(self) -> str | None:
        """The queue id of the message (macro i), within a callback that is about a message. None elsewhere, and
        before the MTA has one: Postfix has it from the first recipient that it accepts."""
    def _origin(self) -> tuple[Any, ...]:
        """(hostname, hostaddr, helo) from connect and HELO, for a MessageFilter; None for each that is unknown."""
    def _received(self) -> Received:
        """The envelope so far, for a MessageFilter."""
    def getpriv(self) -> Any:
        """The object that setpriv() stored, or None (smfi_getpriv)."""
    def setpriv(self, priv: object) -> Any:
        """Store an object until close, and return the previous one (smfi_setpriv)."""
    def getsymval(self, name: str) -> str | None:
        """The value of a macro, or None. The braces around a long name are optional (smfi_getsymval)."""
    def setsymlist(self, stage: int, *macros: str | bytes) -> None:
        """Ask for the macros of a stage. Possible in negotiate only, once for each stage (smfi_setsymlist)."""
    def setreply(
        self, rcode: str | bytes, xcode: str | bytes | None = None, msg: str | bytes | None = None, *ml: str | bytes
    ) -> None:
        """Set code, enhanced code and lines of the reply that a REJECT (code 5xx) or a TEMPFAIL (4xx) sends
        (smfi_setreply, smfi_setmlreply)."""
    def addheader(self, field: str | bytes, value: str | bytes, idx: int = -1) -> None:
        """Append a header, or insert it at position idx, counted from 0 (smfi_addheader, smfi_insheader)."""
    def chgheader(self, field: str | bytes, idx: int, value: str | bytes | None) -> None:
        """Change the idx-th header of this name, counted from 1; None or '' deletes it (smfi_chgheader)."""
    def addrcpt(self, rcpt: str | bytes, params: str | bytes | Iterable[str | bytes] | None = None) -> None:
        """Add a recipient, with ESMTP parameters if given (smfi_addrcpt, smfi_addrcpt_par)."""
    def delrcpt(self, rcpt: str | bytes) -> None:
        """Remove a recipient, given exactly as envrcpt received it (smfi_delrcpt)."""
    def chgfrom(self, sender: str | bytes, params: str | bytes | Iterable[str | bytes] | None = None) -> None:
        """Change the envelope sender, with ESMTP parameters if given (smfi_chgfrom)."""
    def replacebody(self, body: str | bytes | bytearray | memoryview) -> None:
        """Replace the body; further calls append. A str is sent as UTF-8 (smfi_replacebody)."""
    def quarantine(self, reason: str | bytes) -> None:
        """Hold the message in the MTA (smfi_quarantine)."""
    def progress(self) -> None:
        """Tell the MTA that eom takes longer (smfi_progress)."""

class BodyView(metaclass=_pybind11_type):
    """The file behind a gathered body that is too large for memory."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    if sys.version_info >= (3, 12):
        def __buffer__(self, flags: int, /) -> memoryview: ...
        def __release_buffer__(self, buffer: memoryview, /) -> None: ...

class Gather(metaclass=_pybind11_type):
    """How the chunks of a body are gathered."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

def make_gather(
    *, piece: int, limit: int, in_memory: int, as_view: bool, exceeded: tuple[int, bytes, bytes, tuple[bytes, ...]]
) -> Gather:
    """Describe how the chunks of a body are gathered."""

class Received(metaclass=_pybind11_type):
    """The envelope as it came, for a MessageFilter."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def sender(self) -> Any:
        """The address exactly as in MAIL, and its ESMTP parameters."""
    def recipients(self) -> Any:
        """For each recipient, whether it was accepted, and its address exactly as in RCPT with its parameters."""
    def last_recipient(self) -> Any:
        """The recipient that came last, as in recipients()."""
    def recipient_count(self) -> int:
        """How many recipients there are."""

class Whole(metaclass=_pybind11_type):
    """How messages are gathered as a whole."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

def make_whole(*, header_limit: int, header_exceeded: tuple[int, bytes, bytes, tuple[bytes, ...]]) -> Whole:
    """Describe how messages are gathered as a whole."""

class Plan(metaclass=_pybind11_type):
    """What dispatch must know about a class of handlers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

def make_plan(
    *,
    actions: int,
    protocol: int,
    steps: list[str],
    no_reply: list[str],
    negotiates: bool,
    has_begin: bool,
    text: dict[str, str],
    macros: list[tuple[int, str]],
    hooks: dict[str, FunctionType],
    gather: Gather | None,
    whole: Whole | None,
) -> Plan:
    """Make the plan of a class."""

class Handlers(metaclass=_pybind11_type):
    """Who handles the callbacks: functions, or methods of objects."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def use_methods(self, make: Callable[[], object], plan_of: Callable[[Any], Plan]) -> None:
        """Call the methods of an object that make() returns for each connection."""
    def set_function(self, step: str, callback: Callable[..., Any] | None) -> Callable[..., Any] | None:
        """Set the function for a step, which gets the context first; None removes it. Returns the previous one."""
    def set_actions(self, actions: int) -> None:
        """Set the actions to ask for if functions are called (SMFIF_*)."""
    def set_exception_policy(self, status: int) -> None:
        """Set the answer for a handler that fails: TEMPFAIL, REJECT, ACCEPT or CONTINUE."""

def make_handlers(*, exception_policy: int, classic: bool = False) -> Handlers:
    """Make the handlers of a filter; `classic`: those of a program that must run as with pymilter 1.0."""

class Service(metaclass=_pybind11_type):
    """Serves the filter of this process; it can be registered and run once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def register(self, *, timeout: int | None) -> None:
        """Make this the filter of the process; `timeout` is in seconds (smfi_register, smfi_settimeout)."""
    def watch_signals(self, *, hold: bool, reloads: bool) -> None:
        """Turn SIGTERM, SIGHUP and SIGINT into events for wait(). `hold`: before that, the handlers of the program
        do not run; `reloads`: SIGHUP may come again."""
    def leave_signals(self) -> None:
        """Undo watch_signals(); if it was not called, do nothing."""
    def join_balance(self, memory: int, slot: int, *, patience: float) -> None:
        """Share the connections fairly with the processes that have the other slots of the memory."""
    def start(self, descriptor: int, *, no_reply_over_tcp: bool, log_connections: bool) -> str:
        """Serve a listening socket in threads of libmilter (smfi_opensocket, smfi_main). Returns a warning, or ''."""
    def request_stop(self) -> None:
        """Make wait() return. Any thread may call this."""
    def wait(self, seconds: float | None) -> tuple[int, int | None]:
        """Wait for an event. Returns one of the EVENT_ numbers, and the signal if it is EVENT_SIGNAL."""
    def stop_accepting(self) -> None:
        """Accept no more connections; those that are open go on."""
    def answer_tempfail(self) -> None:
        """From now on, answer everything with TEMPFAIL."""
    def open_connections(self) -> int:
        """How many connections are open, silent ones included."""
    def disown_in_child(self) -> None:
        """In a forked process: leave signals, socket and connections to the parent."""
    def finish(self) -> int:
        """Stop libmilter and wait until its main loop has ended (smfi_stop)."""

def make_service(*, name: str, handlers: Handlers, report: Callable[[int, str, BaseException | str], None]) -> Service:
    """Make a service; `report` logs what happens to connections."""

EVENT_NOTHING: Final[int]
EVENT_INTERRUPTED: Final[int]
EVENT_SIGNAL: Final[int]
EVENT_STOP_REQUESTED: Final[int]
EVENT_ENDED: Final[int]

BALANCE_SLOT: Final[int]

# By the name of a step: the bit "is not sent" (SMFIP_NO*), the bit "gets no reply" (SMFIP_NR_*), all bits of the
# protocol that a handler for the step decides, and the stage at which its macros are sent (SMFIM_*).
NOT_SENT: Final[dict[str, int]]
NO_REPLY: Final[dict[str, int]]
DECIDED_BITS: Final[dict[str, int]]
MACRO_STAGE: Final[dict[str, int]]
# The steps whose handlers get text.
WITH_TEXT: Final[tuple[str, ...]]

def encode_reply(
    status: int, code: int, xcode: str | None, text: tuple[str, ...]
) -> tuple[int, bytes, bytes, tuple[bytes, ...]]:
    """Check a reply; returns (status, code, enhanced code, lines) as libmilter gets them."""

def check_header(name: bytes, value: bytes) -> bytes:
    """Check a header that is to be sent; returns its value as libmilter gets it."""

def check_address(what: str, address: bytes) -> None:
    """Check an address that is to be sent."""

def check_parameters(parameters: bytes) -> None:
    """Check ESMTP parameters that are to be sent."""

def check_line(what: str, line: bytes) -> None:
    """Check text that is to be sent in one line, such as the reason for a quarantine."""

def version() -> tuple[int, int, int]:
    """The version of the libmilter in use: major, minor, patch (smfi_version)."""

def build() -> dict[str, Any]:
    """The build of the libmilter in use: its version, that of the header, the protocol, the file, and its optional
    parts."""

def setdbg(level: int) -> None:
    """Set the level of debug output from libmilter; 0 for none (smfi_setdbg)."""

def setmaxdatasize(size: int) -> int:
    """Set the limit of one packet in bytes, and return the previous one (smfi_setmaxdatasize)."""

def connections() -> tuple[int, int]:
    """How many connections were made and freed in this process."""

def counters() -> dict[str, Any]:
    """The counters of this process."""

def messages_under_way() -> int:
    """How many messages have begun and not ended."""

def messages_too_late() -> int:
    """How many messages began after end_messages() and have had no answer yet."""

def end_messages() -> None:
    """Let no more messages begin: each gets TEMPFAIL."""

def end_messages_when_none() -> bool:
    """Do the same if no message is under way; false if one is."""

def current_context() -> Context | None:
    """The connection whose callback runs in the calling thread, or None."""

def message_context(context: Context) -> Context:
    """The handle of the message that the calling thread works for; `context` itself if there is none."""

def signals_of_others() -> list[int]:
    """The signals that a thread of ours blocks: all but the synchronous faults."""

def before_fork() -> None:
    """Wait until no thread is entering Python for the first time, and let none begin to."""

def after_fork() -> None:
    """Undo before_fork(), in the parent and in the child."""

def is_in_callback() -> bool:
    """Whether libmilter called the calling thread."""

def shut_gate(seconds: float) -> bool:
    """Let no more callbacks in, and wait for those inside; false if the time is over first."""

class Relay(metaclass=_pybind11_type):
    """Passes connections on to a filter in threads of its own, and writes what happens to a pipe."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def start(self) -> None:
        """Begin to take connections."""
    def stop(self) -> None:
        """End all connections, and close the pipe once all that has happened is written to it."""

def make_relay(*, listener: int, family: int, place: str, port: int, name: str, pipe: int, most_waiting: int) -> Relay:
    """Make a relay from a listening socket, which must not block, to a path, or to a host and its port. `name` is
    the target as text. The relay owns `pipe`; once `most_waiting` bytes wait for its reader, the connections wait
    too."""

# What happens on a connection, and to which side, by their numbers in the pipe.
RELAY_EVENTS: Final[tuple[str, ...]]
RELAY_SIDES: Final[tuple[str, ...]]
