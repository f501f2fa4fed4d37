"""Real servers that tests start: found here or skipped with the reason; in CI a skip is a failure."""

import os
import shutil
from glob import glob
from typing import NoReturn

import pytest


def require(*names: str) -> str:
    """The first of these programs that is installed; skips the test (in CI: fails) where none is."""
    for name in names:
        found = shutil.which(name) or next(iter(sorted(glob(name), reverse=True)), None)
        if found:
            return found
    lacking(f"{names[0]} is not installed")


def lacking(reason: str) -> NoReturn:
    """Skip the test for what this machine does not have; in CI: fail it."""
    if os.environ.get("TOCSIN_REQUIRE_REAL") == "1":
        pytest.fail(f"{reason}, and TOCSIN_REQUIRE_REAL=1 says that it must be")
    pytest.skip(reason)
