"""A lock file beside a unix socket, which exists only while somebody opens the socket: one process at a time."""

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from typing import Final

from pymilter._process.own_file import OwnFile
from pymilter._serve.address import Address, cannot_listen

# Opening takes a moment. A process that was stopped (SIGSTOP) in the middle must not block others for ever. In seconds.
PATIENCE: Final = 5.0
LOOK_EVERY: Final = 0.005


@contextlib.contextmanager
def opening(address: Address) -> Iterator[None]:
    """Hold the lock while the caller checks whether somebody serves the path, and opens it.

    Raises OSError with errno and the address.
    """
    path = f"{address.path}.lock"
    descriptor = _take(address, path)
    try:
        file = OwnFile(path, f"lock file {path}")
        file.keep_from_children()
        try:
            yield
        finally:
            # Removed while the lock is held: whoever waits for it sees that the file is gone, and makes another.
            file.remove()
    finally:
        os.close(descriptor)


def _take(address: Address, path: str) -> int:
    until = time.monotonic() + PATIENCE
    while True:
        descriptor = _open(address, path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.lstat(path)):
                return descriptor
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if time.monotonic() > until:
            raise cannot_listen(errno.EADDRINUSE, address, f"another process opens it, and holds {path}")
        time.sleep(LOOK_EVERY)


def _open(address: Address, path: str) -> int:
    # Root may do this in a folder that belongs to the user of the filter: so write nothing, and follow no link.
    flags = os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        about = f" ({path})" if os.path.lexists(path) else ""
        raise cannot_listen(error.errno or errno.EACCES, address, f"{error.strerror}{about}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise cannot_listen(errno.EEXIST, address, f"{path} is in the way, and no lock file")
    return descriptor
