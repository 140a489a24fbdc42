"""Owns PLock: a file that is replaced as a whole under a lock file, so that readers see the old or the new one."""

import contextlib
import errno
import fcntl
import os
from io import TextIOWrapper
from pathlib import Path
from time import sleep

__all__ = ["PLock"]


class PLock:
    """One replacement of the file `basename`: lock(), write to the file that it returns, then commit() or unlock().

    The lock is the new file itself, `basename`.lock, which is made only if it does not exist. It keeps out other
    processes and threads, also those that use pymilter 1.0.5. If a process is killed, at any point, `basename` is whole
    and the next process that asks gets the lock: while it is held, a file `basename`.lock.own names the lock file, and
    the owner holds flock(2) on it. A lock file that is not named there belongs to another program, and stays.
    """

    basename: str
    fp: TextIOWrapper | None

    def __init__(self, basename: str) -> None:
        self.basename = basename
        self.fp = None

    def lock(self, lockname: str | None = None, mode: int = 0o660, strict_perms: bool = False) -> TextIOWrapper:
        """Make the lock file and return it, open for writing; a lock that this object held before is given up.

        The lock file gets the group and the permissions of the file that it will replace, plus `mode`, but is never
        writable for others; if the group cannot be set, this is an error only with `strict_perms`.

        Raises:
            FileExistsError: somebody else has the lock.
            OSError: the lock file cannot be made.
        """
        self.unlock()
        self.lockname: str = lockname or f"{self.basename}.lock"
        try:
            present = Path(self.basename).stat()
        except FileNotFoundError:
            present = None
        own, descriptor = _acquire(self.lockname)
        self._own = os.fdopen(own, "rb", buffering=0)
        self.fp = os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape")
        if present is not None:
            mode |= present.st_mode
        try:
            for file in (descriptor, own):
                if present is not None:
                    try:
                        os.fchown(file, -1, present.st_gid)
                    except OSError:
                        if strict_perms:
                            raise
                with contextlib.suppress(PermissionError):  # the ".own" file left by another user
                    os.fchmod(file, mode & 0o775)
        except BaseException:
            self.unlock()
            raise
        return self.fp

    def wlock(self, lockname: str | None = None) -> TextIOWrapper:
        """Do what lock() does, but wait while somebody else has the lock, looking twice a second."""
        while True:
            try:
                return self.lock(lockname)
            except FileExistsError:
                sleep(0.5)

    def commit(self, backname: str | None = None) -> None:
        """Put the new file in place of `basename`, whose old content is kept as `backname` if given.

        The file `basename` exists at every moment.

        Raises:
            OSError: there is no lock.
        """
        if self.fp is None:
            raise OSError("File not locked")
        self.fp.flush()
        os.fsync(self.fp.fileno())
        if not is_at(self.fp.fileno(), self.lockname):
            raise OSError(f"{self.lockname} was taken away: the new file of {self.basename} is lost")
        if backname:
            self._keep(backname)
        Path(self.lockname).replace(self.basename)
        self._release()

    def _keep(self, backname: str) -> None:
        spare = Path(f"{self.lockname}.bak")
        spare.unlink(missing_ok=True)  # left by a process that was killed here
        try:
            os.link(self.basename, spare)
        except FileNotFoundError:
            return  # there is no old content
        spare.replace(backname)
        spare.unlink(missing_ok=True)  # rename(2) leaves it if `backname` is the same file already

    def unlock(self) -> None:
        """Delete the new file, and with it the lock, if there is one."""
        if self.fp is not None:
            if is_at(self.fp.fileno(), self.lockname):
                Path(self.lockname).unlink()
            self._release()

    def _release(self) -> None:
        file, self.fp = self.fp, None
        name = _own_name(self.lockname)
        if is_at(self._own.fileno(), name):
            Path(name).unlink()
        self._own.close()  # last, because others may take a lock that nobody holds
        if file is not None:
            file.close()


def _own_name(lockname: str) -> str:
    return f"{lockname}.own"


def is_at(descriptor: int, name: str) -> bool:
    """Whether an open file is the one that has this name now."""
    try:
        found = Path(name).stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))


def _acquire(lockname: str) -> tuple[int, int]:
    """Return descriptors of the locked ".own" file and a new lock file. FileExistsError if somebody has the lock."""
    own = _open_own(lockname)
    new = Path(f"{lockname}.new")
    try:
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Named before it is made, so that our lock file is never taken for that of another program.
            os.pwrite(own, _identity(os.fstat(descriptor)), 0)
            os.link(new, lockname)
            new.unlink()
        except BaseException:
            os.close(descriptor)
            new.unlink()
            raise
    except BaseException:
        Path(_own_name(lockname)).unlink()
        os.close(own)
        raise
    return own, descriptor


def _open_own(lockname: str) -> int:
    """Open the ".own" file and lock it; remove a lock file that a dead owner has left.

    Raises:
        FileExistsError: somebody else has the lock.
        OSError: the file cannot be opened or locked.
    """  # noqa: DOC501 - _locked() makes the FileExistsError
    name = Path(_own_name(lockname))
    while True:
        try:
            own = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except PermissionError:
            if name.exists():  # it belongs to another user
                raise _locked(lockname) from None
            raise
        try:
            fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(own)
            if isinstance(error, BlockingIOError):
                raise _locked(lockname) from None
            raise
        if is_at(own, str(name)):  # otherwise its owner has removed it meanwhile
            break
        os.close(own)
    with contextlib.suppress(FileNotFoundError):
        if os.pread(own, 100, 0) == _identity(Path(lockname).stat()):
            Path(lockname).unlink()
    os.ftruncate(own, 0)
    return own


def _locked(lockname: str) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), lockname)


def _identity(status: os.stat_result) -> bytes:
    return b"%d %d\n" % (status.st_dev, status.st_ino)
