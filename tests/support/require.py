"""Handles missing parts of the system: a skip with the reason on a user's machine, a failure under CI."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

# Debian keeps servers out of an ordinary user's PATH.
_SYSTEM_FOLDERS = os.pathsep.join(("/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/libexec"))


def missing(reason: str) -> NoReturn:
    """End the running test: fail if ``CI`` is set in the environment, otherwise skip it."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason} (a failure and no skip, because CI is set)", pytrace=False)
    pytest.skip(reason)


def command(name: str, package: str) -> Path:
    """Return the path of the command ``name``, or end the test naming the Debian ``package`` that has it."""
    search = os.pathsep.join((os.environ.get("PATH", os.defpath), _SYSTEM_FOLDERS))
    found = shutil.which(name, path=search)
    if found is None:
        missing(f"the command {name} is not installed: apt-get install {package}")
    return Path(found)


def root(what: str) -> None:
    """End the test unless it runs as root, which ``what`` needs."""
    if os.geteuid() != 0:
        missing(f"{what} must be started by root, and this is user {os.geteuid()}")
