"""The device API for boxes that have a certificate: renewal, sources, pictures; and its limits."""

from __future__ import annotations

import base64
import io
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import func, select

from edge.enrol.errors import Refusing
from edge.enrol.keys import BoxKey
from kewang.bench.office import OPERATOR, OfficeHouse
from kewang.wire.enrolment import Code, Enrol, Issued, request_text
from provisioning.acts import maintenance, sources, visits
from provisioning.devices.app import Rates
from provisioning.devices.limits import Buckets, Rate, UsedDates
from provisioning.inventory import Actor, Person, Photo
from tests.provisioning.boxes import DEVICE, Field, ShiftedClock
from tests.provisioning.device_api import DAY_MS, Raw, enrol_body, picture, signature

VISIT = "b5b1a0a0-0000-4000-8000-000000000001"


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


def test_a_renewal_gives_the_new_key_its_own_certificate_and_again_the_same(
    raw: Raw, box: Field, clock: ShiftedClock
) -> None:
    key, new = box.enrolled().key, BoxKey.new()
    body = json.dumps({"v": 1, "csr": new.request(DEVICE)}).encode()
    clock.now_ms += 20 * DAY_MS
    first, second = raw.signed(key, "POST", "/v1/renew", body), raw.signed(key, "POST", "/v1/renew", body)
    assert first.status == 200
    assert first.body == second.body
    new.check_chain(DEVICE, Issued.decode(first.body).chain)
    assert raw.signed(new, "GET", "/v1/config").status == 200
    assert raw.signed(key, "GET", "/v1/config").status == 200, "it may not have its new one yet"


def test_renewal_with_a_key_that_is_somebodys_already_is_refused(
    house: OfficeHouse, raw: Raw, box: Field, tmp_path: Path
) -> None:
    key = box.enrolled().key
    other = Field(house, tmp_path / "other", "amb-cam-other").enrolled()
    body = json.dumps({"v": 1, "csr": other.key.request(DEVICE)}).encode()
    answer = raw.signed(key, "POST", "/v1/renew", body)
    assert (answer.status, answer.code) == (409, Code.DIFFERENT)


@pytest.mark.parametrize(("days", "status"), [(31, 200), (119, 200), (121, 403)])
def test_a_certificate_that_ended_can_be_renewed_for_90_days(
    raw: Raw, box: Field, clock: ShiftedClock, days: int, status: int
) -> None:
    key = box.enrolled().key
    body = json.dumps({"v": 1, "csr": BoxKey.new().request(DEVICE)}).encode()
    clock.now_ms += days * DAY_MS
    config = raw.signed(key, "GET", "/v1/config")
    assert (config.status, config.code) == (403, Code.GRACE), "only a renewal is still to be had"
    answer = raw.signed(key, "POST", "/v1/renew", body)
    assert answer.status == status
    if status == 403:
        assert answer.code == Code.GRACE


def test_a_box_gets_at_most_four_certificates_a_day(raw: Raw, box: Field, clock: ShiftedClock) -> None:
    key = box.enrolled().key
    answers = []
    for _ in range(5):
        clock.now_ms += 1000
        new = BoxKey.new()
        answers.append(raw.signed(key, "POST", "/v1/renew", json.dumps({"v": 1, "csr": new.request(DEVICE)}).encode()))
        key = new if answers[-1].status == 200 else key
    assert [each.status for each in answers] == [200, 200, 200, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) > 3600
    clock.now_ms += DAY_MS + 1000
    assert (
        raw.signed(key, "POST", "/v1/renew", json.dumps({"v": 1, "csr": BoxKey.new().request(DEVICE)}).encode()).status
        == 200
    )


def test_a_recorded_request_is_worth_nothing(house: OfficeHouse, raw: Raw, box: Field, clock: ShiftedClock) -> None:
    key = box.enrolled().key
    date_ms = clock.now_ms + 5
    assert raw.signed(key, "GET", "/v1/config", date_ms=date_ms).status == 200
    again = raw.signed(key, "GET", "/v1/config", date_ms=date_ms)
    assert (again.status, again.code) == (403, Code.REPLAY)
    house.stop()
    clock.now_ms += 100
    house.start()
    restarted = raw.signed(key, "GET", "/v1/config", date_ms=date_ms)
    assert (restarted.status, restarted.code) == (403, Code.DATE), "what a process forgot is not believed by the next"


@pytest.mark.parametrize("shift_ms", [-300_001, 300_001, -DAY_MS, 40 * DAY_MS])
def test_a_date_far_from_ours_is_refused(raw: Raw, box: Field, clock: ShiftedClock, shift_ms: int) -> None:
    key = box.enrolled().key
    clock.now_ms += 3_600_000
    answer = raw.signed(key, "GET", "/v1/config", date_ms=clock.now_ms + shift_ms)
    assert (answer.status, answer.code) == (403, Code.DATE)


def test_what_was_signed_can_not_be_used_for_anything_else(
    house: OfficeHouse, raw: Raw, box: Field, tmp_path: Path, clock: ShiftedClock
) -> None:
    key = box.enrolled().key
    Field(house, tmp_path / "other", "amb-cam-other").enrolled()
    date_ms = clock.now_ms + 1
    good = signature(key, "GET", "/v1/config", b"", DEVICE, date_ms)
    tries = {
        "another box": raw.say("GET", "/v1/config", b"", good | {"Kewang-Device": "amb-cam-other"}),
        "another date": raw.say("GET", "/v1/config", b"", good | {"Kewang-Date": str(date_ms + 1)}),
        "another path": raw.say("GET", "/v1/config?x=1", b"", good),
        "another method": raw.say("POST", "/v1/renew", b"", good),
        "another body": raw.say(
            "POST", "/v1/renew", enrol_body(key), signature(key, "POST", "/v1/renew", b"", DEVICE, date_ms)
        ),
        "another key": raw.signed(BoxKey.new(), "GET", "/v1/config"),
        "no signature": raw.say("GET", "/v1/config"),
        "not base64": raw.say("GET", "/v1/config", b"", good | {"Kewang-Signature": "?"}),
        "a date in words": raw.say("GET", "/v1/config", b"", good | {"Kewang-Date": "now"}),
        "a date of 1000 digits": raw.say("GET", "/v1/config", b"", good | {"Kewang-Date": "1" * 1000}),
    }
    assert {name: (each.status, each.code) for name, each in tries.items()} == dict.fromkeys(
        tries, (403, Code.SIGNATURE)
    )
    assert raw.say("GET", "/v1/config", b"", good).status == 200, "the control: the same request unchanged"


def test_sources_reach_the_box_with_their_passwords_and_once(house: OfficeHouse, raw: Raw, box: Field) -> None:
    key = box.enrolled().key
    with house.inventory.writing(OPERATOR) as work:
        camera = sources.NewSource(
            "cam-1", "camera", {"url": "rtsp://10.0.0.9/", "user": "watch"}, {"password": "s3cret-word"}
        )
        version = sources.put(work, DEVICE, camera)
    answer = raw.signed(key, "GET", "/v1/config")
    told = json.loads(answer.body)
    assert told["version"] == version
    assert told["sources"] == [
        {"driver": "camera", "name": "cam-1", "url": "rtsp://10.0.0.9/", "user": "watch", "password": "s3cret-word"}
    ]
    assert answer.headers["Cache-Control"] == "no-store"
    raw.last_ms[0] += 1
    headers = signature(key, "GET", "/v1/config", b"", DEVICE, raw.last_ms[0])
    again = raw.say("GET", "/v1/config", b"", headers | {"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    assert b"s3cret-word" not in (house.folder / "inventory.db").read_bytes()


def visiting(house: OfficeHouse) -> None:
    """A technician stands before the box, which has a camera."""
    with house.inventory.writing(OPERATOR) as work:
        person = Person(
            login="rudi",
            name="Rudi",
            role="technician",
            password_hash="x",
            created_ms=work.now_ms,
            changed_ms=work.now_ms,
        )
        work.rows.add(person)
        work.rows.flush()
        sources.put(work, DEVICE, sources.NewSource("cam-1", "camera", {"url": "rtsp://10.0.0.9/"}, {}))
    with house.inventory.writing(Actor("rudi", "technician")) as work:
        visits.start(work, VISIT, DEVICE, "install")


def test_a_visit_wants_one_picture_of_each_camera_and_keeps_it_small_blurred_and_nameless(
    house: OfficeHouse, raw: Raw, box: Field, clock: ShiftedClock
) -> None:
    key = box.enrolled().key
    visiting(house)
    assert json.loads(raw.signed(key, "GET", "/v1/config").body)["thumbnails"] == ["cam-1"]
    exif = Image.Exif()
    exif[0x010E] = "owner of the phone"
    clock.now_ms += 1000
    sent = picture((480, 270), exif=exif)
    assert raw.signed(key, "POST", "/v1/thumbnail/cam-1", sent).status == 204
    told = json.loads(raw.signed(key, "GET", "/v1/config").body)
    assert (told["maintenance"], told["thumbnails"]) == (True, [])
    with house.inventory.reading() as rows:
        photo = rows.scalars(select(Photo).where(Photo.kind == "thumbnail")).one()
    assert (photo.device, photo.source, photo.expires_ms) == (DEVICE, "cam-1", clock.now_ms + 7 * DAY_MS)
    kept = (house.folder / "photos" / photo.sha256).read_bytes()
    assert b"owner" not in kept
    with Image.open(io.BytesIO(kept)) as small, Image.open(io.BytesIO(sent)) as large:
        assert small.size == (320, 180)
        assert roughness(small) < roughness(large.resize((320, 180))) / 3
        assert not small.getexif()


def test_a_visit_to_a_device_under_maintenance_wants_pictures_too_and_others_when_asked(
    house: OfficeHouse, raw: Raw, box: Field, clock: ShiftedClock
) -> None:
    key = box.enrolled().key
    with house.inventory.writing(OPERATOR) as work:
        maintenance.begin(work, DEVICE, why="the feeder is worked on")
    clock.now_ms += 1000
    visiting(house)
    assert json.loads(raw.signed(key, "GET", "/v1/config").body)["thumbnails"] == ["cam-1"]
    clock.now_ms += 1000
    sent = picture()
    for _ in range(2):
        assert raw.signed(key, "POST", "/v1/thumbnail/cam-1", sent).status == 204
        assert json.loads(raw.signed(key, "GET", "/v1/config").body)["thumbnails"] == []
        clock.now_ms += 1000
        with house.inventory.writing(Actor("rudi", "technician")) as work:
            visits.ask_pictures(work, VISIT)
        clock.now_ms += 1000
        assert json.loads(raw.signed(key, "GET", "/v1/config").body)["thumbnails"] == ["cam-1"]


def roughness(image: Image.Image) -> float:
    """How much neighbours differ."""
    grey = image.convert("L")
    values = list(grey.tobytes())
    return sum(abs(one - other) for one, other in pairwise(values)) / len(values)


def bomb() -> bytes:
    """A small JPEG that says it has 65,500 x 65,500 pixels."""
    honest = picture((64, 64))
    at = honest.index(b"\xff\xc0") + 5
    return honest[:at] + (65_500).to_bytes(2, "big") * 2 + honest[at + 4 :]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", Code.PICTURE),
        (b"GIF89a" + b"\x00" * 100, Code.PICTURE),
        (b"\xff\xd8\xff\xe0" + b"\x00" * 500, Code.PICTURE),
        (picture((320, 180))[:2000], Code.PICTURE),
        (bomb(), Code.PICTURE),
        (b"<svg onload=alert(1)>", Code.PICTURE),
        (b"\xff" * 60_001, Code.TOO_BIG),
    ],
    ids=["nothing", "gif", "header alone", "cut off", "bomb", "svg", "too big"],
)
def test_what_is_no_picture_is_refused_and_leaves_nothing(
    house: OfficeHouse, raw: Raw, box: Field, body: bytes, code: Code
) -> None:
    key = box.enrolled().key
    visiting(house)
    answer = raw.signed(key, "POST", "/v1/thumbnail/cam-1", body)
    assert answer.code == code
    with house.inventory.reading() as rows:
        assert rows.scalar(select(func.count()).select_from(Photo)) == 0
    assert not list((house.folder / "photos").glob("*")) if (house.folder / "photos").exists() else True


@pytest.mark.parametrize("source", ["cam-2", "..%2f..%2fetc", "%00", "CAM", "a" * 40])
def test_a_picture_of_a_source_that_is_not_there_is_refused(
    house: OfficeHouse, raw: Raw, box: Field, source: str
) -> None:
    key = box.enrolled().key
    visiting(house)
    assert raw.signed(key, "POST", f"/v1/thumbnail/{source}", picture((64, 64))).status == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/v1/enrol", 405), ("PUT", "/v1/config", 405), ("GET", "/docs", 404)],
)
def test_other_paths_and_methods_are_refused_in_the_same_words(raw: Raw, method: str, path: str, status: int) -> None:
    answer = raw.say(method, path)
    assert (answer.status, answer.code) == (status, Code.NOT_THERE)


def test_a_ca_without_its_key_gives_out_nothing_and_says_so(
    house: OfficeHouse, raw: Raw, box: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is read at the start; here the disk fails later, as a worn card does."""
    key = box.registered().key

    def fails(*_: object) -> None:
        raise OSError("input/output error")

    monkeypatch.setattr(house.authority, "issue_device", fails)
    answer = raw.say("POST", "/v1/enrol", enrol_body(key))
    assert (answer.status, answer.code) == (503, Code.UNABLE)
    assert answer.headers["Retry-After"]
    monkeypatch.undo()
    assert raw.say("POST", "/v1/enrol", enrol_body(key)).status == 200


def test_who_asks_too_often_is_told_when_to_come_again(tmp_path: Path, clock: ShiftedClock) -> None:
    with OfficeHouse(tmp_path / "office", clock_ms=clock, rates=Rates(Rate(0.1, 5), Rate(0.1, 5))) as house:
        raw = Raw(house)
        statuses = [raw.say("GET", f"/v1/time?nonce={'n' * 20}").status for _ in range(6)]
        assert statuses == [200] * 5 + [429]
        last = raw.say("GET", "/v1/config")
        assert last.code == Code.TOO_OFTEN
        assert 1 <= int(last.headers["Retry-After"]) <= 10


def test_buckets_refill_steadily_and_stay_few() -> None:
    buckets = Buckets(Rate(2.0, 3.0), limit=100)
    assert [buckets.take("a", 0.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("a", 0.5) == 0
    assert buckets.take("b", 0.5) == 0
    for number in range(1000):
        buckets.take(number, 1.0)
    assert len(buckets) == 100


def test_used_dates_are_forgotten_when_they_could_not_be_used_any_more() -> None:
    used = UsedDates(1000)
    assert used.use("a", 5000, 5000)
    assert not used.use("a", 5000, 5500)
    assert used.use("a", 5001, 5500)
    assert used.use("a", 7000, 7000)
    assert len(used) == 1
    used.forget_old(9000)
    assert len(used) == 0
    assert sum(used.use("b", 10_000 + number, 10_000) for number in range(3000)) == 1000, "one box fills no memory"


def test_the_client_tells_refusals_apart(box: Field) -> None:
    stranger = box.box()
    with pytest.raises(Refusing) as refused, box.talk(stranger)() as office:
        office.enrol(Enrol(device=DEVICE, csr=stranger.key.request(DEVICE)))
    assert refused.value.code == Code.UNKNOWN
    assert "/" in refused.value.text


def test_signatures_of_every_kind_of_key_hold(house: OfficeHouse, raw: Raw) -> None:
    """Boards with a key store of their own may bring other keys than ours."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

    from kewang.wire.identity import fingerprint
    from provisioning.authority.making import spki
    from tests.provisioning.test_authority import csr

    elliptic, long = ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 3072)
    signers: dict[str, tuple[Any, Any]] = {
        "amb-ed-1": (elliptic, elliptic.sign),
        "amb-rsa-1": (long, lambda text: long.sign(text, padding.PKCS1v15(), hashes.SHA256())),
    }
    for name, (key, sign) in signers.items():
        house.register(name, fingerprint(spki(key.public_key())), preapproved=True)
        body = json.dumps({"v": 1, "device": name, "csr": csr(key).decode()}).encode()
        assert raw.say("POST", "/v1/enrol", body).status == 200
        date_ms = house.clock_ms() + 1
        said = base64.b64encode(sign(request_text("GET", "/v1/config", date_ms, b""))).decode()
        headers = {"Kewang-Device": name, "Kewang-Date": str(date_ms), "Kewang-Signature": said}
        assert raw.say("GET", "/v1/config", b"", headers).status == 200
        assert raw.say("GET", "/v1/config", b"", headers | {"Kewang-Date": str(date_ms + 1)}).code == Code.SIGNATURE
