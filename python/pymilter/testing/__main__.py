"""`python -m pymilter.testing MESSAGE.eml SOCKET`: the same as `pymilter send`."""

import sys

from pymilter._command.main import run_subcommand

if __name__ == "__main__":
    sys.exit(run_subcommand("send", "python -m pymilter.testing"))
