"""The benchmark filter on purepythonmilter: asyncio, TCP only. Its hooks are functions that share one state."""
# mypy: disable-error-code="import-not-found, misc, no-any-return"

import logging
from dataclasses import dataclass, field
from typing import Any

from purepythonmilter import (
    Accept,
    AppendHeader,
    BodyChunk,
    Connect,
    Continue,
    Data,
    EndOfHeaders,
    EndOfMessage,
    Header,
    Helo,
    MailFrom,
    PurePythonMilter,
    RcptTo,
    ReplaceBodyChunk,
    TempFailWithCode,
)

from .common import ADDED, compute, read_options

OPTIONS = read_options()


@dataclass
class State:
    """What is counted of the message in hand. The hooks are given no connection, so the load has one at a time."""

    headers: int = 0
    recipients: int = 0
    size: int = 0
    chunks: list[bytes] = field(default_factory=list)
    fields: list[tuple[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


state = State()


def verdict(right: bool) -> Any:
    return Accept() if right else TempFailWithCode(primary_code=(4, 5, 1))


async def on_connect(cmd: Connect) -> Continue:
    return Continue()


async def on_helo(cmd: Helo) -> Continue:
    return Continue()


async def on_mail_from(cmd: MailFrom) -> Continue:
    state.headers = state.recipients = state.size = 0
    return Continue()


async def on_rcpt_to(cmd: RcptTo) -> Continue:
    state.recipients += 1
    return Continue()


async def on_data(cmd: Data) -> Continue:
    return Continue()


async def on_header(cmd: Header) -> Continue:
    state.headers += 1
    return Continue()


async def on_end_of_headers(cmd: EndOfHeaders) -> Continue:
    return Continue()


async def on_body_chunk(cmd: BodyChunk) -> Continue:
    state.size += len(cmd.data_raw)
    return Continue()


async def on_connect_noreply(cmd: Connect) -> None:
    pass


async def on_helo_noreply(cmd: Helo) -> None:
    pass


async def on_mail_from_noreply(cmd: MailFrom) -> None:
    state.headers = state.recipients = state.size = 0


async def on_rcpt_to_noreply(cmd: RcptTo) -> None:
    state.recipients += 1


async def on_data_noreply(cmd: Data) -> None:
    pass


async def on_header_noreply(cmd: Header) -> None:
    state.headers += 1


async def on_end_of_headers_noreply(cmd: EndOfHeaders) -> None:
    pass


async def on_body_chunk_noreply(cmd: BodyChunk) -> None:
    state.size += len(cmd.data_raw)


async def on_body_chunk_gather(cmd: BodyChunk) -> Continue:
    state.chunks.append(cmd.data_raw)
    return Continue()


async def on_body_chunk_gather_noreply(cmd: BodyChunk) -> None:
    state.chunks.append(cmd.data_raw)


async def on_rcpt_to_gather_noreply(cmd: RcptTo) -> None:
    state.paths.append(cmd.address)


async def on_header_gather_noreply(cmd: Header) -> None:
    state.fields.append((cmd.name, cmd.text))


async def on_mail_from_compute(cmd: MailFrom) -> Continue:
    compute(OPTIONS.work)
    return Continue()


async def on_header_compute(cmd: Header) -> Continue:
    compute(OPTIONS.work)
    return Continue()


async def on_header_boundary(cmd: Header) -> Continue:
    return Continue()


async def on_header_boundary_noreply(cmd: Header) -> None:
    pass


async def eom_all(cmd: EndOfMessage) -> Any:
    counted = (state.headers, state.recipients, state.size)
    state.headers = state.recipients = state.size = 0
    return verdict(counted == (OPTIONS.headers, OPTIONS.recipients, OPTIONS.size))


async def eom_body(cmd: EndOfMessage) -> Any:
    right = state.size == OPTIONS.size
    state.size = 0
    return verdict(right)


async def eom_gather(cmd: EndOfMessage) -> Any:
    body = b"".join(state.chunks)
    state.chunks = []
    return verdict(OPTIONS.is_body(body))


async def eom_message(cmd: EndOfMessage) -> Any:
    body = b"".join(state.chunks)
    right = OPTIONS.is_message(len(state.fields), len(state.paths), body)
    state.chunks, state.fields, state.paths = [], [], []
    return verdict(right)


async def eom_edits(cmd: EndOfMessage) -> Any:
    text = OPTIONS.replacement
    edits: list[Any] = [AppendHeader(headername=name, headertext=value) for name, value in ADDED]
    edits += [ReplaceBodyChunk(chunk=text[at : at + 65535]) for at in range(0, len(text), 65535)]
    return Continue(manipulations=edits)


async def eom_compute(cmd: EndOfMessage) -> Any:
    compute(OPTIONS.work)
    return Accept()


async def eom_boundary(cmd: EndOfMessage) -> Any:
    return Accept()


HOOKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # mode: hooks that answer, hooks that do not
    "nothing": ({}, {}),
    "all": (
        {
            "hook_on_connect": on_connect,
            "hook_on_helo": on_helo,
            "hook_on_mail_from": on_mail_from,
            "hook_on_rcpt_to": on_rcpt_to,
            "hook_on_data": on_data,
            "hook_on_header": on_header,
            "hook_on_end_of_headers": on_end_of_headers,
            "hook_on_body_chunk": on_body_chunk,
            "hook_on_end_of_message": eom_all,
        },
        {
            "hook_on_connect": on_connect_noreply,
            "hook_on_helo": on_helo_noreply,
            "hook_on_mail_from": on_mail_from_noreply,
            "hook_on_rcpt_to": on_rcpt_to_noreply,
            "hook_on_data": on_data_noreply,
            "hook_on_header": on_header_noreply,
            "hook_on_end_of_headers": on_end_of_headers_noreply,
            "hook_on_body_chunk": on_body_chunk_noreply,
            "hook_on_end_of_message": eom_all,
        },
    ),
    "body": (
        {"hook_on_body_chunk": on_body_chunk, "hook_on_end_of_message": eom_body},
        {"hook_on_body_chunk": on_body_chunk_noreply, "hook_on_end_of_message": eom_body},
    ),
    "gather": (
        {"hook_on_body_chunk": on_body_chunk_gather, "hook_on_end_of_message": eom_gather},
        {"hook_on_body_chunk": on_body_chunk_gather_noreply, "hook_on_end_of_message": eom_gather},
    ),
    "message": (
        {
            "hook_on_connect": on_connect_noreply,
            "hook_on_helo": on_helo_noreply,
            "hook_on_mail_from": on_mail_from_noreply,
            "hook_on_rcpt_to": on_rcpt_to_gather_noreply,
            "hook_on_header": on_header_gather_noreply,
            "hook_on_body_chunk": on_body_chunk_gather_noreply,
            "hook_on_end_of_message": eom_message,
        },
    )
    * 2,
    "edits": ({"hook_on_end_of_message": eom_edits, "can_add_headers": True, "can_change_body": True},) * 2,
    "compute": (
        {
            "hook_on_mail_from": on_mail_from_compute,
            "hook_on_header": on_header_compute,
            "hook_on_end_of_message": eom_compute,
        },
    )
    * 2,
    "boundary": (
        {"hook_on_header": on_header_boundary, "hook_on_end_of_message": eom_boundary},
        {"hook_on_header": on_header_boundary_noreply, "hook_on_end_of_message": eom_boundary},
    ),
}


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    host, port = OPTIONS.host_port
    PurePythonMilter(name="bench", **HOOKS[OPTIONS.mode][OPTIONS.noreply]).run_server(host=host, port=port)


if __name__ == "__main__":
    main()
