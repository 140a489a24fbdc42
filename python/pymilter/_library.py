"""Loads the extension module before anything else does, and reports what is missing if it cannot be loaded."""

import sys

LIBMILTER_MISSING = (
    "libmilter is not installed: 'apt-get install libmilter1.0.1' (Debian, Ubuntu), 'dnf install sendmail-milter' "
    "(Fedora, RHEL), 'pkg install libmilter' (FreeBSD) or 'brew install libmilter' (Homebrew)"
)


def _load() -> None:
    try:
        import pymilter._core  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "pymilter._core":
            raise
        raise ImportError(
            f"pymilter is not built for this Python ({sys.version.split()[0]}, {sys.executable}): install it there, "
            "with 'pip install .' in its source"
        ) from error
    except ImportError as error:
        if "libmilter" not in str(error):
            raise
        raise ImportError(f"{LIBMILTER_MISSING} ({error})") from error


_load()
