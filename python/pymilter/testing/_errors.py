"""The errors between the client and a filter, one exception for each kind."""

# ruff: noqa: N818 - the names say what happened; ClientError is their base


class ClientError(Exception):
    """Base of all errors of `pymilter.testing` about the behaviour of a filter."""


class FilterUnreachable(ClientError):
    """No connection to the filter's socket could be made."""


class FilterGone(ClientError):
    """The filter closed or reset the connection where an MTA still needed it."""


class FilterTimeout(ClientError):
    """The filter did not answer, or did not read, within the deadline."""


class ProtocolError(ClientError):
    """The filter sent something that the milter protocol does not allow at this point."""


class NotGranted(ProtocolError):
    """The filter used something (an edit, SKIP) that was not agreed in the negotiation."""


class FilterFailed(ClientError):
    """A filter program ended or hung where it should have been serving, or would not stop."""
