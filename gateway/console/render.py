"""From an overview to HTML: the live page in named fragments, each sent anew only when it changed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment
from markupsafe import Markup

from gateway.console import cameras
from gateway.console.facts import Facts, Options
from gateway.console.live import QUARANTINE_SHOWN, Overview
from gateway.console.overview import Reading, Site
from gateway.console.phrases import CHANGES, LIVES, SHORT, STREAM_WORDS, TASK_STATES, reason_of, trouble_of, word_of
from gateway.console.sparks import Sparks
from gateway.notify.phrases import place
from kewang.ui import figures, pages
from kewang.ui.words import Language
from kewang.wire.tally import HOUR_MS

TEMPLATES = Path(__file__).parent / "templates"

LARGE: Final = 2
"""A site with more devices may be torn apart between columns."""


@dataclass(frozen=True, slots=True)
class LivePage:
    """The live page in one language. `by_site`: fragment name -> content, in the page's order."""

    beat: Markup
    strip: Markup
    quarantine: Markup
    own: Markup
    by_site: dict[str, Markup]
    large: frozenset[str]
    """Fragments of the sites that may be torn apart between columns."""

    @property
    def layout(self) -> tuple[list[str], frozenset[str]]:
        """While it is the same, sites can be swapped one by one."""
        return list(self.by_site), self.large

    @property
    def sites(self) -> Markup:
        """All sites with the frames that later fragments are swapped into."""
        frame = Markup('<section class="site{0}" sse-swap="{1}">{2}</section>')
        return Markup("").join(
            frame.format(" large" if name in self.large else "", name, html) for name, html in self.by_site.items()
        )

    def fragments(self) -> dict[str, Markup]:
        """Fragment name -> content, without the sites."""
        return {"beat": self.beat, "strip": self.strip, "quarantine": self.quarantine, "own": self.own}


class Renderer:
    """Renders pages in both languages."""

    def __init__(self, facts: Facts, sparks: Sparks, options: Options) -> None:
        self._facts, self._sparks, self._options = facts, sparks, options
        self._environment = cache(self._made_environment)

    def live(self, overview: Overview, language: Language) -> LivePage:
        """The fragments of the live page."""
        devices = sum(len(site.devices) for site in overview.sites)
        full = devices <= self._options.full_cards
        known: dict[str, Any] = {
            "overview": overview,
            "now_ms": overview.now_ms,
            "full": full,
            "own": self._own(),
            "incidents": self._facts.open_incidents(),
            "worst": self._facts.worst_incident(language),
        }
        parts = {name: self.fragment(name, language, known) for name in ("beat", "strip", "quarantine", "own")}
        sites = {fragment_name(s): self.fragment("site", language, known | {"site": s}) for s in overview.sites}
        large = frozenset(fragment_name(site) for site in overview.sites if len(site.devices) > LARGE)
        return LivePage(**parts, by_site=sites, large=large)

    def fragment(self, name: str, language: Language, known: dict[str, Any]) -> Markup:
        """One template, rendered."""
        template = self._environment(language).get_template(f"{name}.html")
        facts = {"ahead": self._facts.devices_ahead(), "clock_synchronised": self._facts.clock_synchronised()}
        facts["watches"] = self._facts.open_incidents() is not None
        return Markup(
            template.render(known, sparks=self._sparks, options=self._options, most=QUARANTINE_SHOWN, **facts)
        )

    def _own(self) -> dict[str, Any]:
        facts = self._facts
        return {
            "gateway": facts.gateway,
            "rate": facts.readings_per_s(),
            "queue": facts.queue(),
            "broker": facts.broker_connected(),
            "store_trouble": facts.store_trouble(),
        }

    def _made_environment(self, language: Language) -> Environment:
        return pages.environment(TEMPLATES, language, self._filters(language))

    def _filters(self, language: Language) -> dict[str, Callable[..., str]]:
        zone = self._options.zone

        def value(reading: Reading) -> str:
            word = reading.metric.word(reading.value, language)
            return word or figures.number(reading.value, reading.metric.decimals, language)

        return {
            "number": lambda value, decimals: figures.number(value, decimals, language),
            "percent": lambda part, whole: figures.percent(part, whole, language),
            "clock": lambda date_ms: figures.clock(date_ms, zone),
            "moment": lambda date_ms, now_ms: figures.moment(date_ms, now_ms, zone),
            "zone": lambda date_ms: figures.zone_name(date_ms, zone),
            "hour": lambda hour: figures.clock(hour * HOUR_MS, zone)[:5],
            "value": value,
            "place": place,
            "life": lambda life: word_of(LIVES, life, language),
            "stream": lambda stream: word_of(STREAM_WORDS, stream, language),
            "reason": lambda row: reason_of(row, language),
            "trouble": lambda why: trouble_of(why, language),
            "camera": lambda source: cameras.said(source.camera, language),
            "first_step": lambda source: cameras.first_step(source.camera, language),
            "task_state": lambda state: word_of(TASK_STATES, state, language),
            "change": lambda what: word_of(CHANGES, what, language),
            "short": lambda name: word_of(SHORT, name, language),
        }


def fragment_name(site: Site) -> str:
    """A name for a site's fragment that is safe in an event and an attribute, whatever the site is called."""
    return "site-" + sha256((site.name or "").encode()).hexdigest()[:12]
