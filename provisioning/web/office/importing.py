"""Import of a file: looked through first, then all of it or nothing."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Final, cast, get_args

from fastapi import APIRouter, Request, Response

from provisioning.acts.importing import ImportRefused, Report, What, examine, import_csv
from provisioning.refusals import Refused
from provisioning.web.desk import see
from provisioning.web.office.house import House, code
from provisioning.web.session import Who

KEPT_FILES: Final = 8
"""Files that wait for the second look, at most; each has up to 5 MB."""
KEPT_MS: Final = 30 * 60_000
SHOWN: Final = 200
"""Problems on the page, at most."""
SAMPLE: Final = 10


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


class Waiting:
    """Files between their dry run and their import, each for the person who sent it. Call from one thread."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, tuple[str, int, What, bytes]] = OrderedDict()

    def keep(self, person: str, what: What, data: bytes, now_ms: int) -> str:
        """Keep a file; what it is asked for by."""
        name = secrets.token_urlsafe(16)
        self._files[name] = (person, now_ms + KEPT_MS, what, data)
        while len(self._files) > KEPT_FILES:
            self._files.popitem(last=False)
        return name

    def take(self, person: str, name: str, now_ms: int) -> tuple[What, bytes]:
        """The file `name` of `person`; it stays until `drop`. Raises Refused P-409 when it is gone."""
        owner, until_ms, what, data = self._files.get(name, ("", 0, "devices", b""))
        if owner != person or now_ms > until_ms:
            raise Refused("P-409", "file", _("The file is gone."), _("Choose it again."), audited=False)
        return what, data

    def drop(self, name: str) -> None:
        """Forget a file."""
        self._files.pop(name, None)


class Importing:
    """`/office/import`, `/office/import/all`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._waiting = Waiting()

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/office/import", self.ask, methods=["GET"])
        router.add_api_route("/office/import", self.look, methods=["POST"])
        router.add_api_route("/office/import/all", self.do, methods=["POST"])
        return router

    async def ask(self, request: Request) -> Response:
        """Which file, and what may stand in it."""
        who = await self._house.who(request, "inventory.import")
        what = request.query_params.get("what", "devices")
        return await self._page(request, who, what if what in get_args(What) else "devices")

    async def look(self, request: Request) -> Response:
        """The dry run: what the file would bring, and every problem with its line."""
        who = await self._house.who(request, "inventory.import")
        fields, data = await self._house.file(request, who)
        said = fields.get("what", "")
        what = cast(What, said if said in get_args(What) else "devices")
        try:
            report = await self._house.desk.read(lambda rows: examine(rows, what, data))
        except Refused as refused:
            return await self._page(request, who, what, refused=refused)
        now_ms = self._house.desk.inventory.clock_ms()
        file = "" if report.problems or not report.count else self._waiting.keep(who.login, what, data, now_ms)
        return await self._page(request, who, what, report, file)

    async def do(self, request: Request) -> Response:
        """Imports the file that was looked through."""
        who = await self._house.who(request, "inventory.import")
        fields = await self._house.fields(request, who)
        file = fields.get("file", "")
        what: What = "devices"
        try:
            what, data = self._waiting.take(who.login, file, self._house.desk.inventory.clock_ms())
            await self._house.desk.act(who, lambda work: import_csv(work, what, data))
        except ImportRefused as refused:
            return await self._page(request, who, what, refused.report, refused=refused)
        except Refused as refused:
            return await self._page(request, who, what, refused=refused)
        self._waiting.drop(file)
        return see("/office/sites?done=imported" if what == "sites" else "/office/?done=imported")

    async def _page(
        self,
        request: Request,
        who: Who,
        what: str,
        report: Report | None = None,
        file: str = "",
        refused: Refused | None = None,
    ) -> Response:
        language, zone = self._house.desk.door.language(request, who), self._house.desk.options.zone
        problems = report.problems[:SHOWN] if report else []
        known = {
            "what": what,
            "report": report,
            "problems": [(each.line, each.column, each.refused.said(language, zone)) for each in problems],
            "sample": report.rows[:SAMPLE] if report else [],
            "file": file,
            **self._house.said(request, who, refused),
        }
        status = code(refused) if refused else 400 if problems else 200
        return await self._house.page(request, who, "import", known, status)
