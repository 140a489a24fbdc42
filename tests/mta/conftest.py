"""The mail servers of these tests, each with our filter on a unix socket and on TCP."""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from pymilter.testing import FilterProcess
from support import require
from support.mta import free_port, socket_folder
from support.postfix import Postfix
from support.rig import Rig
from support.sendmail import Sendmail
from support.sink import Sink

_FILTER = Path(__file__).with_name("filters") / "mail_filter.py"
_SERVERS: dict[str, type[Postfix] | type[Sendmail]] = {"postfix": Postfix, "sendmail": Sendmail}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give ``rig`` every server, socket and style of filter, or that style alone which a test asks for."""
    if "rig" in metafunc.fixturenames:
        styles = ["answering"] if "answering" in metafunc.fixturenames else ["answering", "silent"]
        rigs = list(itertools.product(_SERVERS, ["unix", "inet"], styles))
        metafunc.parametrize("rig", rigs, indirect=True, scope="session", ids=map("-".join, rigs))


@pytest.fixture(scope="session")
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A mail server, our filter before it and a sink behind it."""
    server, transport, style = request.param
    require.root("a mail server of our own")
    folder = socket_folder()
    address = f"unix:{folder}/filter" if transport == "unix" else f"inet:{free_port()}@127.0.0.1"
    try:
        with (
            Sink() as sink,
            FilterProcess([sys.executable, _FILTER, style, address], address) as program,
            _SERVERS[server]([address], sink.port) as mta,
        ):
            yield Rig(mta, sink, program)
            assert program.returncode is None, program.stderr
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def answering(rig: Rig) -> Rig:
    """The same with a filter that answers every step."""
    return rig


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the server's log and of the filter's with a failed test."""
    report = yield
    rigs = [rig for rig in getattr(item, "funcargs", {}).values() if isinstance(rig, Rig)]
    if report.failed and report.when == "call":
        for rig in rigs:
            report.sections += [(rig.mta.name, rig.mta.log_tail()), ("filter", rig.filter.stderr[-5000:])]
    return report
