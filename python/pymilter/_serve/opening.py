"""Opens the listening socket that an address and settings describe, and then gives up root's rights."""

from collections.abc import Iterator
from contextlib import contextmanager

from pymilter._serve.access import check_access
from pymilter._serve.address import Address, parse_address
from pymilter._serve.listener import Listener
from pymilter._serve.privileges import drop_privileges
from pymilter._serve.settings import Settings
from pymilter._serve.sockets import open_listener


def wanted_address(socket: str, settings: Settings) -> Address:
    """Read where to listen. Raises TypeError for what is no str, ValueError for what is no address that fits."""
    if not isinstance(socket, str):
        raise TypeError(
            f"socket is {socket!r}: it must be a str, such as unix:/run/filter/socket or inet:8891@127.0.0.1"
        )
    address = parse_address(socket)
    check_access(address, settings.access)
    return address


@contextmanager
def opened(address: Address, settings: Settings) -> Iterator[Listener]:
    """Open the socket and give up root's rights; close the socket after the block, and discard it if the block fails.

    Raises OSError, with errno and the address, if the socket cannot be opened.
    """
    with open_listener(address, backlog=settings.backlog, access=settings.access) as listener:
        listener.keep_from_children()
        try:
            drop_privileges(settings.user, settings.group)
            yield listener
        except BaseException:
            listener.discard()
            raise
