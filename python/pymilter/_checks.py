"""The checks of what a filter asks to send, for contexts in tests, which must refuse what the real one refuses."""

from pymilter._core import check_address, check_header, check_line, check_parameters

__all__ = ["check_address", "check_header", "check_line", "check_parameters"]
