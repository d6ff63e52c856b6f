"""The time, which a reproducible build may fix (SOURCE_DATE_EPOCH, reproducible-builds.org)."""

import os
import time


def now() -> float:
    """Gives the seconds since 1970: those of the environment variable SOURCE_DATE_EPOCH where it is a number."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    return float(fixed) if fixed.isdecimal() else time.time()
