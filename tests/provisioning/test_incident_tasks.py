"""An incident given to a technician: the real console of the gateway and the real web app, each asking the other."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from gateway.console.facts import Access
from gateway.notify.routes import NotifySettings
from kewang.bench.process import free_port
from kewang.ui.words import LANGUAGES
from kewang.wire.incident_task import PATH, WISH_BYTES
from provisioning.acts import contacts, people, tasks
from provisioning.inventory import Actor, Audit, Task
from provisioning.inventory.verify import verify
from tests.chromium import chromium
from tests.cli.commands import kewang, told
from tests.fakes import MemoryStore
from tests.gateway.serving import Served, console, now_ms
from tests.gateway.test_console_live import STICKING_OUT
from tests.gateway.watch_house import BOXES, House
from tests.provisioning.gateway_server import TOKEN
from tests.provisioning.market import CAMERA_BOX, OFFICE, PASSWORD, Town, town

PORTAL = "https://pantau.ambon.example"
RUDI, SARI = Actor("rudi", "technician", "sirimau"), Actor("sari", "technician", "sirimau")


@dataclass
class City:
    """A gateway whose watch has one open incident, number 1, and the office. `client` is somebody's browser."""

    market: Town
    house: House
    shown: Served
    client: httpx.AsyncClient

    async def log_in(self, login: str) -> None:
        """At the office; the gateway believes its cookie."""
        self.market.client.cookies.clear()
        assert (await self.market.log_in(login)).status_code == 303

    def cookie(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{one.name}={one.value}" for one in self.market.client.cookies.jar) + "; lang=en"}

    async def page(self, number: int = 1, language: str = "en") -> str:
        """The incident's page as whoever is logged in sees it, after the watch's next turn."""
        await self.house.live(1)
        return (await self.client.get(f"/incidents/{number}?lang={language}", headers=self.cookie())).text

    async def assign(self, to: str = "", number: int = 1, **more: str) -> httpx.Response:
        """By the form of the page."""
        token = re.search(r'name="token" value="(\w*)"', await self.page())
        fields = {"token": token[1] if token else "", "to": to, **more}
        return await self.client.post(f"/incidents/{number}/assign", data=fields, headers=self.cookie())

    async def follow(self) -> None:
        """What the gateway does each minute."""
        assert self.house.watched.office is not None
        await self.house.watched.office.ask()
        await self.house.watched.office.then()

    def tasks(self) -> list[Task]:
        with self.market.inventory.reading() as rows:
            return list(rows.scalars(select(Task).order_by(Task.id)))

    def audit(self) -> list[tuple[str, str]]:
        with self.market.inventory.reading() as rows:
            wanted = select(Audit.actor, Audit.act).where(Audit.act.like("task.%")).order_by(Audit.number)
            return [(actor, act) for actor, act in rows.execute(wanted)]


@asynccontextmanager
async def city_in(folder: Path) -> AsyncIterator[City]:
    port = free_port()
    async with town(folder, console=f"http://127.0.0.1:{port}") as market:
        notify = NotifySettings.model_validate(
            {
                "links": {"console": PORTAL},
                "office": {"url": market.address, "token_file": folder / "gateway.token"},
            }
        )
        house = House(folder / "incidents", now_ms() - 3_600_000, notify)
        office = house.watched.office
        assert office is not None
        office.then = house.watched.tasks.follow if house.watched.tasks else office.then
        await house.live(70)
        house.silent = set(BOXES[:3])
        await house.live(150)
        await office.ask()
        access = Access(TOKEN, bytes(range(32)), f"{market.address}/login")
        async with console(MemoryStore(), access=access, incidents=house.watched, port=port) as shown:
            yield City(market, house, shown, shown.client)
        await office._http.close()
        house.watched.close()


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    async with city_in(tmp_path) as found:
        yield found


async def test_from_the_incident_to_the_phone_and_back_once(city: City) -> None:
    await city.log_in("ina")
    assert '<option value="rudi">Rudi Latuconsina (Sirimau)</option>' in await city.page()
    answers = await asyncio.gather(city.assign("rudi"), city.assign("rudi"))
    assert [answer.status_code for answer in answers] == [303, 303]
    (task,) = city.tasks()
    assert (task.assignee, task.by, task.incident, task.link) == ("rudi", "ina", 1, f"{PORTAL}/incidents/1")
    assert task.text.split("\n") == [
        "Lokasi Mardika tidak terdengar (#1)",
        "Tanyakan di lokasi apakah listrik menyala, lalu periksa router-nya.",
    ]
    assert city.audit() == [("ina", "task.assign")]
    page = await city.page()
    assert re.search(r"Taken on by.*Ina Lease.*Task of.*Rudi Latuconsina \(not taken yet\)", page, re.S)
    assert page.count("given to a technician: Ina Lease → Rudi Latuconsina") == 1
    await city.log_in("rudi")
    phone = (await city.market.client.get("/t/tasks?lang=en")).text
    assert f'<a href="{PORTAL}/incidents/1">Incident #1</a> · ● not over' in phone
    await city.market.post(f"/t/task/{task.id}/take", {}, 303)
    for _ in range(2):
        await city.follow()
        page = await city.page()
    assert "Rudi Latuconsina (being done)" in page
    assert page.count("the technician took it: Rudi Latuconsina") == 1
    await city.market.post(f"/t/task/{task.id}/done", {"note": "router <b>menyala</b>"}, 303)
    for _ in range(2):
        await city.follow()
    page = await city.page()
    assert re.search(r"the technician says it is done: Rudi Latuconsina</b>.*router &lt;b&gt;menyala", page)
    assert page.count("the technician says it is done") == 1
    assert verify(city.market.inventory).ok


async def test_a_task_that_nobody_took_goes_to_another_and_says_that_the_incident_is_over(city: City) -> None:
    await city.log_in("ina")
    assert (await city.assign()).status_code == 303
    assert "whoever takes it (not taken yet)" in await city.page()
    assert (await city.assign("sari")).status_code == 303
    (task,) = city.tasks()
    assert (task.assignee, task.state) == ("sari", "open")
    assert "Sari Pattimura (not taken yet)" in await city.page()
    city.house.silent = set()
    await city.house.live(300)
    await city.log_in("sari")
    assert "· ✔ over since" in (await city.market.client.get("/t/tasks?lang=en")).text
    await city.log_in("ina")
    assert f'<a href="{PORTAL}/incidents/1">Gangguan #1</a>' in (await city.market.client.get("/office/tasks")).text


async def test_what_somebody_works_at_is_refused_with_who_and_since_when(city: City) -> None:
    await city.log_in("ina")
    await city.assign("rudi")
    with city.market.inventory.writing(RUDI) as work:
        tasks.take(work, city.tasks()[0].id)
    refused = await city.assign("sari")
    assert (refused.status_code, "Rudi Latuconsina has this task since" in refused.text) == (409, True)
    assert [task.assignee for task in city.tasks()] == ["rudi"]
    with city.market.inventory.writing(RUDI) as work:
        tasks.done(work, city.tasks()[0].id)
    assert (await city.assign("sari")).status_code == 303
    assert [(task.assignee, task.state) for task in city.tasks()] == [("rudi", "done"), ("sari", "open")]


async def test_a_task_of_the_same_number_in_a_restored_office_is_not_taken_for_ours(city: City) -> None:
    await city.log_in("ina")
    await city.assign("rudi")
    with city.market.inventory.writing(RUDI) as work:
        tasks.done(work, city.tasks()[0].id).incident = 7
    await city.follow()
    assert "Rudi Latuconsina (not taken yet)" in await city.page()


async def test_only_the_office_may_and_only_from_our_own_form(city: City) -> None:
    await city.log_in("rudi")
    assert "Give it to a technician" not in await city.page()
    assert (await city.assign("rudi")).status_code == 403
    await city.log_in("ina")
    assert (await city.assign("rudi", token="x")).status_code == 403
    for nobody in ("nobody", "../x", "A B"):
        assert (await city.assign(nobody)).status_code == 409
    assert (await city.assign("rudi", number=9)).status_code == 404
    with city.market.inventory.writing(OFFICE) as work:
        people.disable(work, "ina")
    refused = await city.assign("rudi")
    assert (refused.status_code, "Your role may not do this" in refused.text) == (409, True)
    assert city.tasks() == []


async def test_with_the_office_away_nothing_is_given_and_the_page_says_so(city: City, tmp_path: Path) -> None:
    await city.log_in("ina")
    office = city.house.watched.office
    assert office is not None
    here = office._settings
    office._settings = here.model_copy(update={"url": "http://127.0.0.1:9"})
    refused = await city.assign("rudi")
    assert (refused.status_code, "nothing was given" in refused.text) == (503, True)
    assert "Task of" not in await city.page()
    office._settings = here
    assert (await city.assign("rudi")).status_code == 303
    assert len(city.tasks()) == 1


async def test_by_command(city: City, tmp_path: Path) -> None:
    port = city.shown.address.rpartition(":")[2]
    file = tmp_path / "gateway.toml"
    file.write_text(
        f'[incidents]\nfolder = "{tmp_path}/incidents"\n'
        f'[console]\nport = {port}\nservice_token_file = "{tmp_path}/gateway.token"\n'
    )
    given = ("incidents", "assign", "1", "--to", "rudi", "--by", "shift", "--config", str(file))
    done = await asyncio.to_thread(kewang, *given, "--json")
    assert told(done) == {"number": 1, "ok": True, "task": 1, "to": "Rudi Latuconsina", "state": "open"}
    assert city.audit() == [("system:gateway", "task.assign")]
    await city.house.live(1)
    shown = await asyncio.to_thread(kewang, "incidents", "show", "1", "--config", str(file))
    assert "taken on by shift, task of Rudi Latuconsina (open)" in shown.stdout
    assert "assigned by shift to Rudi Latuconsina" in shown.stdout
    none = await asyncio.to_thread(kewang, "incidents", "assign", "1", "--to", "nobody", "--config", str(file))
    assert (none.returncode, "There is no person nobody" in none.stderr) == (1, True)


WISH: dict[str, Any] = {"v": 1, "incident": 7, "opened_ms": 1, "text": "Kamera gelap"}


WISHES: list[tuple[dict[str, Any], int]] = [
    ({}, 200),
    ({"device": CAMERA_BOX, "source": "cam-1", "to": "rudi", "by": "ina"}, 200),
    ({"device": "not-in-the-list", "source": "cam-1"}, 200),
    ({"by": "rudi"}, 403),
    ({"by": "nobody"}, 403),
    ({"to": "nobody"}, 404),
    ({"text": ""}, 400),
    ({"text": "a\u202eb"}, 400),
    ({"link": "javascript:alert(1)"}, 400),
    ({"incident": 2**63}, 400),
    ({"padding": "x" * WISH_BYTES}, 400),
]


async def test_a_wish_is_judged_by_the_office(tmp_path: Path) -> None:
    async with town(tmp_path) as market:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert (await market.client.post(PATH, json=WISH)).status_code == 401
        for number, (wish, status) in enumerate(WISHES, 1):
            answer = await market.client.post(PATH, json=WISH | {"incident": number} | wish, headers=headers)
            assert answer.status_code == status, (wish, answer.text)
        listed = (await market.client.get(PATH, headers=headers)).json()["tasks"]
        assert [(each["incident"], each["name"]) for each in listed] == [(3, ""), (2, "Rudi Latuconsina"), (1, "")]
        with market.inventory.reading() as rows:
            kept = [(task.device, task.source) for task in rows.scalars(select(Task).order_by(Task.id))]
        assert kept == [(None, None), (CAMERA_BOX, "cam-1"), (None, None)]


SIZES = {"phone": (390, 844), "wall": (1920, 1080)}


@pytest.mark.slow
async def test_pages_fit_phone_and_wall(city: City, tmp_path: Path) -> None:
    """Nothing sticks out. KEWANG_SHOTS=folder keeps the pictures."""
    await city.log_in("ina")
    await city.assign("rudi")
    await city.house.live(1)
    with city.market.inventory.writing(OFFICE) as work:
        contacts.add(work, contacts.NewContact("Command Center", "telegram", "@ambon_cc"))
        night = contacts.NewContact("Ketua Jaga Malam", "whatsapp", "+628110000001", district="sirimau")
        contacts.add(work, night, (contacts.NewShift("12345", 1080, 360), contacts.NewShift("67", 0, 1440)))
    office = city.market.address
    pages = {
        "ina": {"given": f"{city.shown.address}/incidents/1", "contacts": f"{office}/office/contacts"},
        "rudi": {"task": f"{office}/t/tasks"},
    }
    async with chromium(tmp_path / "profile") as tab:
        for login, shown in pages.items():
            await tab.call("Network.clearBrowserCookies")
            await tab.open(f"{office}/login", 1280, 800)
            await tab.type("[name=login]", login)
            await tab.type("[name=password]", PASSWORD)
            await tab.ask("document.querySelector('button.go').click()")
            await tab.until("location.pathname === '/t/' && document.readyState === 'complete'")
            for (name, url), language, (size, (width, height)) in product(shown.items(), LANGUAGES, SIZES.items()):
                await tab.open(f"{url}?lang={language}", width, height, phone=size == "phone")
                if folder := os.environ.get("KEWANG_SHOTS"):
                    await tab.picture(Path(folder) / f"{name}-{size}-{language}.png", whole=size == "phone")
                assert await tab.ask("document.documentElement.scrollWidth <= window.innerWidth")
                assert await tab.ask(STICKING_OUT) == []
