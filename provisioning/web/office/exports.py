"""Files to take away: the inventory, and what every technician did."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from provisioning.acts.exporting import inventory_csv, work_csv, work_done
from provisioning.web.office.house import House, download


class Exports:
    """`/office/exports`, `/office/export/inventory`, `/office/export/work`."""

    def __init__(self, house: House) -> None:
        self._house = house

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/office/exports", self.show, methods=["GET"])
        router.add_api_route("/office/export/inventory", self.inventory, methods=["POST"])
        router.add_api_route("/office/export/work", self.work, methods=["POST"])
        return router

    async def show(self, request: Request) -> Response:
        """What every technician did in a span, and the files."""
        who = await self._house.who(request, "work.export")
        span = self._span(dict(request.query_params))
        done = await self._house.desk.read(lambda rows: work_done(rows, span["from_ms"], span["to_ms"]))
        return await self._house.page(request, who, "exports", {"done_work": done, "span": span})

    async def inventory(self, request: Request) -> Response:
        """The inventory as a CSV file."""
        who = await self._house.who(request, "inventory.export")
        await self._house.fields(request, who)
        language, zone = self._house.desk.door.language(request, who), self._house.desk.options.zone
        content = await self._house.desk.act(who, lambda work: inventory_csv(work, language, zone))
        return download(content, f"kewang-inventory-{self._house.today()}.csv", "text/csv")

    async def work(self, request: Request) -> Response:
        """The technicians' work as a CSV file."""
        who = await self._house.who(request, "work.export")
        span = self._span(await self._house.fields(request, who))
        language = self._house.desk.door.language(request, who)
        content = await self._house.desk.act(who, lambda work: work_csv(work, span["from_ms"], span["to_ms"], language))
        return download(content, f"kewang-work-{span['from']}-{span['to']}.csv", "text/csv")

    def _span(self, fields: dict[str, str]) -> dict[str, Any]:
        """Both days are in it; without any: this month and the one before."""
        today = self._house.today()
        before = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
        first, from_ms = self._house.day(fields.get("from", ""), before)
        last, to_ms = self._house.day(fields.get("to", ""), today, later_days=1)
        return {"from": first, "to": last, "from_ms": from_ms, "to_ms": to_ms}
