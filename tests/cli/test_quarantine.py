"""`kewang quarantine` on real databases: listed, stored after all, marked; the ledger counts each row once."""

import base64
import zlib

import pytest

from gateway.ports import Refused, SeriesId, Store
from gateway.quarantine import quarantine_tables
from kewang.wire.batch import Batch, encode
from tests.cli.commands import HOUR_MS, kewang, this_hour_ms, told, using

ENV = SeriesId("env", "pasar-1", "env-1")
MESSAGE = encode(Batch("4f1e0c9a77d2", 7, "env-2", 2, this_hour_ms(), ["temp_c"], [[0, 29.5], [1000, 900.0]]))


def message(payload: bytes) -> Refused:
    """An unreadable message, as the gateway keeps it."""
    crc = zlib.crc32(payload)
    return Refused(SeriesId("env", "pasar-2", "-"), crc, "not JSON", base64.b64encode(payload).decode())


@pytest.fixture
async def full_store(store_url: str) -> str:
    """Rows that today's catalogue takes, rows that it refuses, and two messages."""
    at_ms = this_hour_ms()
    rows = [
        Refused(ENV, at_ms, "unknown metric: temp_c", '{"tq":2,"k":["temp_c","rh_pct"],"r":[29.5,null]}'),
        Refused(ENV, at_ms + 1000, "range: rh_pct=140.2", '{"tq":2,"k":["rh_pct"],"r":[140.2]}'),
        Refused(ENV, at_ms + 2000, "store: type", '{"k":["temp_c","tq"],"r":[29.7,1.0]}'),
        Refused(ENV, at_ms + 3000, "range: cut", '{"tq":2,"k":["rh_'),
        message(MESSAGE),
        message(b"garbage"),
    ]

    async def fill(store: Store) -> None:
        await store.write(quarantine_tables(rows))

    await using(store_url, fill)
    return store_url


async def stored(url: str, series: SeriesId = ENV) -> list[float]:
    until_ms = this_hour_ms() + 2 * HOUR_MS

    async def read(store: Store) -> list[float]:
        return [value for _, value in await store.values(series, "temp_c", until_ms - 4 * HOUR_MS, until_ms)]

    return (await using(url, read))[0]


def listed(url: str, *words: str) -> list[str]:
    done = kewang("quarantine", "list", "--store", url, "--json", *words)
    assert done.returncode == 0, done.stderr
    return [row["reason"] for row in told(done)["rows"]]


async def test_the_list_is_chosen_from(full_store: str) -> None:
    assert len(listed(full_store)) == 6
    assert listed(full_store, "--reason", "range: rh_pct") == ["range: rh_pct=140.2"]
    assert listed(full_store, "--device", "pasar-2") == ["not JSON", "not JSON"]
    assert len(listed(full_store, "--since", str(this_hour_ms() / 1000 + 2))) == 4
    table = kewang("quarantine", "list", "--store", full_store).stdout
    assert "pasar-1" in table
    assert "nothing in quarantine" in kewang("quarantine", "list", "--store", full_store, "--device", "pasar-3").stdout


async def test_replay_stores_what_is_well_today_and_says_why_not(full_store: str) -> None:
    done = kewang("quarantine", "replay", "--store", full_store, "--yes", "--json")
    assert done.returncode == 1, done.stderr
    told_ = told(done)
    assert (told_["stored"], told_["refused"]) == (3, 3)
    assert sorted(each["reason"].partition(":")[0] for each in told_["why_not"]) == [
        "range",
        "unreadable",
        "unreadable",
    ]
    assert await stored(full_store) == [29.5, 29.7]
    assert len(listed(full_store)) == 4, "the message's second row came in, three rows that were stored left"


async def test_a_message_is_read_again(full_store: str) -> None:
    done = kewang("quarantine", "replay", "--store", full_store, "--device", "pasar-2", "--yes")
    assert "stored 1, refused 1" in done.stdout
    assert await stored(full_store, SeriesId("env", "pasar-2", "env-2")) == [29.5]
    assert "range: temp_c=900.0" in listed(full_store, "--device", "pasar-2")


async def test_stored_later_counts_as_stored(full_store: str) -> None:
    kewang("quarantine", "replay", "--store", full_store, "--reason", "unknown metric", "--yes")
    (device,) = told(kewang("ledger", "--store", full_store, "--device", "pasar-1", "--json"))["devices"]
    assert (device["stored"], device["quarantined"]) == (1, 3)


async def test_delete_only_marks(full_store: str) -> None:
    assert kewang("quarantine", "delete", "--store", full_store, "--reason", "range", "--yes").returncode == 0
    assert [reason for reason in listed(full_store) if reason.startswith("range")] == []
    assert len(listed(full_store, "--deleted")) == 6
    (device,) = told(kewang("ledger", "--store", full_store, "--device", "pasar-1", "--json"))["devices"]
    assert device["quarantined"] == 4


async def test_nothing_is_changed_unasked(full_store: str) -> None:
    refused = kewang("quarantine", "delete", "--store", full_store, answer="n\n")
    assert refused.returncode == 1
    assert "6 rows" in refused.stdout
    assert kewang("quarantine", "replay", "--store", full_store, "--json").returncode == 2
    assert len(listed(full_store)) == 6
    agreed = kewang("quarantine", "delete", "--store", full_store, answer="y\n")
    assert (agreed.returncode, listed(full_store)) == (0, [])
