"""A database file that is there without tables (just made, or a backup of nothing) reads as empty and can be used."""

import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.rewinds import add_rewind
from gateway.stores import open_store


async def test_a_file_without_tables_is_empty_and_takes_a_rewind(tmp_path: Path) -> None:
    file = tmp_path / "kewang.db"
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA journal_mode = WAL")
    assert file.stat().st_size > 0
    store = open_store(f"sqlite:///{file}")
    try:
        assert await store.rewinds() == []
        written = await add_rewind(store, now_ms=1_785_000_000_000, since_ms=0)
        assert await store.rewinds() == [written]
    finally:
        await store.close()
