"""The pages `/ledger` and `/quarantine`: what of the readings is where, and what to do with those that were refused."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Request, Response

from gateway.console.booked import Row, rows_of
from gateway.console.live import Live, Overview
from gateway.console.paging import address, asked, page_asked, paged
from gateway.console.refusals import Group, groups_of
from gateway.console.shown import Pages, of_overview
from gateway.console.sites import matches
from gateway.ports import Refused
from kewang.ui.words import words

DEVICES: Final = 100
GROUPS: Final = 10
ROWS: Final = 50


class FiguresPages:
    """Both pages, each made from one overview. What is sorted and judged for one is kept until the next is read."""

    def __init__(self, live: Live, pages: Pages) -> None:
        self._live, self._pages = live, pages
        self._rows: tuple[object, list[Row]] = (None, [])
        self._groups: tuple[object, list[Group]] = (None, [])

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/ledger", self.ledger)
        router.add_api_route("/quarantine", self.quarantine)
        return router

    async def ledger(self, request: Request) -> Response:
        """The city's ledger and that of each device."""
        overview = await self._live.overview()
        say, fields = words(self._pages.language(request)).gettext, asked(request, "show", "q")
        rows = self._sorted(overview)
        some = [row for row in rows if _is_sought(row, fields)]
        known = {
            "asked": fields,
            "rows": rows,
            "unsure": sum(row.verdict == "unsure" for row in rows),
            "page": paged(some, page_asked(request), DEVICES),
            "shows": [(key, say(word)) for key, word in SHOWS.items()],
            "at_show": lambda show: address("/ledger", fields | {"show": show}),
            "at_page": lambda number: address("/ledger", fields, number),
        }
        return self._pages.html("ledger_page", request, known | of_overview(overview, request, self._pages))

    async def quarantine(self, request: Request) -> Response:
        """What waits for a decision, by device, source and kind, with the commands that decide."""
        overview = await self._live.overview()
        fields = asked(request, "device", "kind")
        groups = [one for one in self._grouped(overview) if _is_meant(one.newest, fields)]
        known = {
            "asked": fields,
            "groups": paged(groups, page_asked(request), GROUPS),
            "rows": [row for row in overview.quarantine if _is_meant(row, fields)][:ROWS],
            "at_page": lambda number: address("/quarantine", fields, number),
        }
        return self._pages.html("quarantine_page", request, known | of_overview(overview, request, self._pages))

    def _sorted(self, overview: Overview) -> list[Row]:
        if self._rows[0] is not overview:
            self._rows = overview, rows_of(overview)
        return self._rows[1]

    def _grouped(self, overview: Overview) -> Sequence[Group]:
        if self._groups[0] is not overview.quarantine:
            self._groups = overview.quarantine, groups_of(overview.quarantine, overview.now_ms)
        return self._groups[1]


def _is_sought(row: Row, fields: dict[str, str]) -> bool:
    show, text = fields["show"], fields["q"]
    return (not show or show in row.shows) and (not text or matches(row.device, text) or matches(row.site or "", text))


def _is_meant(row: Refused, fields: dict[str, str]) -> bool:
    kind = row.reason.partition(":")[0]
    return fields["device"] in ("", row.series.device) and fields["kind"] in ("", kind)


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


SHOWS: Final = {
    "": _("all"),
    "missing": _("not complete"),
    "unsure": _("not known"),
    "held": _("on their way"),
    "quarantined": _("quarantined"),
    "dropped": _("dropped by the box"),
}
