"""One filter made of several: the first refusal is the answer, and each sees the changes of those before it.

python several.py unix:/run/gate/gate.sock
"""

import sys

from headers import headers
from reject_recipient import Recipients
from reject_sender import Senders

import pymilter

if __name__ == "__main__":
    pymilter.run(pymilter.chain(Senders, Recipients, headers), sys.argv[1])
