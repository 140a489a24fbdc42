"""Defangs attachments with mime, and passes on each change of a header."""
# mypy: ignore-errors
# As classic programs are written: without types, for both versions.

import sys
from io import BytesIO

import Milter
import mime


class Defang(Milter.Base):
    def envfrom(self, sender, *params):
        self.fp = BytesIO()
        self.changes = []
        return Milter.CONTINUE

    def header(self, name, value):
        self.fp.write(f"{name}: {value}\n".encode("utf-8", "surrogateescape"))
        return Milter.CONTINUE

    def eoh(self):
        self.fp.write(b"\n")
        return Milter.CONTINUE

    def body(self, chunk):
        self.fp.write(chunk.replace(b"\r\n", b"\n"))
        return Milter.CONTINUE

    def change(self, msg, name, value):
        # As programs do: only the headers of the message itself are the MTA's.
        if msg is not self.msg:
            return
        print("change", name.lower(), value, flush=True)
        self.chgheader(name, 1, value)

    def eom(self):
        self.fp.seek(0)
        self.msg = msg = mime.message_from_file(self.fp)
        msg.headerchange = self.change
        if not mime.defang(msg, self.getsymval("i")):
            return Milter.ACCEPT
        out = BytesIO()
        msg.dump(out)
        print("names", sorted(msg.getnames()), flush=True)
        body = out.getvalue().partition(b"\n\n")[2]
        while body:
            chunk, body = body[:8192], body[8192:]
            self.replacebody(chunk)
        return Milter.ACCEPT


Milter.factory = Defang
Milter.set_flags(Milter.CHGBODY | Milter.CHGHDRS | Milter.ADDHDRS)
Milter.runmilter("defang", sys.argv[1], 240)
