"""Owns unsign(), the place where a program that signs its senders takes the signature off again."""

__all__ = ["unsign"]


def unsign(s: str) -> str:
    """`s` as it is: pymilter signs no addresses. A program that does puts a function of its own here."""
    return s
