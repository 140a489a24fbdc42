"""Arguments and settings of the command, read in the test's own process: each way to give one, each wrong value."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pymilter import REJECT, TEMPFAIL
from pymilter._command import arguments, loading
from pymilter._command.ignored import Ignored, ignored
from pymilter._command.logs import FORMAT, JsonFormatter
from pymilter._command.options import ALL, OF_COMMAND, OF_RUN, add_all, chosen, config_of, served, variable
from pymilter._command.output import Failure

# -- readers of single words


@pytest.mark.parametrize(
    ("read", "word", "value"),
    [
        (arguments.seconds, "0.25", 0.25),
        (arguments.seconds, "3", 3.0),
        (arguments.positive, "1", 1),
        (arguments.positive, "20", 20),
        (arguments.client_address, "192.0.2.1", "192.0.2.1"),
        (arguments.client_address, "2001:db8::1", "2001:db8::1"),
        (arguments.client_address, "/run/client", "/run/client"),
        (arguments.macro, "i=x", ("i", "x")),
        (arguments.macro, "i=", ("i", "")),
        (arguments.macro, "{a}=b=c", ("{a}", "b=c")),
        (arguments.filter_socket, "/run/x", "/run/x"),
        (arguments.filter_socket, "inet:8890@127.0.0.1", "inet:8890@127.0.0.1"),
        (ignored, "field:X-Seen", "x-seen"),
    ],
)
def test_a_word_is_read(read: Callable[[str], object], word: str, value: object) -> None:
    assert read(word) == value


@pytest.mark.parametrize(
    ("read", "word", "told"),
    [
        *(
            (arguments.seconds, word, f"'{word}' is not a number of seconds above 0")
            for word in ("0", "-1", "x", "inf")
        ),
        (arguments.seconds, "nan", "'nan' is not a number of seconds above 0"),
        *(
            (arguments.positive, word, f"'{word}' is not a whole number of at least 1")
            for word in ("0", "-1", "1.0", "")
        ),
        (arguments.positive, "\u0663", "'\u0663' is not a whole number of at least 1"),
        (arguments.client_address, "mx.test", "'mx.test' does not appear to be an IPv4 or IPv6 address"),
        (arguments.macro, "i", "NAME=VALUE is needed, not 'i'"),
        (arguments.macro, "=x", "NAME=VALUE is needed, not '=x'"),
        (arguments.filter_socket, "inet:0@127.0.0.1", "socket is 'inet:0@127.0.0.1': a port from 1 to 65535 is needed"),
        *(
            (ignored, word, f"'{word}' is none of 'dates', 'ids', 'field:NAME' and '/REGEX/'")
            for word in ("date", "field:", "fields:x", "field", "//", "/x", "x/", "/", "")
        ),
        (ignored, "/(/", "'/(/' is no regular expression: "),
    ],
)
def test_a_wrong_word_is_told(read: Callable[[str], object], word: str, told: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as raised:
        read(word)
    assert str(raised.value).startswith(told)
    assert str(raised.value) == told or told.endswith(": ")


def test_a_new_file_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    assert arguments.new_file(str(file)) == file
    assert not file.exists()
    file.touch()
    assert arguments.new_file(str(file)) == file
    asked: list[Path] = []
    denied: list[Path] = [file]

    def access(path: Path, mode: int) -> bool:
        asked.append(path)
        assert mode == os.W_OK
        return path not in denied

    monkeypatch.setattr(os, "access", access)
    assert arguments.new_file(str(tmp_path / "new")) == tmp_path / "new"
    assert asked == [tmp_path]
    for name, told in (
        ("", f"cannot write {tmp_path}: it is a directory"),
        ("none/file", f"cannot write {tmp_path}/none/file: there is no directory {tmp_path}/none"),
        ("file", f"cannot write {file}: no permission to write to {file}"),
    ):
        with pytest.raises(argparse.ArgumentTypeError) as raised:
            arguments.new_file(str(tmp_path / name))
        assert str(raised.value) == told


def test_help_has_each_default_once() -> None:
    parser = arguments.new_parser("program", "What it does.", "The end.")
    for name, default in (("a", 1), ("b", None), ("c", False), ("d", []), ("e", argparse.SUPPRESS)):
        parser.add_argument(f"--{name}", default=default, help=f"help of {name}")
    parser.add_argument("--f", default=2, help="f (default: another)")
    shown = " ".join(parser.format_help().split())
    assert "usage: program [-h]" in shown
    assert "What it does." in shown
    assert shown.endswith("The end.")
    for text in ("help of a (default: 1)", "help of b -", "help of c -", "help of d -", "help of e -"):
        assert text in f"{shown} -".replace(" --", " -")
    assert "f (default: another) " in shown
    assert shown.count("(default: ") == 2


def test_options_are_not_cut_short(capsys: pytest.CaptureFixture[str]) -> None:
    parser = arguments.new_parser("program", "")
    arguments.add_timeout(parser)
    assert parser.parse_args(["--timeout", "2"]).timeout == 2.0
    assert parser.parse_args([]).timeout == 10.0
    with pytest.raises(SystemExit):
        parser.parse_args(["--time", "2"])
    assert "unrecognized arguments: --time 2" in capsys.readouterr().err


# -- settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PYMILTER_"):
            monkeypatch.delenv(name)


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_all(parser)
    return parser.parse_args(words)


# The value of each setting as a word, as TOML, and as it is used.
GIVEN: dict[str, tuple[str, str, object]] = {
    "filter": ("gate:Gate", "'gate:Gate'", "gate:Gate"),
    "socket": ("unix:/x", "'unix:/x'", "unix:/x"),
    "log_level": ("debug", "'debug'", "debug"),
    "log_json": ("yes", "true", True),
    "reload": ("1", "true", True),
    "name": ("gate", "'gate'", "gate"),
    "timeout": ("5", "5", 5),
    "exception_policy": ("reject", "'REJECT'", REJECT),
    "backlog": ("7", "7", 7),
    "noreply_over_tcp": ("No", "false", False),
    "grace": ("1.5", "1.5", 1.5),
    "socket_mode": ("660", "0o660", 0o660),
    "socket_owner": ("0", "0", 0),
    "socket_group": ("0", "0", 0),
    "user": ("root", "'root'", "root"),
    "group": ("0", "0", 0),
    "workers": ("2", "2", 2),
    "pid_file": ("/x", "'/x'", "/x"),
    "metrics": ("[::1]:9464", "'[::1]:9464'", "[::1]:9464"),
    "max_messages": ("10", "10", 10),
    "max_rss": ("1000", "1000", 1000),
    "start_timeout": ("30", "30", 30.0),
}


@pytest.mark.parametrize("name", ALL)
def test_each_setting_is_given_in_each_way(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    word, toml, value = GIVEN[name]
    if name in ("filter", "socket"):
        words = ["gate:Gate", *([word] if name == "socket" else [])]
    else:
        flag = f"--{name.replace('_', '-')}"
        words = [flag] if name in ("log_json", "reload") else [f"{flag}={word}"]
    assert chosen(parsed(*words))[name] == value
    assert name not in chosen(parsed())
    file = tmp_path / "conf.toml"
    file.write_text(f"{name} = {toml}\n")
    assert chosen(parsed("--config", str(file))) == {name: value}
    monkeypatch.setenv(f"PYMILTER_{name.upper()}", word)
    assert variable(name) == f"PYMILTER_{name.upper()}"
    assert chosen(parsed()) == {name: value}


def test_the_command_line_wins_and_then_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "conf.toml"
    file.write_text("grace = 1\nbacklog = 1\nworkers = 1\n")
    monkeypatch.setenv("PYMILTER_CONFIG", str(file))
    monkeypatch.setenv("PYMILTER_BACKLOG", "2")
    monkeypatch.setenv("PYMILTER_WORKERS", "2")
    monkeypatch.setenv("PYMILTER_RELOADED", "1")  # set by the command itself, as is the next
    monkeypatch.setenv("PYMILTER_WORKER", "1")
    assert chosen(parsed("--workers=3")) == {"grace": 1.0, "backlog": 2, "workers": 3}
    assert config_of(parsed()) == file
    assert config_of(parsed("--config=other")) == Path("other")
    monkeypatch.setenv("PYMILTER_CONFIG", "")
    assert config_of(parsed()) is None
    assert chosen(parsed()) == {"backlog": 2, "workers": 2}


def test_what_run_takes_is_checked_together() -> None:
    settings = served({"workers": 2, "grace": 1.5, "filter": "gate:Gate", "log_level": "INFO", "reload": True})
    assert (settings.workers, settings.grace, settings.exception_policy) == (2, 1.5, TEMPFAIL)
    with pytest.raises(Failure, match=r"max_rss needs workers=") as raised:
        served({"max_rss": 1000})
    assert raised.value.status == 2
    with pytest.raises(Failure, match=r"grace is 'x'") as raised:
        served({"grace": "x"})
    assert raised.value.status == 2


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("grace = 'x'", "conf.toml: grace is 'x': it must be a number of seconds from 0 to 31536000 (a year)"),
        ("timeout = 0", "conf.toml: timeout is 0: it must be an int from 1 to 2147483647"),
        ("workers = true", "conf.toml: workers is True: it must be an int of at least 0"),
        (
            "log_level = 'loud'",
            "conf.toml: log_level is 'loud': it must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL",
        ),
        ("filter = ''", "conf.toml: filter is '': it must be a str that is not empty"),
        ("on_start = 'x'", f"conf.toml: 'on_start' is not a setting: there are {', '.join(ALL)}"),
        ("x", "conf.toml is no TOML: "),
        ("x = '\udce9'", "conf.toml is no TOML: 'utf-8' codec can't decode"),
    ],
)
def test_what_is_wrong_in_a_file_is_told(tmp_path: Path, toml: str, told: str) -> None:
    file = tmp_path / "conf.toml"
    file.write_bytes(toml.encode("utf-8", "surrogateescape"))
    with pytest.raises(Failure) as raised:
        chosen(parsed("--config", str(file)))
    assert str(raised.value).startswith(f"{tmp_path}/{told}")
    assert str(raised.value) == f"{tmp_path}/{told}" or "TOML" in told
    assert raised.value.status == 2


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure) as raised:
        chosen(parsed("--config", str(tmp_path)))
    assert (str(raised.value), raised.value.status) == (f"cannot read {tmp_path}: Is a directory", 2)


def test_what_is_wrong_in_the_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYMILTER_GRACE", "x")
    with pytest.raises(Failure) as raised:
        chosen(parsed())
    assert str(raised.value) == (
        "PYMILTER_GRACE: grace is 'x': it must be a number of seconds from 0 to 31536000 (a year)"
    )
    assert raised.value.status == 2
    monkeypatch.delenv("PYMILTER_GRACE")
    monkeypatch.setenv("PYMILTER_GRCE", "1")
    with pytest.raises(Failure) as raised:
        chosen(parsed())
    names = ", ".join(f"PYMILTER_{name.upper()}" for name in ALL)
    assert str(raised.value) == f"PYMILTER_GRCE is no variable of pymilter: there are {names}, PYMILTER_CONFIG"
    assert raised.value.status == 2


def test_what_is_wrong_in_the_command_line_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in (
        (["--timeout=0"], "argument --timeout: timeout is 0: it must be an int from 1 to 2147483647"),
        (
            ["--socket-mode=x"],
            "argument --socket-mode: socket_mode is 'x': it must be an int from 0 to 0o777, such as 0o660",
        ),
        (["--workers=1.5"], "argument --workers: workers is '1.5': it must be an int of at least 0"),
        (["--noreply-over-tcp=maybe"], "noreply_over_tcp is 'maybe': it must be True or False"),
        (["--exception-policy=skip"], "it must be TEMPFAIL, REJECT, ACCEPT or CONTINUE"),
        (["--log-level=loud"], "log_level is 'loud': it must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        (
            ["--user=nobody.there"],
            "there is no such user; it must be the name of a user, or its number from 0 to 4294967294",
        ),
        (["a", "b", "c"], "unrecognized arguments: c"),
        (["--on-start=x"], "unrecognized arguments: --on-start=x"),
    ):
        with pytest.raises(SystemExit):
            parsed(*words)
        assert capsys.readouterr().err.splitlines()[-1].endswith(told)


def test_help_names_value_default_and_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100000")
    parser = argparse.ArgumentParser()
    add_all(parser)
    shown = parser.format_help()
    for name, setting in {**OF_RUN, **OF_COMMAND}.items():
        assert shown.count(setting.help.removesuffix(".") + " (") == 1, name
    usage, _, options = shown.partition("\n\n")
    for part in ("[--log-level LEVEL]", "[--max-rss BYTES]", "[--grace SECONDS]", "[--noreply-over-tcp BOOL]"):
        assert part in usage
    for part in ("[--exception-policy STATUS]", "[--log-json]", "[--reload]", "[--pid-file FILE]", "[FILTER] [SOCKET]"):
        assert part in usage
    for part in (
        "(default: info, variable: PYMILTER_LOG_LEVEL)",
        "(default: tempfail, variable: PYMILTER_EXCEPTION_POLICY)",
        "(default: true, variable: PYMILTER_NOREPLY_OVER_TCP)",
        "(default: 0, variable: PYMILTER_WORKERS)",
        "(variable: PYMILTER_LOG_JSON)",
        "(variable: PYMILTER_MAX_RSS)",
        "(variable: PYMILTER_FILTER)",
        "(variable: PYMILTER_CONFIG)",
    ):
        assert part in options


# -- filters


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, from which modules are imported; whatever is imported is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in ("gate", "outer"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "gate.py").write_text(
        "import pymilter\nfrom pymilter import MessageFilter\n"
        "class One(pymilter.Base):\n    class Inner(pymilter.Base): pass\n"
        "class Two(pymilter.Base): pass\nclass Other: pass\nnumber = 7\ndef made(): return One()\n"
    )
    return tmp_path


def test_a_filter_is_loaded(folder: Path) -> None:
    assert loading.load_filter("gate:One").__name__ == "One"
    assert loading.load_filter("gate:One.Inner").__name__ == "Inner"
    assert type(loading.load_filter("gate:made")()).__name__ == "One"
    assert sys.path.count(str(folder)) == 1


@pytest.mark.parametrize("entry", ["", "here"])
def test_the_folder_is_looked_in_first_unless_python_does(folder: Path, entry: str) -> None:
    sys.path.insert(1, str(folder) if entry else "")
    before = list(sys.path)
    assert loading.load_filter("gate:One").__name__ == "One"
    assert sys.path == before


HAS = "; gate has gate:One, gate:Two"
FAILED = 'cannot import outer:\nTraceback (most recent call last):\n  File "FOLDER/outer.py", line '
FORM = "it must be MODULE:ATTRIBUTE, such as gate:Gate"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gate", f"filter is 'gate': {FORM}{HAS}"),
        ("gate:", f"filter is 'gate:': {FORM}"),
        (":One", f"filter is ':One': {FORM}"),
        ("gate:1", f"filter is 'gate:1': {FORM}"),
        ("my-gate:One", f"filter is 'my-gate:One': {FORM}"),
        ("gate:Three", f"filter is 'gate:Three': there is no 'Three' in it{HAS}"),
        ("gate:One.Iner", f"filter is 'gate:One.Iner': there is no 'Iner' in it{HAS}"),
        ("gate:number", f"filter is 'gate:number': it is int, and must be a class or a function{HAS}"),
        (
            "gate:One(1)",
            (
                "filter is 'gate:One(1)': a call cannot be named. Write a function without arguments that makes it,"
                " such as `def made(): return One(1)`, into the module, and name gate:made"
            ),
        ),
        ("gate.py", "filter is 'gate.py': name the module, not its file: gate:NAME, in the folder ."),
        ("x/gate:One", "filter is 'x/gate:One': name the module, not its file: gate:One, in the folder x"),
        ("x/gate.py:One", "filter is 'x/gate.py:One': name the module, not its file: gate:One, in the folder x"),
        ("gote:One", "there is no module 'gote' in FOLDER or where Python looks for modules"),
        ("gate.x:One", "there is no module 'gate.x' in FOLDER or where Python looks for modules"),
        ("gote.x:One", "there is no module 'gote' in FOLDER or where Python looks for modules"),
    ],
)
def test_a_filter_that_cannot_be_named_so_is_told(folder: Path, text: str, told: str) -> None:
    with pytest.raises(Failure) as raised:
        loading.load_filter(text)
    assert (str(raised.value), raised.value.status) == (told.replace("FOLDER", str(folder)), 2)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            "raise SystemExit(3)\n",
            'importing outer ended with SystemExit(3): put what runs the filter below `if __name__ == "__main__":`',
        ),
        (
            "import not_here\n",
            (f"{FAILED}1, in <module>\n    import not_here\nModuleNotFoundError: No module named 'not_here'"),
        ),
        (
            "try:\n    {}['x']\nexcept KeyError as error:\n    raise ValueError('no') from error\n",
            (
                f"{FAILED}2, in <module>\n"
                "    {}['x']\nKeyError: 'x'\n\n"
                "The above exception was the direct cause of the following exception:\n\n"
                'Traceback (most recent call last):\n  File "FOLDER/outer.py", line 4, in <module>\n'
                "    raise ValueError('no') from error\nValueError: no"
            ),
        ),
        (
            "import pymilter\n@pymilter.symlist('a b')\ndef f(): pass\n",
            (f"{FAILED}2, in <module>\n    @pymilter.symlist('a b')\nValueError: @symlist got 'a b'"),
        ),
    ],
)
def test_a_module_that_fails_is_told(folder: Path, source: str, told: str) -> None:
    (folder / "outer.py").write_text(source)
    with pytest.raises(Failure) as raised:
        loading.load_filter("outer:Gate")
    shown = "\n".join(line for line in str(raised.value).split("\n") if set(line.strip()) - set("~^") or not line)
    assert shown.startswith(told.replace("FOLDER", str(folder)))
    assert raised.value.status == 1


def test_errors_that_cause_each_other_are_shown_once() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    shown = loading.users_frames(first)
    assert (shown.count("ValueError: first"), shown.count("ValueError: second")) == (1, 1)


def test_a_filter_of_a_module_without_any_is_told(folder: Path) -> None:
    (folder / "outer.py").write_text("from gate import One\n")
    with pytest.raises(Failure) as raised:
        loading.load_filter("outer:Two")
    assert str(raised.value) == "filter is 'outer:Two': there is no 'Two' in it"


# -- the log


def test_a_record_as_json() -> None:
    record = logging.LogRecord("gate", logging.WARNING, "f.py", 1, "from %s", ("é",), None)
    record.created = 1_700_000_000.1239
    record.worker, record.connection, record.queue_id, record.peer = "-", 7, "-", "mx[192.0.2.1]"
    assert JsonFormatter().format(record) == (
        '{"time": "2023-11-14T22:13:20.123+00:00", "level": "WARNING", "logger": "gate", "message": "from \\u00e9",'
        ' "connection": 7, "peer": "mx[192.0.2.1]"}'
    )
    record = logging.LogRecord("gate", logging.ERROR, "f.py", 1, "no", (), (ValueError, ValueError("x"), None))
    record.created, record.stack_info = 1_700_000_000.0, "Stack:"
    assert JsonFormatter().format(record) == (
        '{"time": "2023-11-14T22:13:20.000+00:00", "level": "ERROR", "logger": "gate", "message": "no",'
        ' "exception": "ValueError: x", "stack": "Stack:"}'
    )
    for name in ("worker", "connection", "queue_id", "peer"):
        record = logging.LogRecord("gate", logging.INFO, "f.py", 1, "x", (), None)
        setattr(record, name, "value")
        assert json.loads(JsonFormatter().format(record))[name] == "value"
    places = {name: name for name in ("asctime", "worker", "connection", "queue_id", "peer", "message")}
    assert FORMAT % {**vars(record), **places} == "asctime INFO gate [worker connection queue_id peer] message"


def test_fields_whose_values_may_differ_are_found_by_name() -> None:
    what = Ignored([ignored("field:DKIM-Signature"), ignored("/[0-9]+/")])
    assert what.value("dkim-SIGNATURE", "v=1") == "*"
    assert what.value("X", "v=12; t=3") == "v=*; t=*"
    assert what.text("dkim-signature 5") == "dkim-signature *"
