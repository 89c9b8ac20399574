"""Lists page by page, and addresses that say what is looked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Request

from gateway.console.forms import clean

MOST: Final = 10_000
CHARACTERS: Final = 64
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list of `count`. `number` counts from 1 to `last`."""

    items: Sequence[T]
    count: int
    number: int
    last: int


def paged(items: Sequence[T], number: int, size: int) -> Page[T]:
    """The page `number` of `items`; the last one if there are fewer."""
    last = max(1, -(-len(items) // size))
    number = min(number, last)
    return Page(items[(number - 1) * size : number * size], len(items), number, last)


def page_asked(request: Request) -> int:
    """The number of the page that the address names, from 1 on."""
    text = request.query_params.get("page", "")
    return min(max(1, int(text)), MOST) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def asked(request: Request, *names: str) -> dict[str, str]:
    """What the address says of `names`, as can be shown; those it says nothing of are ""."""
    return {name: clean(request.query_params.get(name, ""), CHARACTERS) for name in names}


def address(path: str, fields: Mapping[str, str], page: int = 1) -> str:
    """The address that says `fields`, at a page."""
    said = {name: value for name, value in fields.items() if value} | ({"page": str(page)} if page > 1 else {})
    return f"{path}?{urlencode(said)}"
