"""Owns unsign(), the hook in which a program that signs its senders removes the signature."""

__all__ = ["unsign"]


def unsign(s: str) -> str:
    """Return `s` unchanged: pymilter signs no addresses. A program that does replaces this function."""
    return s
