"""Whether the extension was built with a sanitizer, as scripts/check-native tells: then memory is not what it is."""

from __future__ import annotations

import os
from typing import Final

import pytest

IS_SANITIZED: Final = "PYMILTER_SANITIZED" in os.environ

measures_memory = pytest.mark.skipif(
    IS_SANITIZED, reason="the sanitizer has a malloc of its own, that keeps what was freed"
)
"""Marks tests of how much memory a filter has."""
