"""Owns MilterConfigParser: a ConfigParser whose missing options are None, with lists and address tables."""

from collections.abc import Callable, MutableMapping
from configparser import ConfigParser, NoOptionError
from pathlib import Path
from typing import Any

__all__ = ["MilterConfigParser"]


class MilterConfigParser(ConfigParser):
    """A parser whose `defaults` apply to each section that does not set them; a missing option is None.

    `defaults` is kept unchanged (no interpolation, values of any type) in the attribute of that name, which hides
    ConfigParser.defaults().
    """

    defaults: MutableMapping[str, Any]  # type: ignore[assignment]

    def __init__(self, defaults: MutableMapping[str, Any] | None = None) -> None:
        super().__init__()
        self.defaults = {} if defaults is None else defaults

    def get(  # type: ignore[override]
        self, sect: str, opt: str, fallback: Any = None, **kwds: Any
    ) -> Any:
        """Return the first of these that exists: the option, a `fallback` that is not None, its default; or None."""
        if self._has(sect, opt):
            return super().get(sect, opt, **kwds)
        return fallback if fallback is not None else self.defaults.get(opt)

    def _has(self, sect: str, opt: str) -> bool:
        return bool(sect) and self.has_option(sect, opt)

    # The three below convert the result of get(), which is None in cases where ConfigParser.get() raises.

    def getint(self, sect: str, opt: str, **kwds: Any) -> Any:  # type: ignore[override]
        """Return the option as an int; if it is missing, `fallback`, or raise configparser.NoOptionError."""
        return self._converted(super().getint, sect, opt, **kwds)

    def getfloat(self, sect: str, opt: str, **kwds: Any) -> Any:  # type: ignore[override]
        """Return the option as a float; if it is missing, `fallback`, or raise configparser.NoOptionError."""
        return self._converted(super().getfloat, sect, opt, **kwds)

    def getboolean(self, sect: str, opt: str, **kwds: Any) -> Any:  # type: ignore[override]
        """Return the option as a bool; if it is missing, `fallback`, or raise configparser.NoOptionError."""
        return self._converted(super().getboolean, sect, opt, **kwds)

    def _converted(self, convert: Callable[..., Any], sect: str, opt: str, **kwds: Any) -> Any:
        absent = self.get(sect, opt) is None
        if absent and "fallback" in kwds:
            return kwds["fallback"]
        if absent:
            raise NoOptionError(opt, sect)
        kwds.pop("fallback", None)
        return convert(sect, opt, **kwds)

    def getlist(self, sect: str, opt: str) -> list[str]:
        """Return the option split at its commas, without white space around the entries; [] if it is missing.

        Entries may be empty: "a,,b" has three.
        """
        if not self._has(sect, opt):
            return []
        return [entry.strip() for entry in super().get(sect, opt).split(",")]

    def getaddrset(self, sect: str, opt: str, dir: str = "") -> dict[str, list[str]]:
        """Return {domain in lower case: [user, ...]} for a list of user@domain; {} if the option is missing.

        "file:NAME" stands for the domain NAME, whose users are the words in the file NAME in the folder `dir`. Empty
        entries are ignored.

        Raises:
            ValueError: an entry has another form.
            OSError: a file cannot be read.
        """
        found: dict[str, list[str]] = {}
        for entry in self.getlist(sect, opt):
            if not entry:
                continue
            if entry.startswith("file:"):
                domain = entry.removeprefix("file:")
                users = _words(domain, dir)
            else:
                user, at, domain = entry.partition("@")
                if not at or "@" in domain:
                    raise ValueError(f"[{sect}] {opt}: {entry!r} is neither user@domain nor file:NAME")
                users = [user]
            found.setdefault(domain.lower(), []).extend(users)
        return found

    def getaddrdict(self, sect: str, opt: str, dir: str = "") -> dict[str, str]:
        """Return {address: name} for a list of names, each of which is an option of the section: a list of addresses.

        An entry "file:NAME" of such a list stands for the words in the file NAME in the folder `dir`. A name without an
        option is ignored; if two names have the same address, the last wins. Raises OSError if a file cannot be read.
        """
        found: dict[str, str] = {}
        for name in self.getlist(sect, opt):
            for entry in self.getlist(sect, name):
                if entry.startswith("file:"):
                    found.update(dict.fromkeys(_words(entry.removeprefix("file:"), dir), name))
                else:
                    found[entry] = name
        return found

    def getdefault(self, sect: str, opt: str, default: Any = None) -> Any:
        """Return the option, or `default` if it is missing; the `defaults` of the parser are ignored."""
        return super().get(sect, opt) if self._has(sect, opt) else default

    def getintdefault(self, sect: str, opt: str, default: Any = None) -> Any:
        """Return the option as an int, or `default` if it is missing. Raises ValueError if it is no number."""
        return self.getint(sect, opt) if self._has(sect, opt) else default


def _words(name: str, folder: str) -> list[str]:
    return (Path(folder) / name).read_text(encoding="utf-8", errors="surrogateescape").split()
