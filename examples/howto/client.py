"""Decides by what is known of the client: its address, its name, its login and its encryption.

python client.py unix:/run/gate/gate.sock
"""

import ipaddress
import sys

import pymilter
from pymilter import ACCEPT, CONTINUE, Envelope, Message, MessageFilter, Outcome, Reject

OUR_NETWORKS = [ipaddress.ip_network(network) for network in ("127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32")]
OUR_DOMAIN = "example.net"


class Clients(MessageFilter):
    def mail(self, envelope: Envelope) -> Outcome:
        """Refuse our own domain as the sender of mail from elsewhere."""
        connection = self.connection
        if connection.login is not None:
            return ACCEPT
        if envelope.sender.ascii_domain == OUR_DOMAIN and not is_ours(connection.peer.ip):
            return Reject(550, "5.7.1", "Log in to send mail as one of us")
        return CONTINUE

    def message(self, message: Message) -> Outcome:
        """Write down what is known of the client."""
        connection = message.connection
        tls = f"{connection.tls.version} {connection.tls.cipher}" if connection.tls else "none"
        message.headers.append("X-Client", f"{connection.peer}; helo={connection.helo}; tls={tls}")
        return CONTINUE


def is_ours(ip: str | None) -> bool:
    """Return whether this is our own network; None is a message that was submitted on the server itself."""
    return ip is None or any(ipaddress.ip_address(ip) in network for network in OUR_NETWORKS)


if __name__ == "__main__":
    pymilter.run(Clients, sys.argv[1])
