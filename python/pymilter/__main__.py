"""`python -m pymilter`: the command `pymilter`, for a Python whose scripts are not in the PATH."""

import sys

from pymilter._command.main import main

if __name__ == "__main__":
    sys.exit(main())
