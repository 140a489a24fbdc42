"""Values that programs and operators give, and what they become: addresses, settings, replies, names of the package."""

from __future__ import annotations

import atexit
import copy
import os
import pickle
import pwd
import socket
import sys
import threading
from types import FunctionType
from typing import Any

import pytest

import pymilter
from pymilter import Base, Reject, Status, TempFail, decode, enable_protocols, symlist
from pymilter import _library as library
from pymilter._process import audit, forked, threads
from pymilter._process.forked import Forks, end_child
from pymilter._serve import kinds
from pymilter._serve.address import Address, bound_address, parse_address, parse_host_and_port
from pymilter._serve.kinds import Kind
from pymilter._serve.settings import Setting, Settings

# ------------------------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    ("text", "inherited"),
    [
        ("fd:3", "fd:3"),
        ("FD:03", "fd:3"),
        ("fd:0", "fd:0"),
        ("systemd:", "systemd:"),
        ("systemd:milter", "systemd:milter"),
        ("SystemD:a:b", "systemd:a:b"),
    ],
)
def test_sockets_that_are_open_already(text: str, inherited: str) -> None:
    address = parse_address(text)
    assert address == Address(socket.AF_UNSPEC, inherited=inherited)
    assert str(address) == inherited


@pytest.mark.parametrize("number", ["", "x", "-1", "3 ", "\u0663", "1.5", "\xb2"])
def test_what_is_no_descriptor(number: str) -> None:
    with pytest.raises(ValueError, match="is not the number of a descriptor") as info:
        parse_address(f"fd:{number}")
    assert str(info.value) == f"socket is {f'fd:{number}'!r}: {number!r} is not the number of a descriptor"


FORMS = (
    "the forms are inet:PORT@HOST, inet6:PORT@HOST, unix:PATH, local:PATH, a path, fd:NUMBER, systemd: or systemd:NAME"
)
ALL = "write inet:8890@127.0.0.1, or inet:8890 for all addresses of this machine"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("unix:", f"the path is missing; {FORMS}"),
        ("tcp:", f"'tcp' is no kind of socket; {FORMS}"),
        ("x:y:z", f"'x' is no kind of socket; {FORMS}"),
        ("8890", f"{ALL}; a path of this name is unix:8890"),
        (":8890", f"{ALL}; a path of this name is unix:8890"),
        ("tcp:8890", f"'tcp' is no kind of socket; {ALL}"),
        ("tcp4:8890", f"'tcp4' is no kind of socket; {ALL}"),
        ("tcp6:localhost:8890", "'tcp6' is no kind of socket; write inet:8890@localhost"),
        ("tcp://localhost:8890", "'tcp' is no kind of socket; write inet:8890@localhost"),
        ("file:///run/x", "'file' is no kind of socket; write unix:/run/x"),
        ("tcp:*:8890", "'tcp' is no kind of socket; write inet:8890"),
        ("localhost:8890", "'localhost' is no kind of socket; write inet:8890@localhost"),
        ("127.0.0.1:889012", "'127.0.0.1' is no kind of socket; " + FORMS),
        ("inet:::1", "'::1' is neither a port nor the name of a service; the port is missing: write inet6:PORT@::1"),
        ("inet6:localhost:25", "write inet6:25@localhost"),
        ("inet:a:b:25", "'a:b:25' is neither a port nor the name of a service"),
        ("inet:[a]:25", "write inet:25@a"),
        ("inet:smtp:25", "write inet:25@smtp"),
        ("inet:25x@[::1]", "::1 is an IPv6 address; write inet6:25@::1"),
        ("inet:25.5@h", "'25.5' is neither a port nor the name of a service"),
        ("inet:65536", "a port is at most 65535"),
        ("inet6:25@192.0.2.1", "192.0.2.1 is an IPv4 address; write inet:25@192.0.2.1"),
    ],
)
def test_what_to_write_instead(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^socket is ") as info:
        parse_address(text)
    assert str(info.value) == f"socket is {text!r}: {reason}"


@pytest.mark.parametrize(
    ("text", "path"), [("123456", "123456"), ("./8890", "./8890"), ("a/b:c", "a/b:c"), (":x", "x"), ("/a", "/a")]
)
def test_paths(text: str, path: str) -> None:
    assert parse_address(text) == Address(socket.AF_UNIX, path=path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a:0", ("a", 0)),
        ("a:65535", ("a", 65535)),
        ("[::1]:1", ("::1", 1)),
        ("[a]:1", ("a", 1)),
        ("[:1", ("", 0)),
        ("]:1", ("]", 1)),
        ("[:1]:x", ("", 0)),
        ("::1:1", ("", 0)),
        ("a:65536", ("", 0)),
        ("a:1\xb2", ("", 0)),
    ],
)
def test_host_and_port(text: str, found: tuple[str, int]) -> None:
    if found[0]:
        assert parse_host_and_port(text) == found
    elif text == "[:1":
        assert parse_host_and_port(text) == ("[", 1)
    else:
        with pytest.raises(ValueError, match=r"^address is ") as info:
            parse_host_and_port(text)
        assert str(info.value) == (f"address is {text!r}: it must be HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464")


def test_addresses_of_open_sockets(tmp_path: Any) -> None:
    with socket.socket(socket.AF_UNIX) as unix, socket.socket(socket.AF_INET6) as inet6:
        unix.bind(str(tmp_path / "s"))
        assert bound_address(unix) == Address(socket.AF_UNIX, path=str(tmp_path / "s"))
        inet6.bind(("::1", 0))
        found = bound_address(inet6)
        assert str(found) == f"inet6:{inet6.getsockname()[1]}@::1"


# ------------------------------------------------------------------------------------ kinds of settings


@pytest.mark.parametrize(
    ("kind", "type_", "allowed", "words"),
    [
        (kinds.whole(3), int, "an int of at least 3", {"5": 5}),
        (kinds.whole(3, 9), int, "an int from 3 to 9", {"5": 5}),
        (kinds.permissions(), int, "an int from 0 to 0o777, such as 0o660", {"660": 0o660, "0o660": 0o660}),
        (kinds.seconds(), float, "a number of seconds from 0 to 31536000 (a year)", {"2.5": 2.5, "1": 1.0}),
        (kinds.seconds(least=1.5), float, "a number of seconds from 1.5 to 31536000 (a year)", {"2": 2.0}),
        (
            kinds.boolean(),
            bool,
            "True or False",
            {"true": True, "yes": True, "1": True, "YES": True, "false": False, "no": False, "0": False},
        ),
        (kinds.text(), str, "a str that is not empty", {"x": "x"}),
        (kinds.path(), str, "a path that is not empty: a str or an os.PathLike of one", {"x": "x"}),
        (kinds.host_and_port(), str, "HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464", {"a:1": "a:1"}),
        (kinds.user(), str, "the name of a user, or its number from 0 to 4294967294", {"root": "root", "7": 7}),
        (kinds.account(), str, "the name of a user, or its number from 0 to 4294967294", {"root": "root", "0": 0}),
        (kinds.group(), str, "the name of a group, or its number from 0 to 4294967294", {"root": "root", "7": 7}),
        (
            kinds.policy(),
            Status,
            "TEMPFAIL, REJECT, ACCEPT or CONTINUE",
            {"tempfail": Status.TEMPFAIL, "Continue": Status.CONTINUE, "ACCEPT": Status.ACCEPT},
        ),
    ],
)
def test_what_a_kind_allows_and_reads(kind: Kind[Any], type_: type, allowed: str, words: dict[str, object]) -> None:
    assert (kind.type, kind.allowed) == (type_, allowed)
    assert kind.read is not None
    for word, value in words.items():
        found = kind.check("it", kind.read(word))
        assert (found, type(found)) == (value, type(value))
    maybe = kinds.optional(kind)
    assert (maybe.type, maybe.allowed, maybe.read, maybe.show) == (type_, f"{allowed}, or None", kind.read, kind.show)
    assert maybe.check("it", None) is None
    with pytest.raises(TypeError) as info:
        kind.check("it", None)
    assert str(info.value) == f"it is None: it must be {allowed}"


@pytest.mark.parametrize(
    ("kind", "word", "text"),
    [
        (kinds.boolean(), "maybe", "'maybe' is none of true, yes, 1, false, no, 0"),
        (kinds.policy(), "reject!", "'reject!' is no status"),
    ],
)
def test_words_that_mean_nothing(kind: Kind[Any], word: str, text: str) -> None:
    assert kind.read is not None
    with pytest.raises(ValueError, match=r"^'") as info:
        kind.read(word)
    assert str(info.value) == text


@pytest.mark.parametrize("word", ["\xb2", "\u0663", "-1", "7x"])
def test_words_that_are_no_number_of_a_user(word: str) -> None:
    kind = kinds.user()
    assert kind.read is not None
    assert kind.read(word) == word
    with pytest.raises(ValueError, match="there is no such user; it must be the name of a user"):
        kind.check("user", word)
    with pytest.raises(ValueError, match="there is no such group; it must be the name of a group"):
        kinds.group().check("group", word)


def test_the_limits_of_a_kind() -> None:
    for kind, right, wrong in (
        (kinds.whole(3, 9), (3, 9), (2, 10)),
        (kinds.whole(0), (0, 2**80), (-1,)),
        (kinds.permissions(), (0, 0o777), (-1, 0o1000)),
        (kinds.seconds(1), (1, 1.0, 31536000), (0.99, 31536001, float("inf"), float("nan"))),
        (kinds.user(), (0, 2**32 - 2), (-1, 2**32 - 1)),
        (kinds.text(), ("x",), ("", "a\0b")),
    ):
        for value in right:
            assert kind.check("it", value) == value
        for value in wrong:
            with pytest.raises(ValueError, match=r"^it is .*: it must be "):
                kind.check("it", value)
        with pytest.raises(TypeError, match=r"^it is True: it must be "):
            kind.check("it", True)
    assert isinstance(kinds.seconds().check("it", 1), float)
    with pytest.raises(ValueError, match=r"^it is 0o1000: it must be an int from 0 to 0o777"):
        kinds.permissions().check("it", 0o1000)
    with pytest.raises(TypeError, match=r"^it is '660': it must be an int from 0 to 0o777"):
        kinds.permissions().check("it", "660")


def test_an_account_has_an_entry() -> None:
    own = pwd.getpwuid(0)
    assert kinds.account().check("user", own.pw_name) == own.pw_name
    assert kinds.account().check("user", 0) == 0
    with pytest.raises(ValueError, match="there is no such user, whose groups would be needed; it must be the name"):
        kinds.account().check("user", 4_111_222_333)
    assert kinds.user().check("user", 4_111_222_333) == 4_111_222_333


def test_a_hook_is_no_word() -> None:
    assert (kinds.hook().read, kinds.hook().type) == (None, FunctionType)
    with pytest.raises(
        TypeError, match=r"takes arguments, and is called without any; it must be a function without arg"
    ):
        kinds.hook().check("on_start", lambda x: None)


def test_settings_are_attributes_with_defaults() -> None:
    assert isinstance(Settings.grace, Setting)
    assert (Settings.grace.name, Settings.grace.default) == ("grace", 5.0)
    settings = Settings.among({"grace": 3, "self": None, "factory": Base})
    assert (settings.grace, settings.workers, settings.timeout) == (3.0, 0, None)
    assert list(Settings.known())[:2] == ["name", "timeout"]
    access = Settings(socket_mode=0o600, socket_owner="root", socket_group=5).access
    assert (access.mode, access.owner, access.group) == (0o600, 0, 5)
    assert not Settings().access.is_given()
    defaults = {name: setting.default for name, setting in Settings.known().items() if setting.default is not None}
    assert defaults == {
        "exception_policy": Status.TEMPFAIL,
        "backlog": 2**31 - 1,
        "noreply_over_tcp": True,
        "grace": 5.0,
        "workers": 0,
        "start_timeout": 120.0,
    }
    of_run = {name for name, setting in Settings.known().items() if setting.of_run}
    assert of_run == {"workers", "pid_file", "metrics", "max_messages", "max_rss", "start_timeout"}


# ------------------------------------------------------------------------------------ replies


def test_replies_of_wrong_types_are_told_to_the_letter() -> None:
    wrong: Any
    for wrong, text in (
        (lambda: Reject(True), 'reply code is a bool: it must be an int, as in Reject(550, "5.7.1", "text")'),
        (lambda: TempFail("450"), 'reply code is a str: it must be an int, as in TempFail(451, "4.7.1", "text")'),  # type: ignore[call-overload]
        (lambda: Reject(550, 5), "enhanced status code is a int: it must be a str or None"),  # type: ignore[call-overload]
        (lambda: Reject(550, None, b"x"), "reply text is a bytes: each line must be a str"),  # type: ignore[call-overload]
    ):
        with pytest.raises(TypeError) as info:
            wrong()
        assert str(info.value) == text


def test_a_reply_is_a_value_that_never_changes() -> None:
    reply: Any
    for reply in (Reject(550, "5.7.1", "one", "two"), TempFail(450)):
        assert copy.copy(reply) == copy.deepcopy(reply) == pickle.loads(pickle.dumps(reply)) == reply
        assert type(pickle.loads(pickle.dumps(reply))) is type(reply)
        assert reply != "reply"
        with pytest.raises(AttributeError, match=r"^cannot assign to 'code': a reply is never changed$"):
            reply.code = 1
        with pytest.raises(AttributeError, match=r"^cannot delete 'code': a reply is never changed$"):
            del reply.code
        match reply:
            case Reject(550, "5.7.1", ("one", "two")) | TempFail(450, None, ()):
                pass
            case _:
                pytest.fail("a reply can be taken apart")


# ------------------------------------------------------------------------------------ decorators


@pytest.mark.parametrize(
    ("decorate", "name"),
    [
        (lambda f: enable_protocols(f, 1), "enable_protocols"),
        (pymilter.rejected_recipients, "@rejected_recipients"),
        (pymilter.header_leading_space, "@header_leading_space"),
    ],
)
def test_decorators_of_a_class(decorate: Any, name: str) -> None:
    def header() -> None: ...

    for wrong, shown in ((header, "header"), (5, "5")):
        with pytest.raises(TypeError) as info:
            decorate(wrong)
        assert (
            str(info.value)
            == f"{name} does not fit {shown}: it is for a class, derived from Base, and not for a method"
        )


def test_decorators_of_methods_are_told_to_the_letter() -> None:
    def wrong(self: object) -> None: ...

    steps = "connect, hello, envfrom, envrcpt, data, unknown, header, eoh, body"
    for decorate, text in (
        (pymilter.noreply, "@noreply"),
        (pymilter.nocallback, "@nocallback"),
    ):
        with pytest.raises(ValueError, match=rf"^{text} does not fit wrong: it is for ") as info:
            decorate(wrong)
        assert sorted(str(info.value).partition("is for ")[2].split(", ")) == sorted(steps.split(", "))
    for name in ("", "a b", " a"):
        with pytest.raises(
            ValueError, match=rf"^@symlist got '{name}': a macro name has no white space, for example '"
        ):
            symlist("i", name)
    with pytest.raises(ValueError, match=r"^@symlist got 51 macros: at most 50 are allowed for one step$"):
        symlist(*("i",) * 51)
    with pytest.raises(
        ValueError, match=r"^@decode got 'x': allowed are surrogateescape, strict, ignore, replace, bytes$"
    ):
        decode("x")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match=r"^@decode does not fit wrong: it is for "):
        decode("bytes")(wrong)


# ------------------------------------------------------------------------------------ the package


def test_names_of_the_package() -> None:
    with pytest.raises(AttributeError, match=r"^module 'pymilter' has no attribute 'nothing'$"):
        getattr(pymilter, "nothing")  # noqa: B009
    assert {"run", "chain", "Stats", "Base", "REJECT"} <= set(dir(pymilter))
    assert dir(pymilter) == sorted(set(dir(pymilter)))
    assert pymilter.__version__.split(".")[0].isdigit()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            ModuleNotFoundError("No module named 'pymilter._core'", name="pymilter._core"),
            "pymilter is not built for this",
        ),
        (ModuleNotFoundError("No module named 'x'", name="x"), "No module named 'x'"),
        (ImportError("libmilter.so.1.0.1: cannot open shared object file"), "libmilter is not installed: 'apt-get"),
        (ImportError("undefined symbol"), "undefined symbol"),
    ],
)
def test_an_extension_that_cannot_be_loaded(error: ImportError, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        def find_spec(self, name: str, *arguments: object) -> None:
            if name == "pymilter._core":
                raise error

    monkeypatch.delitem(sys.modules, "pymilter._core")
    monkeypatch.delattr(pymilter, "_core")
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(ImportError) as info:
        library._load()
    assert str(info.value).startswith(text)
    if text.startswith("libmilter"):
        assert str(info.value) == f"{library.LIBMILTER_MISSING} ({error})"
    if text.startswith("pymilter"):
        assert sys.executable in str(info.value)
    assert (info.value is error) == (str(error) == text)


# ------------------------------------------------------------------------------------ children and threads


class ExitedError(BaseException):
    """In place of the end of the process."""


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is done at the end of a child, in its order."""
    noted: list[Any] = []

    def leave(status: int) -> None:
        noted.append(status)
        raise ExitedError

    class Other(threading.Thread):
        def join(self, timeout: float | None = None) -> None:
            noted.append(("join", self.daemon))

    others = [Other(daemon=True), Other(daemon=False)]
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.current_thread(), *others])
    monkeypatch.setattr(atexit, "_run_exitfuncs", lambda: noted.append("atexit"))
    monkeypatch.setattr(forked, "_flush", lambda: noted.append("flush"))
    return noted


@pytest.mark.parametrize(
    ("error", "status"), [(None, 0), (SystemExit(3), 3), (ValueError("x"), 1), (SystemExit("x"), 1)]
)
def test_a_child_ends_as_a_program_does(
    done: list[Any], error: BaseException | None, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ExitedError):
        end_child(error)
    assert done == [("join", False), "atexit", "flush", status]
    told = capsys.readouterr().err
    if isinstance(error, ValueError):
        assert told.endswith("ValueError: x\n")
    else:
        assert told == ("x\n" if status == 1 else "")


def test_a_child_whose_end_fails(done: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise SystemExit(5)

    monkeypatch.setattr(atexit, "_run_exitfuncs", fail)
    with pytest.raises(ExitedError):
        end_child(None)
    assert done == [("join", False), "flush", 5]
    done.clear()
    monkeypatch.setattr(forked, "_status", lambda error: 1 / 0)
    with pytest.raises((ExitedError, ZeroDivisionError)):
        end_child(None)
    assert done == ["flush", 1]


def test_what_is_buffered_is_written_before_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []

    class Stream:
        def __init__(self, name: str) -> None:
            self.name = name

        def flush(self) -> None:
            flushed.append(self.name)
            raise OSError("full")

    monkeypatch.setattr(sys, "stdout", Stream("stdout"))
    monkeypatch.setattr(sys, "stderr", Stream("stderr"))
    forked.prepare()
    assert flushed == ["stdout", "stderr"]


def test_blocks_in_which_children_end(monkeypatch: pytest.MonkeyPatch) -> None:
    forks = Forks()
    seen: list[bool] = []
    assert not forks.ends_children()
    with forks.ending_children():
        with forks.ending_children():
            assert forks.ends_children()
        assert forks.ends_children()
        thread = threading.Thread(target=lambda: seen.append(forks.ends_children()))
        thread.start()
        thread.join(30)
    assert not forks.ends_children()
    assert seen == [False]
    with pytest.raises(LookupError), forks.ending_children():
        raise LookupError
    ended: list[Any] = []
    monkeypatch.setattr(forked, "end_child", ended.append)
    pids = iter([1, 1, 1, 2, 1, 2])
    monkeypatch.setattr(os, "getpid", lambda: next(pids))
    with forks.ending_children():
        pass
    assert ended == []
    with forks.ending_children():
        pass
    error = LookupError()
    with pytest.raises(LookupError), forks.ending_children():
        raise error
    assert ended == [None, error]


def test_each_start_of_a_process_is_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    import _posixsubprocess

    started: list[Any] = []
    events: list[tuple[Any, ...]] = []

    def fork_exec(*arguments: Any) -> int:
        started.append(arguments)
        return 7

    def begin(*arguments: Any) -> int:
        started.append(arguments)
        return 8

    monkeypatch.setattr(_posixsubprocess, "fork_exec", fork_exec)
    monkeypatch.setattr(threading, "_start_new_thread", begin, raising=False)
    monkeypatch.setattr(sys, "audit", lambda *event: events.append(event))
    audit.add_events()
    made: Any = _posixsubprocess
    assert made.fork_exec(1, 2) == 7
    assert (events, started) == ([("_posixsubprocess.fork_exec",)], [(1, 2)])
    assert made.fork_exec.__name__ == "fork_exec"
    if sys.version_info < (3, 12):
        assert vars(threading)["_start_new_thread"](print, (1,)) == 8
        assert (events[1:], started[1:]) == ([("_thread.start_new_thread", print, (1,), None)], [(print, (1,))])


def test_the_message_of_a_thread() -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.extend(threads.message_of(connection) for connection in (0, 1, 5)))
    thread.start()
    thread.join(30)
    assert found == [0, 0, 0]


def test_threads_of_libraries_are_known_by_their_functions() -> None:
    import concurrent.futures.thread
    import queue

    class OfNobody:
        __module__ = None  # type: ignore[assignment]

        def __call__(self) -> None: ...

    for target, is_library in (
        (queue.Queue[int]().get, True),
        (concurrent.futures.thread._worker, True),
        (OfNobody(), False),
        (pymilter.stop, False),
    ):
        assert threads._runs_library(threading.Thread(target=target)) is is_library
