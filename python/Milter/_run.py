"""runmilter: serve the objects that `Milter.factory` makes."""

import Milter
import milter
from pymilter import Base
from pymilter._class.faults import warn_of_factory


def _make() -> Base:
    # Looked up for each connection: programs change it while they run.
    return Milter.factory()


def runmilter(name: str, socketname: str, timeout: int = 0, rmsock: bool = True) -> None:
    """Serve `socketname` until SIGTERM, SIGHUP, SIGINT or stop(); in any thread, once in a process.

    `Milter.factory` makes an object derived from `Base` for each connection. `socketname` is in libmilter's notation:
    inet:PORT@HOST, inet6:PORT@HOST, unix:PATH, local:PATH or a path. `timeout` is in seconds, 0 for libmilter's own.
    With `rmsock`, a unix socket that nobody serves any more is removed first. Raises `Milter.error` when the socket
    cannot be opened.
    """
    warn_of_factory(Milter.factory)
    milter._serve(name, _make, socketname, timeout, rmsock)
