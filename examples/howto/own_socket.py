"""Opens its socket as root, for Postfix alone, and then becomes another user.

python own_socket.py unix:/var/spool/postfix/gate/socket gate
"""

import sys

import pymilter
from pymilter import CONTINUE, Message, Outcome


@pymilter.message_filter
def gate(message: Message) -> Outcome:
    message.headers.append("X-Gate", "open")
    return CONTINUE


if __name__ == "__main__":
    # Postfix may connect, since its group owns the socket; nobody else may.
    pymilter.run(gate, sys.argv[1], socket_mode=0o660, socket_group="postfix", user=sys.argv[2])
