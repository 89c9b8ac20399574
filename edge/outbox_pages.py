"""Rows of tables as the pages of a damaged file have them, whatever became of the pages that lead there.

Of the format only what that takes: sqlite.org/fileformat2.html, 1.5 to 2.1. Pages that were given free are among them:
whoever reads must know which rows still count.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

_LEAF: Final = 13
_LONGEST_BYTES: Final = 128 * 1024
"""Twice what a message may have."""
_SIZES: Final = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
"""Bytes of a value by its serial type, below 12. 7 is a float, 8 and 9 are 0 and 1."""


class Pages:
    """The file at `path`, of pages of this size, with all of its log written back."""

    def __init__(self, path: Path, size: int) -> None:
        self._file, self._size = path.open("rb"), size
        self._count = path.stat().st_size // size

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def rows(self, columns: int) -> Iterator[tuple[Any, ...]]:
        """Rows with so many columns: whole numbers, text as bytes, and bytes. The first is the row's number."""
        for number in range(2, self._count + 1):
            page = self._page(number)
            for cell in _cells(page):
                try:
                    row = self._row(page, cell)
                except (IndexError, ValueError):
                    continue
                if len(row) == columns:
                    yield row

    def _page(self, number: int) -> bytes:
        self._file.seek((number - 1) * self._size)
        return self._file.read(self._size)

    def _row(self, page: bytes, at: int) -> tuple[Any, ...]:
        """Raises IndexError, ValueError where it can't be one."""
        length, at = _varint(page, at)
        key, at = _varint(page, at)
        payload = self._payload(page, at, length)
        end, begins = _varint(payload, 0)
        types = list[int]()
        while begins < end:
            kind, begins = _varint(payload, begins)
            types.append(kind)
        values = list[Any]()
        for kind in types:
            value, end = _value(payload, end, kind)
            values.append(value)
        return (key, *values[1:])

    def _payload(self, page: bytes, at: int, length: int) -> bytes:
        """The bytes of a row: in its page, and the rest in a chain of others."""
        most, least = self._size - 35, (self._size - 12) * 32 // 255 - 23
        if length <= most:
            return page[at : at + length]
        if length > _LONGEST_BYTES:
            raise ValueError("longer than any batch")
        local = least + (length - least) % (self._size - 4)
        local = local if local <= most else least
        found, following = page[at : at + local], int.from_bytes(page[at + local : at + local + 4], "big")
        while len(found) < length:
            if not 1 < following <= self._count:
                raise ValueError("the chain of pages is broken")
            more = self._page(following)
            found, following = found + more[4:], int.from_bytes(more[:4], "big")
        return found[:length]


def _cells(page: bytes) -> list[int]:
    """Where the rows of a page begin; none if it is no leaf of a table."""
    if len(page) < 8 or page[0] != _LEAF:
        return []
    count = min(int.from_bytes(page[3:5], "big"), (len(page) - 8) // 2)
    return [int.from_bytes(page[8 + 2 * index : 10 + 2 * index], "big") for index in range(count)]


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and where the next begins. Raises IndexError."""
    value = 0
    for index in range(8):
        byte = content[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | content[at + 8], at + 9


def _value(content: bytes, at: int, kind: int) -> tuple[Any, int]:
    """The value of a serial type at `at`, and where the next begins. Raises IndexError, ValueError."""
    size = (kind - 12) // 2 if kind >= 12 else _SIZES[kind]
    if at + size > len(content):
        raise ValueError("the row ends before")
    found = content[at : at + size]
    if kind in (8, 9):
        return kind - 8, at
    if kind == 7:
        return None, at + size
    return (found if kind >= 12 else int.from_bytes(found, "big", signed=True) if kind else None), at + size
