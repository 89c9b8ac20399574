"""The audit log: who did what when, searched, and read through for signs that somebody changed it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from provisioning.acts.exporting import audit_csv
from provisioning.inventory import Audit
from provisioning.inventory.verify import Verdict, verify
from provisioning.web.office.house import House, asked, download, whole
from provisioning.web.office_words import ACT_WORDS
from provisioning.web.session import Who

PAGE: Final = 100
REFUSED: Final = ":refused"
DAYS: Final = 31


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: parts of actor and subject, an act, Unix ms; `below`: rows with smaller numbers."""

    actor: str
    subject: str
    act: str
    refused: bool
    from_day: str
    to_day: str
    from_ms: int
    to_ms: int
    below: int

    @property
    def where(self) -> list[ColumnElement[bool]]:
        """As conditions on Audit."""
        found: list[ColumnElement[bool]] = [Audit.time_ms >= self.from_ms, Audit.time_ms < self.to_ms]
        if self.actor:
            found.append(func.lower(Audit.actor).contains(self.actor.lower(), autoescape=True))
        if self.subject:
            found.append(func.lower(Audit.subject).contains(self.subject.lower(), autoescape=True))
        if self.act:
            found.append(Audit.act.in_((self.act, self.act + REFUSED)))
        if self.refused:
            found.append(Audit.act.endswith(REFUSED))
        return found

    @property
    def string(self) -> str:
        """For an address, without `below`."""
        said = {"actor": self.actor, "subject": self.subject, "act": self.act, "from": self.from_day}
        said |= {"to": self.to_day, "refused": "1" if self.refused else ""}
        return urlencode({name: value for name, value in said.items() if value})


class AuditLog:
    """`/office/audit`, `/office/audit/verify`, `/office/audit/export`."""

    def __init__(self, house: House) -> None:
        self._house = house

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/office/audit", self.show, methods=["GET"])
        router.add_api_route("/office/audit/verify", self.verify, methods=["POST"])
        router.add_api_route("/office/audit/export", self.export, methods=["POST"])
        return router

    async def show(self, request: Request) -> Response:
        """The rows that fit, the newest first."""
        return await self._page(request, await self._house.who(request, "audit.read"))

    async def verify(self, request: Request) -> Response:
        """Reads the whole log and says whether it is as it was written."""
        who = await self._house.who(request, "audit.read")
        await self._house.fields(request, who)
        return await self._page(request, who, await asyncio.to_thread(verify, self._house.desk.inventory))

    async def export(self, request: Request) -> Response:
        """The rows of a span as a CSV file."""
        who = await self._house.who(request, "audit.export")
        fields = await self._house.fields(request, who)
        today = self._house.today()
        first, from_ms = self._house.day(fields.get("from", ""), today)
        last, to_ms = self._house.day(fields.get("to", ""), today, later_days=1)
        language, zone = self._house.desk.door.language(request, who), self._house.desk.options.zone
        content = await self._house.desk.act(who, lambda work: audit_csv(work, from_ms, to_ms, language, zone))
        return download(content, f"kewang-audit-{first}-{last}.csv", "text/csv")

    async def _page(self, request: Request, who: Who, verdict: Verdict | None = None) -> Response:
        query = self._query(request)
        found = await self._house.desk.read(lambda rows: _rows(rows, query))
        known = {"query": query, "verdict": verdict, "acts": ACT_WORDS, **found}
        return await self._house.page(request, who, "audit", known)

    def _query(self, request: Request) -> Query:
        said, today = request.query_params, self._house.today()
        from_day, from_ms = self._house.day(said.get("from", ""), today.replace(year=2000))
        to_day, to_ms = self._house.day(said.get("to", ""), today, later_days=1)
        act = said.get("act", "")
        return Query(
            asked(said.get("actor", "")),
            asked(said.get("subject", "")),
            act if act in ACT_WORDS else "",
            said.get("refused", "") == "1",
            str(from_day) if said.get("from") else "",
            str(to_day) if said.get("to") else "",
            from_ms,
            to_ms,
            whole(said.get("below", ""), 1, 2**31, 0),
        )


def _rows(rows: Session, query: Query) -> dict[str, Any]:
    total = rows.scalar(select(func.count()).select_from(Audit).where(*query.where)) or 0
    wanted = select(Audit).where(*query.where)
    wanted = wanted.where(Audit.number < query.below) if query.below else wanted
    found = rows.scalars(wanted.order_by(Audit.number.desc()).limit(PAGE + 1)).all()
    shown = [(row, row.act.removesuffix(REFUSED), row.act.endswith(REFUSED), told(row.detail)) for row in found[:PAGE]]
    return {"rows": shown, "total": total, "more": found[PAGE - 1].number if len(found) > PAGE else None}


def told(detail: str) -> list[tuple[str, str]]:
    """The detail of a row as pairs; what is nothing is left out. A row that was spoilt is shown as it is."""
    try:
        said = json.loads(detail)
    except ValueError:
        return [("?", detail[:200])]
    if not isinstance(said, dict):
        return [("?", detail[:200])]
    return [(name, _short(value)) for name, value in said.items() if value not in (None, "", {}, [])]


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
