"""The classic name of `pymilter.mime`: the same module, so that what a program sets here counts there."""

import sys

import pymilter.mime
from pymilter.mime import *  # noqa: F403

sys.modules[__name__] = pymilter.mime
