"""`make demo`: starts the example filter on a unix socket, plays a real message into it and shows what it did."""

import sys
from pathlib import Path

from pymilter.testing import FilterProcess, print_result, send_message, temporary_socket

HERE = Path(__file__).parent


def main() -> None:
    """Play the message twice: as it is, and from a sender whom the filter refuses."""
    message = (HERE / "message.eml").read_bytes()
    with temporary_socket() as socket, FilterProcess([sys.executable, HERE / "gate.py", socket], socket):
        print(f"examples/gate.py listens on {socket}\n")
        for sender in ("ada@example.com", "spam@example.com"):
            print(f"=== examples/message.eml from <{sender}>\n")
            result = send_message(socket, message, sender, ["grace@example.net", "nobody@example.net"])
            print_result(result)
            print()


if __name__ == "__main__":
    main()
