"""pymilter.testing.session: a filter class in the process of the test."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from .conftest import Inner


def test_sessions_follow_each_other_and_stand_side_by_side(inner: Inner) -> None:
    done = inner("""
        import threading
        @pytest.mark.parametrize("number", range(3))
        def test_one(number):
            with session(Gate) as gate, session(Broken, raises=False) as broken:
                assert gate.send(MESSAGE) == accepted(headers={"X-Gate": "open", "X-Thread": "False"})
                assert broken.send(MESSAGE).verdict is Verdict.TEMPFAIL
                assert gate.send(MESSAGE, recipients=["nobody@x"]) == rejected(550, "5.1.1", "nobody here")
                assert [filter.count for filter in gate.filters] == [1, 0]
                assert type(broken.filter) is Broken

        def test_threads():
            with session(Gate) as gate, session(Broken, raises=False) as broken:
                verdicts = []
                def play(session):
                    for _ in range(20):
                        verdicts.append((type(session.filter).__name__, session.send(MESSAGE).verdict.name))
                gate.send(MESSAGE), broken.send(MESSAGE)
                threads = [threading.Thread(target=play, args=(one,)) for one in (gate, broken) * 3]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                assert sorted(set(verdicts)) == [("Broken", "TEMPFAIL"), ("Gate", "ACCEPT")]
                assert {type(one) for one in gate.filters} == {Gate} and len(gate.filters) == 61

        def test_steps():
            with session(Gate) as gate:
                with gate.client() as client:
                    client.connect()
                    for _ in range(2):
                        assert client.play(MESSAGE) == accepted()
                assert gate.filter.count == 2 and len(gate.filters) == 1
    """)
    done.assert_outcomes(passed=5)


def test_what_a_handler_raises_is_raised_in_the_test(inner: Inner) -> None:
    done = inner("""
        def test_in_an_answered_step():
            with session(Broken) as broken:
                with pytest.raises(ValueError, match="no <sender@example.com>") as caught:
                    broken.send(MESSAGE)
                assert caught.traceback[-1].name == "envfrom"
                assert broken.failures == (caught.value,)

        def test_in_an_unanswered_step():
            with session(Gate) as gate:
                with pytest.raises(ValueError, match="header is bad"):
                    gate.send(b"Subject: boom in header\\r\\n\\r\\n")

        def test_in_the_factory():
            def make(): raise RuntimeError("no filter")
            with session(make) as broken, pytest.raises(RuntimeError, match="no filter"):
                broken.client()

        def test_at_the_end():
            class Late(Gate):
                def close(self): raise RuntimeError("late")
            with pytest.raises(RuntimeError, match="late"), session(Late) as late:
                client = late.client()
                client.connect()
                assert client.play(MESSAGE) == accepted()

        def test_the_answer_in_its_place():
            with session(Broken, raises=False) as broken:
                assert broken.send(MESSAGE) == tempfailed(451, "4.3.0")
                assert [type(failure) for failure in broken.failures] == [ValueError]

        def test_that_shows_the_handler():
            with session(Broken) as broken:
                broken.send(MESSAGE)
    """)
    done.assert_outcomes(passed=5, failed=1)
    done.stdout.fnmatch_lines(['*raise ValueError(f"no {sender}")*', "gate.py:*: ValueError"])


def test_monkeypatch_caplog_and_tracing_see_the_handlers(inner: Inner) -> None:
    done = inner("""
        import logging, sys, threading
        import gate as module
        def test_monkeypatch(monkeypatch):
            monkeypatch.setattr(module, "word", lambda: "patched")
            with session(Gate) as gate:
                assert gate.send(MESSAGE) == accepted(headers={"X-Gate": "patched"})

        def test_caplog(caplog):
            with session(Broken, raises=False) as broken:
                broken.send(MESSAGE)
            assert "envfrom() failed" in caplog.text

        def test_followers():
            seen = set()
            def trace(frame, event, arg):
                seen.add((frame.f_code.co_name, event))
                return trace
            threading.settrace(trace)
            threading.setprofile(lambda frame, event, arg: seen.add((frame.f_code.co_name, "profile " + event)))
            try:
                # Threads that libmilter has already are as threads of Python that run already: only new ones follow.
                with session(Gate) as gate:
                    clients = [gate.client() for _ in range(12)]
                    for client in clients:
                        client.connect()
                        client.play(MESSAGE)
            finally:
                threading.settrace(None)
                threading.setprofile(None)
            assert ("eom", "line") in seen and ("eom", "profile call") in seen
    """)
    done.assert_outcomes(passed=3)


def test_coverage_sees_the_lines_of_the_handlers(inner: Inner, pytester: pytest.Pytester) -> None:
    inner("""
        def test_one(milter):
            assert milter(Gate).send(MESSAGE) == accepted()
    """)
    run = (sys.executable, "-m", "coverage", "run", "--branch", "--include=gate.py", "-m", "pytest", "-q", "test_it.py")
    assert pytester.run(*run, timeout=60).ret == 0
    assert pytester.run(sys.executable, "-m", "coverage", "json", "-o", "seen.json", timeout=60).ret == 0
    seen = json.loads((pytester.path / "seen.json").read_text())["files"]["gate.py"]
    lines = (pytester.path / "gate.py").read_text().splitlines()
    executed = {lines[number - 1].strip() for number in seen["executed_lines"]}
    assert 'self.addheader("X-Gate", word())' in executed
    assert 'raise ValueError("header is bad")' not in executed
    assert 'if value == "boom in header":' in executed


def test_what_a_breakpoint_does(inner: Inner, monkeypatch: pytest.MonkeyPatch) -> None:
    done = inner("""
        import pdb, io
        def test_debugger(monkeypatch):
            class Stops(Gate):
                def envfrom(self, sender):
                    pdb.Pdb(stdin=io.StringIO("p 'at', sender\\nc\\n"), stdout=told).set_trace()
            told = io.StringIO()
            with session(Stops) as stops:
                assert stops.send(MESSAGE) == accepted()
            assert "('at', '<sender@example.com>')" in told.getvalue()
    """)
    done.assert_outcomes(passed=1)


def test_what_cannot_be_run_is_told_at_once(inner: Inner) -> None:
    done = inner("""
        import os
        import pymilter
        class Bad(pymilter.Base):
            def header(self, name): ...

        @pytest.mark.parametrize("factory", [Bad, int, 5, Gate()])
        def test_factories(factory):
            with pytest.raises(TypeError):
                session(factory)

        def test_other_connections():
            with session(Gate) as gate:
                from pymilter.testing import Client
                with Client(gate.address) as client:
                    assert client.connect().verdict is Verdict.TEMPFAIL
                assert gate.filters == ()
                with pytest.raises(LookupError, match="no connection yet"):
                    gate.filter

        def test_another_run():
            with session(Gate):
                with pytest.raises(pymilter.MilterError, match="one filter in a process"):
                    pymilter.run(Gate, "unix:/tmp/never-opened")

        def test_a_fork():
            with session(Gate):
                if (child := os.fork()) == 0:
                    try:
                        session(Gate).__enter__()
                    except pymilter.MilterError as error:
                        os._exit(7 if "forked after a session" in str(error) else 1)
                    os._exit(2)
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
                assert session(Gate).__enter__().send(MESSAGE) == accepted()
    """)
    done.assert_outcomes(passed=7)


def test_nothing_is_left_behind(inner: Inner, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pytester.mkdir("temporary")
    monkeypatch.setenv("TMPDIR", str(folder))
    source = """
        import pathlib
        def test_one():
            with session(Gate) as gate:
                gate.send(MESSAGE)
                assert pathlib.Path(gate.address.removeprefix("unix:")).is_socket()
                pathlib.Path("address").write_text(gate.address)
    """
    inner(source).assert_outcomes(passed=1)
    path = Path((pytester.path / "address").read_text().removeprefix("unix:"))
    assert not path.exists()
    assert not path.parent.exists()
    assert [path.name for path in folder.iterdir() if path.name.startswith("pymilter-session")] == []
