"""What a failure writes to the log: bounded, on lines of its own only, and always written."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymilter.testing import Client, Verdict
from support.wire import Start, message

HOSTILE = r"evil\r\n2026-11-26 ERROR fake line\n\x1b[2J\xe9\udce9\u2028\u202e end"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_an_exceptions_text_writes_no_lines_and_is_always_written(start: Start, tmp_path: Path, encoding: str) -> None:
    log = tmp_path / "log"
    process = start(
        rf"""
        import logging
        logging.getLogger().handlers[:] = [logging.FileHandler({str(log)!r}, encoding="{encoding}"),
                                           logging.StreamHandler()]
        TEXT = "{HOSTILE}"
        class Failure(Exception):
            pass
        Failure.__qualname__ = "Fail\nure"
        class Filter(Base):
            def hello(self, hostname): raise LookupError(TEXT)
            def envfrom(self, mailfrom):
                error = ValueError(mailfrom)
                error.add_note(TEXT)
                raise error
            def envrcpt(self, to):
                try:
                    raise Failure(TEXT)
                except Failure as error:
                    raise ExceptionGroup(TEXT, [ValueError(TEXT), TypeError(TEXT)]) from error
            def data(self): return TEXT
    """,
        keeps_connections=True,  # the exceptions are in cycles
    )
    with Client(process.address) as client:
        client.connect()
        client.helo()
    for step in ("envfrom", "envrcpt", "data"):
        with Client(process.address) as client:
            client.connect()
            if step == "envfrom":
                client.mail("<\udce9\x1b@x>")
            else:
                client.mail("<a@x>")
    text = log.read_bytes()
    assert text.isascii()
    lines = text.decode().splitlines()
    assert not [line for line in lines if not line.isprintable()]
    escaped = r"evil\r\n2026-11-26 ERROR fake line\n\x1b[2J\xe9\udce9\u2028\u202e end"
    assert f"LookupError: {escaped}" in lines
    assert r"ValueError: <\udce9\x1b@x>" in lines
    assert f"  note: {escaped}" in lines
    assert not [line for line in lines if line.startswith("2026")]


def test_names_of_code_write_no_lines(start: Start) -> None:
    """A program may compile what it likes: neither the file's name nor the function's begins a line of the log."""
    process = start(r"""
        code = compile("def fail(): raise ValueError('here')", "file\n2026-11-26 ERROR fake line\nname", "exec")
        exec(code)
        fail.__code__ = fail.__code__.replace(co_name="na\n2026-11-26 ERROR fake line\nme")
        class Filter(Base):
            def eom(self): fail()
    """)
    with Client(process.address) as client:
        client.connect()
        assert message(client)["eom"].code == 451
    fake = r"2026-11-26 ERROR fake line"
    assert rf'  File "file\n{fake}\nname", line 1, in na\n{fake}\nme' in process.stderr.splitlines()
    assert not [line for line in process.stderr.splitlines() if line.startswith("2026")]


def test_chains_and_groups(start: Start) -> None:
    process = start(r"""
        class Failure(Exception): pass
        Failure.__qualname__ = "Fail\nure"
        class NoText(Exception):
            def __str__(self): raise SystemExit(1)
        class Filter(Base):
            def envfrom(self, mailfrom):
                try:
                    raise Failure("first\nline")
                except Failure as error:
                    raise ExceptionGroup("group", [ValueError("a\nb"), NoText()]) from error
            def eom(self):
                try:
                    raise KeyError("k")
                except KeyError:
                    raise ValueError
    """)
    for step in ("envfrom", "eom"):
        with Client(process.address) as client:
            client.connect()
            if step == "envfrom":
                assert client.mail("<>").code == 451
    text = process.stderr
    assert "Fail\\nure: first\\nline\n" in text
    assert "\nThe above exception was the direct cause of the following exception:\n" in text
    assert (
        "ExceptionGroup: group (2 sub-exceptions)\n  Exception 1 of 2:\nValueError: a\\nb\n  Exception 2 of 2:\n"
        in text
    )
    assert "NoText: <its str() failed>\n" in text


DEEP = """
    import logging, sys, traceback
    class Filter(Base):
        def eom(self):
            sys.setrecursionlimit(2_000_000)
            self.fall({depth})
        def fall(self, depth):
            if depth == 0:
                raise {error}
            self.fall(depth - 1)
"""
DEPTH = 100_000


def test_a_deep_traceback_is_cut(start: Start) -> None:
    # Formatted in full, this takes minutes: longer than the client waits for the answer.
    process = start(DEEP.format(depth=DEPTH, error="ValueError('deep')"))
    with Client(process.address) as client:
        client.connect()
        assert message(client)["eom"].code == 451
        assert message(client)["eom"].verdict is Verdict.TEMPFAIL
    text = process.stderr
    assert text.count("ValueError: deep\n") == 2
    assert text.count("frames are left out here)\n") == 2
    assert len(text) < 20_000
    assert "in eom\n" in text


def test_a_long_chain_and_a_long_text_are_cut(start: Start) -> None:
    process = start("""
        def chain(count):
            error = None
            for number in range(count):
                try:
                    raise ValueError(f"number {number}") from error
                except ValueError as caught:
                    error = caught
            return error
        def nested(depth, width):
            group = ValueError("leaf")
            for _ in range(depth):
                group = ExceptionGroup("g", [group] * width)
            return group
        class Filter(Base):
            def envfrom(self, mailfrom): raise ValueError("x" * 10_000_000)
            def envrcpt(self, to): raise chain(2000)
            def eom(self): raise nested(30, 30)
        """)
    with Client(process.address) as client:
        client.connect()
        assert client.mail("<>").code == 451
    assert "ValueError: " + "x" * 4000 + "... (10000000 characters)\n" in process.stderr
    assert len(process.stderr) < 10_000


def test_formatters_of_the_program_get_a_short_traceback(start: Start) -> None:
    process = start(
        DEEP.format(depth=DEPTH, error="ValueError('deep')")
        + """
    class Own(logging.Handler):
        def emit(self, record):
            kind, error, trace = record.exc_info
            note(kind.__name__, str(error), len(traceback.format_exception(kind, error, trace)) < 100, record.funcName)
    logging.getLogger("pymilter").addHandler(Own(logging.ERROR))
    """
    )
    with Client(process.address) as client:
        client.connect()
        assert message(client)["eom"].code == 451
    assert process.seen() == [("ValueError", "deep", True, "report")]


def test_a_context_that_is_hidden_is_not_told(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def hello(self, hostname):
                try:
                    raise LookupError("the secret")
                except LookupError:
                    raise ValueError("the failure") from None
    """)
    with Client(process.address) as client:
        client.connect()
        assert client.helo().verdict is Verdict.TEMPFAIL
    assert "ValueError: the failure" in process.stderr
    assert "the secret" not in process.stderr.replace('raise LookupError("the secret")', "")
    assert "another exception occurred" not in process.stderr
