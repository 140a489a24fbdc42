"""Where a filter listens: libmilter's notation for an address, and the address of a socket that is open."""

import logging
import os
import re
import socket
from typing import Final, NamedTuple

logger = logging.getLogger("pymilter")

FORMS: Final = "inet:PORT@HOST, inet6:PORT@HOST, unix:PATH, local:PATH, a path, fd:NUMBER, systemd: or systemd:NAME"


class Address(NamedTuple):
    """Where to listen, or where a socket listens: a path, or a host and a port."""

    family: socket.AddressFamily
    path: str = ""
    host: str = ""
    port: int = 0
    inherited: str = ""  # fd:NUMBER or systemd:NAME, if another program has opened it

    def __str__(self) -> str:
        if self.inherited:
            return self.inherited
        if self.family == socket.AF_UNIX:
            return f"unix:{self.path}"
        return f"{'inet6' if self.family == socket.AF_INET6 else 'inet'}:{self.port}@{self.host}"


def parse_address(text: str) -> Address:
    """Read an address in libmilter's notation (smfi_setconn).

    Raises:
        ValueError: `text` is no address. The text of the error has what to write instead, or the forms that there are.
    """
    kind, colon, rest = text.partition(":")
    kind = kind.lower()
    if not colon or not kind or "/" in kind:
        kind, rest = "unix", text.removeprefix(":")
        # A path that looks like a port or a host is probably a mistake: the MTA would look for it elsewhere.
        if meant := _suggestion(text) or _suggestion_for_port(rest):
            raise ValueError(f"socket is {text!r}: {meant}; a path of this name is unix:{rest}")
    if kind in ("unix", "local"):
        return Address(socket.AF_UNIX, path=_checked_path(rest, text))
    if kind == "fd":
        if not (rest.isascii() and rest.isdigit()):
            raise ValueError(f"socket is {text!r}: {rest!r} is not the number of a descriptor")
        return Address(socket.AF_UNSPEC, inherited=f"fd:{int(rest)}")
    if kind == "systemd":
        return Address(socket.AF_UNSPEC, inherited=f"systemd:{rest}")
    if kind in ("inet", "inet6"):
        family = socket.AF_INET6 if kind == "inet6" else socket.AF_INET
        return _of_its_family(_internet_address(family, rest, text), text)
    raise ValueError(f"socket is {text!r}: {kind!r} is no kind of socket; {_suggestion_for_kind(kind, rest, text)}")


def _internet_address(family: socket.AddressFamily, rest: str, text: str) -> Address:
    port, at, host = rest.partition("@")
    # libmilter reads the digits and ignores what follows them up to the @, so some programs write more there.
    digits = re.match(r"[0-9]+(?![0-9.])", port)
    if digits is None or digits[0] == port:
        return Address(family, host=host.strip("[]"), port=_checked_port(port, text))
    if not at and port.startswith(":", digits.end()):
        host = port[digits.end() + 1 :]
    address = Address(family, host=host.strip("[]"), port=_checked_port(digits[0], text))
    written = str(address) if address.host else str(address).removesuffix("@")
    logger.warning("socket is %r: it is taken for %s, write it so", text, written)
    return address


def _of_its_family(address: Address, text: str) -> Address:
    """Return `address` unless its host is an address of the other family, which the system would call unknown."""
    if (family := _family(address.host)) in (None, address.family):
        return address
    version = "IPv6" if family == socket.AF_INET6 else "IPv4"
    meant = Address(family or address.family, host=address.host, port=address.port)
    raise ValueError(f"socket is {text!r}: {address.host} is an {version} address; write {meant}")


def _family(host: str) -> socket.AddressFamily | None:
    """The family of an IP address, without brackets and with or without a zone; None for a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.partition("%")[0])
        except (OSError, ValueError):
            continue
        return family
    return None


_KINDS: Final[dict[socket.AddressFamily | None, str]] = {socket.AF_INET: "inet", socket.AF_INET6: "inet6"}
# What other programs call an internet socket.
_OTHER_NAMES: Final = ("tcp", "tcp4", "tcp6")
_HOST: Final = r"(?P<host>\[[^\[\]@/]+\]|[^\[\]@/]+)"
_PORT: Final = r"(?P<port>[0-9]{1,5})"


def _suggestion(rest: str, kind: str = "inet") -> str:
    """What to write for a host with or without a port, in whatever order; empty if `rest` is not one."""
    for form in (f"{_PORT}@{_HOST}", f"{_HOST}[:@]{_PORT}"):
        if found := re.fullmatch(form, rest):
            host = found["host"].strip("[]")
            family = _family(host)
            if ":" not in host or family is not None:
                return f"write {_KINDS.get(family, kind)}:{found['port']}" + (f"@{host}" if host != "*" else "")
    if family := _family(rest.strip("[]")):
        return f"the port is missing: write {_KINDS[family]}:PORT@{rest.strip('[]')}"
    return ""


def _suggestion_for_port(rest: str) -> str:
    """What to write for a port alone; empty if `rest` is not one."""
    if re.fullmatch(r"[0-9]{1,5}", rest) is None:
        return ""
    return f"write inet:{rest}@127.0.0.1, or inet:{rest} for all addresses of this machine"


def _suggestion_for_kind(kind: str, rest: str, text: str) -> str:
    """What to write instead of a kind of socket that does not exist."""
    if kind not in _OTHER_NAMES and (meant := _suggestion(text)):
        return meant
    rest = rest.removeprefix("//") or rest
    if rest.startswith("/"):
        return f"write unix:{rest}"
    return _suggestion(rest) or _suggestion_for_port(rest) or f"the forms are {FORMS}"


def _checked_path(path: str, text: str) -> str:
    if not path:
        raise ValueError(f"socket is {text!r}: the path is missing; the forms are {FORMS}")
    return path


def _checked_port(port: str, text: str) -> int:
    if port.isascii() and port.isdigit():
        number = int(port)
        if number > 65535:
            raise ValueError(f"socket is {text!r}: a port is at most 65535")
        return number
    try:
        return socket.getservbyname(port, "tcp")
    except (OSError, ValueError):
        kind, _, rest = text.partition(":")
        meant = _suggestion(rest, kind.lower())
        if not meant or meant.startswith("the port"):
            meant = f"{port!r} is neither a port nor the name of a service" + (f"; {meant}" if meant else "")
        raise ValueError(f"socket is {text!r}: {meant}") from None


def parse_host_and_port(text: str) -> tuple[str, int]:
    """Read HOST:PORT, where HOST is a name, an IPv4 address or an IPv6 address in brackets. Raises ValueError."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"address is {text!r}: it must be HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464")
    return host, int(port)


def bound_address(listener: socket.socket) -> Address:
    """Return the address at which `listener` listens, with the port that the system chose if 0 was asked for."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return Address(socket.AF_UNIX, path=os.fsdecode(name))
    return Address(listener.family, host=name[0], port=name[1])


def cannot_listen(code: int, address: Address, reason: str) -> OSError:
    """Make the OSError to raise, with errno and the address."""
    return OSError(code, f"cannot listen on {address}: {reason}")
