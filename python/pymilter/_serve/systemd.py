"""Telling systemd how the service is: sd_notify's datagrams, without its library (sd_notify(3))."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator


def notify(*assignments: str) -> bool:
    """Send lines such as READY=1. Returns false if systemd does not ask for them; a failure to send is ignored."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return False
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto("\n".join(assignments).encode(), "\0" + path[1:] if path.startswith("@") else path)
        return True
    return False


def notify_reloading() -> None:
    """Report that a reload begins; READY=1 ends it (Type=notify-reload needs the time)."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_seconds() -> float:
    """Return the seconds between two WATCHDOG=1: half of what systemd waits; 0 if it does not watch this process."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    try:
        return int(os.environ.get("WATCHDOG_USEC", "0")) / 2_000_000
    except ValueError:
        return 0.0


@contextlib.contextmanager
def watchdog() -> Iterator[None]:
    """Send WATCHDOG=1 during the block, from a Python thread, which falls silent if the interpreter hangs."""
    seconds = watchdog_seconds()
    if seconds <= 0 or "NOTIFY_SOCKET" not in os.environ:
        yield
        return
    over = threading.Event()

    def beat() -> None:
        notify("WATCHDOG=1")
        while not over.wait(seconds):
            notify("WATCHDOG=1")

    thread = threading.Thread(target=beat, name="pymilter watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
