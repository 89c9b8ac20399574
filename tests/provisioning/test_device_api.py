"""The device API over real TLS: who gets what, and what is refused, with code, sentence and next step."""

from __future__ import annotations

import json
import secrets
import socket
import ssl
from contextlib import suppress

import pytest
from sqlalchemy import select

from edge.enrol.keys import BoxKey
from kewang.bench.office import OPERATOR, OfficeHouse
from kewang.wire.enrolment import Code, Issued, Pending, Time
from provisioning.acts import devices, maintenance
from provisioning.inventory import Audit, Certificate, Device
from tests.provisioning.boxes import DEVICE, Field, ShiftedClock
from tests.provisioning.device_api import Raw, enrol_body, picture


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


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
