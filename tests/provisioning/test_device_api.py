"""The device API over real TLS: who gets what, and what is refused, with code, sentence and next step."""

from __future__ import annotations

import base64
import http.client
import io
import json
import secrets
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import func, select

from edge.enrol.errors import Refusing
from edge.enrol.keys import BoxKey
from kewang.bench.office import OPERATOR, OfficeHouse
from kewang.wire.enrolment import Code, Enrol, Issued, Pending, Refusal, Time, request_text
from provisioning.acts import devices, maintenance, sources, visits
from provisioning.devices.app import Rates
from provisioning.devices.limits import Buckets, Rate, UsedDates
from provisioning.inventory import Actor, Audit, Certificate, Device, Person, Photo
from tests.provisioning.boxes import DEVICE, QUICK, Field, ShiftedClock

DAY_MS = 86_400_000


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def house(tmp_path: Path, clock: ShiftedClock) -> Iterator[OfficeHouse]:
    with OfficeHouse(tmp_path / "office", clock_ms=clock, rates=QUICK) as made:
        yield made


@pytest.fixture
def box(house: OfficeHouse, tmp_path: Path) -> Field:
    return Field(house, tmp_path / "box")


@dataclass
class Answer:
    status: int
    body: bytes
    headers: Any

    @property
    def code(self) -> str:
        """Of a refusal, which always has its words."""
        refusal = Refusal.decode(self.body)
        assert refusal.text.en
        assert refusal.text.id != refusal.text.en
        return refusal.code


@dataclass
class Raw:
    """Requests as an attacker makes them: with the real TLS, and whatever bytes."""

    house: OfficeHouse
    last_ms: list[int] = field(default_factory=lambda: [0])

    def say(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        context = ssl.create_default_context(cafile=self.house.ca_file)
        context.verify_flags |= 0x200000
        link = http.client.HTTPSConnection("localhost", self.house.port, context=context, timeout=20)
        try:
            link.request(method, path, body or None, headers or {})
            answer = link.getresponse()
            return Answer(answer.status, answer.read(), answer.headers)
        finally:
            link.close()

    def signed(
        self,
        key: BoxKey,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        device: str = DEVICE,
        date_ms: int | None = None,
    ) -> Answer:
        self.last_ms[0] = date_ms = date_ms or max(self.house.clock_ms(), self.last_ms[0] + 1)
        return self.say(method, path, body, signature(key, method, path, body, device, date_ms))


def signature(key: BoxKey, method: str, path: str, body: bytes, device: str, date_ms: int) -> dict[str, str]:
    said = key.sign(request_text(method, path, date_ms, body))
    return {"Kewang-Device": device, "Kewang-Date": str(date_ms), "Kewang-Signature": said}


@pytest.fixture
def raw(house: OfficeHouse) -> Raw:
    return Raw(house)


def enrol_body(key: BoxKey, device: str = DEVICE, **changes: object) -> bytes:
    return json.dumps({"v": 1, "device": device, "csr": key.request(device), **changes}).encode()


def picture(size: tuple[int, int] = (320, 180), **more: Any) -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(out, "JPEG", quality=30, **more)
    return out.getvalue()


def test_the_time_is_signed_together_with_the_nonce(raw: Raw, clock: ShiftedClock) -> None:
    nonce = secrets.token_urlsafe(18)
    told = Time.decode(raw.say("GET", f"/v1/time?nonce={nonce}").body)
    assert (told.nonce, told.unix_ms) == (nonce, clock.now_ms)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?nonce=",
        "?nonce=short",
        "?nonce=" + "a" * 65,
        "?nonce=" + "%0a" * 20,
        "?nonce=" + "a" * 20 + "&nonce=" + "b" * 20,
    ],
)
def test_a_nonce_that_is_none_is_refused(raw: Raw, query: str) -> None:
    answer = raw.say("GET", f"/v1/time{query}")
    assert (answer.status, answer.code) == (400, Code.MESSAGE)


def test_a_box_is_pending_until_somebody_approves_and_gets_the_same_bytes_ever_after(
    house: OfficeHouse, raw: Raw, box: Field, clock: ShiftedClock
) -> None:
    key = box.registered(preapproved=False).key
    first = raw.say("POST", "/v1/enrol", enrol_body(key))
    assert first.status == 202
    assert Pending.decode(first.body).again_s == 2
    clock.now_ms += 11 * 60_000
    assert Pending.decode(raw.say("POST", "/v1/enrol", enrol_body(key)).body).again_s == 15
    clock.now_ms += 60 * 60_000
    assert Pending.decode(raw.say("POST", "/v1/enrol", enrol_body(key)).body).again_s == 300
    house.approve(DEVICE)
    answers = {raw.say("POST", "/v1/enrol", enrol_body(key)).body for _ in range(20)}
    assert len(answers) == 1
    issued = Issued.decode(answers.pop())
    assert issued.broker.port == 8883
    with house.inventory.reading() as rows:
        assert [each.serial for each in rows.scalars(select(Certificate))] == [issued.serial]
        assert rows.get_one(Device, DEVICE).state == "active"
        acts = list(rows.scalars(select(Audit.act).where(Audit.subject == DEVICE)))
    assert acts == ["device.add", "device.request", "device.approve", "device.certificate"]


def test_a_visit_makes_the_box_ask_again_soon(house: OfficeHouse, raw: Raw, box: Field, clock: ShiftedClock) -> None:
    key = box.registered(preapproved=False).key
    raw.say("POST", "/v1/enrol", enrol_body(key))
    clock.now_ms += 5 * 3_600_000
    with house.inventory.writing(OPERATOR) as work:
        maintenance.begin(work, DEVICE)
    assert Pending.decode(raw.say("POST", "/v1/enrol", enrol_body(key)).body).again_s == 2


def test_a_photographed_label_is_worth_nothing(raw: Raw, box: Field) -> None:
    box.registered()
    answer = raw.say("POST", "/v1/enrol", enrol_body(BoxKey.new()))
    assert (answer.status, answer.code) == (403, Code.KEY)


def test_an_unknown_box_is_told_so(raw: Raw) -> None:
    answer = raw.say("POST", "/v1/enrol", enrol_body(BoxKey.new(), "amb-cam-unknown"))
    assert (answer.status, answer.code) == (404, Code.UNKNOWN)


@pytest.mark.parametrize("end", ["revoke", "retire"])
def test_a_box_that_was_shut_out_gets_nothing_more(house: OfficeHouse, raw: Raw, box: Field, end: str) -> None:
    key = box.enrolled().key
    with house.inventory.writing(OPERATOR) as work:
        (devices.revoke if end == "revoke" else devices.retire)(work, DEVICE, "stolen")
    new = json.dumps({"v": 1, "csr": BoxKey.new().request(DEVICE)}).encode()
    asked = [
        raw.say("POST", "/v1/enrol", enrol_body(key)),
        raw.signed(key, "POST", "/v1/renew", new),
        raw.signed(key, "GET", "/v1/config"),
        raw.signed(key, "POST", "/v1/thumbnail/cam-1", picture()),
    ]
    assert [(each.status, each.code) for each in asked] == [(403, Code.BLOCKED)] * 4


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        (b"", Code.MESSAGE, 400),
        (b"{", Code.MESSAGE, 400),
        (b"[" * 15_000, Code.MESSAGE, 400),
        (b'{"v":1,"v":1}', Code.MESSAGE, 400),
        (b"\xff\xfe", Code.MESSAGE, 400),
        (b'{"v":1,"device":"amb-cam-00000k","csr":NaN}', Code.MESSAGE, 400),
        (b'{"v":1,"device":"../../etc","csr":"x"}', Code.MESSAGE, 400),
        (b'{"v":1,"device":"amb-cam-00000k\\u0000","csr":"x"}', Code.MESSAGE, 400),
        (b'{"v":1,"device":"amb-cam-00000k","csr":"x"}', Code.CSR, 400),
        (b'{"v":1,"device":"amb-cam-00000k","csr":"-----BEGIN CERTIFICATE REQUEST-----"}', Code.CSR, 400),
        (b" " * 20_000, Code.TOO_BIG, 413),
    ],
)
def test_bodies_that_are_no_request(raw: Raw, body: bytes, code: Code, status: int) -> None:
    answer = raw.say("POST", "/v1/enrol", body)
    assert (answer.status, answer.code) == (status, code)


def test_a_body_without_an_end_is_cut_off_at_the_limit(house: OfficeHouse) -> None:
    context = ssl.create_default_context(cafile=house.ca_file)
    context.verify_flags |= 0x200000
    with (
        socket.create_connection(("localhost", house.port), 20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as link,
    ):
        link.sendall(b"POST /v1/enrol HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with suppress(OSError):
            for _ in range(10_000):
                link.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        link.settimeout(20)
        with suppress(OSError):
            assert link.recv(100).startswith(b"HTTP/1.1 413")


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
        visits.start(work, "b5b1a0a0-0000-4000-8000-000000000001", DEVICE, "install")


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
