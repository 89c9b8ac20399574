"""Libraries that only an extra of our package brings: which are not installed here, and what brings them."""

import re
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, distribution, requires
from typing import Final

PICTURE_LIBRARIES: Final = frozenset({"av", "numpy", "PIL"})
"""What the extra `camera` brings, which boxes without cameras go without."""
_NEEDED: Final = re.compile(r"([\w.-]+).*;.*\bextra\s*==\s*['\"]([\w-]+)['\"]")


class MissingExtra(Exception):
    """A library is not installed here; the text names it and the extra that brings it."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed here: pip install 'kewang[{extra}]' brings it")


def check(extra: str, *, but: Collection[str] = ()) -> None:
    """For who starts other programs, whose imports would fail out of sight. Raises MissingExtra.

    `but`: packages that can be done without.
    """
    for needed in filter(None, map(_NEEDED.match, requires("kewang") or ())):
        if needed[2] == extra and needed[1] not in but and not _is_installed(needed[1]):
            raise MissingExtra(needed[1], extra)


def _is_installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True
