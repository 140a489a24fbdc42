"""The classic template: gathers each message, adds a header, and writes its log in a process of its own.

python examples/classic_template.py unix:/tmp/template.sock template.log [fork|spawn|forkserver]

It runs on pymilter 1.0.5 and on this one, whichever way multiprocessing starts a process. On Linux that is forkserver
from Python 3.14 on, as on macOS and Windows it has long been spawn. Both import this file once more in the new process,
where it is not `__main__`. So what the process needs is given to it as an argument, and nothing starts by the import.
"""
# mypy: ignore-errors
# As classic programs are written: without types.

import argparse
import multiprocessing
import queue
import signal
import sys
from io import BytesIO

import Milter


class Template(Milter.Base):
    """One object for each connection from the MTA."""

    def __init__(self, logq):
        self.id = Milter.uniqueID()
        self.logq = logq

    def connect(self, hostname, family, hostaddr):
        self.log("connect from", hostname, hostaddr)
        return Milter.CONTINUE

    def envfrom(self, mailfrom, *params):
        self.sender = mailfrom
        self.recipients = []
        self.message = BytesIO()
        return Milter.CONTINUE

    def envrcpt(self, to, *params):
        self.recipients.append(to)
        return Milter.CONTINUE

    @Milter.noreply
    def header(self, name, value):
        self.message.write(f"{name}: {value}\n".encode("utf-8", "surrogateescape"))
        return Milter.CONTINUE

    @Milter.noreply
    def eoh(self):
        self.message.write(b"\n")
        return Milter.CONTINUE

    @Milter.noreply
    def body(self, chunk):
        self.message.write(chunk)
        return Milter.CONTINUE

    def eom(self):
        self.addheader("X-Size", str(len(self.message.getvalue())))
        self.log("message from", self.sender, "to", *self.recipients)
        return Milter.CONTINUE

    def close(self):
        self.log("close")
        return Milter.CONTINUE

    def log(self, *words):
        try:
            self.logq.put_nowait((self.id, *words))
        except queue.Full:  # the mail is worth more than the log
            print("the log is full:", self.id, *words, file=sys.stderr)


def write_log(logq, path):
    """What the other process does: write what comes, until None comes or the filter is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the filter says when it is over
    filter_process = multiprocessing.parent_process()
    with open(path, "a", errors="surrogateescape") as log:  # noqa: PTH123 - classic
        while True:
            try:
                words = logq.get(timeout=1)
            except queue.Empty:
                if not filter_process.is_alive():
                    return
                continue
            if words is None:
                return
            print(*words, file=log, flush=True)


def main(address, path, method=None):
    """Start the logging process, before there are threads, and serve until a signal."""
    context = multiprocessing.get_context(method)
    logq = context.Queue(maxsize=1000)
    logger = context.Process(target=write_log, args=(logq, path))
    logger.start()
    Milter.factory = lambda: Template(logq)
    try:
        Milter.runmilter("template", address, 600)
    finally:
        logq.put(None)
        logger.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("socket", help="where to listen")
    parser.add_argument("log", help="the file that the log goes to")
    parser.add_argument(
        "method", nargs="?", choices=multiprocessing.get_all_start_methods(), help="how to start the process"
    )
    options = parser.parse_args()
    main(options.socket, options.log, options.method)
