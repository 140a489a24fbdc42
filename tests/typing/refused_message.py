"""Mistakes in MessageFilters, each on a line that says what mypy and pyright must report of it. Never imported."""

from __future__ import annotations

from pymilter import CONTINUE, Envelope, Message, MessageFilter, Outcome, Recipient, chain, message_filter


class WrongOverrides(MessageFilter):
    def message(self, message: bytes) -> Outcome:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE

    def mail(self, envelope: str) -> Outcome:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE

    def recipient(self, recipient: Recipient) -> Outcome:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE

    def header(self, name: str, value: str, /) -> Outcome:  # type: ignore[misc]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE

    def eoh(self) -> Outcome:  # type: ignore[misc]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE

    def body(self, chunk: bytes, /) -> Outcome:  # type: ignore[misc]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE

    def eom(self) -> Outcome:  # type: ignore[misc]  # pyright: ignore[reportIncompatibleMethodOverride]
        return CONTINUE


class WrongOutcome(MessageFilter):
    def message(self, message: Message) -> bool:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return True


class WrongKeyword(MessageFilter, limit="5M"):  # type: ignore[arg-type]  # pyright: ignore[reportGeneralTypeIssues, reportArgumentType]
    pass


class UnknownKeyword(MessageFilter, lmit=5):  # type: ignore[call-arg]  # pyright: ignore[reportGeneralTypeIssues, reportCallIssue]
    pass


def wrong_uses(message: Message, envelope: Envelope) -> None:
    message.headers["Subject"] = "x"  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
    message.headers[0].delete()  # type: ignore[index]  # pyright: ignore[reportArgumentType]
    message.headers.append("X", b"1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    message.headers.insert_before(1, "X", "1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    message.headers.get("X").delete()  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
    message.body += "text"  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
    message.body = "text"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    message.sender = None  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    message.recipients.add(b"a@example.net")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    message.recipients = []  # type: ignore[misc, assignment]  # pyright: ignore[reportAttributeAccessIssue]
    message.headers["X"].name = "Y"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    envelope.recipients.clear("all")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


@message_filter  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType, reportUntypedFunctionDecorator]
def wrong_function(message: str) -> Outcome:
    return CONTINUE


chain(MessageFilter())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
