"""Whether a function is annotated as returning nothing, read without evaluating the annotations that a user wrote."""

import sys
from typing import Any

from pymilter._class.marks import layers_of

if sys.version_info >= (3, 14):
    import annotationlib


def returns_none(function: object) -> bool:
    """Return whether `function` is annotated ``-> None``, quoted or not; False if it has no such annotation.

    An annotation may name something that exists only for type checkers, and CPython 3.14 evaluates it when it is looked
    at. So only its text is read there: an annotation assigned to ``__annotations__`` counts, one changed within that
    dict does not. A wrapper (``functools.wraps``) counts as the function within, unless it has an annotation itself;
    so do functools.partial and partialmethod.
    """
    seen: set[int] = set()
    while function is not None and id(function) not in seen:
        seen.add(id(function))
        for layer in layers_of(function):
            function = layer
        annotations = _annotations(function)
        if "return" in annotations:
            return _is_none(annotations["return"])
        function = getattr(function, "__wrapped__", None)
    return False


if sys.version_info >= (3, 14):

    def _annotations(function: object) -> dict[str, Any]:
        try:
            return annotationlib.get_annotations(function, format=annotationlib.Format.STRING)
        except Exception:
            # No function, or an annotation that cannot even be shown as text, such as ``1 / 0``. Without an annotation
            # a handler is answered, which loses no verdict.
            return {}

else:

    def _annotations(function: object) -> dict[str, Any]:
        found = getattr(function, "__annotations__", None)
        return found if isinstance(found, dict) else {}


def _is_none(annotation: object) -> bool:
    """Return whether an annotation is None or text for it, which may be quoted once more."""
    if not isinstance(annotation, str):
        return annotation is None
    text = annotation.strip()
    while len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        text = text[1:-1].strip()
    return text == "None"
