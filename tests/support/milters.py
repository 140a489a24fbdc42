"""Milters of other people, from Debian: OpenDKIM, which signs, and rspamd, which wants no replies before the end."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pymilter.testing import FilterProcess
from support import require
from support.mta import socket_folder

RSPAMD_OPTIONS = """\
options {{
  pidfile = "{folder}/pid";
  tempdir = "{folder}";
  hs_cache_dir = "{folder}";
  control_socket = "{folder}/control mode=0600";
  url_tld = "{folder}/tlds";
  filters = [];
  dns {{ nameserver = ["127.0.0.1:1"]; timeout = 0.1; retransmits = 1; }}
}}
"""
_RSPAMD = (
    RSPAMD_OPTIONS
    + """\
logging {{ type = "console"; }}
worker "rspamd_proxy" {{
  bind_socket = "{folder}/sock mode=0666";
  milter = yes;
  count = 1;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
actions {{ reject = 15; }}
"""
)


@contextlib.contextmanager
def opendkim() -> Iterator[str]:
    """The address of an OpenDKIM that signs the messages of example.org."""
    program = require.command("opendkim", "opendkim")
    openssl = require.command("openssl", "openssl")
    with _folder() as folder:
        key = folder / "key"
        subprocess.run([openssl, "genrsa", "-out", key, "2048"], check=True, capture_output=True, timeout=60)
        key.chmod(0o600)
        config = folder / "conf"
        config.write_text(
            f"Syslog no\nMode s\nDomain example.org\nSelector s\nKeyFile {key}\nInternalHosts 192.0.2.1\n"
        )
        address = f"unix:{folder}/sock"
        with FilterProcess([program, "-f", "-x", config, "-p", address.replace("unix", "local")], address):
            yield address


@contextlib.contextmanager
def rspamd() -> Iterator[str]:
    """The address of an rspamd without rules, which accepts everything."""
    program = require.command("rspamd", "rspamd")
    with _folder() as folder:
        (folder / "tlds").write_text("com\norg\nnet\n")  # the whole list takes it seconds
        config = folder / "conf"
        config.write_text(_RSPAMD.format(folder=folder))
        address = f"unix:{folder}/sock"
        with FilterProcess([program, "-f", "-i", "-c", config], address, timeout=30, env={"RSPAMD_DBDIR": str(folder)}):
            yield address


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    require.root("a milter with files of its own below /run")
    folder = socket_folder()  # OpenDKIM takes no key from a folder that everybody may write to
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


MILTERS: dict[str, Callable[[], contextlib.AbstractContextManager[str]]] = {"opendkim": opendkim, "rspamd": rspamd}


@pytest.fixture(scope="session", params=list(MILTERS))
def milter(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a milter of other people."""
    with MILTERS[request.param]() as address:
        yield address
