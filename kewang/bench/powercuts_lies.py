"""The agent as in the field, but its disk lies: what it syncs is reported as durable at once, and is not.

    python -m kewang.bench.powercuts_lies edge.toml

A bench of power cuts that finds nothing here is worthless. SQLite's word for such a disk is `synchronous = OFF`.
"""

import os
import sqlite3
import sys
from functools import partial
from pathlib import Path
from typing import Any

from edge.service import run
from kewang.runtime.program import run_until_signalled, set_up_logging

_WISH = "PRAGMA synchronous"


class LyingConnection(sqlite3.Connection):
    """Every wish for a sync is granted, and none is kept."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return super().execute(f"{_WISH} = OFF" if sql.startswith(_WISH) else sql, *values)


def lie() -> None:
    """From now on, in this process."""
    sqlite3.connect = partial(sqlite3.connect, factory=LyingConnection)  # type: ignore[assignment]
    os.fsync = lambda fd: None


def main() -> int:
    """Run the agent with the settings file that is the first word."""
    set_up_logging()
    lie()
    return run_until_signalled(lambda stopping: run(Path(sys.argv[1]), stopping))


if __name__ == "__main__":
    sys.exit(main())
