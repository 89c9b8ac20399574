"""`kewang rewind` on real databases: what is written is what the gateways read."""

from pathlib import Path

from gateway.ports import Rewind, Store
from tests.cli.commands import kewang, told, using

BACKUP_S = 1_780_000_000


async def rewinds(url: str) -> list[Rewind]:
    async def read(store: Store) -> list[Rewind]:
        return await store.rewinds()

    return (await using(url, read))[0]


async def test_an_hour_is_taken_off_the_backups_time(store_url: str) -> None:
    assert await rewinds(store_url) == []
    done = kewang("rewind", "--store", store_url, "--from", "2026-05-29T05:26:40+09:00", "--json")
    assert done.returncode == 0, done.stderr
    assert told(done)["rf"] == (BACKUP_S - 3600) * 1000
    assert [rewind.since_ms for rewind in await rewinds(store_url)] == [(BACKUP_S - 3600) * 1000]


async def test_each_rewind_is_above_the_last_and_says_what_happens(store_url: str) -> None:
    await rewinds(store_url)
    words = kewang("rewind", "--store", store_url, "--from", str(BACKUP_S))
    assert "2026-05-28T19:26:40.000Z" in words.stdout
    assert words.stdout.count(".\n") == 2
    kewang("rewind", "--store", store_url, "--all")
    first, second = await rewinds(store_url)
    assert second.number > first.number
    assert second.since_ms == 0


def test_a_time_is_needed_and_must_be_past(tmp_path: Path) -> None:
    store = ("--store", f"sqlite:///{tmp_path}/kewang.db")
    assert "or --all" in kewang("rewind", *store).stderr
    assert "future" in kewang("rewind", *store, "--from", "2100-01-01T00:00Z").stderr
    assert "no time zone" in kewang("rewind", *store, "--from", "2026-07-01T06:00").stderr
    assert kewang("rewind", *store, "--from", "yesterday").returncode == 2
    assert kewang("rewind", *store, "--all").returncode == 3, "a file that is not there is not made"
