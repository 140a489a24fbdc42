"""Run by test_helpers_dsn.py: SMTP servers that are meant to hold a client, and send_dsn against one of them.

`hostile_smtp.py NAME TIMEOUT` writes what send_dsn answered. The server is another process, and ends with this one.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

from Milter import dsn

Talk = Callable[[socket.socket], object]


def forever(sock: socket.socket, data: bytes, pause: float = 0) -> None:
    while True:
        sock.sendall(data)
        time.sleep(pause)


def polite(sock: socket.socket, *, banner: bool = True) -> Iterator[bytes]:
    """Accept all commands; gives each before it is answered."""
    file = sock.makefile("rb")
    if banner:
        sock.sendall(b"220 test\r\n")
    for line in file:
        verb = line[:4].upper()
        yield verb
        sock.sendall(b"354 go on\r\n" if verb == b"DATA" else b"250 ok\r\n")


def at(verb: bytes, then: Talk) -> Talk:
    def talk(sock: socket.socket) -> None:
        for command in polite(sock):
            if command == verb:
                then(sock)

    return talk


def after_data(sock: socket.socket) -> None:
    """Take the command DATA, and never read a byte of what follows."""
    sock.sendall(b"354 go on\r\n")
    time.sleep(600)


SERVERS: dict[str, Talk] = {
    "no banner": lambda sock: time.sleep(600),
    "endless banner": lambda sock: forever(sock, b"220-x\r\n" * 1000),
    "endless EHLO": at(b"EHLO", lambda sock: forever(sock, b"250-x\r\n" * 1000)),
    "endless line": at(b"EHLO", lambda sock: forever(sock, b"250-" + b"x" * 8000)),
    "endless RCPT": at(b"RCPT", lambda sock: forever(sock, b"550-x\r\n" * 1000)),
    "trickling banner": lambda sock: forever(sock, b"2", 0.1),
    "trickling EHLO": at(b"EHLO", lambda sock: forever(sock, b"250-x\r\n", 0.1)),
    "trickling QUIT": at(b"QUIT", lambda sock: forever(sock, b"221-x\r\n", 0.1)),
    "reads no data": at(b"DATA", after_data),
}


def serve(talk: Talk) -> None:
    """Print the port, and serve until the standard input ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)

        def one(sock: socket.socket) -> None:
            try:
                talk(sock)
            except OSError:
                sock.close()

        def accept() -> None:
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        sys.stdin.read()
        os._exit(0)


class Servers:
    """A session for which a.test has three mail servers."""

    def dns(self, name: str, qtype: str, /) -> list[tuple[int, str]]:
        return [(number, "127.0.0.1") for number in range(3)]


def main(name: str, timeout: float) -> None:
    command = [sys.executable, __file__, "--serve", name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        dsn._PORT = int(server.stdout.readline())
        dsn._QUIT_SECONDS = 1
        message = "Subject: x\n\n" + "".join(itertools.repeat("x" * 70 + "\n", 200_000))
        session = Servers()
        print(dsn.send_dsn("u@a.test", "me.test", message, timeout, session, allow_private=True))


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(SERVERS[sys.argv[2]])
    else:
        main(sys.argv[1], float(sys.argv[2]))
