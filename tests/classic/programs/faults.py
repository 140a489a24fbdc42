"""What 1.0.5 got wrong, each case chosen by an argument."""
# mypy: ignore-errors
# As classic programs are written: without types, for both versions.

import sys

import Milter

sys.tracebacklimit = 0
case = sys.argv[2]


class Faults(Milter.Base):
    def connect(self, hostname, family, hostaddr):
        if case == "exit":
            sys.exit(3)
        if case == "big":
            return 1 << 80
        if case == "setreply":
            self.setreply("550")
            return Milter.REJECT
        if case == "percent":
            try:
                self.setreply("550", "5.7.1", "100% spam")
            except ValueError:
                print("ValueError", flush=True)
            return Milter.REJECT
        return Milter.CONTINUE

    def hello(self, hostname):
        print("hello", ascii(hostname), flush=True)
        return None if case == "none" else Milter.CONTINUE

    @Milter.noreply
    def header(self, name, value):
        if case == "noreply":
            raise RuntimeError("in a step that is not answered")
        return Milter.CONTINUE

    def eom(self):
        print("eom", flush=True)
        if case == "params":
            self.addrcpt("<a@example.net>", ["NOTIFY=NEVER", "ORCPT=rfc822;a@example.net"])
        return Milter.ACCEPT


class Child(Faults):
    def body(self, chunk):
        print("body of the subclass", flush=True)
        return Milter.CONTINUE


class Symlist(Faults):
    @Milter.symlist("{auth_authen}", "{cipher}")
    def envfrom(self, sender, *params):
        print("macros", self.getsymval("{auth_authen}"), self.getsymval("{cipher}"), flush=True)
        return Milter.CONTINUE


Milter.factory = {"mask": Faults, "symlist": Symlist}.get(case, Faults)
if case == "mask":
    Faults.protocol_mask()
    Milter.factory = Child
Milter.runmilter("faults", sys.argv[1], 240)
