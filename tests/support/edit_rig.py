"""A mail server, a filter that reads from a file per message what to do, and the sink behind the server."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pymilter.testing import FilterProcess, Mta
from support import require
from support.mta import Mta as Server
from support.mta import socket_folder
from support.postfix import Postfix
from support.sendmail import Sendmail
from support.sink import Sink


@dataclass
class EditRig:
    """The server, the sink, and the folder in which filter and test leave a file for each message."""

    name: Mta
    server: Server
    sink: Sink
    folder: Path


R = TypeVar("R", bound=EditRig)


@contextmanager
def editing(kind: type[R], name: Mta, program: Path) -> Iterator[R]:
    """A rig of this kind; the filter gets the folder and its address as arguments."""
    require.root("a mail server of our own")
    folder = socket_folder()
    address = f"unix:{folder}/filter"
    try:
        with (
            Sink() as sink,
            FilterProcess([sys.executable, program, folder, address], address) as process,
            # Without the setting Postfix adds a missing Date, From or Message-ID, as it does for clients of its own.
            Postfix([address], sink.port, {"local_header_rewrite_clients": ""})
            if name == "postfix"
            else Sendmail([address], sink.port) as server,
        ):
            yield kind(name, server, sink, folder)
            assert process.returncode is None, process.stderr
    finally:
        shutil.rmtree(folder)
