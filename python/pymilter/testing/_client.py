"""The MTA's side of the milter protocol: step by step, or a whole message in one call."""

from __future__ import annotations

import email.message
from collections.abc import Mapping, Sequence

from ._constants import CHUNK_SIZE
from ._delivery import Mta
from ._play import play
from ._result import Result
from ._steps import Steps
from ._wire import Text


class Client(Steps):
    """A connection to a filter, as an MTA makes it.

    The constructor connects and negotiates. Each step method sends its macros and its command in one write, with
    Nagle's algorithm on, as Postfix does. It waits for the answer, if the filter gives one, and returns a `Response`.
    A step that the filter does not want is not sent unless you pass `force=True`; like Postfix, the client sends its
    macros all the same. The client does not stop after a refusal; `play` does, as an MTA would. It does not check the
    order of steps: libmilter ignores a command out of order (a body without `eoh`, say), and a FilterTimeout follows.

    Text arguments are str (UTF-8 with surrogateescape) or bytes. Each step takes `macros`, which are sent in addition
    to those of its stage.

    Args:
        address: `unix:/path`, `local:/path`, a path, `inet:port@host` or `inet6:port@host`.
        timeout: how many seconds each operation may take; smfi_progress restarts the time.
        progress_timeout: how many seconds a step may take in total, however often the filter asks for more time
            with smfi_progress; by default five times `timeout`.
        version, actions, protocol: the offer; the defaults are Postfix 3.7's.
        macros: values by name, with or without braces. A macro is sent at the stages whose list has its name.
        macro_lists: the names for a stage, instead of `DEFAULT_MACRO_LISTS`. A list that the filter asks for overrides
            them.
        negotiate: False to skip the negotiation, so that you can call `negotiate` or `send` yourself.

    Raises:
        FilterUnreachable, FilterTimeout, FilterGone, ProtocolError: as each operation of this class.
        ValueError: a timeout is not a number of seconds above 0.
    """

    def play(
        self,
        message: bytes | email.message.Message,
        sender: Text = "<sender@example.com>",
        recipients: Sequence[Text] = ("<recipient@example.net>",),
        *,
        sender_params: Sequence[Text] = (),
        rejected: Mapping[str, Text] | None = None,
        hostname: Text = "client.example.com",
        address: Text | None = "192.0.2.1",
        port: int = 49152,
        helo: Text | None = None,
        chunk_size: int = CHUNK_SIZE,
        mta: Mta = "postfix",
    ) -> Result:
        """Play one message as an MTA would, stop where an MTA stops, and return what became of the message.

        CONNECT and HELO are sent only with the first message; more messages may follow on the same connection.

        Args:
            message: the whole message, with CRLF or LF as line ends (the filter always gets a body with CRLF).
            sender, recipients: addresses, with or without angle brackets.
            sender_params: ESMTP parameters of MAIL.
            rejected: the recipients that the MTA itself refuses, each with its reply ("550 5.1.1 no such user").
            hostname, address, port: the SMTP client, as in `connect`.
            helo: the HELO name; by default `hostname`.
            chunk_size: the most bytes in one body packet.
            mta: the mail server whose behaviour decides the result of the edits, "postfix" or "sendmail"; see
                `apply_edits`.

        Raises:
            ProtocolError: also for edits that Postfix refuses.
        """
        return play(
            self,
            message,
            sender,
            recipients,
            sender_params=sender_params,
            rejected=rejected,
            hostname=hostname,
            address=address,
            port=port,
            helo=helo,
            chunk_size=chunk_size,
            mta=mta,
        )
