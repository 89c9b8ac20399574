"""From an overview to HTML: the live page in named fragments, each sent anew only when it changed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from gateway.console.facts import Facts, Options
from gateway.console.live import Overview
from gateway.console.overview import Reading, Site
from gateway.console.sparks import Sparks
from kewang.ui import figures, pages
from kewang.ui.words import Language, words

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class LivePage:
    """The live page in one language. `by_site`: fragment name -> content, in the page's order."""

    beat: Markup
    strip: Markup
    quarantine: Markup
    own: Markup
    by_site: dict[str, Markup]

    @property
    def sites(self) -> Markup:
        """All sites with the frames that later fragments are swapped into."""
        frame = Markup('<section class="site" sse-swap="{0}">{1}</section>')
        return Markup("").join(frame.format(name, html) for name, html in self.by_site.items())

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
        full = self._full_cards(overview)
        known: dict[str, Any] = {"overview": overview, "now_ms": overview.now_ms, "full": full, "own": self._own()}
        parts = {name: self.fragment(name, language, known) for name in ("beat", "strip", "quarantine", "own")}
        sites = {fragment_name(s): self.fragment("site", language, known | {"site": s}) for s in overview.sites}
        return LivePage(**parts, by_site=sites)

    def fragment(self, name: str, language: Language, known: dict[str, Any]) -> Markup:
        """One template, rendered."""
        template = self._environment(language).get_template(f"{name}.html")
        return Markup(template.render(known, sparks=self._sparks, options=self._options))

    def _full_cards(self, overview: Overview) -> set[str]:
        """Devices that get a whole card: all of a small fleet, else the troubled ones first."""
        devices = [device for site in overview.sites for device in site.devices]
        devices.sort(key=lambda device: not device.troubled)
        return {device.name for device in devices[: self._options.full_cards]}

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
            "value": value,
            "place": lambda site: site.replace("-", " ").title(),
            "life": lambda life: life_word(life, language),
        }


def fragment_name(site: Site) -> str:
    """A name for a site's fragment that is safe in an event and an attribute, whatever the site is called."""
    return "site-" + sha256((site.name or "").encode()).hexdigest()[:12]


def life_word(life: str, language: Language) -> str:
    """A placement's life in words."""
    _ = words(language).gettext
    return {
        "approved": _("approved"),
        "maintenance": _("in maintenance"),
        "quarantined": _("set apart"),
        "revoked": _("revoked"),
        "retired": _("retired"),
    }.get(life, life)
