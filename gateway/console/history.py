"""The list of incidents as somebody looks for it: what the address says, what is found, and the form that asks."""

import asyncio
from dataclasses import asdict, replace
from typing import Any, Final, Protocol

from fastapi import Request

from gateway.console.paging import address, asked, page_asked
from gateway.found import Query, State
from gateway.incidents.canary import CANARY
from gateway.incidents.engine_rules import RANK
from gateway.incidents.facts import facts_of
from gateway.incidents.model import Incident, Level
from gateway.notify import phrases
from gateway.notify.budget import SEVERITIES
from gateway.works import Works
from kewang.ui.words import Language, words

PAGE: Final = 50
LISTED: Final = 200
MOST_OPEN: Final = 200


class Incidents(Protocol):
    """The watch's incidents. `found` reads a file: call it in a thread."""

    @property
    def works(self) -> Works:
        """Where the devices are, for one."""

    @property
    def kinds(self) -> phrases.Kinds:
        """What people call those of rules."""

    def found(self, query: Query, offset: int, limit: int) -> tuple[list[Incident], int]:
        """Those looked for, after `offset` of them, and how many there are; open ones first, then the newest."""


async def looked_for(request: Request, incidents: Incidents, language: Language) -> dict[str, Any]:
    """What the page of incidents knows of this request."""
    query, page = _asked(request)
    quiet = query == Query()
    open_ = [] if query.state == "over" or page > 1 else (await _found(incidents, query, "open", 0, MOST_OPEN))[0]
    over, count = ([], 0) if query.state == "open" else await _found(incidents, query, "over", (page - 1) * PAGE, PAGE)
    tests = [one for one in open_ if one.kind == CANARY]
    return {
        "open": sorted((one for one in open_ if one.kind != CANARY), key=weight, reverse=True),
        "tests": tests,
        "over": over,
        "query": query,
        "looks": not quiet,
        "page": page,
        "last": max(1, -(-count // PAGE)),
        "at": lambda number: _address(query, number),
        "kinds": _kinds(incidents, language),
        "levels": {level: words(language).gettext(word) for level, word in LEVELS.items()},
        "sites": sorted({place.site for place in incidents.works.places.values()}),
    }


async def listed(request: Request, incidents: Incidents) -> dict[str, Any]:
    """The same for programs, `LISTED` a page. `count`: of all that are looked for."""
    query, page = _asked(request)
    found, count = await asyncio.to_thread(incidents.found, query, (page - 1) * LISTED, LISTED)
    told = [facts_of(one) for one in found]
    return {"incidents": told, "count": count, "page": page, "last": max(1, -(-count // LISTED))}


async def _found(
    incidents: Incidents, query: Query, state: State, offset: int, limit: int
) -> tuple[list[Incident], int]:
    return await asyncio.to_thread(incidents.found, replace(query, state=state), offset, limit)


def _asked(request: Request) -> tuple[Query, int]:
    state = request.query_params.get("state")
    given = asked(request, "kind", "level", "site", "text")
    query = Query(state="open" if state == "open" else "over" if state == "over" else "", **given)
    return query, page_asked(request)


def _address(query: Query, page: int) -> str:
    """The same list at another page."""
    return address("/incidents", asdict(query), page)


def _kinds(incidents: Incidents, language: Language) -> dict[str, str]:
    own = {kind: words(language).gettext(word) for kind, word in KINDS.items()}
    return own | {kind: said.get(language, kind) for kind, said in incidents.kinds.items()}


def weight(one: Incident) -> tuple[int, int, int]:
    """What is looked at first: the worst, of these the widest, of these the newest."""
    return SEVERITIES.index(one.severity), RANK[one.scope.level], one.number


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


LEVELS: Final[dict[Level, str]] = {
    "source": _("source"),
    "device": _("device"),
    "site": _("site"),
    "uplink": _("uplink"),
    "feeder": _("feeder"),
    "city": _("the whole city"),
    "gateway": _("the gateway"),
}
KINDS: Final = {
    "outage": _("not heard"),
    "sources": _("several sources silent"),
    "unstable": _("comes and goes"),
    "two-boxes": _("two boxes with one name"),
    "self": _("the gateway's own trouble"),
}
