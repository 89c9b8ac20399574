"""The technician's own pages: the first one, my installations, what is red at my sites, my tasks."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from provisioning.acts import tasks
from provisioning.gateway_api import DeviceNow, GatewayAway, IncidentNow
from provisioning.inventory import Device, Site, Task
from provisioning.refusals import unknown
from provisioning.web import reads
from provisioning.web.desk import Desk, see


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


class Field:
    """`/t/` and what hangs on it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/", self.begin, methods=["GET"])
        router.add_api_route("/t/", self.home, methods=["GET"])
        router.add_api_route("/t/mine", self.mine, methods=["GET"])
        router.add_api_route("/t/red", self.red, methods=["GET"])
        router.add_api_route("/t/tasks", self.tasks, methods=["GET"])
        router.add_api_route("/t/task/{task}/{act}", self.task, methods=["POST"])
        return router

    async def begin(self) -> Response:
        """Where people who type the bare address go."""
        return see("/t/")

    async def home(self, request: Request) -> Response:
        """How to begin, and what waits."""
        who = await self._desk.door.who(request)
        known = await self._desk.read(
            lambda rows: {"open": reads.open_visits(rows, who.login), "tasks": reads.tasks(rows, who.login)}
        )
        return await self._desk.page(request, who, "home", known)

    async def mine(self, request: Request) -> Response:
        """My visits that ended."""
        who = await self._desk.door.who(request)
        ended = await self._desk.read(lambda rows: reads.ended_visits(rows, who.login))
        return await self._desk.page(request, who, "mine", {"ended": ended})

    async def red(self, request: Request) -> Response:
        """Devices of my sites whose last visit ended red; installed ones that are silent or have a camera down."""
        who = await self._desk.door.who(request)
        district = who.actor.district
        installed, ended = await self._desk.read(
            lambda rows: (reads.installed(rows, district), reads.ended_red(rows, district))
        )
        now = await self._now()
        there = [] if now is None else [(device, site, now.get(device.id)) for device, site in installed]
        troubled = [row for each in there if (row := trouble_of(*each))]
        known = {"ended": ended, "troubled": troubled, "away": now is None}
        return await self._desk.page(request, who, "red", known)

    async def _now(self) -> dict[str, DeviceNow] | None:
        try:
            return await self._desk.gateway.devices()
        except GatewayAway:
            return None

    async def tasks(self, request: Request) -> Response:
        """Tasks that are mine, or anybody's."""
        who = await self._desk.door.who(request)
        listed = await self._desk.read(lambda rows: reads.tasks(rows, who.login))
        numbers = sorted({task.incident for task in listed if task.incident is not None})
        incidents = await self._incidents(numbers) if numbers else {}
        return await self._desk.page(request, who, "tasks", {"tasks": listed, "incidents": incidents})

    async def _incidents(self, numbers: list[int]) -> dict[tuple[int, int], IncidentNow]:
        """How they are now; nothing is said of them while the gateway is away."""
        try:
            return await self._desk.gateway.incidents(numbers)
        except GatewayAway:
            return {}

    async def task(self, task: int, act: str, request: Request) -> Response:
        """Take a task, end it, or note something about it."""
        who = await self._desk.door.who(request)
        fields = await self._desk.form(request, who)
        said = fields.get("note", "")
        acts: dict[str, Any] = {
            "take": lambda work: tasks.take(work, task),
            "done": lambda work: tasks.done(work, task, said),
            "note": lambda work: tasks.note(work, task, said),
        }
        if act not in acts or not 0 <= task < 2**63:
            raise unknown(_("task"), task)
        done: Task = await self._desk.act(who, acts[act])
        return see(f"/t/tasks#task-{done.id}")


def trouble_of(device: Device, site: Site, now: DeviceNow | None) -> dict[str, Any] | None:
    """What is wrong with an installed device; None if it is well."""
    if now is None or now.condition != "ok":
        return {"device": device, "site": site, "last_ms": now.last_ms if now else None, "down": []}
    down = [source.source for source in now.sources if source.camera == "down"]
    return {"device": device, "site": site, "last_ms": now.last_ms, "down": down} if down else None
