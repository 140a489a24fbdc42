"""Limits how many recipients each login may write to in an hour, over all workers and machines.

pip install redis
python rate_limit.py unix:/run/gate/gate.sock redis://127.0.0.1:6379
"""

import sys

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import pymilter
from pymilter import CONTINUE, Envelope, Message, MessageFilter, Outcome, Recipient, TempFail

MOST = 200  # recipients
SECONDS = 3600
# It has a pool and is safe for threads. It tries twice at most, because the mail server waits.
server = redis.Redis.from_url(
    sys.argv[2], socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), retries=1)
)


class RateLimit(MessageFilter, headers=False, body=False):
    def recipient(self, recipient: Recipient, envelope: Envelope) -> Outcome:
        """Count each recipient. If Redis fails, the exception is answered with 451."""
        login = self.connection.login
        if login is None or count(f"gate:sent:{login}") <= MOST:
            return CONTINUE
        return TempFail(450, "4.7.28", f"You may write to {MOST} recipients in an hour, try again later")

    def message(self, message: Message) -> Outcome:
        return CONTINUE


def count(key: str) -> int:
    """Add one to a number that is forgotten when its hour is over; all filters see the same number."""
    with server.pipeline(transaction=True) as both:
        both.incr(key)
        both.expire(key, SECONDS, nx=True)
        number, _ = both.execute()
    return int(number)


if __name__ == "__main__":
    pymilter.run(RateLimit, sys.argv[1], workers=2)
