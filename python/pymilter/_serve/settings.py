"""The settings of `run` and `Server`: the name, default, kind and meaning of each, once."""

from collections.abc import Mapping
from typing import Any, Final, Generic, Self, TypeVar, overload

from pymilter._constants import TEMPFAIL, Status
from pymilter._serve import kinds
from pymilter._serve.access import Access, group_number, user_number
from pymilter._serve.hooks import Hook
from pymilter._serve.kinds import Kind, optional

T = TypeVar("T")


class Setting(Generic[T]):
    """One setting, which is an attribute of `Settings`; its name is that of the attribute.

    Args:
        kind: Which values it may have.
        default: Its value if none is given.
        help: Its meaning, in a sentence. It is the text in the docstrings of `run` and `Server` too.
        of_run: Whether `Server` does without it.
    """

    name: str

    def __init__(self, kind: Kind[T], default: T, help: str, *, of_run: bool = False) -> None:
        self.kind: Final = kind
        self.default: Final[T] = default
        self.help: Final = help
        self.of_run: Final = of_run

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, settings: None, owner: type) -> Self: ...
    @overload
    def __get__(self, settings: object, owner: type) -> T: ...
    def __get__(self, settings: object | None, owner: type) -> Self | T:
        # Values lie in the __dict__ of their Settings, where Python looks first.
        return self if settings is None else self.default


class Settings:
    """How a filter is served. Raises TypeError or ValueError, with the name, the value and what is allowed.

    A new setting is one more attribute here and one more parameter, with its line under Args, in _run.py.
    """

    name: Setting[str | None] = Setting(
        optional(kinds.text()), None, "The name of the filter, for syslog; by default that of `factory`."
    )
    timeout: Setting[int | None] = Setting(
        optional(kinds.whole(1, kinds.C_INT_MAX)),
        None,
        "How many seconds libmilter waits for the MTA; 7210 by default.",
    )
    exception_policy: Setting[Status] = Setting(
        kinds.policy(), TEMPFAIL, "The answer if a handler fails: TEMPFAIL, REJECT, ACCEPT or CONTINUE."
    )
    backlog: Setting[int] = Setting(
        kinds.whole(1, kinds.C_INT_MAX),
        kinds.C_INT_MAX,
        "How many connections may wait to be accepted; the system sets a limit of its own.",
    )
    noreply_over_tcp: Setting[bool] = Setting(
        kinds.boolean(),
        True,
        "Whether steps are left unanswered over TCP too, on connections that can be kept from stalling.",
    )
    grace: Setting[float] = Setting(
        kinds.seconds(), 5.0, "How many seconds messages that are under way may go on after SIGTERM or SIGHUP."
    )
    socket_mode: Setting[int | None] = Setting(
        optional(kinds.permissions()),
        None,
        "The permissions of a unix socket, such as 0o660, set before anybody can connect.",
    )
    socket_owner: Setting[str | int | None] = Setting(
        optional(kinds.user()), None, "The user who owns a unix socket, by name or number."
    )
    socket_group: Setting[str | int | None] = Setting(
        optional(kinds.group()), None, "The group that owns a unix socket, by name or number."
    )
    user: Setting[str | int | None] = Setting(
        optional(kinds.account()),
        None,
        "The user to become once the socket is open, with its groups, by name or number.",
    )
    group: Setting[str | int | None] = Setting(
        optional(kinds.group()), None, "The group to become then; without `user`, no other group is left."
    )
    workers: Setting[int] = Setting(
        kinds.whole(0),
        0,
        "How many processes serve the socket, each running the program again; 0 for this process alone.",
        of_run=True,
    )
    pid_file: Setting[str | None] = Setting(
        optional(kinds.path()), None, "The file that holds the number of this process while it runs.", of_run=True
    )
    metrics: Setting[str | None] = Setting(
        optional(kinds.host_and_port()),
        None,
        "Where Prometheus finds metrics, as HOST:PORT; with workers, the sums of all.",
        of_run=True,
    )
    max_messages: Setting[int | None] = Setting(
        optional(kinds.whole(1)),
        None,
        "After how many messages a worker is replaced, or up to a tenth fewer, so that not all are replaced at once.",
        of_run=True,
    )
    max_rss: Setting[int | None] = Setting(
        optional(kinds.whole(1)), None, "At how many bytes of memory a worker is replaced.", of_run=True
    )
    start_timeout: Setting[float] = Setting(
        kinds.seconds(least=1),
        120.0,
        "How many seconds a new worker may take until it serves; it is then killed.",
        of_run=True,
    )
    on_start: Setting[Hook | None] = Setting(
        optional(kinds.hook()), None, "Called just before the socket is served, as `user`; an exception ends the start."
    )
    on_stop: Setting[Hook | None] = Setting(
        optional(kinds.hook()), None, "Called once the filter has stopped and no handler runs any more."
    )
    on_reload: Setting[Hook | None] = Setting(
        optional(kinds.hook()),
        None,
        "Called for SIGHUP, which then does not end the filter; an exception is logged. Not with workers.",
    )

    def __init__(self, **values: object) -> None:
        known = self.known()
        for name in values.keys() - known.keys():
            raise TypeError(f"{name!r} is not a setting: there are {', '.join(known)}")
        for name, value in values.items():
            vars(self)[name] = known[name].kind.check(name, value)
        for limit in ("max_messages", "max_rss"):
            if getattr(self, limit) is not None and self.workers == 0:
                raise ValueError(f"{limit} needs workers=: a process that serves alone cannot be replaced by another")

    @classmethod
    def known(cls) -> dict[str, Setting[Any]]:
        """All settings by name."""
        return {name: value for name, value in vars(cls).items() if isinstance(value, Setting)}

    @classmethod
    def among(cls, arguments: Mapping[str, object]) -> Self:
        """Make the settings from the arguments of a function, given as its locals()."""
        return cls(**{name: arguments[name] for name in cls.known() if name in arguments})

    @property
    def access(self) -> Access:
        """Who may connect to a unix socket."""
        return Access(self.socket_mode, user_number(self.socket_owner), group_number(self.socket_group))
