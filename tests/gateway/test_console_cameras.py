"""Cameras on the pages: states in words with their symbol, unknown is never good, numbers of the last looks."""

import re

from gateway.console.cameras import Newest, said, with_recent
from gateway.ports import Point, SeriesId, Store
from kewang.ui.words import LANGUAGES
from kewang.wire.cameras import CameraReason, CameraState
from kewang.wire.placement import Place, Placement
from tests.fakes import MemoryStore
from tests.gateway import cameras, town
from tests.gateway.cameras import Camera
from tests.gateway.serving import Served, console, now_ms

CAM = SeriesId("cam", "mardika-01", "cam-1")


def chips(page: str) -> list[str]:
    """The chips of a page, in its order: `alarm ■ down: picture black`."""
    return [f"{kind} {' '.join(text.split())}" for kind, text in re.findall(r'class="chip (\w+)">([^<]*)<', page)]


def lines(page: str) -> dict[str, tuple[int | None, str]]:
    """The measures of a page with one source: name -> age in s if one is said below it, value with its unit."""
    listed = page.partition('<ul class="plots">')[2].partition("</ul>")[0]
    found: dict[str, tuple[int | None, str]] = {}
    for item in listed.split("<li>")[1:]:
        ((name, value),) = re.findall(r'class="metric">([^<]*)</span><span class="value">(.*?)</span>', item)
        age = re.search(r", (\d+) s ago", item)
        found[name] = int(age[1]) if age else None, re.sub(r"<[^>]*>", "", value).strip()
    return found


async def card(shown: Served, device: str, language: str = "en") -> str:
    page = await shown.text(f"/?lang={language}")
    return next(one for one in page.split("<article")[1:] if f">{device}</a>" in one).split("</article>")[0]


async def test_each_state_has_its_word_reason_and_symbol_in_both_languages(store: Store) -> None:
    await town.settle(store, now_ms())
    await cameras.settle(store, now_ms())
    async with console(store, known=town.placements()) as shown:
        assert "plain ○ ok" in chips(await card(shown, "mardika-01"))
        assert "alarm ■ down: picture black" in chips(await card(shown, "mardika-02"))
        assert "warn ▲ degraded: too few frames" in chips(await card(shown, "batu-merah-01"))
        assert chips(await card(shown, "passo-02")) == ["unknown ◇ unknown: still learning its view"]
        assert "alarm ■ mati: gambar hitam" in chips(await card(shown, "mardika-02", "id"))
        assert "unknown ◇ tidak diketahui: sedang belajar" in chips(await card(shown, "passo-02", "id"))


async def test_a_camera_that_is_not_heard_any_more_is_unknown_whatever_it_said_last(store: Store) -> None:
    await town.settle(store, now_ms())
    await cameras.settle(store, now_ms())
    async with console(store, known=town.placements()) as shown:
        of_card = chips(await card(shown, "galala-01"))
        devices = (await shown.client.get("/api/v1/devices")).json()["devices"]
    assert "unknown ◇ unknown" in of_card
    assert "plain ○ ok" not in of_card
    told = {(d["device"], s["source"]): s["camera"] for d in devices for s in d["sources"] if s["stream"] == "cam"}
    assert told["galala-01", "cam-1"] == "unknown"
    assert told["mardika-02", "cam-1"] == "down"
    assert all(s["camera"] is None for d in devices for s in d["sources"] if s["stream"] != "cam")


async def test_unknown_is_counted_neither_as_ok_nor_as_trouble() -> None:
    boxes = town.TOWN[:2]
    places = {name: place for name, place in town.placements().items() if name in ("mardika-01", "mardika-02")}
    for state, tile, troubled in (
        (CameraState.OK, "2<small> / 2", False),
        (CameraState.UNKNOWN, "1<small> / 2", False),
        (None, "1<small> / 2", False),
        (CameraState.DEGRADED, "1<small> / 2", True),
        (CameraState.DOWN, "1<small> / 2", True),
    ):
        store = MemoryStore()
        await town.settle(store, now_ms(), boxes)
        await cameras.settle(store, now_ms(), (Camera("mardika-01", "cam-1", state),))
        async with console(store, known=places) as shown:
            page = await shown.text("/?lang=en")
            assert f'<p class="figure">{tile}</small></p>' in page, state
            assert ("troubled" in (await card(shown, "mardika-01")) or 'device troubled"' in page) is troubled, state


async def test_numbers_of_the_last_picture_are_shown_beside_a_newer_look(store: Store) -> None:
    await town.settle(store, now_ms(), town.TOWN[:2])
    await cameras.settle(store, now_ms())
    async with console(store, known=town.placements()) as shown:
        of_card = await card(shown, "mardika-01")
        page = await shown.text("/device/mardika-01?lang=en")
        dark = await card(shown, "mardika-02")
        assert "Check the lens cap" in await shown.text("/device/mardika-02?lang=en")
        assert "Periksa tutup lensa" in await shown.text("/device/mardika-02?lang=id")
    assert [word in of_card for word in ("Frames per second", "Packet loss", "Activity", "Litter")] == [True] * 4
    assert "Bit rate" not in of_card
    assert "Bit rate" in page
    assert "TCP connect time" in page
    assert "Camera state</span>" not in page
    assert "Frames per second" not in dark


def test_only_what_is_missing_comes_from_earlier_looks_each_with_its_date() -> None:
    newest = Point(CAM, 3, {"camera_state": 2.0})
    recent = [
        Point(CAM, 1, {"fps": 9.0, "loss_pct": 1.0, "tq": 1.0}),
        Point(CAM, 2, {"fps": 10.0, "camera_state": 1.0}),
        newest,
        Point(CAM, 4, {"jitter_ms": 1.0}),
    ]
    other = Point(SeriesId("cam", "mardika-01", "cam-2"), 3, {"fps": 1.0})
    assert with_recent([newest, other], recent) == [
        Newest(newest, {"fps": (2, 10.0), "loss_pct": (1, 1.0)}),
        Newest(other),
    ]


async def test_the_device_page_keeps_the_numbers_behind_a_state_and_says_how_old_they_are(store: Store) -> None:
    black = {"brightness_pct": 1.2, "contrast_pct": 0.4}
    for state, reason in ((CameraState.DOWN, CameraReason.BLACK), (CameraState.UNKNOWN, CameraReason.LEARNING)):
        date_ms = now_ms()
        camera = Camera("mardika-01", "cam-1", state, reason, picture=black, picture_age_s=45.0)
        await cameras.settle(store, date_ms, (camera,))
        async with console(store) as shown:
            page = await shown.text("/device/mardika-01?lang=en")
            assert set(lines(page)) == {"TCP connect time", "Brightness of the picture", "Contrast of the picture"}
            assert lines(page)["TCP connect time"] == (None, "1.5 ms")
            age_s, value = lines(page)["Brightness of the picture"]
            assert value == "1.2 %"
            assert age_s is not None
            assert 45 <= age_s <= 45 + (now_ms() - date_ms) / 1000 + 1
            assert " s lalu</p>" in await shown.text("/device/mardika-01?lang=id")
            devices = (await shown.client.get("/api/v1/devices")).json()["devices"]
        (told,) = (source["readings"] for one in devices for source in one["sources"] if source["stream"] == "cam")
        assert ("brightness_pct" in told) is (state is not CameraState.DOWN)


async def test_numbers_older_than_the_last_looks_are_no_numbers_of_now(store: Store) -> None:
    await cameras.settle(store, now_ms(), (Camera("mardika-01", "cam-1", CameraState.OK, picture_age_s=200.0),))
    async with console(store) as shown:
        page = await shown.text("/device/mardika-01?lang=en")
    assert lines(page).keys() > {"TCP connect time", "Frames per second"}
    fps = page.partition('class="metric">Frames per second')
    assert fps[0].endswith('<p class="now old"><span ')
    assert "mean of the 5 minutes from" in fps[2].partition("</li>")[0]
    assert page.partition('class="metric">TCP connect time')[0].endswith('<p class="now"><span ')


async def test_a_placement_from_the_beginning_has_no_date_of_1970(store: Store) -> None:
    place = {"site": "pasar-mardika", "kind": "sensor", "life": "installed"}
    places = Placement(h=(Place.model_validate({"from": 0, **place}), Place.model_validate({"from": 10**12, **place})))
    await cameras.settle(store, now_ms())
    async with console(store, known={"mardika-01": places}) as shown:
        page = await shown.text("/device/mardika-01?lang=en")
        assert "<dd>awal</dd>" in await shown.text("/device/mardika-01?lang=id")
    assert re.findall(r"<dt>Since</dt><dd>([^<]*)</dd>", page) == ["09/09/2001 10:46", "the beginning"]


async def test_an_old_picture_is_not_shown_as_new(store: Store) -> None:
    await town.settle(store, now_ms(), town.TOWN[:1])
    await cameras.settle(store, now_ms(), (Camera("mardika-01", "cam-1", CameraState.OK, picture_age_s=200.0),))
    async with console(store) as shown:
        assert "Frames per second" not in await card(shown, "mardika-01")


async def test_among_many_devices_an_unwell_camera_is_named() -> None:
    store = MemoryStore()
    boxes = tuple(town.Box(f"box-{n:03}", "pasar", {"env-1": town.AIR}) for n in range(60))
    await town.settle(store, now_ms(), boxes, minutes=2)
    ill = Camera("box-007", "cam-1", CameraState.DOWN, CameraReason.COVERED)
    unknown = Camera("box-008", "cam-1", CameraState.UNKNOWN, CameraReason.LEARNING)
    await cameras.settle(store, now_ms(), (ill, unknown, Camera("box-009", "cam-1", CameraState.OK)))
    async with console(store, known=town.placements(boxes)) as shown:
        page = await shown.text("/?lang=en")
    assert "alarm ■ cam-1 down: covered" in chips(page)
    assert "unknown ◇ cam-1 unknown: still learning its view" in chips(page)
    assert "58 more are normal" in page


def test_every_state_and_reason_is_said_in_its_own_words() -> None:
    for language in LANGUAGES:
        texts = {said((state, reason), language) for state in CameraState for reason in CameraReason}
        assert len(texts) == 1 + 3 * len(CameraReason)
