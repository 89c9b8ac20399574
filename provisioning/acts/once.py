"""A phone that got no answer asks again: the second time it gets the first time's answer."""

from collections.abc import Callable, Mapping
from typing import Any

from provisioning.inventory import Work

Answer = dict[str, Any]


def once(work: Work, request: str, content: Mapping[str, Any], do: Callable[[], Answer]) -> Answer:
    """What `do()` gave the first time `request` (UUID) came; it is done only then, in this same transaction.

    P-409 if the id came before from somebody else or with another `content`.
    """
    raise NotImplementedError


def forget_old(work: Work, older_than_ms: int) -> int:
    """Forget requests answered before Unix ms `older_than_ms` (for `upkeep`); how many."""
    raise NotImplementedError
