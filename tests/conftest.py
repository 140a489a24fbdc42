"""What all tests need: the signals that a program has when it is started from a terminal."""

from __future__ import annotations

import signal

# What a shell runs in the background starts with SIGINT ignored, and under nohup with SIGHUP; so would be the filters
# that tests start.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)
