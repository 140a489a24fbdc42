"""Takes headers and the envelope as bytes, by methods set on the instance and in the class."""
# mypy: ignore-errors
# As classic programs are written: without types, for both versions.

import sys

import Milter


class Raw(Milter.Base):
    def __init__(self):
        self.header_bytes = self.raw_header

    def raw_header(self, name, value):
        print("raw header", name, value, flush=True)
        return Milter.REJECT if value == b"bad \xe9" else Milter.CONTINUE

    def header(self, name, value):
        print("never called", flush=True)
        return Milter.CONTINUE

    def envfrom_bytes(self, *sender):
        print("raw sender", sender, flush=True)
        return Milter.CONTINUE

    def envfrom(self, *sender):
        print("never called", flush=True)
        return Milter.CONTINUE

    @Milter.decode("replace")
    def envrcpt(self, *recipient):
        print("recipient", ascii(recipient), flush=True)
        return Milter.CONTINUE


Milter.factory = Raw
Milter.runmilter("raw", sys.argv[1], 240)
