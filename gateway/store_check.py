"""`kewang gateway check --store URL`: tries what the gateway asks of a store, and says plainly what won't work.

Everything is written into the scratch series `kewang_check` of device `kewang-check`; nothing else is touched. Its raw
rows expire like all others; its one row in quarantine is always the same and marked as deleted.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from gateway.ports import Misconfigured, Poison, RetryLater, SeriesId, Split, Store, Table
from gateway.writer import write
from kewang.runtime.clock import SystemClock
from kewang.wire.tally import HOUR_MS

DEVICE: Final = "kewang-check"
_SCRATCH: Final = SeriesId("kewang_check", DEVICE, "check")
_TEXT: Final = 'line one\nline "two", \\ and € = 1'
_LARGE_ROWS: Final = 5_000
_wall_ms = SystemClock().wall_ms


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried. `detail`: what the store said, for the person who mends it."""

    check: str
    ok: bool
    text_id: str
    text_en: str
    detail: str = ""

    def text(self, language: str) -> str:
        """What it means, in `id` or `en`."""
        return self.text_id if language == "id" else self.text_en


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    run: Callable[[Store, int], Awaitable[str]]
    """(store, a date to write at) -> what is wrong, or nothing."""
    works: tuple[str, str]
    """Indonesian, English."""
    fails: tuple[str, str]
    needed: bool = False
    """Whether the rest is not worth trying without it."""


async def check(store: Store, now_ms: Callable[[], int] = _wall_ms) -> list[Finding]:
    """Try everything; a finding for each thing tried. Never raises what a store raises."""
    findings = []
    date_ms = now_ms() // HOUR_MS * HOUR_MS - HOUR_MS
    for one in _CHECKS:
        findings.append(await _try(one, store, date_ms))
        if one.needed and not findings[-1].ok:
            break
    return findings


async def _try(one: _Check, store: Store, date_ms: int) -> Finding:
    try:
        wrong = await one.run(store, date_ms)
    except (RetryLater, Split, Poison, Misconfigured) as error:
        wrong = str(error)
    return Finding(one.name, not wrong, *(one.fails if wrong else one.works), wrong)


def _table(*rows: tuple[float | int | str, ...], fields: tuple[str, ...] = ("a",)) -> list[Table]:
    return [Table(_SCRATCH.stream, (("device", DEVICE), ("source", _SCRATCH.source)), fields, rows)]


async def _values(store: Store, field: str, from_ms: int, to_ms: int) -> list[tuple[int, float]]:
    return await store.values(_SCRATCH, field, from_ms, to_ms)


def _differs(found: object, wanted: object) -> str:
    return "" if found == wanted else f"wrote {wanted!r}, read {found!r}"


async def _reads_back(store: Store, date_ms: int) -> str:
    wanted = [(date_ms, 0.1), (date_ms + 1, 1 / 3), (date_ms + 2, -1e300)]
    await store.write(_table(*wanted))
    return _differs(await _values(store, "a", date_ms, date_ms + 3), wanted)


async def _overwrites(store: Store, date_ms: int) -> str:
    at_ms = date_ms + 10
    await store.write(_table((at_ms, 1.0)))
    await store.write(_table((at_ms, 2.0)))
    await store.write(_table((at_ms, 2.0)))
    return _differs(await _values(store, "a", at_ms, at_ms + 1), [(at_ms, 2.0)])


async def _merges(store: Store, date_ms: int) -> str:
    at_ms = date_ms + 20
    await store.write(_table((at_ms, 1.0)))
    await store.write(_table((at_ms, 2.0), fields=("b",)))
    found = [await _values(store, field, at_ms, at_ms + 1) for field in ("a", "b")]
    return _differs(found, [[(at_ms, 1.0)], [(at_ms, 2.0)]])


async def _refuses(store: Store, date_ms: int) -> str:
    await store.write(_table((date_ms + 30, 1.0)))
    try:
        await store.write(_table((date_ms + 31, "text"), fields=("a",)))
    except Poison:
        return ""
    return "it took text for a number without a word"


async def _keeps_text(store: Store, date_ms: int) -> str:
    tags = (("device", DEVICE), ("source", _SCRATCH.source), ("stream", _SCRATCH.stream))
    fields = ("reason", "row", "deleted")
    await store.write([Table("quarantine", tags, fields, [(1, "kewang gateway check", _TEXT, 1)])])
    found = await store.refused(0, 2, DEVICE)
    return _differs([(row.row, row.reason, row.deleted) for row in found], [(_TEXT, "kewang gateway check", True)])


async def _takes_large(store: Store, date_ms: int) -> str:
    first_ms = date_ms + 1000
    rows = [(first_ms + i, i / 7) for i in range(_LARGE_ROWS)]
    refused = await write(store, _table(*rows, fields=("large",)))
    if refused:
        return f"{len(refused)} rows refused: {refused[0][1]}"
    found = await store.dates(_SCRATCH, first_ms, first_ms + _LARGE_ROWS)
    return _differs(len(found), _LARGE_ROWS)


async def _answers(store: Store, date_ms: int) -> str:
    await store.rewinds()
    await store.series()
    await store.newest("env")
    await store.counts(date_ms, date_ms + HOUR_MS)
    await store.tallies(date_ms // HOUR_MS, date_ms // HOUR_MS + 1)
    await store.tally_points((date_ms, date_ms + HOUR_MS), HOUR_MS)
    await store.held()
    return ""


_CHECKS: Final = (
    _Check(
        "queries",
        _answers,
        (
            "Semua pertanyaan halaman, buku besar dan rewind dijawab.",
            "All questions of pages, ledger and rewinds are answered.",
        ),
        (
            "Pertanyaan (InfluxQL) tidak dijawab dengan benar: halaman, buku besar dan rewind tidak terbaca di sini. "
            "Penyimpan angka saja (misalnya VictoriaMetrics) paling jauh menjadi cermin.",
            "Questions (InfluxQL) are not answered rightly: pages, ledger and rewinds can't read here. "
            "A store for numbers alone (such as VictoriaMetrics) can be a mirror and no more.",
        ),
        needed=True,
    ),
    _Check(
        "write",
        _reads_back,
        (
            "Menulis dan membaca kembali: tepat sampai milidetik dan angka terakhir.",
            "Writes read back, exact to the ms and the last digit.",
        ),
        (
            "Yang ditulis tidak terbaca sama: basis data ini tidak dapat dipakai.",
            "What is written does not read back the same: this store can't be used.",
        ),
        needed=True,
    ),
    _Check(
        "overwrite",
        _overwrites,
        (
            "Titik yang ditulis dua kali tetap satu: pengiriman ulang aman.",
            "A point written twice is one point: sending again is free.",
        ),
        (
            "Titik yang ditulis dua kali menjadi ganda: pengiriman ulang menggandakan bacaan.",
            "A point written twice is there twice, or the old value stays: every resend would be a duplicate.",
        ),
    ),
    _Check(
        "merge",
        _merges,
        ("Kolom baru ditambahkan ke titik yang sama.", "New fields join the point that is there."),
        (
            "Kolom satu titik tidak digabung: penandaan karantina tidak akan bekerja.",
            "Fields of one point are not merged: marking in quarantine won't work.",
        ),
    ),
    _Check(
        "refuse",
        _refuses,
        ("Tipe yang salah ditolak dengan jelas.", "A wrong type is refused in so many words."),
        (
            "Tipe yang salah diterima begitu saja: basis data ini tidak memberi tahu bila baris tidak tersimpan.",
            "A wrong type is taken silently: this store can't tell the gateway that it did not keep a row.",
        ),
    ),
    _Check(
        "text",
        _keeps_text,
        (
            "Teks tersimpan utuh dan tidak kedaluwarsa: karantina dan rewind aman.",
            "Text is kept as it is and never expires: quarantine and rewinds are safe here.",
        ),
        (
            "Teks tidak tersimpan utuh: karantina dan tally hilang di sini. Pakai hanya sebagai cermin angka.",
            "Text is not kept: quarantine and tallies would be lost here. Use it only as a mirror of numbers.",
        ),
    ),
    _Check(
        "large",
        _takes_large,
        (
            f"Tulisan besar ({_LARGE_ROWS} baris) tersimpan lengkap.",
            f"A large write ({_LARGE_ROWS} rows) is stored whole.",
        ),
        (
            f"Tulisan besar ({_LARGE_ROWS} baris) tidak lengkap.",
            f"A large write ({_LARGE_ROWS} rows) is not stored whole.",
        ),
    ),
)
