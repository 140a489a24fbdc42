"""runmilter: serve the objects that `Milter.factory` makes."""

import Milter
import milter
from pymilter import Base
from pymilter._class.faults import warn_of_factory


def _make() -> Base:
    # Looked up for each connection, because programs change it while they run.
    return Milter.factory()


def runmilter(name: str, socketname: str, timeout: int = 0, rmsock: bool = True) -> None:
    """Serve a socket until SIGTERM, SIGHUP, SIGINT or stop().

    `Milter.factory` makes an object derived from `Base` for each connection. May be called from any thread, but only
    once in a process.

    Args:
        name: The name of the filter, for the log.
        socketname: Where to listen: inet:PORT@HOST, inet6:PORT@HOST, unix:PATH, local:PATH or a path.
        timeout: How many seconds libmilter waits for the MTA; 0 for its default.
        rmsock: Whether to remove a unix socket first if no process serves it any more.

    Raises:
        Milter.error: The socket cannot be opened, or the process has served before.
    """
    warn_of_factory(Milter.factory)
    milter._serve(name, _make, socketname, timeout, rmsock)
