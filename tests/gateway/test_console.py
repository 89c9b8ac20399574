"""The console under a real uvicorn, on a store in memory, SQLite and influxd: what people see; that it never breaks."""

import re
from dataclasses import replace

import pytest

from gateway.console.cameras import Newest
from gateway.console.live import Overview
from gateway.console.overview import sites_of
from gateway.ports import Misconfigured, Refused, SeriesId, Store, Table
from gateway.quarantine import quarantine_tables
from kewang.wire.names import STREAMS
from kewang.wire.placement import Place, Placement
from kewang.wire.state import State
from tests.fakes import MemoryStore
from tests.gateway import town
from tests.gateway.serving import QUICK, console, now_ms

HOSTILE = "<img src=x onerror=alert(1)>\"'&"
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:|https?://")


async def test_a_town_is_shown_in_both_languages(store: Store) -> None:
    await town.settle(store, now_ms())
    async with console(store, known=town.placements()) as shown:
        indonesian, english = await shown.text("/"), await shown.text("/?lang=en")
    for page in (indonesian, english):
        assert all(box.name in page for box in town.TOWN)
        assert page.count('class="trend"') > 20
    assert 'lang="id"' in indonesian
    assert "Pasar Mardika" in indonesian
    assert "Kelembapan udara" in indonesian
    assert "senyap sejak" in indonesian
    assert "Belum ditempatkan" in indonesian
    assert "di luar rentang: rh_pct=140.2" in indonesian
    assert "2 bacaan dikarantina" in indonesian
    assert "Relative humidity" in english
    assert "silent since" in english
    assert "of what was stated so far" in english


async def test_figures_are_the_stores(store: Store) -> None:
    await town.settle(store, now_ms())
    async with console(store, known=town.placements()) as shown:
        answer = (await shown.client.get("/api/v1/ledger")).json()
        devices = (await shown.client.get("/api/v1/devices")).json()["devices"]
        quarantine = (await shown.client.get("/api/v1/quarantine")).json()
    counted = await store.counts(answer["from_ms"], answer["to_ms"])
    assert answer["stored"] + answer["quarantined"] == sum(counted.values())
    assert answer["made"] == sum(answer[name] for name in ("stored", "quarantined", "dropped", "held", "lost"))
    assert (answer["quarantined"], answer["lost"]) == (3, 0)
    assert (quarantine["open"], quarantine["more"]) == (3, False)
    by_name = {device["device"]: device for device in devices}
    assert by_name["passo-01"]["condition"] == "silent"
    assert by_name["tamu-7c"]["site"] is None
    newest = {(point.series.device, point.series.source): point for point in await store.newest("env")}
    for device in devices:
        for source in (one for one in device["sources"] if one["stream"] == "env"):
            assert source["readings"] == newest[device["device"], source["source"]].fields


@pytest.mark.parametrize(
    ("said", "condition"),
    [
        (None, "silent"),
        ({}, "silent"),
        ({"flush_s": 1500.0}, "silent"),
        ({"flush_s": 3600.0}, "ok"),
        ({"stretch": 10.0}, "silent"),
    ],
)
async def test_a_device_whose_rows_wait_is_not_called_silent_for_it(
    said: dict[str, float] | None, condition: str
) -> None:
    """Its birth says so; nobody's silence is excused by another's word."""
    store, now = MemoryStore(), now_ms()
    await town.settle(store, now)
    newest = [Newest(point) for point in await store.newest("env")]
    births = {"passo-02": State(st="on", bt="b", n=1, flush_s=3600.0)}
    if said is not None:
        births["passo-01"] = State.model_validate({"st": "on", "bt": "a", "n": 1} | said)
    sites = sites_of(newest, (), {}, town.placements(), births.get, now, QUICK)
    found = {device.name: device for site in sites for device in site.devices}
    assert found["passo-01"].condition == condition
    assert not any(source.silent for source in found["passo-01"].sources if condition == "ok")


async def test_a_missing_reading_is_said_aloud(store: Store) -> None:
    await town.settle(store, now_ms(), town.TOWN[:2])
    hour = now_ms() // town.HOUR_MS - 2
    tags = (("device", "mardika-01"), ("source", "env-1"))
    await store.write([Table("tally", tags, ("run", "hour", "made", "dropped"), [(now_ms(), town.RUN, hour, 50, 4)])])
    async with console(store) as shown:
        page = await shown.text("/?lang=en")
        ledger = (await shown.client.get("/api/v1/ledger")).json()
    lost, excused = ledger["devices"]["mardika-01"]["lost"], ledger["devices"]["mardika-01"]["held"]
    assert lost > 0
    assert excused == 3
    assert ledger["devices"]["mardika-02"]["lost"] == 0
    assert f"{lost} readings missing" in page
    assert "every reading accounted for" not in page
    assert '<p class="figure">1<small> / 2</small></p>' in page


async def test_an_empty_database_says_so(store: Store) -> None:
    async with console(store) as shown:
        assert "Belum ada bacaan" in await shown.text("/")
        assert "No readings yet" in await shown.text("/?lang=en")
        assert (await shown.client.get("/api/v1/devices")).json()["devices"] == []


async def test_old_data_is_called_stale(store: Store) -> None:
    await town.settle(store, now_ms() - 61_000)
    async with console(store) as shown:
        assert "DATA BASI</strong>\n  <span>Tidak ada bacaan baru" in await shown.text("/")
    async with console(store, replace(QUICK, stale_s=7200)) as shown:
        assert "Tidak ada bacaan baru" not in await shown.text("/")


@pytest.mark.parametrize(
    ("age_s", "kept_back", "is_stale"),
    [(61, "nobody", True), (61, "all but one", True), (61, "all that speak", False), (361, "all that speak", True)],
)
async def test_where_every_box_keeps_its_rows_back_readings_may_be_older(
    age_s: int, kept_back: str, is_stale: bool
) -> None:
    """As in a city of `card`: nobody has to set anything. The silent box does not say so."""
    store, now = MemoryStore(), now_ms()
    await town.settle(store, now - 1000 * age_s)
    newest = [Newest(point) for stream in STREAMS for point in await store.newest(stream)]
    speaking = [box for box in town.TOWN if not box.silent_for_min]
    waiting = {"nobody": [], "all but one": speaking[1:], "all that speak": speaking}[kept_back]
    births = {box.name: State(st="on", bt="b", n=1, flush_s=300.0) for box in waiting}
    sites = sites_of(newest, (), {}, town.placements(), births.get, now, QUICK)
    assert Overview(now, now, None, sites).stale(QUICK.stale_s) is is_stale


async def test_the_language_is_remembered_and_others_are_refused_politely() -> None:
    async with console(MemoryStore()) as shown:
        assert 'lang="id"' in await shown.text("/?lang=de")
        assert "lang=id" in (await shown.client.get("/?lang=de")).headers["set-cookie"]
        assert 'lang="en"' in await shown.text("/?lang=en")
        assert 'lang="en"' in await shown.text("/")


async def test_hostile_texts_are_escaped() -> None:
    store = MemoryStore()
    place = Place.model_validate({"from": 1, "site": "x"}).model_copy(update={"site": HOSTILE, "feeder": HOSTILE})
    known = {
        "mardika-01": Placement(h=(Place.model_validate({"from": 1, "site": "x"}),)).model_copy(update={"h": (place,)})
    }
    await town.settle(store, now_ms(), town.TOWN[:1])
    await store.write(quarantine_tables([Refused(SeriesId("env", "mardika-01", HOSTILE), now_ms(), HOSTILE, HOSTILE)]))
    async with console(store, known=known) as shown:
        shown.facts.trouble = HOSTILE
        for path in ("/", "/device/mardika-01", f"/device/{HOSTILE}"):
            page = (await shown.client.get(path)).text
            assert "<img src=x" not in page
            assert "<Img Src=X" not in page
        store.fail(Misconfigured(HOSTILE), times=10**6)
        assert "<img src=x" not in await shown.until("/", "BASIS DATA TERPUTUS")


async def test_no_inline_script_or_style_and_safe_headers_everywhere(store: Store) -> None:
    await town.settle(store, now_ms(), town.TOWN[:2])
    async with console(store) as shown:
        for path in ("/", "/device/mardika-01", "/nothing", "/health", "/ui/kewang.css", "/api/v1/devices"):
            answer = await shown.client.get(path)
            assert "script-src 'self'" in answer.headers["content-security-policy"]
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert answer.headers["x-frame-options"] == "DENY"
            if "html" in answer.headers["content-type"]:
                assert (
                    re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:|https?://", answer.text)
                    is None
                )


async def test_without_javascript_the_page_asks_again() -> None:
    async with console(MemoryStore()) as shown:
        assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in await shown.text("/")


async def test_every_file_a_page_names_is_served(store: Store) -> None:
    async with console(store) as shown:
        for path in re.findall(r'(?:href|src)="(/ui/[^"]+)"', await shown.text("/")):
            assert (await shown.client.get(path)).status_code == 200, path


async def test_500_devices_fit_into_one_page() -> None:
    store = MemoryStore()
    boxes = tuple(
        town.Box(f"box-{n:03}", f"site-{n % 25}", {"env-1": town.AIR}, silent_for_min=5 if n % 10 == 0 else 0)
        for n in range(500)
    )
    await town.settle(store, now_ms(), boxes, minutes=7, every_s=60)
    async with console(store, known=town.placements(boxes)) as shown:
        page = await shown.text("/")
        devices = (await shown.client.get("/api/v1/devices")).json()["devices"]
    assert len(page.encode()) < 1_500_000
    assert all(f'href="/device/{box.name}"' in page for box in boxes)
    assert sum(device["condition"] == "silent" for device in devices) == 50
    assert page.count("senyap sejak") == 50


async def test_a_device_has_its_page(store: Store) -> None:
    await town.settle(store, now_ms())
    async with console(store, known=town.placements()) as shown:
        page = await shown.text("/device/mardika-01?lang=en")
        for words in (
            "Ammonia",
            "Supply voltage",
            "wired",
            "Readings by hour",
            "out of range",
            "fo-2",
            "Pasar Mardika",
        ):
            assert words in page
        assert "nobody has said where" in await shown.text("/device/tamu-7c?lang=en")
        assert "No device of this name" in await shown.text("/device/nowhere", 404)


async def test_placed_but_never_heard_and_retired() -> None:
    place = {"from": 1, "site": "pasar-mardika"}
    known = {
        "fresh-01": Placement(h=(Place.model_validate(place),)),
        "gone-01": Placement(h=(Place.model_validate({**place, "life": "retired"}),)),
    }
    async with console(MemoryStore(), known=known) as shown:
        page = await shown.text("/?lang=en")
    assert "not heard yet" in page
    assert "gone-01" not in page


async def test_a_store_that_is_away_is_said_and_forgiven() -> None:
    store = MemoryStore()
    await town.settle(store, now_ms(), town.TOWN[:2])
    async with console(store) as shown:
        assert (await shown.client.get("/ready")).status_code == 200
        store.away = True
        page = await shown.until("/?lang=en", "DATABASE AWAY")
        assert "the store is away" in page
        assert "mardika-01" in page
        ready = await shown.client.get("/ready")
        assert ready.status_code == 503
        assert ready.json()["reasons"] == ["the store does not answer: the store is away"]
        assert (await shown.client.get("/health")).status_code == 200
        assert (await shown.client.get("/api/v1/ledger")).status_code == 503
        assert "DATABASE AWAY" in await shown.text("/device/mardika-01?lang=en")
        store.away = False
        await shown.until("/ready", '"ok":true')
        assert "DATABASE AWAY" not in await shown.text("/?lang=en")


async def test_not_ready_says_why() -> None:
    async with console(MemoryStore()) as shown:
        shown.facts.connected, shown.facts.ready, shown.facts.trouble = False, False, "disk full"
        answer = await shown.client.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == [
            "the broker is not connected",
            "the rewinds are not read yet",
            "the store takes no readings: disk full",
        ]
        shown.facts.loops_stuck = ["acknowledge"]
        health = await shown.client.get("/health")
        assert (health.status_code, health.json()["stuck"]) == (503, ["acknowledge"])
        assert "tidak menerima bacaan" in await shown.text("/")


async def test_metrics_are_prometheus_text() -> None:
    async with console(MemoryStore()) as shown:
        answer = await shown.client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "kewang_gateway_rows_stored_total 0.0" in answer.text


async def test_a_database_restored_without_rewind_is_told_with_the_next_step() -> None:
    store = MemoryStore()
    await town.settle(store, now_ms(), town.TOWN[:2])
    async with console(store) as shown:
        assert "REWIND" not in await shown.text("/")
        assert (await shown.client.get("/ready")).json()["warnings"] == []
        shown.facts.ahead = 3
        page = await shown.until("/?lang=en", "DATABASE RESTORED WITHOUT REWIND")
        assert "3 devices hold all their readings back and wait." in page
        assert "kewang rewind --from TIME" in page
        assert "BASIS DATA DIPULIHKAN TANPA REWIND" in await shown.until("/device/mardika-01?lang=id", "REWIND")
        ready = await shown.client.get("/ready")
        assert (ready.status_code, "kewang rewind --from TIME" in ready.json()["warnings"][0]) == (200, True)


async def test_two_boxes_with_one_identity_are_marked() -> None:
    store = MemoryStore()
    await town.settle(store, now_ms(), town.TOWN[:2])
    async with console(store) as shown:
        shown.facts.doubled = {"mardika-02"}
        page = await shown.until("/?lang=id", "dua kotak dengan identitas ini")
        assert page.count("dua kotak dengan identitas ini") == 1
        devices = (await shown.client.get("/api/v1/devices")).json()["devices"]
        assert '<p class="figure">1<small> / 2</small></p>' in page
        assert {one["device"]: one["two_boxes"] for one in devices} == {"mardika-01": False, "mardika-02": True}
        assert "mardika-02" in (await shown.client.get("/ready")).json()["warnings"][0]


async def test_the_gateways_words_are_told_in_indonesian() -> None:
    store = MemoryStore()
    await town.settle(store, now_ms(), town.TOWN[:1])
    row = Refused(SeriesId("env", "mardika-01", "env-1"), now_ms(), "date: ahead of the gateway's clock", "{}")
    await store.write(quarantine_tables([row]))
    async with console(store) as shown:
        shown.facts.trouble = "http://db:8086 does not answer: refused"
        page = await shown.text("/")
    assert "waktu salah: lebih maju daripada jam gateway" in page
    assert "tidak menjawab (http://db:8086 does not answer: refused)" in page


async def test_a_clock_that_is_not_synchronised_is_told() -> None:
    async with console(MemoryStore()) as shown:
        shown.facts.synchronised = False
        await shown.until("/?lang=id", "JAM SERVER INI TIDAK SINKRON")
        ready = await shown.client.get("/ready")
        assert "timedatectl" in ready.json()["warnings"][0]
