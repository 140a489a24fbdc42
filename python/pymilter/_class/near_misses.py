"""Methods whose names look like those of handlers, and that nothing ever calls."""

from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any, Final

# Names that the protocol and other libraries give the events.
OTHER_NAMES: Final[Mapping[str, str]] = {
    "connected": "connect",
    "ehlo": "hello",
    "helo": "hello",
    "mail": "envfrom",
    "mailfrom": "envfrom",
    "rcpt": "envrcpt",
    "rcptto": "envrcpt",
    "recipient": "envrcpt",
    "endofheaders": "eoh",
    "endofheader": "eoh",
    "endofmessage": "eom",
    "endofbody": "eom",
    "endofdata": "eom",
    "eob": "eom",
    "rset": "abort",
    "disconnect": "close",
}
# Where a MessageFilter gets what the events of Base give.
HOOK_OF: Final[Mapping[str, str]] = {
    "envfrom": "mail",
    "envrcpt": "recipient",
    "header": "message",
    "eoh": "message",
    "body": "message",
    "eom": "message",
}
PREFIXES: Final = ("on", "xxfi")  # of event names in other libraries, and of libmilter's own
WORD_ENDS: Final = ("s", "d", "r")  # closed, messages, closer: other words, and no slips of the keyboard
LONG: Final = 7  # letters from which on a wrong one is no other word: "reader" is no slip for "header"


def near_misses(klass: type[Any], known: type[Any], events: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each method of a class that looks like a handler and is none.

    A method whose name the class's own code has is a helper, which that code calls.

    Args:
        klass: the class.
        known: Base or MessageFilter, from which it is derived.
        events: the names of the handlers of Base, by the same without underscores.
    """
    hooks = () if "message" not in vars(known) else ("mail", "recipient", "message")
    names = dict(events) | {name: name for name in hooks}
    used: set[str] | None = None
    for name in dir(klass):
        if name.startswith("_") or hasattr(known, name) or not callable(getattr(klass, name)):
            continue
        text = _warning(klass, known, name, names)
        if text is not None:
            used = _names_in_code(klass, known) if used is None else used
            if name not in used:
                yield f"{klass.__qualname__}.{name} is no event and is never called: {text}"


def _warning(klass: type[Any], known: type[Any], name: str, names: Mapping[str, str]) -> str | None:
    plain = name.lower().replace("_", "")
    is_whole = "message" in names
    if plain in ("message", "onmessage") and not is_whole:
        return "derive from MessageFilter to get whole messages"
    meant = _meant_by(plain, names)
    if meant is None and plain == "headers" and not is_whole:
        meant = "header"
    if meant is None:
        return None
    if is_whole:
        return f"did you mean {HOOK_OF.get(meant, meant)}?"
    return f"did you mean {meant}?" if getattr(klass, meant) is getattr(known, meant) else None


def _meant_by(plain: str, names: Mapping[str, str]) -> str | None:
    for prefix in ("", *PREFIXES):
        rest = plain.removeprefix(prefix)
        if rest in names or rest in OTHER_NAMES:
            return names.get(rest) or OTHER_NAMES[rest]
    return next((name for right, name in names.items() if is_slip(plain, right)), None)


def is_slip(name: str, right: str) -> bool:
    """Return whether `name` is `right` with one letter left out or too many, two exchanged, or, if long, one wrong."""
    if name[:1] != right[:1] or len(name) < 3:
        return False
    if len(name) == len(right):
        wrong = [place for place, (one, other) in enumerate(zip(name, right, strict=True)) if one != other]
        if len(wrong) == 1:
            return len(name) >= LONG
        at = wrong[0] if wrong else 0
        return wrong == [at, at + 1] and name[at : at + 2] == right[at + 1] + right[at]
    short, long = sorted((name, right), key=len)
    if len(long) - len(short) != 1 or (name == long and name[:-1] == right and name.endswith(WORD_ENDS)):
        return False
    return any(long[:place] + long[place + 1 :] == short for place in range(len(long)))


def _names_in_code(klass: type[Any], known: type[Any]) -> set[str]:
    """All names that the functions of a class use, but for those that it has from `known`."""
    codes = [
        found.__code__
        for one in klass.__mro__
        if not issubclass(known, one)
        for value in vars(one).values()
        if isinstance(found := _function_of(value), FunctionType)
    ]
    names: set[str] = set()
    while codes:
        code = codes.pop()
        names.update(code.co_names)
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return names


def _function_of(value: Any) -> Any:
    """The function behind a property, a staticmethod, a classmethod or a wrapper."""
    for name in ("fget", "__func__", "func", "__wrapped__"):
        value = getattr(value, name, None) or value
    return value
