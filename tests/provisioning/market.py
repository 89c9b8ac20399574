"""A small town for the web app's tests: people, sites, devices, and boxes that do what a box does when switched on."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
from PIL import Image, ImageDraw

from provisioning.acts import devices, people, sites, sources, visits
from provisioning.acts.devices import Issued, NewDevice
from provisioning.acts.people import NewPerson
from provisioning.acts.sites import NewSite
from provisioning.acts.sources import NewSource
from provisioning.gateway_api import GatewayAddress, GatewayApi
from provisioning.inventory import Actor, Inventory, open_inventory
from provisioning.pictures import stored
from provisioning.web.app import create_web
from provisioning.web.options import WebOptions
from tests.gateway.serving import plain_client, served
from tests.provisioning.gateway_server import TOKEN, GatewayServer

OFFICE = Actor.cli("test")
PASSWORD = "ikan-bakar-colo-colo"
WIT = ZoneInfo("Asia/Jayapura")
MARDIKA = (-3.69463, 128.18245)
CAMERA_BOX, SENSOR_BOX, OTHER_BOX = "amb-cam-7k3f93", "amb-env-2b4c62", "amb-cam-0x1y2b"
DAY_MS = 86_400_000
SEEN = {"camera_state": 1.0, "camera_reason": 0.0, "reachable": 1.0, "fps": 12.5}
AIR = {"temp_c": 30.1, "rh_pct": 78.0}


def fingerprint(device: str) -> str:
    """The fingerprint on the label of `device`."""
    return base64.b32encode(hashlib.sha256(device.encode()).digest())[:26].decode()


def label_path(device: str) -> str:
    """Where its QR code leads, as it is printed: in capitals."""
    return f"/D/{device}/{fingerprint(device)}".upper()


def settle(inventory: Inventory) -> None:
    """People, sites and devices of the town."""
    with inventory.writing(OFFICE) as work:
        for login, name, role, district in (
            ("rudi", "Rudi Latuconsina", "technician", "sirimau"),
            ("sari", "Sari Pattimura", "technician", "sirimau"),
            ("nus", "Nus Tahapary", "technician", "nusaniwe"),
            ("ina", "Ina Lease", "operator", None),
        ):
            people.add(work, NewPerson(login, name, role, district=district), PASSWORD)  # type: ignore[arg-type]
        sites.put(work, NewSite("mardika", "Pasar Mardika, Blok B", *MARDIKA, district="sirimau"))
        sites.put(work, NewSite("batu-merah", "Pasar Batu Merah", -3.68890, 128.19720, district="sirimau"))
        sites.put(work, NewSite("gong", "Simpang Gong Perdamaian", -3.69690, 128.17910, district="sirimau"))
        sites.put(work, NewSite("amahusu", "Pantai Amahusu", -3.7370, 128.1360, district="nusaniwe"))
        for device, kind in ((CAMERA_BOX, "camera"), (SENSOR_BOX, "sensor"), (OTHER_BOX, "camera")):
            devices.add(work, NewDevice(device, kind, fingerprint(device)))
        for device, names in ((CAMERA_BOX, ("cam-1", "env-1")), (SENSOR_BOX, ("env-1",)), (OTHER_BOX, ("cam-1",))):
            for name in names:
                sources.put(work, device, new_source(name))


def new_source(name: str) -> NewSource:
    """A camera `cam-*` or a sensor."""
    driver = "camera" if name.startswith("cam") else "modbus-tcp"
    settings = {"url": "rtsp://10.0.0.9/stream"} if driver == "camera" else {"host": "10.0.0.8"}
    return NewSource(name, driver, settings, {})


def picture(label: str = "LAPAK", size: tuple[int, int] = (320, 180)) -> bytes:
    """A JPEG that a person can recognise."""
    image = Image.new("RGB", size, (150, 190, 210))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, size[1] * 2 // 3, size[0], size[1]), fill=(150, 130, 100))
    for n in range(4):
        left = size[0] * (2 * n + 1) // 9
        draw.rectangle(
            (left, size[1] // 3, left + size[0] // 7, size[1] * 4 // 5), fill=(190 - 30 * n, 70 + 30 * n, 60)
        )
    draw.text((size[0] // 20, size[1] // 20), label, fill=(20, 20, 20), font_size=size[1] // 9)
    kept = io.BytesIO()
    image.save(kept, "JPEG", quality=85)
    return kept.getvalue()


def phone_photo() -> bytes:
    """What a phone's camera gives: 12 million pixels with its owner's position in EXIF, some MB."""
    image = Image.effect_noise((800, 600), 60).convert("RGB").resize((4000, 3000))
    ImageDraw.Draw(image).rectangle((900, 600, 3100, 2400), fill=(90, 100, 110))
    exif = Image.Exif()
    exif[0x0112] = 1
    exif[0x010F] = "PhoneMaker"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "S", (3.0, 41.0, 40.67), "E", (128.0, 10.0, 56.82)
    kept = io.BytesIO()
    image.save(kept, "JPEG", quality=80, exif=exif)
    return kept.getvalue()


@dataclass
class Boxes:
    """Boxes as the device API, the gateway and the database see them: driven by the same acts."""

    inventory: Inventory
    gateway: GatewayServer

    def call(self, device: str) -> str:
        """The box asks to be let in; its state."""
        with self.inventory.writing(Actor.device(device)) as work:
            return devices.request_seen(work, device, fingerprint(device)).state

    def certify(self, device: str) -> None:
        """An approved box gets its certificate."""
        now = self.inventory.clock_ms()
        serial = hashlib.sha256(device.encode()).hexdigest()[:16]
        with self.inventory.writing(Actor.device(device)) as work:
            chain = "-----BEGIN CERTIFICATE-----"
            devices.certificate_given(
                work, device, Issued(serial, fingerprint(device), chain, now - 3_600_000, now + 30 * DAY_MS)
            )

    def report(self, device: str) -> None:
        """Its readings are in the database."""
        for source in ("cam-1", "env-1") if device == CAMERA_BOX else ("cam-1",) if "cam" in device else ("env-1",):
            camera = source.startswith("cam")
            self.gateway.store(device, "cam" if camera else "env", source, SEEN if camera else AIR)

    def show(self, device: str, source: str = "cam-1") -> None:
        """Its camera's thumbnail arrives."""
        now = self.inventory.clock_ms()
        name = stored(self.inventory.folder, picture())
        with self.inventory.writing(Actor.device(device)) as work:
            visits.add_photo(work, device, visits.Picture(name, "thumbnail", now, source, now + 7 * DAY_MS))

    def arrive(self, device: str) -> None:
        """Everything that an approved box does within seconds."""
        self.certify(device)
        self.report(device)
        if "cam" in device:
            self.show(device)


@dataclass
class Town:
    """The web app being served, and what is behind it."""

    inventory: Inventory
    gateway: GatewayServer
    boxes: Boxes
    address: str
    client: httpx.AsyncClient

    async def post(self, path: str, fields: dict[str, str], status: int = 200, **options: object) -> httpx.Response:
        """Posts a form with the token of whoever is logged in."""
        token = (await self.client.get("/t/token")).json()["csrf"]
        answer = await self.client.post(path, data={**fields, "csrf": token}, **options)  # type: ignore[arg-type]
        assert answer.status_code == status, (answer.status_code, answer.text[:600])
        return answer

    async def log_in(self, login: str, password: str = PASSWORD) -> httpx.Response:
        """Logs in by the form, as a browser does."""
        await self.client.get("/login")
        shown = (await self.client.get("/login")).text
        token = shown.split('name="csrf" value="')[1].split('"')[0]
        return await self.client.post(
            "/login", data={"login": login, "password": password, "csrf": token, "next": "/t/"}
        )


def opened(folder: Path) -> Inventory:
    """The inventory in the state folder `folder`."""
    return open_inventory(f"sqlite:///{folder / 'inventory.db'}", folder)


@cache
def settled() -> Path:
    """A state folder with the town in it, to be copied: passwords are hashed slowly, so it is made once."""
    folder = Path(_KEPT.name) / "state"
    inventory = opened(folder)
    try:
        settle(inventory)
    finally:
        inventory.close()
    return folder


_KEPT = tempfile.TemporaryDirectory()
"""Lives as long as the test run."""


@asynccontextmanager
async def town(
    folder: Path, *, port: int = 0, options: WebOptions | None = None, console: str | None = None
) -> AsyncIterator[Town]:
    """The town's web app on a real port, with a real inventory and a gateway that answers as agreed.

    `console`: address of a real gateway's console in its place.
    """
    token = folder / "gateway.token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    shutil.copytree(settled(), folder / "state")
    inventory = opened(folder / "state")
    try:
        chosen = options or WebOptions(
            bytes(range(32)), https=False, zone=WIT, office_phone="6281100000", gateway_token_file=token, poll_s=0.3
        )
        async with GatewayServer() as gateway, GatewayApi(GatewayAddress(console or gateway.url, token)) as api:
            app = create_web(inventory, chosen, api)
            async with (
                served(app, asyncio.Event(), port) as address,
                plain_client(address) as client,
            ):
                yield Town(inventory, gateway, Boxes(inventory, gateway), address, client)
    finally:
        inventory.close()
