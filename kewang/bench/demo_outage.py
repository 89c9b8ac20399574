"""The demo's outage: one site loses its connection and gets it back; what the city's people are told of it is shown."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from rich.panel import Panel
from rich.text import Text

from kewang.bench.city import City
from kewang.bench.ear import Ear, Heard
from kewang.bench.says import Says, _

LIMIT_S: Final = 90.0
"""So long an alert or its end may take, on a busy machine."""
_LOOK_S: Final = 5.0
"""The page is left as it is for so long, for people to look at it."""
_STYLES: Final[Mapping[str, str]] = {"resolved": "green", "acknowledged": "cyan"}


_OFF: Final = _(
    "%(site)s is switched off: %(devices)s lost their connection. The alert comes within 15 s; in a city it takes two "
    "minutes."
)
_ON: Final = _(
    "%(site)s is switched on again: what was measured meanwhile arrives late. Its end is told after 20 s without "
    "trouble; in a city after three minutes."
)
_KEY_OFF: Final = _("Keys: s switches %(site)s off, q ends")
_KEY_ON: Final = _("Keys: s switches %(site)s on, q ends")
_ALERT: Final = _("Alert %(seconds)s s after %(site)s was switched off")
_CLOSING: Final = _("End %(seconds)s s after %(site)s was switched on")


class Outage:
    """Switches the first site with two devices. `turn` shows what arrived at `ear`."""

    def __init__(self, city: City, ear: Ear, says: Says) -> None:
        self._city, self._ear, self._says = city, ear, says
        self.site, self.devices = _site_of_two(city)
        self.name = self.site.replace("-", " ").title()
        self.off_s: float | None = None
        """Since when it is off; None: it is on."""
        self.on_s: float | None = None
        """When it was switched on last."""
        self.count = 0
        self.heard: list[Heard] = []
        self.alerts_s: list[float] = []
        self.closings_s: list[float] = []

    def press(self) -> None:
        """Off if it is on, and on if it is off."""
        self._city.cut(self.devices, self.off_s is None)
        now_s = time.monotonic()
        if self.off_s is None:
            self.off_s, self.count = now_s, self.count + 1
            self._says(_OFF, "bold", site=self.name, devices=", ".join(self.devices))
        else:
            self.off_s, self.on_s = None, now_s
            self._says(_ON, "bold", site=self.name)

    def again(self) -> None:
        """All parts were held and go on: who is off still is."""
        if self.off_s is not None:
            self._city.cut(self.devices, True)

    @property
    def key(self) -> str:
        """Which keys there are."""
        return self._says.filled(_KEY_OFF if self.off_s is None else _KEY_ON, site=self.name)

    def turn(self, _now_s: float) -> None:
        """Show what people are told."""
        for notice in self._ear.new():
            self.heard.append(notice)
            style = _STYLES.get(notice.facts["kind"], "red" if notice.facts["severity"] == "critical" else "yellow")
            self._says.console.print(
                Panel(Text(notice.facts["text"]), title=self._title(notice), style=style, expand=False)
            )

    def _title(self, notice: Heard) -> Text:
        """How long it took, if it is about our site; else that it is a notice."""
        if self.off_s is not None and notice.is_about("opened", "site", self.name):
            self.alerts_s.append(round(notice.at_s - self.off_s, 1))
            return Text(self._says.filled(_ALERT, site=self.name, seconds=f"{self.alerts_s[-1]:.0f}"))
        if self.on_s is not None and self.off_s is None and notice.is_about("resolved", "site", self.name):
            self.closings_s.append(round(notice.at_s - self.on_s, 1))
            return Text(self._says.filled(_CLOSING, site=self.name, seconds=f"{self.closings_s[-1]:.0f}"))
        return Text(self._says.filled(_("Notice")))

    def incidents(self) -> list[dict[str, Any]]:
        """All of the gateway's, newest first; it must run."""
        answer = self._city.gateway.get("/api/v1/incidents")
        found: list[dict[str, Any]] = json.loads(answer)["incidents"] if answer else []
        return found

    def figures(self) -> dict[str, Any]:
        """For the result: the longest times, None for what was not."""
        return {
            "outages": self.count,
            "incidents": len(self.incidents()),
            "notices": len(self.heard),
            "alert_s": max(self.alerts_s, default=None),
            "closing_s": max(self.closings_s, default=None),
        }

    def doubled(self) -> list[str]:
        """What is wrong if nothing but the switch made these devices silent: more than one incident an outage."""
        mine = [one for one in self.incidents() if one["kind"] in ("outage", "unstable") and self._has(one)]
        return [f"{len(mine)} incidents of {self.count} outages of {self.site}"] if len(mine) > self.count else []

    def _has(self, incident: Mapping[str, Any]) -> bool:
        return any(name.partition("/")[0] in self.devices for name in incident["devices"])


class Rehearsal:
    """Presses the switch by itself, off and on once. `ready`: whether it may begin."""

    def __init__(self, outage: Outage, ready: Callable[[], bool]) -> None:
        self._outage, self._ready = outage, ready
        self._next_s: float | None = None

    def turn(self, now_s: float) -> None:
        """Press if it is time."""
        outage = self._outage
        if self._next_s is None and self._ready():
            self._next_s = now_s + _LOOK_S
        if self._next_s is not None and outage.count == 0 and now_s >= self._next_s:
            outage.press()
            self._next_s = now_s + LIMIT_S
        if outage.off_s is not None and outage.alerts_s and self._next_s:
            self._next_s = min(self._next_s, now_s + _LOOK_S)
        if outage.off_s is not None and self._next_s and now_s >= self._next_s:
            outage.press()
            self._next_s = now_s + LIMIT_S

    def over(self, now_s: float) -> bool:
        """Whether its end was told, or takes too long."""
        outage = self._outage
        ended = outage.on_s is not None and outage.off_s is None
        return ended and (bool(outage.closings_s) or self._next_s is None or now_s >= self._next_s)

    def failures(self) -> list[str]:
        """What people were not told, or told twice."""
        outage = self._outage
        checks = (("alert", outage.alerts_s, "off"), ("closing notice", outage.closings_s, "on"))
        return [
            f"{len(told)} times {what} after {outage.site} was switched {how}"
            for what, told, how in checks
            if len(told) != 1
        ]


def _site_of_two(city: City) -> tuple[str, list[str]]:
    """The first site with at least two devices, and those."""
    sites: dict[str, list[str]] = {}
    for device in city.plan.devices:
        sites.setdefault(str(device.placement["site"]), []).append(device.name)
    return next((site, devices) for site, devices in sites.items() if len(devices) > 1)
