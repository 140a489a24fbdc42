"""Tags mail from outside in its subject, and refuses mail to recipients that nobody has."""

import sys

from pymilter import CONTINUE, Envelope, Message, MessageFilter, Outcome, Recipient, Reject, run

OURS = "example.net"
PEOPLE = frozenset({"anna", "ben"})


class ExternalTag(MessageFilter):
    """Serves the mail of one domain."""

    def recipient(self, recipient: Recipient, envelope: Envelope) -> Outcome:
        """Refuse recipients of our domain that nobody has."""
        if recipient.ascii_domain == OURS and recipient.local not in PEOPLE:
            return Reject(550, "5.1.1", f"nobody is called {recipient.local}")
        return CONTINUE

    def message(self, message: Message) -> Outcome:
        """Tag the subject, unless the sender is one of ours."""
        if message.envelope.sender.ascii_domain != OURS:
            subject = message.headers.get("Subject")
            if subject is None:
                message.headers.append("Subject", "[EXTERNAL]")
            elif not subject.text.startswith("[EXTERNAL]"):
                subject.text = f"[EXTERNAL] {subject.text}"
        return CONTINUE


def main() -> None:
    """Serve the socket that is the program's argument."""
    run(ExternalTag, sys.argv[1])


if __name__ == "__main__":
    main()
