"""A technician's visit in a phone's browser against everything real: web app, device API, mTLS broker, agent, gateway,
database, a camera over RTSP and a board over Modbus. Nothing is typed, and the thumbnail is the camera's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from firmware_sim.layout import map_file
from kewang.bench.cameras_served import CamerasProgram
from kewang.bench.programs import BoardsProgram
from kewang.bench.stack import MARDIKA, SecuredStack, board_source
from provisioning.acts.sources import NewSource
from provisioning.inventory import Audit, Photo, Visit
from tests.chromium import chromium
from tests.provisioning.link import Link
from tests.provisioning.market import phone_photo
from tests.provisioning.offline_walk import OfflineWalk
from tests.provisioning.walk import Phone, walk

BOARD = "market-env"
TAPS_LIMIT = 12
pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]


@dataclass
class Town:
    """What runs, and the technician's password."""

    stack: SecuredStack
    cameras: CamerasProgram
    boards: BoardsProgram
    password: str
    photo: Path


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("walk")
    photo = folder / "photo.jpg"
    photo.write_bytes(phone_photo())
    boards, cameras = BoardsProgram(folder / "boards", [BOARD]), CamerasProgram(folder / "cameras", 1)
    with boards, cameras, SecuredStack(folder / "stack") as stack:
        yield Town(stack, cameras, boards, stack.technician("rudi"), photo)


@pytest.mark.parametrize("language", ["id", "en"])
async def test_a_camera_and_a_sensor_from_the_label_to_green(town: Town, tmp_path: Path, language: str) -> None:
    device = f"amb-cam-{language}"
    camera = NewSource("cam-1", "camera", {"url": town.cameras.rtsp(0)}, {})
    box = town.stack.box(device, [camera, board_source("env-1", town.boards.ports[0], map_file(BOARD))], "camera")

    async def placed() -> None:
        """The box does by itself what is to be done."""

    async with chromium(tmp_path / "profile") as tab:
        with box:
            town.stack.await_state(device, "pending")
            phone = Phone(tab, town.stack.office.web_url, language, shots(), "real")
            await tab.stand_at(*MARDIKA)
            await phone.log_in("rudi", town.password)
            walked = await walk(phone, town.stack.label_path(device), town.photo, camera=True, placed=placed)
            green = await tab.ask("document.querySelector('main.end.green') !== null")
    assert (walked.wrong, green) == ((), True)
    assert walked.taps <= TAPS_LIMIT
    assert town.stack.state(device) == "installed"
    assert town.stack.database.count("cam", device) > 0
    assert town.stack.database.count("env", device) > 0
    assert kinds(town.stack, device) == ["mounted", "notice", "thumbnail"]


async def test_with_the_signal_gone_and_the_page_killed_three_times_it_arrives_once(town: Town, tmp_path: Path) -> None:
    device = "amb-cam-away"
    box = town.stack.box(device, [NewSource("cam-1", "camera", {"url": town.cameras.rtsp(0)}, {})], "camera")
    async with Link(int(town.stack.office.web_url.rpartition(":")[2])) as link:
        label = town.stack.label_path(device)
        away = OfflineWalk(tmp_path / "profile", link, label, town.password, town.photo, shots())
        with box:
            town.stack.await_state(device, "pending")
            await away.without_signal()
            assert town.stack.state(device) == "pending"
            await away.until_sent()
            await away.to_the_end()
    assert town.stack.state(device) == "installed"
    assert town.stack.database.count("cam", device) > 0
    assert kinds(town.stack, device) == ["mounted", "notice", "thumbnail"]
    with town.stack.office.inventory() as inventory, inventory.reading() as rows:
        visits = list(rows.scalars(select(Visit).where(Visit.device == device)))
        acts = list(rows.scalars(select(Audit.act).where(Audit.subject == device)))
    assert [visit.result for visit in visits] == ["green"]
    assert [acts.count(act) for act in ("visit.start", "device.approve", "device.accept", "visit.finish")] == [1] * 4


def kinds(stack: SecuredStack, device: str) -> list[str]:
    """What pictures the office has of a device, each kept as a file."""
    with stack.office.inventory() as inventory, inventory.reading() as rows:
        found = list(rows.scalars(select(Photo).where(Photo.device == device)))
    assert all((stack.office.state / "photos" / photo.sha256).stat().st_size > 1000 for photo in found)
    return sorted(photo.kind for photo in found)


def shots() -> Path | None:
    folder = os.environ.get("KEWANG_SHOTS")
    return Path(folder) if folder else None
