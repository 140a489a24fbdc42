"""The pid file: it holds the number of this process while it runs."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger("pymilter")


@contextlib.contextmanager
def keep_pid_file(path: str | os.PathLike[str]) -> Iterator[None]:
    """Keep a file with the number of this process during the block. Raises OSError if it cannot be written."""
    pid = os.getpid()
    descriptor = _put_in_place(Path(path), f"{pid}\n".encode())
    try:
        yield
    finally:
        if os.getpid() == pid:
            _remove(Path(path), descriptor, f"{pid}\n".encode())
        os.close(descriptor)


def _put_in_place(file: Path, text: bytes) -> int:
    import secrets  # brings hashlib and more with it, which a worker does not need

    # Root may write the pid file into a folder that belongs to the user of the filter. That user must not be able to
    # redirect it to another file, so it is a new file, under a name that nobody can guess, and no link is followed.
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise OSError(error.errno, f"cannot write the pid file {file}: {error.strerror}") from error
    try:
        os.write(descriptor, text)
        fresh.replace(file)
    except BaseException:
        os.close(descriptor)
        fresh.unlink(missing_ok=True)
        raise
    return descriptor


def _remove(file: Path, descriptor: int, text: bytes) -> None:
    """Remove the file unless another process has written its own number into it, or put its own file there."""
    if os.pread(descriptor, len(text) + 1, 0) != text:
        return
    try:
        if os.path.samestat(file.lstat(), os.fstat(descriptor)):
            file.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        # After user=, we may have no right to its folder; but the number of a process that is gone must not stay.
        os.ftruncate(descriptor, 0)
        logger.warning("cannot remove the pid file %s, which is empty now: %s", file, error.strerror)
