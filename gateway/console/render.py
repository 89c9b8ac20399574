"""From an overview to HTML: the live page in named fragments, each sent anew only when it changed."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment
from markupsafe import Markup

from gateway.console.facts import Facts, Options
from gateway.console.filters import SHAPES, filters
from gateway.console.live import QUARANTINE_SHOWN, Overview
from gateway.console.overview import Site
from gateway.console.sparks import Sparks
from kewang.ui import pages
from kewang.ui.words import Language

TEMPLATES = Path(__file__).parent / "templates"

LARGE: Final = 2
"""A site with more devices may be torn apart between columns."""

SITES: Final = 100
"""So many are on the live page, those with trouble first; of more, the map and its table tell."""


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
        shown, rest = overview.sites[:SITES], overview.sites[SITES:]
        sites = {fragment_name(s): self.fragment("site", language, known | {"site": s}) for s in shown}
        if rest:
            sites["site-rest"] = self.fragment("rest", language, {"sites": len(rest)})
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
        made = pages.environment(TEMPLATES, language, filters(language, self._options.zone))
        made.globals |= {"shapes": SHAPES}
        return made


def fragment_name(site: Site) -> str:
    """A name for a site's fragment that is safe in an event and an attribute, whatever the site is called."""
    return "site-" + sha256((site.name or "").encode()).hexdigest()[:12]
