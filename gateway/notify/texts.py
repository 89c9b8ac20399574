"""How a notice reads: subject and text in the recipient's language, from templates that a city may replace.

A template that fails never holds a notice up: a plain text goes out, and it says so.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, PackageLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from pydantic import Field

from gateway.incidents.maintenance import MAINTENANCE
from gateway.incidents.model import Incident
from gateway.notify import phrases
from gateway.notify.budget import Kind, Notice
from kewang.runtime.settings import Settings
from kewang.ui.words import Language, words
from kewang.wire.placement import Place
from kewang.wire.roster import Roster

log = logging.getLogger(__name__)

NAMES: Final = 8
"""Devices that a text names; the others are counted."""
_TEXT_CHARACTERS: Final = 3900
"""Fits into one message of Telegram's, with room for what is written in two UTF-16 units."""
_LISTED: Final = (100, 60, 40, 30, 20, 10, 3)
"""How many incidents a text lists: the most that fit; the others are counted."""


class LinkSettings(Settings):
    """Addresses in notices, with {console}, {number}, {kind}, {level}, {language}, {lat} and {lon} filled in."""

    console: str = Field("", description="Address of the gateway's page; without it notices link to none.")
    acknowledge: str = Field("{console}/incidents/{number}", description="Where an incident is taken on.")
    runbook: str = Field("", description="What to do about an incident, by its kind and the reader's {language}.")
    map: str = Field(
        "https://www.openstreetmap.org/?mlat={lat}&mlon={lon}#map=17/{lat}/{lon}", description="A place on a map."
    )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What notices know besides the incidents: places of devices, names of places, words for rules' kinds, the
    office's contacts. `ahead_s`: of the wall clock, by which people are on duty or want quiet, if it was set since."""

    places: Mapping[str, Place] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, Mapping[Language, str]] = field(default_factory=dict)
    roster: Roster | None = None
    ahead_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Text:
    """`facts`: the same in parts. `failed`: why the template was not used."""

    subject: str
    body: str
    facts: Mapping[str, str]
    failed: str | None = None


class Texts:
    """Writes notices. `folder`: templates that replace ours (subject.txt, one.txt, several.txt)."""

    def __init__(self, links: LinkSettings, time_zone: str, folder: Path | None = None) -> None:
        self._links, self._zone, self._folder = links, ZoneInfo(time_zone), folder

    def written(self, notice: Notice, incidents: Sequence[Incident], around: Surroundings, language: Language) -> Text:
        """The text of `notice`, as far as it is about `incidents` (one at least)."""
        facts = self.facts(incidents[0], around, language, notice.kind)
        try:
            seen = [self._seen(one, notice, around, language) for one in incidents]
            subject, body = self._rendered(notice, seen, language)
        except Exception as error:
            log.exception("the template of notice %s fails: a plain text is sent", notice.key)
            failed = f"{type(error).__name__}: {error}"[:200]
            subject = self._plain(notice, incidents[0], around, language)
            lines = [self._plain(notice, one, around, language) for one in incidents[:20]]
            broken = words(language).gettext("(The template of this notice fails: %(why)s)") % {"why": failed}
            return Text(subject, "\n".join([*lines, broken]), facts, failed)
        return Text(subject, body, facts)

    def _rendered(self, notice: Notice, seen: list[dict[str, Any]], language: Language) -> tuple[str, str]:
        environment = _environment(self._folder, language)
        known = {
            "kind": notice.kind,
            "severity": words(language).gettext(phrases.SEVERITY[notice.severity]),
            "incidents": seen,
            "waited": duration(notice.waited_s, language),
            "console": self._links.console,
        }
        subject = " ".join(environment.get_template("subject.txt").render(known).split())
        one = len(seen) == 1 and notice.kind != "digest"
        name = "maintenance.txt" if notice.kind == "maintenance" else "one.txt" if one else "several.txt"
        template = environment.get_template(name)
        body = ""
        for listed in _LISTED:
            body = template.render(known, subject=subject, listed=listed).strip()
            if len(body) <= _TEXT_CHARACTERS:
                break
        return subject[:200], body

    def _seen(self, one: Incident, notice: Notice, around: Surroundings, language: Language) -> dict[str, Any]:
        """An incident as templates see it."""
        devices = one.missing or sorted(one.devices)
        until_s = one.ended_s or notice.created_s
        return {
            "number": one.number,
            "title": self._title(one, around, language),
            "where": self._where(one, around),
            "map": self._map(one, around),
            "since": self._moment(one.since_s),
            "until": self._moment(until_s),
            "duration": duration(until_s - one.since_s, language),
            "cause": self._cause(one, language) if one.kind in phrases.OUTAGES else "",
            "value": phrases.value(one, language),
            "count": len(one.devices),
            "names": devices[:NAMES],
            "more": max(0, len(one.devices) - len(devices[:NAMES])),
            "back": len(one.back),
            "acknowledged": one.acknowledged,
            "assigned": one.assigned,
            "stragglers": one.stragglers,
            "away": self._away(one),
            "unmeasured": bool(one.stragglers) and phrases.is_rule(one),
            "step": phrases.step(one, language) if not (phrases.is_rule(one) and self._links.runbook) else "",
            "runbook": self._link(self._links.runbook, one, language=language),
            "acknowledge": self._page(one),
            "over": one.number in notice.over,
            "part_of": dict(notice.part_of).get(one.number),
        }

    def facts(self, one: Incident, around: Surroundings, language: Language, kind: Kind = "opened") -> dict[str, str]:
        """What a text says of `one`, in parts."""
        return {
            "kind": kind,
            "incident": str(one.number),
            "about": one.kind,
            "level": one.scope.level,
            "title": self._title(one, around, language),
            "where": self._where(one, around),
            "since": self._moment(one.since_s),
            "devices": str(len(one.devices)),
            "cause": self._cause(one, language),
            "step": phrases.step(one, language),
            "link": self._page(one),
        }

    def _plain(self, notice: Notice, one: Incident, around: Surroundings, language: Language) -> str:
        """One line without any template."""
        return f"[{notice.kind}] {self._title(one, around, language)} (#{one.number}), {self._moment(one.since_s)}"

    def _title(self, one: Incident, around: Surroundings, language: Language) -> str:
        kind = around.kinds.get(one.kind, {}).get(language, one.kind)
        name = around.names.get(one.scope.name) or phrases.name(one, language)
        return phrases.title(one, name, kind, language)

    def _where(self, one: Incident, around: Surroundings) -> str:
        """The sites by name, at most five, else what the incident is about."""
        sites = [around.names.get(site, site) for site in sorted(one.sites)]
        if not sites:
            return around.names.get(one.scope.name, one.scope.name) or "-"
        return ", ".join(sites[:5]) + (f" (+{len(sites) - 5})" if len(sites) > 5 else "")

    def _map(self, one: Incident, around: Surroundings) -> str:
        """A link to the middle of its devices."""
        placed = [place for place in map(around.places.get, one.devices or [one.scope.name]) if place is not None]
        known = [(place.lat, place.lon) for place in placed if place.lat is not None and place.lon is not None]
        if not known:
            return ""
        lat, lon = (sum(degrees) / len(known) for degrees in zip(*known, strict=True))
        return self._link(self._links.map, one, lat=f"{lat:.5f}", lon=f"{lon:.5f}")

    def _away(self, one: Incident) -> list[tuple[str, str, str]]:
        """Its first devices, with when each was heard last and came back; who is not back before the others."""
        names = [*one.missing, *sorted(one.back)][:NAMES]
        return [
            (name, self._moment(one.devices[name]), self._moment(one.back[name]) if name in one.back else "")
            for name in names
        ]

    def _page(self, one: Incident) -> str:
        """Where people read of it."""
        pattern = "{console}/maintenance" if one.kind == MAINTENANCE else self._links.acknowledge
        return self._link(pattern, one) if self._links.console else ""

    def _link(self, pattern: str, one: Incident, **more: str) -> str:
        kind = f"{one.kind}-{one.scope.name}" if one.scope.level == "gateway" else one.kind
        values = {"console": self._links.console.rstrip("/"), "number": str(one.number), "kind": kind}
        for name, value in (values | {"level": one.scope.level} | more).items():
            pattern = pattern.replace(f"{{{name}}}", value)
        return pattern

    def _cause(self, one: Incident, language: Language) -> str:
        known = words(language)
        return known.gettext("not known yet") if one.cause is None else known.gettext(phrases.CAUSE[one.cause])

    def _moment(self, at_s: float) -> str:
        return datetime.fromtimestamp(at_s, self._zone).strftime("%Y-%m-%d %H:%M %Z")


def duration(lasted_s: float, language: Language) -> str:
    """`lasted_s` in words, in its largest unit and rounded."""
    known = words(language)
    if (seconds := max(1, round(lasted_s))) < 60:
        return known.ngettext("%(num)s second", "%(num)s seconds", seconds) % {"num": seconds}
    minutes = round(lasted_s / 60)
    if minutes < 120:
        return known.ngettext("%(num)s minute", "%(num)s minutes", minutes) % {"num": minutes}
    if (hours := round(lasted_s / 3600)) < 48:
        return known.ngettext("%(num)s hour", "%(num)s hours", hours) % {"num": hours}
    days = round(lasted_s / 86_400)
    return known.ngettext("%(num)s day", "%(num)s days", days) % {"num": days}


@cache
def _environment(folder: Path | None, language: Language) -> SandboxedEnvironment:
    """Text templates with the words of `language`; what a template does not know is an error, not an empty place."""
    loaders: Iterable[BaseLoader] = [PackageLoader("gateway.notify")]
    if folder is not None:
        loaders = [FileSystemLoader(folder), *loaders]
    environment = SandboxedEnvironment(
        loader=ChoiceLoader(list(loaders)),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        auto_reload=folder is not None,  # ours must not change under us while an upgrade is laid down
    )
    environment.install_gettext_translations(words(language), newstyle=True)  # type: ignore[attr-defined]
    return environment
