"""A signer as such programs are written: what dkimpy gives goes into addheader() as it is, CRLF and all."""
# mypy: ignore-errors
# As classic programs are written: without types, for both versions.

import sys

import dkim

import Milter

with open(sys.argv[2], "rb") as file:  # noqa: PTH123
    KEY = file.read()


class Signer(Milter.Base):
    def envfrom(self, mailfrom, *params):
        self.message = []
        return Milter.CONTINUE

    def header(self, name, value):
        self.message.append(f"{name}: {value}\n".replace("\n", "\r\n").encode("utf-8", "surrogateescape"))
        return Milter.CONTINUE

    def eoh(self):
        self.message.append(b"\r\n")
        return Milter.CONTINUE

    def body(self, chunk):
        self.message.append(chunk)
        return Milter.CONTINUE

    def eom(self):
        signature = dkim.sign(b"".join(self.message), b"selector", b"example.org", KEY)
        name, value = signature.decode().split(": ", 1)
        print(value.count("\r\n"), flush=True)
        self.addheader(name, value)
        return Milter.CONTINUE


Milter.factory = Signer
Milter.runmilter("signer", sys.argv[1])
