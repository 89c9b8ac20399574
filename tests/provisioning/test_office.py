"""The office's pages on the real app: who may see and do what, every form, and what comes of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from typing import Final

import httpx
import pytest
from sqlalchemy import select, text

from kewang.ui.states import SYMBOLS
from provisioning.gateway_api import Acceptance, DeviceNow, GatewayAway, IncidentNow
from provisioning.guard.notes import Memory
from provisioning.inventory import Audit, Certificate, Device, Source, Task
from provisioning.inventory.verify import verify
from provisioning.web.app import create_web
from provisioning.web.office.deeds import DEEDS
from provisioning.web.office.sources import lines_of, settings_in
from provisioning.web.options import WebOptions
from provisioning.web.standing import Standing
from tests.provisioning.gateway_server import Scripted
from tests.provisioning.market import PASSWORD, Town, fingerprint
from tests.provisioning.office_town import (
    ACTIVE,
    APART,
    IN_THE_LIST,
    INSTALLED,
    RESTING,
    SECRET,
    SPARE,
    WAITING,
    logged_in,
)

DEVICE: Final = f"/office/device/{INSTALLED}"


def rows_of_audit(office: Town) -> list[str]:
    with office.inventory.reading() as rows:
        return list(rows.scalars(select(Audit.act).order_by(Audit.number)))


def device(office: Town, name: str) -> Device:
    with office.inventory.reading() as rows:
        return rows.get_one(Device, name)


async def test_a_device_goes_the_whole_way_with_reasons_in_the_audit_log(office: Town) -> None:
    await logged_in(office, "operator")
    await office.post(
        f"/office/device/{IN_THE_LIST}/do/approve", {"site": "mardika", "lat": "-3,69463", "lon": "128,182"}, 303
    )
    assert (device(office, IN_THE_LIST).state, device(office, IN_THE_LIST).lat) == ("approved", -3.69463)
    office.boxes.certify(IN_THE_LIST)
    for deed, fields, state in (
        ("accept", {"reason": "seen on the wall"}, "installed"),
        ("maintenance", {"reason": "a new pole", "hours": "2"}, "installed"),
        ("end-maintenance", {}, "installed"),
        ("move", {"site": "gong"}, "installed"),
        ("describe", {"note": "above the gate", "model": "Kotak 3"}, "installed"),
        ("quarantine", {"reason": "it floods"}, "quarantined"),
        ("release", {"reason": "cable changed"}, "installed"),
        ("replace", {"new": SPARE.upper(), "reason": "broken glass"}, "revoked"),
        ("retire", {"reason": "scrapped"}, "retired"),
    ):
        answer = await office.post(f"/office/device/{IN_THE_LIST}/do/{deed}", fields, 303)
        assert (await office.client.get(answer.headers["location"])).status_code == 200
        assert (deed, device(office, IN_THE_LIST).state) == (deed, state)
    assert (device(office, SPARE).site, device(office, SPARE).replaces) == ("gong", IN_THE_LIST)
    with office.inventory.reading() as rows:
        told = " ".join(rows.scalars(select(Audit.detail).where(Audit.actor == "ina")))
        assert rows.scalars(select(Certificate.revoked_ms).where(Certificate.subject == IN_THE_LIST)).one() is not None
    for fields_reason in ("seen on the wall", "a new pole", "it floods", "cable changed", "broken glass", "scrapped"):
        assert fields_reason in told
    assert verify(office.inventory).ok


@pytest.mark.parametrize("deed", ["accept", "quarantine", "release", "revoke", "retire", "replace", "maintenance"])
async def test_without_a_reason_nothing_is_done_and_what_was_typed_stays(office: Town, deed: str) -> None:
    await logged_in(office, "operator")
    name = {"accept": ACTIVE, "release": APART}.get(deed, INSTALLED)
    before = device(office, name).state
    shown = await office.post(f"/office/device/{name}/do/{deed}", {"reason": " x ", "new": SPARE, "hours": "2"}, 400)
    assert "P-400" in shown.text
    assert DEEDS[deed].danger or "x" in shown.text
    assert (device(office, name).state, device(office, SPARE).state) == (before, "new")


async def test_the_list_is_searched(office: Town) -> None:
    await logged_in(office, "operator")

    async def found(**query: str) -> set[str]:
        shown = (await office.client.get("/office/", params=query)).text
        return set(re.findall(r'href="/office/device/([a-z0-9-]+)"', shown))

    assert WAITING in await found()
    assert await found(q="ASKING") == {WAITING}
    assert await found(q="sn-amb-act") == {ACTIVE}
    assert await found(q=fingerprint(APART)[:10]) == {APART}
    assert await found(state="maintenance") == {RESTING}
    assert await found(state="quarantined", site="mardika") == {APART}
    assert await found(q="blok b", state="installed") == {INSTALLED, RESTING}
    assert await found(q="%") == await found(q="_") == await found(q="'") == set()
    assert await found(page="99") == set()


async def test_the_other_language_shows_what_was_looked_for_with_the_symbols_of_all_pages(office: Town) -> None:
    await logged_in(office, "operator")
    page = (await office.client.get("/office/?state=quarantined&site=mardika&lang=en")).text
    assert re.findall(r'class="chip alarm">([^<])', page) == [SYMBOLS["alarm"]]
    (other,) = re.findall(r'<a href="([^"]*)" lang="id"', page)
    shown = (await office.client.get("/office/" + unescape(other))).text
    assert '<html lang="id"' in shown
    assert set(re.findall(r'href="/office/device/([a-z0-9-]+)"', shown)) == {APART}


async def test_a_password_goes_in_and_never_comes_out(office: Town) -> None:
    await logged_in(office, "operator")
    for path in (DEVICE, f"{DEVICE}/source?name=cam-1", "/office/audit", f"/office/audit?subject={INSTALLED}"):
        assert SECRET not in (await office.client.get(path)).text
    sealed = source(office, "cam-1").secrets
    kept = {
        "driver": "camera",
        "url": "rtsp://10.0.0.7/stream",
        "user": "lihat",
        "settings": "onvif = true\ninterval_s = 10.5",
    }
    await office.post(f"{DEVICE}/source?name=cam-1", kept, 303)
    assert source(office, "cam-1").secrets == sealed
    assert source(office, "cam-1").settings == {
        "url": "rtsp://10.0.0.7/stream",
        "user": "lihat",
        "onvif": True,
        "interval_s": 10.5,
    }
    shown = await office.post(f"{DEVICE}/source?name=cam-1", {**kept, "driver": "", "password": "sangat-rahasia"}, 400)
    assert "sangat-rahasia" not in shown.text
    await office.post(f"{DEVICE}/source?name=cam-1", {**kept, "password": "sangat-rahasia"}, 303)
    assert source(office, "cam-1").secrets not in (None, sealed)
    await office.post(f"{DEVICE}/source?name=cam-1", {**kept, "forget": "yes"}, 303)
    assert source(office, "cam-1").secrets is None
    for open_one in (
        {"url": "rtsp://lihat:rahasia@10.0.0.7/"},
        {"settings": 'password = "x"'},
        {"settings": 'a = {b = "http://u:p@h/"}'},
    ):
        await office.post(f"{DEVICE}/source", {**kept, "name": "cam-2", **open_one}, 400)
    await office.post(f"{DEVICE}/source", {**kept, "name": "cam-1"}, 409)
    await office.post(f"{DEVICE}/source", {**kept, "name": "cam-2"}, 303)
    await office.post(f"{DEVICE}/source/cam-2/remove", {}, 303)
    with office.inventory.reading() as rows:
        assert rows.get(Source, (INSTALLED, "cam-2")) is None


def source(office: Town, name: str) -> Source:
    with office.inventory.reading() as rows:
        return rows.get_one(Source, (INSTALLED, name))


def test_settings_come_back_as_they_were_written() -> None:
    settings = {"host": 'a"b\\c', "n": 1, "f": 0.5, "on": True, "list": [[0.1, 0.2], ["x"]], "a b": {"c": {"d": "é\n"}}}
    assert settings_in({"settings": lines_of(settings)}) == settings


async def test_a_file_is_looked_through_then_imported_whole_or_not_at_all(office: Town) -> None:
    await logged_in(office, "operator")
    good = "\ufeffid;sidik jari;lokasi\r\n" + "".join(
        f"amb-csv-{n};{fingerprint(f'csv-{n}')};gong\r\n" for n in range(30)
    )
    bad = good.replace("amb-csv-7;", "../etc;").replace("amb-csv-9;", f"{INSTALLED};")
    shown = await sent(office, bad.encode())
    assert (shown.status_code, 'name="file" value' in shown.text) == (400, False)
    assert re.findall(r'<td class="n" data-label="[^"]+">(\d+)</td>', shown.text) == ["9", "11"]
    assert "amb-csv-1" not in (await office.client.get("/office/?q=amb-csv")).text
    shown = await sent(office, good.encode())
    file = re.search(r'name="file" value="([^"]+)"', shown.text)
    assert file, shown.text
    assert "/office/device/amb-csv-1" not in (await office.client.get("/office/?q=amb-csv")).text
    await logged_in(office, "admin")
    await office.post("/office/import/all", {"file": file[1]}, 409)  # somebody else's file
    await logged_in(office, "operator")
    await office.post("/office/import/all", {"file": file[1]}, 303)
    await office.post("/office/import/all", {"file": file[1]}, 409)
    assert '/office/device/amb-csv-1"' in (await office.client.get("/office/?q=amb-csv")).text
    assert rows_of_audit(office).count("inventory.import") == 1
    assert (await sent(office, b"\xff\xfe\x00rubbish")).status_code == 400
    assert (await sent(office, b"id;fingerprint\n" + b"x" * 5_000_001)).status_code == 413


async def sent(office: Town, data: bytes, what: str = "devices") -> httpx.Response:
    token = (await office.client.get("/t/token")).json()["csrf"]
    files = {"file": ("boxes.csv", data, "text/csv")}
    return await office.client.post("/office/import", data={"csrf": token, "what": what}, files=files)


async def test_people_get_a_password_once_and_only_from_an_administrator(office: Town) -> None:
    await logged_in(office, "admin")
    new = {"login": "budi", "name": "Budi", "role": "technician", "district": "sirimau", "language": "id"}
    shown = await office.post("/office/person", new)
    password = re.search(r'id="secret">([^<]+)<', shown.text)
    assert password
    assert shown.headers["cache-control"] == "no-store"
    assert password[1] not in (await office.client.get("/office/people")).text
    await office.post("/office/person", new, 409)
    office.client.cookies.clear()
    assert (await office.log_in("budi", password[1])).status_code == 303
    await logged_in(office, "admin")
    shown = await office.post("/office/person/budi/password", {})
    changed = re.search(r'id="secret">([^<]+)<', shown.text)
    assert changed
    assert changed[1] != password[1]
    await office.post("/office/person/budi/disable", {}, 303)
    office.client.cookies.clear()
    assert (await office.log_in("budi", changed[1])).status_code == 401
    await logged_in(office, "admin")
    await office.post("/office/person/ada/disable", {}, 409)
    await office.post("/office/person?login=ada", {**new, "role": "operator"}, 409)
    await logged_in(office, "operator")
    await office.post("/office/person", {**new, "login": "tamu", "role": "admin"}, 403)


async def test_a_task_reaches_the_technicians_phone(office: Town) -> None:
    await logged_in(office, "operator")
    fields = {"text": "Ganti kabel di tiang", "device": INSTALLED.upper(), "source": "cam-1", "assignee": "rudi"}
    await office.post("/office/task", fields, 303)
    await logged_in(office, "technician")
    assert "Ganti kabel di tiang" in (await office.client.get("/t/tasks")).text
    await logged_in(office, "operator")
    with office.inventory.reading() as rows:
        task = rows.scalars(select(Task).order_by(Task.id.desc()).limit(1)).one()
    await office.post(f"/office/task/{task.id}", {"note": "selesai"}, 303)
    await logged_in(office, "technician")
    assert "Ganti kabel di tiang" not in (await office.client.get("/t/tasks")).text


async def test_shifts_are_kept_and_half_ones_refused(office: Town) -> None:
    await logged_in(office, "operator")
    fields = {"name": "Jaga", "channel": "sms", "address": "+62811", "language": "id", "days0_1": "1", "days0_7": "1"}
    await office.post("/office/contact", {**fields, "address": "+628110000009"}, 400)
    await office.post("/office/contact", fields | {"from0": "18:00", "to0": "00:00"}, 400)
    await office.post("/office/contact", fields | {"address": "+628110000009", "from0": "18:00", "to0": "00:00"}, 303)
    shown = (await office.client.get("/office/contacts")).text
    assert re.search(r"Sen Min 18:00–24:00", shown), shown
    form = (await office.client.get("/office/contact/3")).text
    assert re.search(r'name="from0" value="18:00".*name="to0" value="00:00"', form, re.S)


async def test_verify_now_finds_a_row_that_somebody_changed(office: Town) -> None:
    await logged_in(office, "operator")
    shown = await office.post("/office/audit/verify", {})
    assert 'class="told good" role="status" id="verdict"' in shown.text
    with office.inventory.engine.begin() as connection:
        connection.execute(text("UPDATE audit SET actor = 'nobody' WHERE number = 5"))
    shown = await office.post("/office/audit/verify", {})
    assert re.search(r'class="told alarm".*row 5 was changed', shown.text, re.S)


async def test_the_audit_log_is_searched_and_taken_away(office: Town) -> None:
    await logged_in(office, "operator")
    shown = (await office.client.get("/office/audit", params={"actor": "RUDI", "act": "visit.finish"})).text
    assert len(re.findall(r'<td class="n"', shown)) == 1
    assert INSTALLED in shown
    shown = (await office.client.get("/office/audit", params={"to": "2001-01-01"})).text
    assert '<td class="n"' not in shown
    answer = await office.post("/office/audit/export", {})
    assert answer.content.startswith("\ufeff".encode())
    assert "visit.finish" in answer.text


async def test_files_hold_no_formula(office: Town) -> None:
    await logged_in(office, "operator")
    await office.post(f"{DEVICE}/do/describe", {"note": '=HYPERLINK("http://evil.example")', "model": "+1"}, 303)
    inventory = await office.post("/office/export/inventory", {})
    assert inventory.headers["content-type"].startswith("text/csv")
    assert not re.search(r'(^|;)"?[=+@-][A-Za-z(1]', inventory.text.replace("-3.", "").replace("-", ""), re.M)
    work = await office.post("/office/export/work", {})
    assert re.search(r"^rudi;Rudi Latuconsina;1;", work.text, re.M)


class NoGateway:
    """The page about alarms asks no gateway."""

    async def acceptance(self, device: str, since_ms: int) -> Acceptance:
        raise GatewayAway(device)

    async def incidents(self, numbers: Sequence[int]) -> dict[tuple[int, int], IncidentNow]:
        raise GatewayAway("the gateway does not answer")

    async def devices(self) -> dict[str, DeviceNow]:
        raise GatewayAway("nobody is there")


async def test_alarms_of_the_guard_and_what_runs_out_are_told(office: Town, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "guard")
    memory.alarm("restored", "<b>canary</b>", office.inventory.clock_ms())

    def broken(now_ms: int) -> list[object]:
        raise OSError("ca/device-ca.pem: gone")

    standing = Standing(memory.alarms, broken)  # type: ignore[arg-type]
    app = create_web(office.inventory, WebOptions(bytes(range(32)), https=False), NoGateway(), standing)
    await logged_in(office, "operator")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=office.address, cookies=office.client.cookies) as client:
        shown = (await client.get("/office/watch?lang=en")).text
    assert "was undone: a revoked box may still be let in" in shown
    assert "&lt;b&gt;canary" in shown
    assert "ca/device-ca.pem: gone" in shown


async def test_the_gateway_away_is_said_and_the_rest_is_shown(office: Town) -> None:
    await logged_in(office, "operator")
    office.gateway.script(Scripted(503, None), Scripted(503, None))
    shown = (await office.client.get("/office/?lang=en")).text
    assert "The gateway gives no answer" in shown
    assert WAITING in shown
    assert PASSWORD not in shown
