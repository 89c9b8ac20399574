"""What stores do when their machine fails them: away, killed, full, wrong, read-only."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.influx1_sink import Influx1Store
from gateway.ports import Lives, Misconfigured, RetryLater, SeriesId, Store, Table
from gateway.sqlite_sink import SqliteStore
from gateway.stores import open_store
from kewang.bench.parts import Influxd
from kewang.bench.process import free_port
from kewang.wire.tally import HOUR_MS
from tests.contracts.test_store import ENV, T0, env, everything, quarantined
from tests.fakes import MemoryStore

DAY_MS = 24 * HOUR_MS


@pytest.fixture
async def influx1(influxd: Influxd) -> AsyncIterator[Influx1Store]:
    store = Influx1Store(influxd.url, "kota", timeout_s=5)
    await store.prepare(Lives(0))
    yield store
    await store.close()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "kewang.db", busy_s=0.05)
    await store.prepare(Lives(0))
    yield store
    await store.close()


def rows(first: int, count: int = 5_000) -> Table:
    return env(*((T0 + first + i, float(i), i / 3) for i in range(count)))


async def fails(store: Store, error: type[Exception], *, reads: bool = True) -> None:
    with pytest.raises(error):
        await store.write([env((T0, 1.0, 2.0))])
    if reads:
        with pytest.raises(error):
            await store.rewinds()


async def test_what_influxd_confirmed_survives_its_kill_9(influxd: Influxd, influx1: Influx1Store) -> None:
    await influx1.write([rows(0), quarantined(77)])
    await asyncio.to_thread(influxd.kill9)
    await fails(influx1, RetryLater)
    await asyncio.to_thread(influxd.start)
    assert len(await influx1.dates(ENV, 0, 2**43)) == 5_001
    await influx1.write([env((T0 + 9_999, 1.0, 2.0))])
    assert len(await influx1.dates(ENV, 0, 2**43)) == 5_002


async def test_a_full_disk_of_influxd_is_a_reason_to_wait(influxd: Influxd, influx1: Influx1Store) -> None:
    await influx1.write([rows(0, 100)])
    assert influxd.pid
    unlimited = resource.prlimit(influxd.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(influxd.pid, resource.RLIMIT_FSIZE, (20_000, unlimited[1]))
    with pytest.raises(RetryLater, match="500"):
        await influx1.write([rows(1000)])
    # InfluxDB 1 keeps refusing until its log's segment is closed: a restart does that at once.
    await asyncio.to_thread(influxd.restart)
    assert len(await influx1.dates(ENV, T0, T0 + 1000)) == 100
    await influx1.write([rows(1000)])
    assert len(await influx1.dates(ENV, 0, 2**43)) == 5_100


async def test_a_frozen_influxd_is_a_reason_to_wait(influxd: Influxd) -> None:
    store = Influx1Store(influxd.url, "kota", timeout_s=0.3)
    await store.prepare(Lives(0))
    influxd.freeze()
    with pytest.raises(RetryLater):
        await store.write([env((T0, 1.0, 2.0))])
    influxd.thaw()
    await store.write([env((T0, 1.0, 2.0))])
    await store.close()


async def test_an_influxd_that_is_not_there_is_a_reason_to_wait() -> None:
    store = Influx1Store(f"http://127.0.0.1:{free_port()}", "kota")
    await fails(store, RetryLater)
    with pytest.raises(RetryLater):
        await store.prepare(Lives(0))
    await store.close()


async def test_a_database_that_is_not_there_is_misconfigured(influxd: Influxd, influx1: Influx1Store) -> None:
    absent = Influx1Store(influxd.url, "nowhere")
    await fails(absent, Misconfigured)
    await absent.close()


async def test_a_database_without_our_policies_is_misconfigured(influxd: Influxd) -> None:
    store = Influx1Store(influxd.url, "foreign")
    await store._ask('CREATE DATABASE "foreign"')
    await fails(store, Misconfigured)
    await store.prepare(Lives(0))
    await store.write([env((T0, 1.0, 2.0))])
    await store.close()


async def test_a_wrong_password_is_misconfigured(tmp_path: Path) -> None:
    with Influxd(tmp_path / "influxd", options={"http.auth-enabled": True}) as influxd:
        first = Influx1Store(influxd.url, "kota")
        await first._ask("CREATE USER admin WITH PASSWORD 'right' WITH ALL PRIVILEGES")
        wrong = open_store(f"influx1+{influxd.url}/kota", username="admin", secret="wrong")
        right = open_store(f"influx1+{influxd.url}/kota", username="admin", secret="right")
        await right.prepare(Lives(0))
        await fails(wrong, Misconfigured)
        await fails(first, Misconfigured)
        await right.write([env((T0, 1.0, 2.0))])
        for store in (first, wrong, right):
            await store.close()


WRITES_AND_TELLS = """
import asyncio, pathlib, sys
from gateway.ports import Lives, Table
from gateway.sqlite_sink import SqliteStore
async def main():
    store = SqliteStore(pathlib.Path(sys.argv[1]))
    await store.prepare(Lives(0))
    tags = (("device", "pasar-1"), ("source", "env-1"))
    for number in range(10**9):
        await store.write([Table("env", tags, ("temp_c",), [(number, float(number))])])
        print(number, flush=True)
asyncio.run(main())
"""


async def test_what_sqlite_confirmed_survives_the_gateways_kill_9(tmp_path: Path) -> None:
    file = tmp_path / "kewang.db"
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITES_AND_TELLS, file, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert writer.stdout
    confirmed = [await writer.stdout.readline() for _ in range(50)]
    writer.kill()
    confirmed += (await writer.stdout.read()).splitlines(keepends=True)
    await writer.wait()
    told = [int(line) for line in confirmed if line.endswith(b"\n")]
    assert len(told) >= 50
    store = SqliteStore(file)
    assert set(await store.dates(ENV, 0, 2**43)) >= set(told)
    await store.write([env((T0, 1.0), fields=["temp_c"])])
    await store.close()


@contextlib.contextmanager
def files_limited_to(size_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_of_sqlite_is_a_reason_to_wait(sqlite: SqliteStore) -> None:
    await sqlite.write([rows(0, 100)])
    with files_limited_to(100_000), pytest.raises(RetryLater):
        await sqlite.write([rows(1000)])
    assert len(await sqlite.dates(ENV, 0, 2**43)) == 100
    await sqlite.write([rows(1000)])
    assert len(await sqlite.dates(ENV, 0, 2**43)) == 5_100


async def test_a_lock_of_another_process_is_a_reason_to_wait(sqlite: SqliteStore) -> None:
    other = sqlite3.connect(sqlite.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RetryLater):
        await sqlite.write([rows(0, 1)])
    other.execute("ROLLBACK")
    await sqlite.write([rows(0, 1)])
    other.close()


async def test_a_long_read_does_not_hold_up_writes(sqlite: SqliteStore) -> None:
    await sqlite.write([rows(0, 10)])
    other = sqlite3.connect(sqlite.path, isolation_level=None)
    other.execute("BEGIN")
    assert other.execute("SELECT count(*) FROM p_env").fetchone() == (10,)
    await sqlite.write([rows(10, 10)])
    assert other.execute("SELECT count(*) FROM p_env").fetchone() == (10,)
    assert len(await sqlite.dates(ENV, 0, 2**43)) == 20
    other.close()


async def test_a_file_removed_while_it_is_open_loses_nothing_that_is_confirmed_later(sqlite: SqliteStore) -> None:
    await sqlite.write([rows(0, 10)])
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{sqlite.path}{suffix}")
    assert await sqlite.series() == []
    await sqlite.write([rows(100, 10)])
    assert len(await everything(sqlite, "temp_c")) == 10
    assert sqlite.path.exists()


def _not_a_database(file: Path) -> None:
    file.write_bytes(b"this is no database, it is a letter " * 100)


def _of_another_program(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE theirs (a)")


def _of_a_newer_version(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute(f"PRAGMA application_id = {0x6B657761}")
        db.execute("CREATE TABLE series (a)")
        db.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("damage", "advice"),
    [
        (_not_a_database, "name another file"),
        (_of_another_program, "name another file"),
        (_of_a_newer_version, "upgrade the gateway"),
        (Path.mkdir, "create its folder"),
    ],
)
async def test_a_file_that_is_not_ours_is_misconfigured_and_untouched(
    tmp_path: Path, damage: object, advice: str
) -> None:
    file = tmp_path / "kewang.db"
    damage(file)  # type: ignore[operator]
    before = file.read_bytes() if file.is_file() else b""
    store = SqliteStore(file)
    with pytest.raises(Misconfigured, match=advice):
        await store.write([env((T0, 1.0, 2.0))])
    with pytest.raises(Misconfigured):
        await store.prepare(Lives(1))
    assert (file.read_bytes() if file.is_file() else b"") == before
    await store.close()


async def test_a_folder_that_is_not_there_is_misconfigured(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "no" / "kewang.db")
    with pytest.raises(Misconfigured, match="create its folder"):
        await store.write([env((T0, 1.0, 2.0))])
    await store.close()


@contextlib.contextmanager
def unprivileged(folder: Path) -> Iterator[None]:
    """As a user whom file modes bind: root is not."""
    if os.geteuid() != 0:
        yield
        return
    os.chmod(folder, 0o777)
    for parent in folder.parents:
        if parent.owner() == "root" and parent.is_relative_to("/tmp") and parent != Path("/tmp"):
            parent.chmod(0o755)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_read_only_file_is_misconfigured_and_can_still_be_read(tmp_path: Path) -> None:
    file = tmp_path / "kewang.db"
    store = SqliteStore(file)
    await store.write([env((T0, 1.0, 2.0))])
    await store.close()
    file.chmod(0o444)
    with unprivileged(tmp_path):
        reader = SqliteStore(file)
        with pytest.raises(Misconfigured, match="right to write"):
            await reader.write([env((T0 + 1, 1.0, 2.0))])
        assert await reader.dates(ENV, 0, 2**43) == [T0]
        await reader.close()
    file.chmod(0o644)
    again = SqliteStore(file)
    await again.write([env((T0 + 1, 1.0, 2.0))])
    assert await again.dates(ENV, 0, 2**43) == [T0, T0 + 1]
    await again.close()


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_rows_expire_by_their_bucket_and_kept_ones_never(tmp_path: Path, kind: str) -> None:
    now_ms = T0
    store: Store = (
        MemoryStore(lambda: now_ms) if kind == "memory" else SqliteStore(tmp_path / "a.db", lambda: now_ms, expire_s=0)
    )
    await store.prepare(Lives(2, 10, 0))
    old = [(T0 - 20 * DAY_MS, 1.0), (T0 - 5 * DAY_MS, 1.0)]
    tags = (("device", "pasar-1"), ("source", "env-1"))
    rolled = [Table(name, tags, ("temp_c_min",), old) for name in ("env_5m", "env_1d")]
    await store.write(rolled)
    for device in ("pasar-1", "pasar-2"):
        await store.write([env(*((T0 - DAY_MS + i, 1.0, 2.0) for i in range(3_000)), device=device)])
    await store.write([quarantined(T0 - 900 * DAY_MS), Table("rewind", (), ("rw", "rf"), [(1000, 1, 0)])])
    now_ms = T0 + DAY_MS + 1_500
    for number in range(20):
        await store.write([env((T0 + number, 1.0, 2.0), device="pasar-3")])
    for device in ("pasar-1", "pasar-2"):
        assert len(await store.dates(SeriesId("env", device, "env-1"), T0 - DAY_MS, T0)) == 1_500
    assert len(await store.refused(0, 2**43)) == len(await store.rewinds()) == 1
    months, years = (SeriesId(one.measurement, "pasar-1", "env-1") for one in rolled)
    assert await store.values(months, "temp_c_min", 0, 2**43) == old[1:]
    assert await store.values(years, "temp_c_min", 0, 2**43) == old
    await store.close()


@pytest.mark.parametrize(
    "url",
    [
        "kewang.db",
        "sqlite://",
        "sqlite:///",
        "sqlite://host/file",
        "influx1+http://host:8086",
        "influx1+http://host:8086/",
        "influx1+http://host:8086/a/b",
        "influx1+ftp://host/a",
        "influx1+http://user:secret@host:8086/a",
        "influx2+http://host:8086/org",
        "influx2+http://host:8086/org/bucket",
        "influx3+http://host:8086/org",
        "http://host:99999/a",
        "influx1+http://[::1/a",
    ],
)
def test_an_address_that_names_no_store_says_what_one_looks_like(url: str) -> None:
    with pytest.raises(Misconfigured):
        open_store(url)


async def test_an_absolute_file_has_four_slashes(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/with%20space.db")
    await store.write([env((T0, 1.0, 2.0))])
    await store.close()
    assert (tmp_path / "with space.db").exists()
