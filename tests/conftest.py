"""What all tests need: the signals that a program has when it is started from a terminal."""

from __future__ import annotations

import signal

# A shell starts what it runs in the background with SIGINT ignored, and so would be the filters that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
