"""Loads a user's filter: MODULE:ATTRIBUTE, with errors that show the user's own code and what to write instead."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final

from pymilter._class.base import Base
from pymilter._observe.traceback import text_of

from .output import Failure

_NAME: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_FORM: Final = "it must be MODULE:ATTRIBUTE, such as gate:Gate"


def load_filter(text: str) -> Callable[[], Base]:
    """Import a module and return its attribute, unchecked.

    Raises:
        Failure: The text is not MODULE:ATTRIBUTE, or the module cannot be imported or has no such attribute.
    """
    module_name, colon, attribute = text.partition(":")
    if "(" in attribute:
        raise Failure(
            f"filter is {text!r}: a call cannot be named. Write a function without arguments that makes it, such as"
            f" `def made(): return {attribute}`, into the module, and name {module_name}:made",
            2,
        )
    if module_name.endswith(".py") or "/" in module_name:
        path = Path(module_name)
        meant = f"{path.stem}:{attribute or 'NAME'}"
        raise Failure(f"filter is {text!r}: name the module, not its file: {meant}, in the folder {path.parent}", 2)
    if not _NAME.fullmatch(module_name) or (colon and not _NAME.fullmatch(attribute)):
        raise Failure(f"filter is {text!r}: {_FORM}", 2)
    module = _imported(module_name)
    if not colon:
        raise Failure(f"filter is {text!r}: {_FORM}{_there_are(module)}", 2)
    found: Any = module
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise Failure(f"filter is {text!r}: there is no {name!r} in it{_there_are(module)}", 2) from None
    if not callable(found):
        kind = type(found).__name__
        raise Failure(f"filter is {text!r}: it is {kind}, and must be a class or a function{_there_are(module)}", 2)
    loaded: Callable[[], Base] = found
    return loaded


def users_frames(error: BaseException) -> str:
    """The traceback of an error without the frames of Python's import system and of this package."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        link.__traceback__ = _without_ours(link.__traceback__)
        link = link.__cause__ or link.__context__
    return text_of(error)


def _imported(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)  # a script's own folder is there instead
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise Failure(f"there is no module {error.name!r} in {here} or where Python looks for modules", 2) from None
        raise Failure(_failed(name, error)) from None
    except SystemExit as error:
        raise Failure(
            f"importing {name} ended with SystemExit({error.code!r}): put what runs the filter below"
            ' `if __name__ == "__main__":`'
        ) from None
    except Exception as error:
        raise Failure(_failed(name, error)) from None


def _failed(name: str, error: BaseException) -> str:
    return f"cannot import {name}:\n{users_frames(error)}"


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    kept: list[TracebackType] = []
    ours = f"{Path(__file__).parents[1]}{os.sep}"
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith((ours, "<frozen importlib")) and file != importlib.__file__:
            kept.append(trace)
        trace = trace.tb_next
    short: TracebackType | None = None
    for entry in reversed(kept):
        short = TracebackType(short, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return short


def _there_are(module: ModuleType) -> str:
    """The filters that a module defines, as a part of a sentence."""
    names = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Base) and value.__module__ == module.__name__
    ]
    return f"; {module.__name__} has {', '.join(f'{module.__name__}:{name}' for name in names)}" if names else ""
