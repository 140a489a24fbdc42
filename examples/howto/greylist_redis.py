"""Greylists over all workers and machines: whoever comes for the first time is asked to come again later.

pip install redis
python greylist_redis.py unix:/run/gate/gate.sock redis://127.0.0.1:6379
"""

import ipaddress
import sys
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import pymilter
from pymilter import ACCEPT, CONTINUE, Envelope, Message, MessageFilter, Outcome, Recipient, TempFail

DELAY = 300  # seconds until a second try is welcome
LIFE = 35 * 86_400  # seconds for which somebody who came again is remembered
# It has a pool and is safe for threads. It tries twice at most, because the mail server waits.
server = redis.Redis.from_url(
    sys.argv[2], socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), retries=1)
)


class Greylist(MessageFilter, headers=False, body=False):
    def mail(self, envelope: Envelope) -> Outcome:
        return CONTINUE if self.connection.login is None else ACCEPT

    def recipient(self, recipient: Recipient, envelope: Envelope) -> Outcome:
        """Ask for patience at RCPT, since a triplet has client, sender and recipient. If Redis fails, that is 451."""
        ip = self.connection.peer.ip
        if ip is None or is_welcome(network_of(ip), envelope.sender.address.lower(), recipient.address.lower()):
            return CONTINUE
        return TempFail(451, "4.7.1", f"Greylisted, please try again in {DELAY // 60} minutes")

    def message(self, message: Message) -> Outcome:
        return CONTINUE


def network_of(ip: str) -> str:
    """Return the network of a client: large senders try again from another address of theirs."""
    return str(ipaddress.ip_network(f"{ip}/{24 if '.' in ip else 64}", strict=False))


def is_welcome(*triplet: str) -> bool:
    """Return whether these came before, long enough ago, and remember them from now on."""
    # No part has a NUL in it. Bytes of an address that are no UTF-8 stay as they are.
    key = "\0".join(("gate:seen", *triplet)).encode("utf-8", "surrogateescape")
    now = int(time.time())
    with server.pipeline(transaction=True) as both:
        both.set(key, now, nx=True, get=True)  # returns the time of the first try, if this is not the first
        both.expire(key, LIFE)
        first, _ = both.execute()
    return first is not None and int(first) <= now - DELAY


if __name__ == "__main__":
    pymilter.run(Greylist, sys.argv[1], workers=2)
