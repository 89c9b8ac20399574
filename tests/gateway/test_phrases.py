"""Reasons and troubles in the reader's words, with every detail kept."""

import pytest

from gateway.console.phrases import reason_of, trouble_of
from gateway.judge import Window, judge
from gateway.ports import Refused, SeriesId
from kewang.wire.batch import Batch, Row

ENV = SeriesId("env", "pasar-1", "env-1")
WORDS = {
    "range: rh_pct=140": "di luar rentang: rh_pct=140",
    "range: rh_pct is too large": "di luar rentang: rh_pct terlalu besar",
    "date: ahead of the gateway's clock": "waktu salah: lebih maju daripada jam gateway",
    "date: older than what is kept": "waktu salah: lebih lama daripada masa simpan",
    "date: twice in one batch": "waktu salah: dua kali dalam satu kiriman",
    "empty: no value": "tanpa nilai",
    "length: 3 values for 4 metrics": "jumlah nilai salah: 3 nilai untuk 4 besaran",
    'type: temp_c="warm"': 'jenis nilai salah: temp_c="warm"',
    "unknown metric: so2_ppb": "besaran tak dikenal: so2_ppb",
    "source: more than 64 sources": "terlalu banyak sumber: lebih dari 64 sumber",
    "store: date: twice in one batch": "ditolak basis data: date: twice in one batch",
    "something else": "something else",
}
UNREADABLE = {
    "not JSON: unexpected end": "pesan tak terbaca: bukan JSON: unexpected end",
    "broken zlib: Error -3": "pesan tak terbaca: zlib rusak: Error -3",
    "1001 rows, the limit is 1000": "pesan tak terbaca: 1001 baris, batasnya 1000",
    "r must be a list": "pesan tak terbaca: r must be a list",
}


@pytest.mark.parametrize(("reason", "words"), WORDS.items())
def test_reasons_in_indonesian(reason: str, words: str) -> None:
    assert reason_of(Refused(ENV, 1, reason, ""), "id") == words


@pytest.mark.parametrize(("reason", "words"), UNREADABLE.items())
def test_unreadable_messages_in_indonesian(reason: str, words: str) -> None:
    assert reason_of(Refused(SeriesId("env", "pasar-1", "-"), 1, reason, ""), "id") == words


def test_english_keeps_the_detail() -> None:
    assert (
        reason_of(Refused(ENV, 1, "date: older than what is kept", ""), "en") == "wrong date: older than what is kept"
    )
    assert reason_of(Refused(ENV, 1, "range: rh_pct=140", ""), "en") == "out of range: rh_pct=140"


def test_every_reason_a_judge_gives_has_words() -> None:
    rows: list[Row] = [[0, 200.0], [1, None], [2, 1.0, 2.0], [3, "x"], [-10, 1.0], [99, 1.0], [4, 1.0], [4, 1.0]]
    batch = Batch(
        run="4f1e0c9a77d2", number=1, source="env-1", time_quality=2, t0_ms=1000, metrics=["temp_c"], rows=rows
    )
    refused = judge(ENV, batch, Window(995, 1050)).refused
    assert len(refused) == 7
    for row in refused:
        assert reason_of(row, "id").partition(":")[0] != row.reason.partition(":")[0]


def test_troubles_are_told_in_indonesian_with_the_stores_own_words() -> None:
    told = "http://db:8086 does not answer: ClientConnectorError refused"
    assert trouble_of(told, "id") == f"tidak menjawab ({told})"
    assert trouble_of(told, "en") == told
    assert trouble_of("strange", "id") == "strange"
