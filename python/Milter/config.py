"""Owns MilterConfigParser: a ConfigParser whose missing options are None, with lists and address tables."""

from collections.abc import Callable, MutableMapping
from configparser import ConfigParser, NoOptionError
from pathlib import Path
from typing import Any

__all__ = ["MilterConfigParser"]


class MilterConfigParser(ConfigParser):
    """Options of the sections win over `defaults`, which any section has; an option that neither has is None.

    `defaults` is kept as it is (no interpolation, values of any type) in the attribute of that name, which hides
    ConfigParser.defaults().
    """

    defaults: MutableMapping[str, Any]  # type: ignore[assignment]

    def __init__(self, defaults: MutableMapping[str, Any] | None = None) -> None:
        super().__init__()
        self.defaults = {} if defaults is None else defaults

    def get(  # type: ignore[override]
        self, sect: str, opt: str, fallback: Any = None, **kwds: Any
    ) -> Any:
        """The option's text; else `fallback` unless that is None; else the value in `defaults`; else None."""
        if self._has(sect, opt):
            return super().get(sect, opt, **kwds)
        return fallback if fallback is not None else self.defaults.get(opt)

    def _has(self, sect: str, opt: str) -> bool:
        return bool(sect) and self.has_option(sect, opt)

    # The three below convert what get() gives; get() gives None where ConfigParser's own raises.

    def getint(self, sect: str, opt: str, **kwds: Any) -> Any:  # type: ignore[override]
        """The option as a number; without it `fallback=`, or configparser.NoOptionError."""
        return self._converted(super().getint, sect, opt, **kwds)

    def getfloat(self, sect: str, opt: str, **kwds: Any) -> Any:  # type: ignore[override]
        """The option as a float; without it `fallback=`, or configparser.NoOptionError."""
        return self._converted(super().getfloat, sect, opt, **kwds)

    def getboolean(self, sect: str, opt: str, **kwds: Any) -> Any:  # type: ignore[override]
        """The option as a truth value; without it `fallback=`, or configparser.NoOptionError."""
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
        """The option split at its commas, white space around each entry removed; [] without the option.

        Entries may be empty: "a,,b" has three.
        """
        if not self._has(sect, opt):
            return []
        return [entry.strip() for entry in super().get(sect, opt).split(",")]

    def getaddrset(self, sect: str, opt: str, dir: str = "") -> dict[str, list[str]]:
        """{domain in lower case: [user, ...]} of a list of user@domain; {} without the option.

        "file:NAME" stands for the domain NAME, with the words of the file NAME in the folder `dir` as users. Empty
        entries are passed over.

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
        """{address: name} for a list of names, each itself an option of the section: a list of addresses.

        An entry "file:NAME" of such a list stands for the words of the file NAME in the folder `dir`. A name without
        an option is passed over; of two names with the same address the last wins. OSError when a file cannot be read.
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
        """The option's text, or `default`; the parser's own `defaults` are not looked at."""
        return super().get(sect, opt) if self._has(sect, opt) else default

    def getintdefault(self, sect: str, opt: str, default: Any = None) -> Any:
        """The option as a number, or `default` without the option. ValueError when it is no number."""
        return self.getint(sect, opt) if self._has(sect, opt) else default


def _words(name: str, folder: str) -> list[str]:
    return (Path(folder) / name).read_text(encoding="utf-8", errors="surrogateescape").split()
