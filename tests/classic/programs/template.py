"""The usual template: each connection gathers a message, and a process or a thread of its own writes the log."""
# mypy: ignore-errors
# As classic programs are written: without types, for both versions.

import multiprocessing
import queue
import sys
import threading
from io import BytesIO
from socket import AF_INET6

import Milter


class Template(Milter.Base):
    def __init__(self):
        self.id = Milter.uniqueID()

    @Milter.noreply
    def connect(self, IPname, family, hostaddr):  # noqa: N803 - as such programs have it
        self.IP = hostaddr[0]
        self.port = hostaddr[1]
        if family == AF_INET6:
            self.flow = hostaddr[2]
            self.scope = hostaddr[3]
        self.receiver = self.getsymval("j")
        self.log(f"connect from {IPname} at {hostaddr}")
        return Milter.CONTINUE

    def hello(self, heloname):
        self.H = heloname
        self.log("HELO", heloname)
        return Milter.CONTINUE

    def envfrom(self, mailfrom, *str):
        self.F = mailfrom
        self.R = []
        self.fp = BytesIO()
        self.log("mail from:", mailfrom, *str)
        return Milter.CONTINUE

    @Milter.noreply
    def envrcpt(self, to, *str):
        self.R.append((to, str))
        return Milter.CONTINUE

    @Milter.noreply
    def header(self, name, hval):
        self.fp.write(f"{name}: {hval}\n".encode("utf-8", "surrogateescape"))
        return Milter.CONTINUE

    @Milter.noreply
    def eoh(self):
        self.fp.write(b"\n")
        return Milter.CONTINUE

    @Milter.noreply
    def body(self, chunk):
        self.fp.write(chunk)
        return Milter.CONTINUE

    def eom(self):
        self.fp.seek(0)
        self.addheader("X-Size", str(len(self.fp.read())))
        self.log("eom", self.R)
        return Milter.ACCEPT

    def abort(self):
        self.log("abort")
        return Milter.CONTINUE

    def close(self):
        self.log("close")
        return Milter.CONTINUE

    def log(self, *msg):
        logq.put((msg, self.id))


def background(path):
    with open(path, "w", errors="surrogateescape") as log:  # noqa: PTH123
        while True:
            item = logq.get()
            if item is None:
                return
            msg, number = item
            print(f"[{number}]", *msg, file=log, flush=True)


if sys.argv[3] == "process":
    # As it was before CPython 3.14: programs of this kind hand the queue over as a global variable.
    fork = multiprocessing.get_context("fork")
    logq = fork.Queue(maxsize=4)
    logger = fork.Process(target=background, args=(sys.argv[2],))
else:
    logq = queue.Queue(maxsize=4)
    logger = threading.Thread(target=background, args=(sys.argv[2],))
logger.start()
Milter.factory = Template
Milter.set_flags(Milter.ADDHDRS)
print("startup", flush=True)
Milter.runmilter("template", sys.argv[1], 600)
logq.put(None)
logger.join()
print("shutdown", flush=True)
