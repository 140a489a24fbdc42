"""The changes that a filter can ask for at the end of a message, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AddHeader:
    """Append a header field (smfi_addheader)."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class InsertHeader:
    """Put a header field before the one at `index`, counted from 0 over all fields (smfi_insheader)."""

    index: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ChangeHeader:
    """Change the `index`-th field of this name, counted from 1; an empty value deletes it (smfi_chgheader)."""

    index: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ChangeFrom:
    """Change the envelope sender (smfi_chgfrom). `params` is None if no ESMTP parameters were sent."""

    address: str
    params: str | None = None


@dataclass(frozen=True, slots=True)
class AddRecipient:
    """Add a recipient. `params` is None for smfi_addrcpt, the ESMTP parameters for smfi_addrcpt_par."""

    address: str
    params: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteRecipient:
    """Remove a recipient (smfi_delrcpt)."""

    address: str


@dataclass(frozen=True, slots=True)
class ReplaceBody:
    """Replace the body; several of them append to each other (smfi_replacebody)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Put the message on hold (smfi_quarantine)."""

    reason: str


Edit = AddHeader | InsertHeader | ChangeHeader | ChangeFrom | AddRecipient | DeleteRecipient | ReplaceBody | Quarantine
"""One change that a filter asked for at the end of the message."""
