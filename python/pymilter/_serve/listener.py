"""A listening socket, the file that this process has made for it, and what a forked child does with both."""

import socket

from pymilter._process.own_file import OwnFile
from pymilter._process.process import PROCESS


class Listener(socket.socket):
    """A listening socket. `file` is what it has made and removes; an inherited one has none, and its file stays."""

    file: OwnFile | None = None

    def keep_from_children(self) -> None:
        """From now on, the socket and its file are for this process, and not for one that it forks."""
        PROCESS.not_for_children.add(self)
        if self.file is not None:
            self.file.keep_from_children()

    def leave_to_parent(self) -> None:
        """In the child of a fork: let go of the socket, or its address would still be taken after the filter's end."""
        self.close()

    def discard(self) -> None:
        """Remove the file and close the socket, which nobody is to serve any more. May be called more than once."""
        # The file goes first: once the socket is closed, another filter may put its own there.
        if self.file is not None:
            self.file.remove()
            self.file = None
        self.close()
