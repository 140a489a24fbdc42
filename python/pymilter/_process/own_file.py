"""A file that this process has made and removes again, such as its socket; a forked child never removes it."""

import logging
import os

from pymilter._process.process import PROCESS

logger = logging.getLogger("pymilter")


class OwnFile:
    """A file that was made just now at `path`; `name` is what the log calls it."""

    def __init__(self, path: str, name: str) -> None:
        self._path = path
        self._name = name
        self._inode = os.lstat(path).st_ino

    def keep_from_children(self) -> None:
        """Let a forked child have nothing to do with the file.

        Without this, the child may take its parent's place, as a program does that forks to become a daemon.
        """
        PROCESS.not_for_children.add(self)

    def remove(self) -> None:
        """Remove the file, unless it is gone or another file has taken its place. May be called more than once."""
        # A signal handler may fork at any moment. The child has no path any more, whatever was checked before the fork,
        # so there is no moment in which it could remove the file.
        try:
            if os.lstat(self._path).st_ino == self._inode:
                os.unlink(self._path)  # noqa: PTH108 - without pathlib, which is large
        except FileNotFoundError:
            pass
        except OSError as error:
            # After user=, its folder may be closed to us. Whoever needs the name next finds it unused and replaces it.
            logger.warning("cannot remove the %s: %s", self._name, error.strerror)

    def leave_to_parent(self) -> None:
        """In the child of a fork: forget the file."""
        self._path = ""  # there is no such file
