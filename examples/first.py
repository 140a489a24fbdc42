import pymilter
from pymilter import CONTINUE, Message, Outcome, Reject


@pymilter.message_filter
def gate(message: Message) -> Outcome:
    if message.sender.domain == "spam.example":
        return Reject(550, "5.7.1", "go away")
    message.headers.append("X-Gate", "open")
    message.email.append_text("\n-- \nChecked by the gate.\n")
    return CONTINUE


if __name__ == "__main__":
    pymilter.run(gate, "inet:8890@127.0.0.1")
