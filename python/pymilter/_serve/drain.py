"""How long messages and connections may go on at the end of a filter, and the wait for them."""

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Final

import pymilter._core as _core

logger = logging.getLogger("pymilter")

# At the end, messages that are left, and those that began too late, have this long to ask for their TEMPFAIL.
TEMPFAIL_TIME: Final = 1.0
LOOK_EVERY: Final = 0.005


class Drain:
    """The grace that is given at the end of `service`: to messages that are under way, or to whole connections."""

    def __init__(self, service: _core.Service) -> None:
        self._service = service
        self._asking = threading.RLock()  # a signal handler may call ask() within ask()
        self._for_connections = False
        self._until = math.inf  # when a request for messages ends a wait for connections
        self._refusing: Callable[[], None] | None = None
        self.grace = 0.0
        """What has been asked for so far, in seconds."""

    def ask(self, grace: float, for_connections: bool, refusing: Callable[[], None] | None) -> None:
        """Ask for `grace` seconds; from any thread. The longest of several wins.

        `refusing` is called by run() once no new connection is taken any more. A wait for connections, even one that
        has begun, gives way to a later request that is for messages.
        """
        with self._asking:
            self._refusing = refusing or self._refusing
            if self._for_connections and not for_connections:
                self.grace = grace
                self._until = min(self._until, time.monotonic() + grace)
            else:
                self.grace = max(self.grace, grace)
            self._for_connections = for_connections

    def extend(self, grace: float) -> None:
        """Let the grace be `grace` seconds at least."""
        with self._asking:
            self.grace = max(self.grace, grace)

    def run(self, grace: float) -> None:
        """Take no more connections, wait for `grace` seconds at most, and let no message begin after that."""
        self._service.stop_accepting()
        if self._refusing is not None:
            self._refusing()
        if not self._is_quiet_within(grace):
            logger.warning("%d messages are still under way after %g s: TEMPFAIL", _core.messages_under_way(), grace)
            _core.end_messages()
            self._service.answer_tempfail()
        # No message begins any more.
        until = time.monotonic() + TEMPFAIL_TIME
        while _core.messages_under_way() + _core.messages_too_late() > 0 and time.monotonic() < until:
            time.sleep(LOOK_EVERY)

    def _is_quiet_within(self, seconds: float) -> bool:
        """Wait until nothing that counts is under way or can begin. Returns false if that takes too long."""
        until = time.monotonic() + seconds
        while (self._for_connections and self._service.open_connections() > 0) or not _core.end_messages_when_none():
            if time.monotonic() >= min(until, self._until):
                return False
            time.sleep(LOOK_EVERY)
        return True


def wait_for_handlers(seconds: float) -> None:
    """Wait until no handler runs but the one that calls this, for `seconds` at most."""
    until = time.monotonic() + seconds
    while _core.counters()["in_flight"] > _core.is_in_callback() and time.monotonic() < until:
        time.sleep(LOOK_EVERY)
