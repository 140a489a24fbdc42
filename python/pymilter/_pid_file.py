"""The file that tells the number of this process while it runs."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def keep_pid_file(path: str | os.PathLike[str] | None) -> Iterator[None]:
    """A file with the number of this process, there meanwhile. Raises OSError when it cannot be written."""
    if path is None:
        yield
        return
    file, text = Path(path), f"{os.getpid()}\n"
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        fresh.write_text(text)
        fresh.replace(file)
        yield
    finally:
        fresh.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            if file.read_text() == text:
                file.unlink()
