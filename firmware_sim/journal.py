"""Journal of a simulated board: every value it gave out, written before the answer leaves.

One JSON line a reading: `{"n":1,"t":1785000000000,"v":{"temp_c":29.1}}`. Lines are handed to the kernel one by one, so
that killing any process, this one too, loses none.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Given:
    """One reading given out: its running number, when (Unix ms of the simulator), and the values, None = NaN."""

    number: int
    unix_ms: int
    values: Mapping[str, float | None]


class Journal:
    """The file being written. Opened again, it goes on behind what is there."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.last_number = max((given.number for given in read_journal(file)), default=0) if file.exists() else 0
        self._fd = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        self._end_cut_line()

    def write(self, given: Given) -> None:
        """Append one reading."""
        entry = {"n": given.number, "t": given.unix_ms, "v": given.values}
        os.write(self._fd, json.dumps(entry, separators=(",", ":"), allow_nan=False).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end_cut_line(self) -> None:
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            os.write(self._fd, b"\n")


def read_journal(file: Path) -> Iterator[Given]:
    """The readings in `file`, oldest first; a line that was cut off by a kill was never given out and is left out."""
    with file.open("rb") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            yield Given(entry["n"], entry["t"], entry["v"])
