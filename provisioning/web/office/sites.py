"""Sites: where they are, and which network and power line they share."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from provisioning.acts import fields as checks
from provisioning.acts import sites
from provisioning.acts.rows import site_row
from provisioning.acts.sites import NewSite
from provisioning.inventory import Device, Site, Work
from provisioning.refusals import Refused
from provisioning.web.office import reads
from provisioning.web.office.forms import Choice, Field, Form
from provisioning.web.office.house import House, asked, degrees
from provisioning.web.office_words import LINK_WORDS


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


class Sites:
    """`/office/sites`, `/office/site`, `/office/site/{site}/remove`."""

    def __init__(self, house: House) -> None:
        self._house = house

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/office/sites", self.list, methods=["GET"])
        router.add_api_route("/office/site", self.ask, methods=["GET"])
        router.add_api_route("/office/site", self.put, methods=["POST"])
        router.add_api_route("/office/site/{site}/remove", self.ask_remove, methods=["GET"])
        router.add_api_route("/office/site/{site}/remove", self.remove, methods=["POST"])
        return router

    async def list(self, request: Request) -> Response:
        """All sites, and what they share."""
        who = await self._house.who(request)
        return await self._house.page(request, who, "sites", await self._house.desk.read(_all))

    async def ask(self, request: Request) -> Response:
        """The form: empty, or of the site `?id=`."""
        who = await self._house.who(request, "site.put")
        return await self._house.form(request, who, await self._form(request))

    async def put(self, request: Request) -> Response:
        """Writes a site."""
        who = await self._house.who(request, "site.put")
        form = await self._form(request)
        known = request.query_params.get("id", "")
        return await self._house.act(
            request,
            who,
            lambda: form,
            lambda work, fields: _put(work, known, fields),
            lambda site: f"/office/sites?done=saved#site-{site.id}",
        )

    async def ask_remove(self, site: str, request: Request) -> Response:
        """What forgetting it means."""
        who = await self._house.who(request, "site.remove")
        found = await self._house.desk.read(lambda rows: site_row(rows, site))
        return await self._house.form(request, who, _removal(found.id))

    async def remove(self, site: str, request: Request) -> Response:
        """Forgets a site."""
        who = await self._house.who(request, "site.remove")
        return await self._house.act(
            request,
            who,
            lambda: _removal(asked(site)),
            lambda work, fields: sites.remove(work, site),
            lambda _nothing: "/office/sites?done=removed",
        )

    async def _form(self, request: Request) -> Form:
        name = request.query_params.get("id", "")
        known = await self._house.desk.read(lambda rows: site_row(rows, name)) if name else None
        return _form(known, await self._house.desk.read(reads.sites))


def _all(rows: Session) -> dict[str, Any]:
    every = reads.sites(rows)
    counted = select(Device.site, func.count()).where(Device.site.is_not(None)).group_by(Device.site)
    lines: dict[str, defaultdict[str, list[Site]]] = {"uplink": defaultdict(list), "feeder": defaultdict(list)}
    for site in every:
        for kind, shared in lines.items():
            if name := getattr(site, kind):
                shared[name].append(site)
    counts = dict(rows.execute(counted).all())
    return {"sites": every, "counts": counts, "lines": {kind: sorted(shared.items()) for kind, shared in lines.items()}}


def _put(work: Work, known: str, fields: dict[str, str]) -> Site:
    name = known or fields.get("site", "").strip()
    if not known and work.rows.get(Site, checks.slug("site", name)) is not None:
        raise Refused("P-409", "site", _("There is a site of this id already."), _("Choose another id."))
    site = NewSite(
        name,
        fields.get("name", ""),
        degrees("lat", fields.get("lat", ""), 90),
        degrees("lon", fields.get("lon", ""), 180),
        fields.get("uplink", "").strip() or None,
        fields.get("feeder", "").strip() or None,
        fields.get("link", "wired"),
        fields.get("district", "").strip() or None,
    )
    return sites.put(work, site)


def _form(known: Site | None, every: Any) -> Form:
    def used(column: str) -> tuple[str, ...]:
        return tuple(sorted({value for site in every if (value := getattr(site, column))}))

    def of(column: str) -> str:
        value = getattr(known, column, None)
        return "" if value is None else str(value)

    link = tuple(Choice(value, text, say=True) for value, text in LINK_WORDS.items())
    slug = _("Letters a-z, digits and -.")
    name = Field("site", _("Site id"), "code", most=64, required=True, hint=slug)
    return Form(
        title=_("Change a site") if known else _("Add a site"),
        about=known.id if known else "",
        action=f"/office/site?id={known.id}" if known else "/office/site",
        back="/office/sites",
        button=_("Save"),
        fields=(
            *(() if known else (name,)),
            Field("name", _("Name"), value=of("name"), required=True),
            Field("district", _("District"), "code", of("district"), suggest=used("district"), hint=slug),
            Field("lat", _("Latitude"), "number", of("lat"), most=24, hint=_("as -3.69463")),
            Field("lon", _("Longitude"), "number", of("lon"), most=24, hint=_("as 128.18245")),
            Field("link", _("Link"), "choice", of("link") or "wired", choices=link),
            Field("uplink", _("Uplink"), "code", of("uplink"), suggest=used("uplink"),
                  hint=_("The network line. Sites with the same one fail together.")),
            Field("feeder", _("Feeder"), "code", of("feeder"), suggest=used("feeder"),
                  hint=_("The power line. Sites with the same one go dark together.")),
        ),
    )  # fmt: skip


def _removal(site: str) -> Form:
    return Form(
        title=_("Forget this site?"),
        about=site,
        lead=_("Only a site where no device is or ever was can be forgotten."),
        action=f"/office/site/{site}/remove",
        back="/office/sites",
        button=_("Forget it"),
        danger=True,
    )
