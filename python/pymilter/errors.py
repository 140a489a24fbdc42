"""The exceptions that pymilter raises; imports nothing of pymilter, because the C++ half raises them too."""


class MilterError(Exception):
    """libmilter cannot do what was asked: wrong stage, closed connection, MTA gone."""


class DisabledAction(MilterError, RuntimeError):  # noqa: N818 - the classic name
    """An edit needs an action (SMFIF_*) that was not granted when the connection was negotiated."""


class BadValue(MilterError, ValueError):  # noqa: N818 - beside DisabledAction
    """Text or a number that must not reach the MTA; a MilterError too, because classic programs catch that."""
