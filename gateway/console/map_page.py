"""The pages `/map` and `/site/{name}`: where which site is in which state, and the devices of one."""

from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from gateway.console.chart import Box, Chart, Mark, asked_box, chart
from gateway.console.live import Live, Overview
from gateway.console.overview import Device
from gateway.console.paging import address, asked, page_asked, paged
from gateway.console.shown import Pages, of_overview
from gateway.console.sites import BY_KEY, FIRST, SiteNow, counted, matches, sites_now
from kewang.ui import city

SITES: Final = 50
DEVICES: Final = 50


class MapPages:
    """Both pages, each made from one overview; the sites and the map of the whole city once for each."""

    def __init__(self, live: Live, pages: Pages) -> None:
        self._live, self._pages = live, pages
        self._known: tuple[object, tuple[SiteNow, ...], Chart | None] = (None, (), None)

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/map", self.map)
        router.add_api_route("/site/{name:path}", self.site)
        return router

    async def map(self, request: Request) -> Response:
        """The sites in the drawing of the city, and the same as a table."""
        overview = await self._live.overview()
        sites, whole = self._of(overview)
        fields = asked(request, "box", "state", "off", "q")
        box = asked_box(fields["box"])
        fields["box"] = str(box) if box else ""
        drawn = chart(sites, city.drawing(), box) if box else whole
        some = [site for site in sites if _is_sought(site, fields, box, drawn)]
        counts = counted(sites)
        known = {
            "asked": fields,
            "sites": sites,
            "chart": drawn,
            "legend": [(BY_KEY[key], counts[key]) for key in FIRST],
            "order": [BY_KEY[key] for key in FIRST],
            "unplaced": sum(len(site.devices) for site in overview.sites if site.name is None),
            "page": paged(some, page_asked(request), SITES),
        }
        return self._pages.html(
            "map", request, known | _addresses(fields) | of_overview(overview, request, self._pages)
        )

    async def site(self, name: str, request: Request) -> Response:
        """One site's devices, those that are looked at first; without a name those that nobody has placed."""
        overview = await self._live.overview()
        sites, _ = self._of(overview)
        found = next((site for site in sites if site.name == name), None)
        devices = found.devices if found else _unplaced(overview) if not name else ()
        if found is None and not devices:
            return self._pages.html("unknown", request, {}, 404)
        known = {
            "name": name,
            "site": found,
            "lines": {what: _lines(devices, what) for what in ("uplink", "feeder")},
            "page": paged(devices, page_asked(request), DEVICES),
            "at_page": lambda number: address("", {}, number),
        }
        return self._pages.html("site_page", request, known | of_overview(overview, request, self._pages))

    def _of(self, overview: Overview) -> tuple[tuple[SiteNow, ...], Chart]:
        known, sites, drawn = self._known
        if known is not overview or drawn is None:
            sites = sites_now(overview)
            drawn = chart(sites, city.drawing())
            self._known = overview, sites, drawn
        return sites, drawn


def _is_sought(site: SiteNow, fields: dict[str, str], box: Box | None, drawn: Chart) -> bool:
    if fields["off"] and site not in drawn.off:
        return False
    if box and not (site.at and box.has(site.at)):
        return False
    return fields["state"] in ("", site.state.key) and matches(site.name, fields["q"])


def _addresses(fields: dict[str, str]) -> dict[str, Any]:
    def at_box(box: Box | str) -> str:
        return address("/map", fields | {"box": str(box)})

    def at_mark(mark: Mark) -> str:
        if len(mark.sites) == 1:
            return f"/site/{quote(mark.worst.name, safe='')}"
        here = fields["box"] == str(mark.closer)
        return at_box(mark.closer) + ("#list" if here else "")

    return {
        "at_box": at_box,
        "at_mark": at_mark,
        "at_state": lambda key: address("/map", fields | {"state": key}),
        "at_page": lambda number: address("/map", fields, number) + "#list",
        "at_off": address("/map", {"off": "1"}) + "#list",
    }


def _unplaced(overview: Overview) -> tuple[Device, ...]:
    return tuple(device for site in overview.sites if site.name is None for device in site.devices)


def _lines(devices: tuple[Device, ...], what: str) -> list[str]:
    return sorted({name for device in devices if device.place and (name := getattr(device.place, what))})
