"""A classic program with unit tests of its own beside it."""
# mypy: ignore-errors
# As classic programs are written: without types, for both versions.

from io import BytesIO

import Milter


class Sample(Milter.Milter):
    def log(self, *msg):
        pass

    def connect(self, hostname, family, hostaddr):
        self.spam = False
        return Milter.REJECT if hostname == "bad.example" else Milter.CONTINUE

    def hello(self, hostname):
        self.helo = hostname
        return Milter.CONTINUE

    @Milter.symlist("i", "{auth_authen}")
    def envfrom(self, f, *params):
        self.sender = f
        self.login = self.getsymval("{auth_authen}")
        self.mailer = self.getsymval("{mail_mailer}")
        self.fp = BytesIO()
        return Milter.CONTINUE

    def envrcpt(self, to, *params):
        if to == "<nobody@example.net>":
            self.setreply("550", "5.1.1", "no such user")
            return Milter.REJECT
        return Milter.CONTINUE

    @Milter.noreply
    def header(self, name, value):
        if name.lower() == "subject" and "viagra" in value:
            self.spam = True
        self.fp.write(f"{name}: {value}\n".encode())
        return Milter.CONTINUE

    def body(self, chunk):
        self.fp.write(chunk)
        return Milter.CONTINUE

    def eom(self):
        self.addheader("X-Size", str(len(self.fp.getvalue())))
        if self.spam:
            self.delrcpt("<victim@lamb.com>")
            self.addrcpt("<spam@example.net>")
            self.chgfrom("<filter@example.org>")
            self.replacebody(b"It was spam.\n")
        return Milter.CONTINUE


if __name__ == "__main__":
    Milter.factory = Sample
    Milter.runmilter("sample", "inet:0@127.0.0.1", 240)
