"""What a test needs of the machine and a person's own may not give: rights to mount, a loop device."""

import os
from typing import NoReturn

import pytest


def lacking(why: str) -> NoReturn:
    """A failure where CI runs, for there it must be there; elsewhere the test is skipped."""
    if "CI" in os.environ:
        pytest.fail(why)
    pytest.skip(why)
