"""Milter.Milter, a filter that logs the main events and lets every message pass."""

from pymilter import CONTINUE, Base, Outcome, noreply
from pymilter._class.base import Hostaddr


class Milter(Base):
    """A filter that logs what happens and changes nothing. Override `log` to write elsewhere than to stdout."""

    def log(self, *msg: object) -> None:
        """Print the items of `msg`, each on a line of its own."""
        print("Milter:", *msg, "", sep="\n")

    @noreply
    def connect(self, hostname: str, family: int, hostaddr: Hostaddr) -> Outcome:
        """Log the client."""
        self.log(f"connect from {hostname} at {hostaddr}")
        return CONTINUE

    @noreply
    def hello(self, hostname: str) -> Outcome:
        """Log the name in HELO or EHLO."""
        self.log(f"hello from {hostname}")
        return CONTINUE

    @noreply
    def envfrom(self, mailfrom: str, *params: str) -> Outcome:
        """Log the sender and its ESMTP parameters."""
        self.log("mail from", mailfrom, params)
        return CONTINUE

    @noreply
    def envrcpt(self, to: str, *params: str) -> Outcome:
        """Log a recipient and its ESMTP parameters."""
        self.log("rcpt to", to, params)
        return CONTINUE

    @noreply
    def header(self, name: str, value: str) -> Outcome:
        """Log a header."""
        self.log(f"{name}: {value}")
        return CONTINUE

    @noreply
    def eoh(self) -> Outcome:
        """Log the end of the headers."""
        self.log("eoh")
        return CONTINUE

    def eom(self) -> Outcome:
        """Log the end of the message."""
        self.log("eom")
        return CONTINUE

    def abort(self) -> Outcome:
        """Log that the message was aborted."""
        self.log("abort")
        return CONTINUE

    def close(self) -> Outcome:
        """Log the end of the connection."""
        self.log("close")
        return CONTINUE
