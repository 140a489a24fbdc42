"""A name server with a few TXT records, and a view of the system in which it is the only one."""

from __future__ import annotations

import socketserver
from pathlib import Path

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from support import require
from support.in_thread import InThread

# A loopback address that no name server of a system has: port 53 is the only one that resolv.conf can mean.
_ADDRESS = "127.0.97.53"


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        data, channel = self.request
        channel.sendto(self.server.answer(data), self.client_address)


class _Server(socketserver.UDPServer):
    allow_reuse_address = True

    def __init__(self, texts: dict[str, str], broken: set[str]) -> None:
        super().__init__((_ADDRESS, 53), _Handler)
        self.texts = texts
        self.broken = broken

    def answer(self, data: bytes) -> bytes:
        query = dns.message.from_wire(data)
        name = query.question[0].name
        key = name.to_text(omit_final_dot=True).lower()
        response = dns.message.make_response(query, recursion_available=True)
        if key in self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif key not in self.texts:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif query.question[0].rdtype == dns.rdatatype.TXT:
            text = self.texts[key]
            strings = " ".join(f'"{text[start : start + 200]}"' for start in range(0, len(text), 200))
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", strings))
        return response.to_wire()


class NameServer(InThread):
    """A name server, from ``with`` to its end; programs started with `prefix` before their command ask it alone.

    Args:
        folder: where a file for those programs may lie.
    """

    def __init__(self, folder: Path) -> None:
        require.root("a name server")
        unshare = require.command("unshare", "util-linux")
        file = folder / "resolv.conf"
        file.write_text(f"nameserver {_ADDRESS}\noptions timeout:2 attempts:1\n")
        mount = f'mount --bind {file} /etc/resolv.conf && exec "$@"'
        self.prefix: list[str | Path] = [unshare, "--mount", "sh", "-c", mount, "sh"]
        self.texts: dict[str, str] = {}
        """The TXT records by their names in lower case; other names do not exist."""
        self.broken: set[str] = set()
        """Names for which there is no answer but SERVFAIL."""
        super().__init__(_Server(self.texts, self.broken))
