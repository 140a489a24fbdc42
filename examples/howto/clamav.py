"""Has ClamAV's daemon scan each message, and refuses those with a virus.

python clamav.py unix:/run/gate/gate.sock /run/clamav/clamd.ctl
"""

import socket
import struct
import sys

import pymilter
from pymilter import CONTINUE, Message, Outcome, Reject

CLAMD = sys.argv[2]
CHUNK = 1 << 16


@pymilter.message_filter
def virus_scan(message: Message) -> Outcome:
    virus = scan(message.as_bytes())
    if virus is not None:
        return Reject(550, "5.7.1", f"A virus was found: {virus}")
    message.headers.replace("X-Virus-Scanned", "ClamAV")
    return CONTINUE


def scan(data: bytes) -> str | None:
    """Return the name of the virus in `data`, or None: the command INSTREAM of clamd.

    Raises OSError if clamd cannot be asked or does not scan. The filter then answers 451, and the mail is kept by the
    sender: it never passes because the scanner is down.
    """
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(120)
        peer.connect(CLAMD)
        peer.sendall(b"zINSTREAM\0")
        for start in range(0, len(data), CHUNK):
            chunk = data[start : start + CHUNK]
            peer.sendall(struct.pack("!I", len(chunk)) + chunk)
        peer.sendall(struct.pack("!I", 0))
        answer = peer.makefile("rb").read().rstrip(b"\0").decode("ascii", "replace")
    if answer == "stream: OK":
        return None
    if answer.startswith("stream: ") and answer.endswith(" FOUND"):
        return answer.removeprefix("stream: ").removesuffix(" FOUND")
    raise OSError(f"clamd did not scan the message: {answer!r}")


if __name__ == "__main__":
    pymilter.run(virus_scan, sys.argv[1])
