"""The gateway's own house: each trouble begins, lasts and ends as it is told; what can't be looked at is no trouble."""

import os
import ssl
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509

from gateway.household import STEP_TOLD_S, UNSYNCHRONISED_S, Household
from gateway.settings import OwnSettings
from kewang.runtime.certificate import ends_s
from provisioning.authority import create, open_authority
from tests.docs_examples.test_examples import CITY_CA
from tests.fake_outbox import ManualClock
from tests.gateway.watch_house import START_MS, House

DAY_MS = 86_400_000
WELL: dict[str, str | None] = {"disk": None, "backup": None, "certificate": None, "clock": None}


class Usage(NamedTuple):
    """As of a disk of 100 bytes."""

    used: int
    free: int


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall_ms=START_MS, synchronised=True)


def household(clock: ManualClock, *folders: Path, certificate: Path | None = None, **own: object) -> Household:
    return Household(OwnSettings.model_validate(own), folders, certificate, clock)


def test_this_machine_can_be_looked_at(tmp_path: Path, clock: ManualClock) -> None:
    assert household(clock, tmp_path, disk_pct=100).look() == WELL


def test_a_disk_is_full_until_there_is_room_again(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = iter([89, 90, 93, 86, 85, 84, 89])
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(now := next(used), 100 - now))
    own = household(clock, tmp_path)
    found = [own.look()["disk"] for _ in range(7)]
    told = [f"{tmp_path}: {now} % used" for now in (90, 93, 86, 85)]
    assert found == [None, *told, None, None]


def test_a_backup_is_overdue_by_the_age_of_its_stamp(tmp_path: Path, clock: ManualClock) -> None:
    stamp = tmp_path / "done"
    own = household(clock, backup_stamp=stamp)
    assert own.look()["backup"] == f"{stamp} is not there: no backup was made"
    stamp.touch()
    for hours, told in ((25, None), (27, "the last is 27 h old")):
        os.utime(stamp, (0, START_MS / 1000 - hours * 3600))
        assert own.look()["backup"] == told
    assert household(clock).look()["backup"] is None


def test_a_certificate_that_ends_soon_is_told(tmp_path: Path, clock: ManualClock) -> None:
    made_ms = START_MS - 70 * DAY_MS
    create(tmp_path, city="amb", broker_hosts=["broker.lan"], api_hosts=["api.lan"], now_ms=made_ms)
    file = open_authority(tmp_path).service("gateway").certificate
    own = household(clock, certificate=file)
    assert own.look() == WELL, "20 days of its 90 are left"
    clock.pass_s(7 * 86_400)
    assert own.look()["certificate"] == f"{file}: 13 days left"


def test_the_end_of_a_certificate_is_what_others_read(tmp_path: Path) -> None:
    create(tmp_path, city="amb", broker_hosts=["broker.lan"], api_hosts=["api.lan"], now_ms=START_MS)
    (tmp_path / "ca" / "century.pem").write_text(CITY_CA)
    files = sorted((tmp_path / "ca").glob("*.pem"))
    assert len(files) > 5
    for file in files:
        first, *_ = x509.load_pem_x509_certificates(file.read_bytes())
        assert ends_s(file) == first.not_valid_after_utc.timestamp(), file


@pytest.mark.parametrize("cut", [0, 1, 5, 40, 200])
def test_what_is_no_certificate_is_told_as_such(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "cut.pem"
    der = ssl.PEM_cert_to_DER_cert(CITY_CA)[:cut]
    file.write_text(ssl.DER_cert_to_PEM_cert(der))
    with pytest.raises(ValueError, match="no certificate"):
        ends_s(file)


def test_a_file_that_is_no_certificate_is_logged_once_and_hides_nothing_else(
    tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "gateway.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    own = household(clock, certificate=file, backup_stamp=tmp_path / "none")
    assert [own.look()["backup"] is None, own.look()["backup"] is None] == [False, False]
    assert [record.getMessage() for record in caplog.records] == [
        f"certificate can't be looked at: {file} holds no certificate that can be read"
    ]


def test_a_clock_nobody_keeps_is_told_after_a_while(clock: ManualClock) -> None:
    own = household(clock)
    clock.trusted = False
    clock.pass_s(UNSYNCHRONISED_S)
    assert own.look()["clock"] is None
    clock.pass_s(1)
    assert own.look()["clock"] == "no time service keeps it"
    clock.trusted = True
    assert own.look() == WELL


@pytest.mark.parametrize("by_s", [3600, -3600])
def test_a_clock_that_was_set_is_told_for_a_while(clock: ManualClock, by_s: int) -> None:
    own = household(clock)
    clock.offset_ms += by_s * 1000
    clock.pass_s(60)
    assert own.look()["clock"] == f"it was set by {by_s:+d} s"
    clock.pass_s(STEP_TOLD_S)
    assert own.look()["clock"] is not None
    clock.pass_s(1)
    assert own.look() == WELL


async def test_people_are_told_in_words_and_of_the_end(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.live(10)
    house.troubles = {"disk": "/: 93 % used", "backup": "the last is 27 h old"}
    await house.live(60)
    house.troubles = WELL
    await house.live(200)
    begun = {subject for subject in house.told() if "Over" not in subject}
    assert begun == {
        "[CRITICAL] The gateway has trouble: its disk fills up (#2)",
        "[WARNING] The gateway has trouble: the backup is overdue (#1)",
    }
    assert sum("Over" in subject for subject in house.told()) == 2
    house.watched.close()
