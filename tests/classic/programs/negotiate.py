"""Negotiates on its own, and looks at what came of it."""
# mypy: ignore-errors
# As classic programs are written: without types, for both versions.

import sys

import Milter


@Milter.rejected_recipients
@Milter.header_leading_space
class Picky(Milter.Base):
    def negotiate(self, opts):
        print("offered", opts[:2], opts[2:], flush=True)
        rc = Milter.Base.negotiate(self, opts)
        print("base", rc == Milter.CONTINUE, self._actions, self._protocol == opts[1], flush=True)
        # Fewer actions than offered, and no body although there is a method.
        opts[0] &= Milter.ADDHDRS | Milter.CHGHDRS
        opts[1] |= Milter.P_NOBODY
        self._actions, self._protocol = opts[0], opts[1]
        return Milter.CONTINUE

    def connect(self, hostname, family, hostaddr):
        print("agreed", self._actions, self._protocol, self._protocol & Milter.P_NOBODY, flush=True)
        return Milter.CONTINUE

    def envrcpt(self, to, *params):
        print("rcpt", to, self.getsymval("{rcpt_mailer}"), flush=True)
        return Milter.CONTINUE

    def header(self, name, value):
        print("header", name, repr(value), flush=True)
        return Milter.CONTINUE

    def body(self, chunk):
        print("never called", flush=True)
        return Milter.CONTINUE

    def eom(self):
        self.addheader("X-Picky", " value")
        try:
            self.replacebody(b"body")
        except Milter.DisabledAction:
            print("no replacebody", flush=True)
        return Milter.CONTINUE


class Manual(Milter.Base):
    """Does all of it by hand."""

    def negotiate(self, opts):
        opts[1] = self._protocol = opts[1] & ~self.protocol_mask() & ~Milter.P_NOEOH
        opts[2] = opts[3] = 0
        return Milter.CONTINUE

    def connect(self, hostname, family, hostaddr):
        print("manual", self._protocol, flush=True)
        return Milter.CONTINUE


Milter.factory = Picky if sys.argv[2] == "picky" else Manual
Milter.runmilter("picky", sys.argv[1], 240)
