"""The fixtures milter and milter_process, what they refuse, and what a failed comparison shows."""

from __future__ import annotations

from .conftest import Inner


def test_milter_runs_classes(inner: Inner) -> None:
    done = inner("""
        def test_one(milter):
            result = milter(Gate).send(MESSAGE, "a@x", ["b@x"])
            assert result == accepted(
                headers={"x-gate": "open", "Subject": ["hello"], "X-None": None}, sender="a@x", recipients=["b@x"],
                body=b"text\\r\\n", quarantine=None, changed=True,
            )

        def test_two(milter):
            gate, broken = milter(Gate), milter(Broken, raises=False)
            with gate.client() as client:
                assert client.connect().verdict.passes
                assert client.play(MESSAGE, recipients=["nobody@x"]) == rejected(550)
            assert broken.send(MESSAGE) == tempfailed()
            assert len(gate.filters) == 1
    """)
    done.assert_outcomes(passed=2)


def test_errors_that_the_filter_logs_fail_the_test(inner: Inner) -> None:
    done = inner("""
        import logging
        class Logs(Gate):
            def eom(self):
                logging.getLogger("policy").error("no database")
                return super().eom()

        def test_seen(milter):
            assert milter(Logs).send(MESSAGE) == accepted()

        def test_allowed(milter):
            milter.allow_errors()
            assert milter(Logs).send(MESSAGE) == accepted()

        def test_raised(milter):
            with pytest.raises(ValueError):
                milter(Broken).send(MESSAGE)

        def test_errors_of_the_test_itself(milter):
            logging.getLogger("other").error("not the filter's")
            assert milter(Gate).send(MESSAGE) == accepted()
    """)
    done.assert_outcomes(passed=4, errors=1)
    done.stdout.fnmatch_lines(["*the filter logged errors:", "*policy: no database"])


PROGRAM = """
    import sys, pymilter
    from gate import Gate
    if len(sys.argv) > 2: raise SystemExit(" ".join(sys.argv[2:]))
    pymilter.run(Gate, sys.argv[1])
"""


def test_milter_process_runs_programs(inner: Inner) -> None:
    done = inner(f"""
        import sys
        PROGRAM = {PROGRAM!r}
        @pytest.fixture(autouse=True)
        def program(tmp_path):
            import pathlib, textwrap
            file = tmp_path / "program.py"
            head = f"import sys; sys.path.insert(0, {{str(pathlib.Path.cwd())!r}})\\n"
            file.write_text(head + textwrap.dedent(PROGRAM))
            return file

        def test_one(milter_process, program):
            running = milter_process(program)
            assert running.send(MESSAGE) == accepted(headers={{"X-Gate": "open"}})
            with running.client() as client:
                assert client.connect().verdict.passes
            assert running.process.pid

        def test_command(milter_process, program):
            assert milter_process([sys.executable, str(program), "{{address}}"]).send(MESSAGE) == accepted()

        def test_fails_at_start(milter_process, program):
            from pymilter.testing import FilterFailed
            with pytest.raises(FilterFailed, match="oh no"):
                milter_process([sys.executable, str(program), "{{address}}", "oh", "no"])

        def test_traceback(milter_process, program):
            assert milter_process(program).send(b"Subject: boom in header\\r\\n\\r\\n") == tempfailed()

        def test_allowed(milter_process, program):
            milter_process.allow_errors()
            assert milter_process(program).send(b"Subject: boom in header\\r\\n\\r\\n") == tempfailed()
    """)
    done.assert_outcomes(passed=5, errors=1)
    done.stdout.fnmatch_lines(["*program.py wrote a traceback:*"])


def test_a_failed_comparison_says_what_differs(inner: Inner) -> None:
    done = inner("""
        import re
        def test_values(milter):
            result = milter(Gate).send(MESSAGE, recipients=["b@x", "c@x"])
            headers = {"X-Gate": "shut", "X-None": re.compile("a.c"), "Subject": None}
            assert result == accepted(headers=headers, recipients=["b@x"])

        def test_verdict(milter):
            assert milter(Gate).send(MESSAGE, recipients=["nobody@x"]) == accepted()

        def test_the_other_way(milter):
            assert rejected(554, text=re.compile("some")) == milter(Gate).send(MESSAGE, recipients=["nobody@x"])

        def test_lists(milter):
            assert milter(Gate).send(MESSAGE) == accepted(headers={"Subject": ["hello", "hello"]})

        def test_discarded(milter):
            assert milter(Gate).send(MESSAGE) == discarded()
    """)
    done.assert_outcomes(failed=5)
    done.stdout.fnmatch_lines(
        [
            "*the message was not accepted(headers={'X-Gate': 'shut'*",
            "*header X-Gate: 'open', not 'shut'",
            "*header X-None: there is none, not /a.c/",
            "*header Subject: *'hello'*, but there should be none",
            "*recipients: ('<b@x>', '<c@x>'), not ('<b@x>',)",
            "*verdict: REJECT at RCPT, not ACCEPT (the client got 5*",
            "*the message was not rejected(code=554*",
            "*header Subject: *'hello'*, not *'hello', 'hello'*",
            "*verdict: ACCEPT at EOM, not DISCARD*",
        ]
    )


def test_each_process_of_xdist_runs_filters(inner: Inner) -> None:
    done = inner(
        """
        import os
        @pytest.mark.parametrize("number", range(6))
        def test_one(milter, number):
            assert milter(Gate).send(MESSAGE) == accepted(headers={"X-Gate": "open"})
            assert os.environ["PYTEST_XDIST_WORKER"] in ("gw0", "gw1")

        def test_an_error_that_is_logged(milter):
            logging = __import__("logging")
            class Logs(Gate):
                def envfrom(self, sender):
                    logging.getLogger("mine").error("it was logged")
            milter(Logs).send(MESSAGE)
        """,
        "-n2",
    )
    done.assert_outcomes(passed=7, errors=1)
    done.stdout.fnmatch_lines(["*it was logged*"])


def test_pytest_without_the_fixtures_loads_nothing_of_it(inner: Inner) -> None:
    """Where libmilter is missing, say, the tests of other projects in the same environment run all the same."""
    done = inner("import pytest_pymilter, sys\ndef test_none(): assert 'pymilter' not in sys.modules", head="")
    done.assert_outcomes(passed=1)
