"""The box's side against the real device API: enrolment, renewal, sources, bundles; the power may go at every step."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from edge.enrol import work
from edge.enrol.asking import Conversation
from edge.enrol.box import Box
from edge.enrol.errors import Unreachable
from edge.enrol.keys import BoxKey
from edge.enrolled import KEY, SECRETS, SOURCES, Disk, Identity, with_identity
from kewang.bench.office import OPERATOR, OfficeHouse
from kewang.wire.enrolment import Issued
from provisioning.acts import devices, sources
from tests.provisioning.boxes import DEVICE, Field, ShiftedClock
from tests.provisioning.enrolling import DAY_MS, Failing, PowerCut, check


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_power_cut_at_every_step_of_enrolment_recovers_by_itself(house: OfficeHouse, tmp_path: Path) -> None:
    cuts = 0
    for at in range(1, 100):
        field = Field(house, tmp_path / f"box-{at}", f"amb-cam-cut-{at}")
        key = preregistered(field, at)
        disk = Failing(at)
        finished = False
        try:
            found = Box(field.folder, disk)
            found.begin(field.device, "amb", "cam")
            key(found)
            work.once(found, field.talk(found))
            finished = True
        except PowerCut:
            cuts += 1
        again = field.box()
        key(again)
        fingerprint = again.key.fingerprint
        report = work.once(again, field.talk(again))
        assert (report.state, report.trouble) == ("active", ""), f"cut at {at}"
        check(again)
        assert again.key.fingerprint == fingerprint
        if finished:
            break
    assert cuts >= 12, "there were steps at which the power went"


def preregistered(field: Field, at: int):  # type: ignore[no-untyped-def]
    """Registers the box as soon as it has a key, once."""
    done: list[str] = []

    def register(found: Box) -> None:
        if not done:
            done.append(found.key.fingerprint)
            field.house.register(field.device, done[0], preapproved=True)

    return register


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_power_cut_at_every_step_of_a_renewal_recovers_by_itself(
    box: Field, house: OfficeHouse, clock: ShiftedClock
) -> None:
    box.enrolled()
    cuts = 0
    for at in range(1, 100):
        clock.now_ms += 24 * DAY_MS
        house.renew_services()
        before = check(box.box()).serial_number
        disk = Failing(at)
        finished = False
        try:
            found = Box(box.folder, disk)
            work.once(found, box.talk(found))
            finished = True
        except PowerCut:
            cuts += 1
        clock.now_ms += 1000
        again = box.box()
        assert work.once(again, box.talk(again)).trouble == "", f"cut at {at}"
        assert check(again).serial_number != before, f"cut at {at}"
        if finished:
            break
    assert cuts >= 8


@pytest.mark.parametrize("year", [1970, 2060])
def test_the_clock_of_the_box_does_not_matter(tmp_path: Path, year: int) -> None:
    """Here the office lives in another time than the box: the certificates look as wrong as to a box with no clock."""
    clock = ShiftedClock(1_768_000_000_000 if year == 2060 else 4_000_000_000_000)
    with OfficeHouse(tmp_path / "office", clock_ms=clock) as house:
        found = Field(house, tmp_path / "box").enrolled()
        assert abs(found.identity.state.floor_ms - clock.now_ms) < 60_000
        check(found)


def test_who_is_not_the_pinned_office_is_not_believed(box: Field, tmp_path: Path, house: OfficeHouse) -> None:
    found = box.registered()
    stranger = tmp_path / "stranger"
    with OfficeHouse(stranger) as other:
        settings = box.settings.model_copy(update={"ca_file": other.ca_file})
        with pytest.raises(Unreachable, match="not the office that is pinned"):
            work.talk(settings, found).__enter__()


def test_an_api_certificate_that_ended_is_refused_by_the_offices_own_time(box: Field, clock: ShiftedClock) -> None:
    found = box.registered()
    clock.now_ms += 91 * DAY_MS
    report = work.once(found, box.talk(found))
    assert "administrator has to renew it" in report.trouble
    assert not found.identity.enrolled


def test_renewal_is_due_at_two_thirds_of_its_life_and_a_little_sooner_or_later(box: Field, clock: ShiftedClock) -> None:
    found = box.enrolled()
    state = found.identity.state
    assert 17.9 * DAY_MS < state.renew_ms - clock.now_ms < 22.1 * DAY_MS
    clock.now_ms = state.renew_ms - 3_600_000
    assert not work.once(found, box.talk(found)).renewed
    old = (box.folder / KEY).read_bytes()
    clock.now_ms = state.renew_ms + 3_600_000
    assert work.once(found, box.talk(found)).renewed
    assert (box.folder / KEY).read_bytes() != old, "a new key each time"
    check(found)


def test_a_clock_that_went_back_on_the_server_spoils_nothing(box: Field, clock: ShiftedClock) -> None:
    found = box.enrolled()
    before = check(found)
    clock.now_ms -= 40 * DAY_MS
    assert work.once(found, box.talk(found)).trouble
    assert check(found) == before
    clock.now_ms += 40 * DAY_MS + 10_000
    assert work.once(found, box.talk(found)).trouble == ""


def test_expired_and_in_grace_it_renews_and_after_grace_it_says_who_can_help(
    box: Field, clock: ShiftedClock, house: OfficeHouse
) -> None:
    found = box.enrolled()
    clock.now_ms += 85 * DAY_MS
    assert work.once(found, box.talk(found)).renewed
    check(found)
    clock.now_ms += 125 * DAY_MS
    assert {"api", "time"} <= set(house.renew_services())
    report = work.once(found, box.talk(found))
    assert report.code == "P-GRACE"
    assert "technician" in report.trouble
    assert found.identity.state.code == "P-GRACE"
    check(found)


class Deaf(Conversation):
    """What the office answers to a renewal is lost on the way."""

    def renew(self, device: str, key: BoxKey, csr: str) -> Issued:
        super().renew(device, key, csr)
        raise Unreachable("the link is cut")


def test_certificates_that_ended_before_the_box_got_them_are_in_nobodys_way(
    box: Field, clock: ShiftedClock, house: OfficeHouse
) -> None:
    found = box.enrolled()
    clock.now_ms += 22 * DAY_MS
    for _ in range(2):
        deaf = Deaf(box.settings.url, found.roots(box.settings.ca_file))
        assert "cut" in work.once(found, lambda deaf=deaf: deaf).trouble  # type: ignore[misc]
        clock.now_ms += 31 * DAY_MS
        house.renew_services()
    report = work.once(found, box.talk(found))
    assert (report.renewed, report.trouble) == (True, "")
    check(found)


def test_until_enrolled_waits_as_it_is_told_and_logs_new_trouble_once(
    box: Field, house: OfficeHouse, caplog: pytest.LogCaptureFixture
) -> None:
    found = box.box()
    slept: list[float] = []

    def sleep(wait_s: float) -> None:
        slept.append(wait_s)
        if len(slept) == 3:
            house.register(DEVICE, found.key.fingerprint)
        if len(slept) == 6:
            house.approve(DEVICE)

    work.until_enrolled(found, box.talk(found), sleep)
    check(found)
    assert len(slept) == 6
    assert all(1.5 <= each <= 2.5 for each in slept)
    assert [record.message.split(": ")[1][:20] for record in caplog.records if record.name == "edge.enrol.work"] == [
        "Kotak ini belum terd",
        "waiting for the offi",
    ]


def test_waiting_becomes_rarer() -> None:
    now = [0.0]
    patience = work.Patience(monotonic_s=lambda: now[0])
    assert 1.6 <= patience.wait_s() <= 2.4
    assert 24 <= patience.wait_s(30) <= 36
    now[0] = 700.0
    assert 12 <= patience.wait_s() <= 18
    now[0] = 4000.0
    assert 240 <= patience.wait_s() <= 360


def test_sources_of_the_office_are_merged_and_passwords_lie_apart(box: Field, house: OfficeHouse) -> None:
    found = box.enrolled()
    with house.inventory.writing(OPERATOR) as act:
        sources.put(
            act,
            DEVICE,
            sources.NewSource(
                "cam-1", "camera", {"url": "rtsp://10.0.0.9/", "user": "watch"}, {"password": "s3cret-word"}
            ),
        )
        sources.put(act, DEVICE, sources.NewSource("env-1", "modbus-tcp", {"host": "10.0.0.8"}, {}))
    assert work.once(found, box.talk(found)).changed
    assert not work.once(found, box.talk(found)).changed
    password = box.folder / SECRETS / "cam-1.password"
    assert password.read_text() == "s3cret-word"
    assert "s3cret-word" not in (box.folder / SOURCES).read_text()
    modes = {
        stat.S_IMODE(each.stat().st_mode) for each in box.folder.rglob("*") if each.is_file() and each.name != ".lock"
    }
    assert modes == {0o600}
    own = {"driver": "modbus-tcp", "name": "env-1", "host": "10.0.0.1"}
    merged = with_identity({"sources": [own], "broker": {"port": 1}}, found.identity)
    assert [each["name"] for each in merged["sources"]] == ["env-1", "cam-1"]
    assert merged["sources"][0] is own, "edge.toml wins"
    assert merged["sources"][1]["password_file"] == str(password)
    assert (merged["device"], merged["broker"]["host"], merged["broker"]["port"]) == (DEVICE, "localhost", 1)
    with house.inventory.writing(OPERATOR) as act:
        sources.remove(act, DEVICE, "cam-1")
    assert work.once(found, box.talk(found)).changed
    assert not password.exists()


def test_a_millisecond_that_an_earlier_conversation_took_is_signed_anew(box: Field) -> None:
    """Both clocks stand still here, as between two requests of one millisecond: no round is lost to it."""
    found = box.enrolled()
    key = found.key

    def asked() -> None:
        with Conversation(box.house.url, box.house.ca_file.read_bytes(), monotonic_s=lambda: 5.0) as office:
            assert office.config(DEVICE, key, "") is not None
            assert office.config(DEVICE, key, "") is not None

    for _ in range(3):
        asked()


@pytest.mark.parametrize("content", [b"", b"{", b"[1,2]", b"\xff" * 50, b'{"state":7}'])
@pytest.mark.parametrize("name", ["state.json", SOURCES])
def test_a_damaged_file_is_asked_for_again(box: Field, name: str, content: bytes) -> None:
    found = box.enrolled()
    (box.folder / name).write_bytes(content)
    assert with_identity({}, Identity(box.folder, Disk()))["device"] == DEVICE
    report = work.once(box.box(), box.talk(found))
    assert report.trouble == ""
    check(box.box())


def test_a_box_that_was_revoked_says_so_and_keeps_its_files(box: Field, house: OfficeHouse) -> None:
    found = box.enrolled()
    with house.inventory.writing(OPERATOR) as act:
        devices.revoke(act, DEVICE, "stolen")
    report = work.once(found, box.talk(found))
    assert report.code == "P-403"
    assert (box.folder / KEY).exists()
