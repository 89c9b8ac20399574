"""Visits, photos, sites, contacts, tasks, sources and requests, on both databases."""

from __future__ import annotations

import math
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from kewang.runtime.settings import SettingsError
from provisioning.acts import contacts, devices, once, sites, sources, tasks, visits
from provisioning.acts.contacts import NewContact, NewShift
from provisioning.acts.sources import NewSource
from provisioning.acts.visits import Picture
from provisioning.inventory import Actor, Audit, Device, Photo, Shift, Visit, Work
from provisioning.inventory.placements import placements
from provisioning.keys import seal_key
from provisioning.pictures import PHOTOS
from provisioning.refusals import Refused
from tests.provisioning.town import DAY_MS, GUARD, OPI, RUDI, SITI, TONO, Town, new_uuid

ONE, TWO = "amb-cam-one", "amb-cam-two"
SHA = "ab" * 32
ENV = NewSource("env-1", "modbus-tcp", {"host": "10.0.0.7", "unit": 1}, {})


def refusal(town: Town, actor: Actor, act: Callable[[Work], object]) -> Refused:
    with pytest.raises(Refused) as caught, town.inventory.writing(actor) as work:
        act(work)
    return caught.value


def audit_rows(town: Town) -> int:
    with town.inventory.reading() as rows:
        return rows.scalar(select(func.count()).select_from(Audit)) or 0


def test_a_visit_from_the_first_step_to_its_number(town: Town) -> None:
    town.installed(ONE)
    visit, before = new_uuid(), audit_rows(town)
    for _ in range(2):  # a phone that got no answer says it again
        with town.inventory.writing(RUDI) as work:
            visits.start(
                work, visit, ONE, "check", spot=devices.Spot(-3.69, 128.18, 12.0), started_ms=work.now_ms - 5000
            )
        with town.inventory.writing(RUDI) as work:
            visits.step(work, visit, "photo", work.now_ms - 3000)
    assert placements(town.inventory)[ONE].now.life == "maintenance"
    town.clock.tick(60_000)
    with town.inventory.writing(RUDI) as work:
        done = visits.finish(work, visit, "green", zone=ZoneInfo("Asia/Jayapura"))
    with town.inventory.writing(RUDI) as work:
        assert visits.finish(work, visit, "green").number == done.number
    assert done.number == "2026-0001"
    assert (done.lat, done.accuracy_m, done.site, len(done.steps)) == (-3.69, 12.0, "mardika", 1)
    assert placements(town.inventory)[ONE].now.life == "installed"
    assert audit_rows(town) == before + 3


def test_numbers_count_up_and_begin_anew_each_year(town: Town) -> None:
    town.installed(ONE)
    numbers = []
    for days in (0, 0, 60):
        town.clock.tick(days * DAY_MS)
        visit = new_uuid()
        with town.inventory.writing(RUDI) as work:
            visits.start(work, visit, ONE, "check")
            numbers.append(visits.finish(work, visit, "amber", reason="a leaf before it").number)
    assert numbers == ["2026-0001", "2026-0002", "2027-0001"]


def test_a_visit_that_says_something_else_under_the_same_number_is_refused(town: Town) -> None:
    town.installed(ONE)
    visit = new_uuid()
    with town.inventory.writing(RUDI) as work:
        visits.start(work, visit, ONE, "check")
    assert refusal(town, RUDI, lambda work: visits.start(work, visit, ONE, "move")).kind == "request"
    assert refusal(town, SITI, lambda work: visits.start(work, visit, ONE, "check")).kind == "request"
    assert refusal(town, SITI, lambda work: visits.finish(work, visit, "green")).kind == "visit"
    with town.inventory.writing(RUDI) as work:
        visits.finish(work, visit, "green")
    assert refusal(town, RUDI, lambda work: visits.finish(work, visit, "red", reason="no no")).kind == "request"
    assert refusal(town, RUDI, lambda work: visits.finish(work, new_uuid(), "green")).code == "P-404"


@pytest.mark.parametrize("phone_ms", [0, 2_840_000_000_000, -5, "yesterday", None, math.nan, 10**30])
def test_a_phone_with_a_wrong_clock_gets_the_servers_time(town: Town, phone_ms: object) -> None:
    town.installed(ONE)
    with town.inventory.writing(RUDI) as work:
        visit = visits.start(work, new_uuid(), ONE, "check", started_ms=phone_ms)  # type: ignore[arg-type]
        assert visit.started_ms == work.now_ms


def test_a_red_end_needs_a_reason(town: Town) -> None:
    town.installed(ONE)
    visit = new_uuid()
    with town.inventory.writing(RUDI) as work:
        visits.start(work, visit, ONE, "check")
    assert refusal(town, RUDI, lambda work: visits.finish(work, visit, "red")).values["field_word"] == "reason"
    with town.inventory.writing(RUDI) as work:
        assert visits.finish(work, visit, "red", reason="no picture").number is None


def test_photos_once_and_thumbnails_expire_with_their_file(town: Town) -> None:
    town.installed(ONE)
    visit, folder = new_uuid(), town.inventory.folder / PHOTOS
    folder.mkdir()
    for name in (SHA, "cd" * 32):
        (folder / name).write_bytes(b"jpeg")
    with town.inventory.writing(RUDI) as work:
        visits.start(work, visit, ONE, "check")
        for _ in range(2):
            visits.add_photo(work, ONE, Picture(SHA, "mounted", work.now_ms), visit=visit)
    over_ms = town.clock() + 7 * DAY_MS
    with town.inventory.writing(Actor.device(ONE)) as work:
        visits.add_photo(work, ONE, Picture("cd" * 32, "thumbnail", work.now_ms, "cam-1", over_ms))
        visits.add_photo(work, ONE, Picture(SHA, "thumbnail", work.now_ms, "cam-1", over_ms))
    assert (
        refusal(town, Actor.device(TWO), lambda w: visits.add_photo(w, ONE, Picture(SHA, "notice", 0))).kind == "role"
    )
    town.clock.tick(7 * DAY_MS)
    with town.inventory.writing(GUARD) as work:
        assert visits.drop_expired_photos(work) == sorted([SHA, "cd" * 32])
    assert [path.name for path in folder.iterdir()] == [SHA]
    with town.inventory.reading() as rows:
        assert rows.scalars(select(Photo.kind)).all() == ["mounted"]


def test_two_cameras_may_show_the_same(town: Town) -> None:
    town.installed(ONE)
    with town.inventory.writing(Actor.device(ONE)) as work:
        for source in ("cam-1", "cam-2", "cam-1"):
            visits.add_photo(work, ONE, visits.Picture("cd" * 32, "thumbnail", work.now_ms, source, work.now_ms + 1000))
    with town.inventory.reading() as rows:
        assert rows.scalars(select(Photo.source).order_by(Photo.source)).all() == ["cam-1", "cam-2"]


def test_a_site_that_changes_reaches_the_placements(town: Town) -> None:
    town.installed(ONE)
    with town.inventory.writing(OPI) as work:
        sites.put(
            work, sites.NewSite("mardika", "Pasar Mardika", -3.7, 128.2, "isp-2", "feeder-9", "cellular", "sirimau")
        )
    now = placements(town.inventory)[ONE].now
    assert (now.uplink, now.feeder, now.link, now.lat) == ("isp-2", "feeder-9", "cellular", -3.7)
    assert refusal(town, RUDI, lambda work: sites.put(work, sites.NewSite("x", "X"))).kind == "role"


def test_a_site_with_a_history_stays(town: Town) -> None:
    town.approved(ONE, "mardika")
    assert refusal(town, OPI, lambda work: sites.remove(work, "mardika")).kind == "site-used"
    with town.inventory.writing(OPI) as work:
        sites.remove(work, "passo")
    assert refusal(town, OPI, lambda work: sites.remove(work, "passo")).code == "P-404"


def test_the_nearest_sites(town: Town) -> None:
    with town.inventory.reading() as rows:
        near = sites.nearest(rows, -3.6941, 128.1831)
        mine = sites.nearest(rows, -3.633, 128.256, district="sirimau")
    assert [site.id for site, _ in near] == ["mardika", "batumerah", "passo"]
    assert near[0][1] == pytest.approx(15.7, abs=0.5)
    assert [site.id for site, _ in mine] == ["batumerah", "mardika"]
    assert sites.distance_m(0, 0, 0, 180) == pytest.approx(math.pi * sites.EARTH_M)


def test_contacts_with_shifts(town: Town) -> None:
    with town.inventory.writing(OPI) as work:
        contact = contacts.add(
            work, NewContact("Jaga", "whatsapp", "+628123456789"), (NewShift("51", 1320, 360), NewShift("67", 0, 1440))
        )
    with town.inventory.reading() as rows:
        shifts = rows.scalars(select(Shift)).all()
    duty = [contacts.on_duty(shifts, *moment) for moment in ((1, 1330), (2, 100), (2, 360), (3, 100), (6, 720), (5, 0))]
    assert duty == [True, True, False, False, True, False]
    assert contacts.on_duty([], 1, 0)
    with town.inventory.writing(OPI) as work:
        contacts.change(work, contact.id, NewContact("Jaga", "email", "jaga@ambon.go.id"), ())
        contacts.remove(work, contact.id)
    assert refusal(town, OPI, lambda work: contacts.remove(work, contact.id)).code == "P-404"


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        ("email", "no at sign"),
        ("webhook", "http://plain.example/"),
        ("webhook", "file:///etc/passwd"),
        ("webhook", "https://user:secret@example.org/"),
        ("sms", "12"),
        ("pigeon", "north"),
        ("telegram", "two words"),
    ],
)
def test_addresses_that_no_channel_takes(town: Town, channel: str, address: str) -> None:
    assert refusal(town, OPI, lambda work: contacts.add(work, NewContact("x", channel, address))).code == "P-400"


@pytest.mark.parametrize(
    "shift", [NewShift("8", 0, 60), NewShift("11", 0, 60), NewShift("1", -1, 5), NewShift("1", 0, 0)]
)
def test_shifts_that_are_none(town: Town, shift: NewShift) -> None:
    act = lambda work: contacts.add(work, NewContact("x", "sms", "+62812345678"), (shift,))  # noqa: E731
    assert refusal(town, OPI, act).values["field_word"] == "shift"


def test_a_task_is_taken_by_one(town: Town) -> None:
    town.installed(ONE)
    with town.inventory.writing(OPI) as work:
        task = tasks.assign(work, "The picture is dark", device=ONE, source="cam-1").id
        mine = tasks.assign(work, "For Siti alone", device=ONE, assignee="siti").id
    with town.inventory.writing(RUDI) as work:
        tasks.take(work, task)
        tasks.take(work, task)
        tasks.note(work, task, "on my way")
    since_ms = town.clock()
    town.clock.tick()
    told = refusal(town, SITI, lambda work: tasks.take(work, task))
    assert (told.kind, told.values["by"], told.values["since_ms"]) == ("taken", "Rudi", since_ms)
    assert refusal(town, SITI, lambda work: tasks.done(work, task)).kind == "taken"
    assert refusal(town, RUDI, lambda work: tasks.take(work, mine)).kind == "taken"
    assert refusal(town, TONO, lambda work: tasks.take(work, mine)).kind == "district"
    with town.inventory.writing(RUDI) as work:
        done = tasks.done(work, task, "lens cleaned")
    assert (done.state, done.note, done.assignee) == ("done", "lens cleaned", "rudi")
    assert refusal(town, RUDI, lambda work: tasks.assign(work, "for others")).kind == "role"
    assert refusal(town, RUDI, lambda work: tasks.take(work, 10**30)).code == "P-404"


def test_sources_and_their_version(town: Town) -> None:
    town.installed(ONE)
    with town.inventory.writing(RUDI) as work:
        first = sources.put(work, ONE, ENV)
        second = sources.put(work, ONE, NewSource("cam-1", "camera", {"tls": {"on": True}}, {"password": "s3cret"}))
    assert second > first
    assert placements(town.inventory)[ONE].now.sources == ("cam-1", "env-1")
    with town.inventory.writing(RUDI) as work:
        third = sources.remove(work, ONE, "env-1")
    with town.inventory.reading() as rows:
        assert sources.version_ms(rows, ONE) == third
        assert [source.name for source in sources.opened(rows, ONE, seal_key(town.inventory.folder))] == ["cam-1"]
        with pytest.raises(SettingsError, match=r"seal\.key"):
            sources.opened(rows, ONE, b"A" * 43 + b"=")
        assert "s3cret" not in str(rows.scalars(select(Audit.detail)).all())


def test_a_seal_key_that_others_can_read_is_not_used(town: Town) -> None:
    town.installed(ONE)
    (town.inventory.folder / "seal.key").chmod(0o644)
    told = refusal(town, RUDI, lambda work: sources.put(work, ONE, NewSource("cam-1", "camera", {}, {"password": "x"})))
    assert (told.code, told.kind) == ("P-507", "key")
    assert "chmod 600" in told.said("id")
    with town.inventory.reading() as rows:
        assert rows.scalars(select(Device.config_ms).where(Device.id == ONE)).one() == 0


@pytest.mark.parametrize(
    "settings", [{"x": "y" * 9000}, {"x": math.nan}, {"x": "\ud800"}, {"x": "\x00"}, {"x": {1, 2}}, {"x": object()}]
)
def test_settings_that_are_none(town: Town, settings: dict[str, object]) -> None:
    town.installed(ONE)
    act = lambda work: sources.put(work, ONE, NewSource("cam-1", "camera", settings, {}))  # noqa: E731
    assert refusal(town, RUDI, act).values["field_word"] == "settings"


def test_a_device_has_so_many_sources_at_most(town: Town) -> None:
    town.installed(ONE)
    with town.inventory.writing(RUDI) as work:
        for number in range(sources.SOURCES_LIMIT):
            sources.put(work, ONE, NewSource(f"s{number}", "camera", {}, {}))
    assert refusal(town, RUDI, lambda work: sources.put(work, ONE, ENV)).code == "P-413"


def test_a_request_is_done_once(town: Town) -> None:
    request, calls = new_uuid(), []

    def approve(work: Work, content: dict[str, object]) -> once.Answer:
        def do() -> once.Answer:
            calls.append(1)
            return {"state": devices.approve(work, ONE, str(content["site"])).state}

        return once.once(work, request, content, do)

    for _ in range(3):
        with town.inventory.writing(RUDI) as work:
            assert approve(work, {"site": "mardika"}) == {"state": "approved"}
    assert len(calls) == 1
    assert refusal(town, RUDI, lambda work: approve(work, {"site": "batumerah"})).kind == "request"
    assert refusal(town, SITI, lambda work: approve(work, {"site": "mardika"})).kind == "request"
    town.clock.tick(DAY_MS)
    with town.inventory.writing(GUARD) as work:
        assert once.forget_old(work, work.now_ms) == 1


def test_a_request_that_was_refused_may_come_again(town: Town) -> None:
    request = new_uuid()
    town.approved(ONE, by=SITI)

    def approve(work: Work) -> once.Answer:
        return once.once(work, request, {}, lambda: {"state": devices.approve(work, ONE, "mardika").state})

    for _ in range(2):
        assert refusal(town, RUDI, approve).kind == "taken"


def test_a_visit_is_of_a_person(town: Town) -> None:
    town.installed(ONE)
    assert refusal(town, Actor.cli("root"), lambda work: visits.start(work, new_uuid(), ONE, "check")).code == "P-404"
    with town.inventory.reading() as rows:
        assert rows.scalars(select(Visit)).all() == []
