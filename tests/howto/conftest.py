"""One Postfix for the programs of the how-to pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import require
from support.mta import free_port, socket_folder
from support.name_server import NameServer
from support.postfix import Postfix
from support.room import Room
from support.sink import Sink


@pytest.fixture(scope="session")
def room() -> Iterator[Room]:
    require.root("a mail server of our own")
    address = f"inet:{free_port()}@127.0.0.1"
    folder = socket_folder()
    settings = {
        "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
        "mynetworks": "0.0.0.0/0 [::]/0",
        "non_smtpd_milters": "$smtpd_milters",
    }
    try:
        with Sink() as sink, Postfix([address], sink.port, settings) as postfix:
            yield Room(address, sink, postfix, folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def folder(room: Room) -> Iterator[Path]:
    """A folder that every user may enter and write to, for daemons that do not run as root."""
    made = room.folder / "peer"
    made.mkdir()
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def names(room: Room) -> Iterator[NameServer]:
    """A name server for a program, which otherwise asks that of the system."""
    with NameServer(room.folder) as server:
        yield server
