"""Owns PLock: a file that is replaced as a whole under a lock file, so that readers see the old or the new one."""

import os
from io import TextIOWrapper
from pathlib import Path
from time import sleep

__all__ = ["PLock"]


class PLock:
    """One replacement of the file `basename`: lock(), write to the file it gives, then commit() or unlock().

    The lock is the new file itself, `basename`.lock, made with O_EXCL: it holds between processes and threads. It is
    not freed by the death of its owner.
    """

    basename: str
    fp: TextIOWrapper | None

    def __init__(self, basename: str) -> None:
        self.basename = basename
        self.fp = None

    def lock(self, lockname: str | None = None, mode: int = 0o660, strict_perms: bool = False) -> TextIOWrapper:
        """Make the lock file and give it, open for writing; what this object held before is given up.

        The lock file gets the permissions of the file that it will replace, with `mode` added and others never able
        to write, and its group; a group that cannot be given is an error only with `strict_perms`.
        FileExistsError when somebody else has the lock, other OSErrors as open() gives them.
        """
        self.unlock()
        self.lockname: str = lockname or f"{self.basename}.lock"
        try:
            present = Path(self.basename).stat()
        except FileNotFoundError:
            present = None
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(self.lockname, flags, 0o600)
        self.fp = os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape")
        try:
            if present is not None:
                try:
                    os.fchown(descriptor, -1, present.st_gid)
                except OSError:
                    if strict_perms:
                        raise
                mode |= present.st_mode
            os.fchmod(descriptor, mode & 0o775)
        except BaseException:
            self.unlock()
            raise
        return self.fp

    def wlock(self, lockname: str | None = None) -> TextIOWrapper:
        """As lock(), but wait for as long as somebody else has the lock, looking twice a second."""
        while True:
            try:
                return self.lock(lockname)
            except FileExistsError:
                sleep(0.5)

    def commit(self, backname: str | None = None) -> None:
        """Put the new file in place of `basename`, whose old content is kept as `backname` if that is given.

        The name `basename` is never missing meanwhile. OSError when there is no lock.
        """
        if self.fp is None:
            raise OSError("File not locked")
        self.fp.flush()
        os.fsync(self.fp.fileno())
        if backname:
            self._keep(backname)
        self.fp.close()
        self.fp = None
        Path(self.lockname).replace(self.basename)

    def _keep(self, backname: str) -> None:
        spare = f"{self.lockname}.bak"
        try:
            os.link(self.basename, spare)
        except FileNotFoundError:
            return  # a new file has nothing to keep
        Path(spare).replace(backname)

    def unlock(self) -> None:
        """Throw the new file away, and with it the lock; nothing happens without one."""
        if self.fp is not None:
            self.fp.close()
            self.fp = None
            Path(self.lockname).unlink()
