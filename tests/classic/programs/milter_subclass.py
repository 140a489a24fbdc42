"""A subclass of Milter.Milter, with the decorators, that changes the factory while it runs."""
# mypy: ignore-errors
# As classic programs are written: without types, for both versions.

import sys

import Milter


class Mine(Milter.Milter):
    def __init__(self):
        self.id = Milter.uniqueID()

    def log(self, *msg):
        print(f"[{self.id}]", *msg, flush=True)

    def hello(self, hostname):
        self.log("hello", hostname)
        return Milter.REJECT if hostname == "bad.example" else Milter.CONTINUE

    @Milter.noreply
    def header(self, field, value):
        self.log("header", field, value)
        return Milter.CONTINUE

    @Milter.decode("bytes")
    def envrcpt(self, to, *params):
        self.log("rcpt", to, params, self.getsymval("{rcpt_addr}"))
        if to == b"<full@example.net>":
            self.setreply("452", "4.2.2", "mailbox is full")
            return Milter.TEMPFAIL
        return Milter.CONTINUE

    def envfrom(self, sender, *params):
        self.log("from", sender, Milter.param2dict(params))
        return Milter.envcallback(self.sender, (sender, *params))

    def sender(self, sender, *flags, **params):
        self.log("envcallback", sender, flags, sorted(params.items()))
        return Milter.CONTINUE

    def body(self, chunk):
        self.log("body", chunk)
        return Milter.SKIP

    def eom(self):
        self.addheader("X-Mine", str(self.id))
        self.addheader("X-Top", "first", 0)
        self.chgheader("Subject", 1, "")
        self.addrcpt("<copy@example.net>", "NOTIFY=NEVER")
        self.delrcpt("<first@example.net>")
        self.chgfrom("<changed@example.org>")
        self.replacebody("new body\r\n")
        self.quarantine("for a reason")
        self.progress()
        self.log("same object", self._ctx.getpriv() is self, self._actions)
        return Milter.CONTINUE

    def close(self):
        self.log("close")
        Milter.factory = lambda: Other()
        return Milter.CONTINUE


class Other(Milter.Base):
    def connect(self, hostname, family, hostaddr):
        print("other connect", hostname, int(family), hostaddr, flush=True)
        return Milter.ACCEPT


Milter.factory = Mine
Milter.set_flags(Milter.CURR_ACTS)
Milter.runmilter("mine", sys.argv[1], 240)
print("end", flush=True)
