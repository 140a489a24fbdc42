"""Whether scripts/check-native has built the extension with a sanitizer, which changes how much memory it uses."""

from __future__ import annotations

import os
from typing import Final

import pytest

IS_SANITIZED: Final = "PYMILTER_SANITIZED" in os.environ

measures_memory = pytest.mark.skipif(
    IS_SANITIZED, reason="the sanitizer has a malloc of its own, that keeps what was freed"
)
"""Marks tests of how much memory a filter has."""
