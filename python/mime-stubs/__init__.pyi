"""The classic name of `pymilter.mime`."""

from pymilter.mime import *  # noqa: F403 - it is the same module
from pymilter.mime import __all__ as __all__
