"""Dinding: the city at a glance, from 5 m away. It reads few series, and each of its rows proves that it is fresh."""

from dataclasses import dataclass
from typing import Any, Final

from dashboards import limits, look
from dashboards.boards.shared import how_many_open, metric, open_incidents
from dashboards.builder import Json, Panel, bars, sites_map, stat, target, timeline
from dashboards.influxql import FRESH_S, is_, last_s, newest, select
from dashboards.layout import Band, other_boards
from dashboards.layout import board as laid_out
from dashboards.voice import Voice

ROLLED_S: Final = 900
"""Roll-ups come up to ten minutes after their readings."""
BUDGET_S: Final = 600
BUDGET: Final = 10
"""Alarms in ten minutes that one person can answer (EEMUA 191)."""
CITY: Final = is_("level", "city")
AIR: Final = ("pm25_ugm3", "temp_c", "noise_dba", "nh3_ppm", "h2s_ppm", "water_level_cm", "bin_fill_pct")


@dataclass(frozen=True, slots=True)
class Feed:
    """What a row lives on: it is stale when this has no point of the last so many seconds."""

    key: str
    field: str
    measurement: str
    where: tuple[str, ...]
    seconds: int = FRESH_S


DEVICES: Final = Feed("devices", "total", "fleet", (CITY,))
INCIDENTS: Final = Feed("incidents", "incidents_open", "gw", ())
SITES: Final = Feed("sites", "total", "fleet", (is_("level", "site"),))
ROLLED: Final = Feed("rolled", "temp_c_mean", "worst_5m", (), ROLLED_S)


def board(_: Voice) -> Json:
    """The board."""
    bands = [
        Band(5, [*((3, one) for one in states(_)), (3, budget(_)), (3, proven(_)), fresh(_, DEVICES, 3, 2)]),
        Band(9, [(12, open_incidents("incidents", _, limit=8)), (9, site_map(_)), fresh(_, INCIDENTS, 5, 4)]),
        Band(8, [(13, site_states(_)), (4, cameras(_)), (4, notices(_)), fresh(_, SITES, 4, 4)]),
        Band(5, [*((3, worst_value(_, name)) for name in AIR), fresh(_, ROLLED, 3, 2)]),
    ]
    title, what = _("Kewang: wall"), _("How the city is now. Grey is normal; a colour asks for something.")
    return laid_out("wall", _, title, what, bands, refresh="10s", since="now-1h", links=[other_boards(_, _("Boards"))])


def now(key: str, _: Voice, title: str, what: str, query: str, unit: str = "none", **more: Any) -> Panel:
    """A number of now, or the words that there is none."""
    words, colour = more.pop("nothing", (look.stale(_), look.ALARM))
    mappings = [*more.pop("mappings", []), look.nothing(words, colour)]
    return stat(key, title, what, query, unit=unit, empty=words, mappings=mappings, **more)


def fresh(_: Voice, feed: Feed, upper: int, lower: int) -> tuple[int, list[tuple[int, Panel]]]:
    """At a row's end: whether its newest point is young, and of when it is."""
    young = select(f"last({feed.field})", feed.measurement, last_s(feed.seconds), *feed.where)
    ever = select(f"last({feed.field})", feed.measurement, last_s(86_400), *feed.where)
    limit = _("Words stand here when the newest data of this row is older than %(n)s s.") % {"n": feed.seconds}
    when = _("Compare with a clock: a frozen screen or a dead database shows an old time here.")
    words = look.ranged(0, None, _("FRESH"), look.NORMAL)
    is_fresh = now(f"fresh-{feed.key}", _, _("Data"), limit, young, mappings=[words])
    shape, title = "time:DD/MM HH:mm:ss", _("Newest data")
    moment = stat(f"newest-{feed.key}", title, when, ever, field="/^Time$/", unit=shape, empty=look.stale(_))
    return 3, [(upper, is_fresh), (lower, moment)]


def states(_: Voice) -> list[Panel]:
    """How many devices are how."""

    def of(key: str, title: str, what: str, expression: str, colour: str = look.NORMAL) -> Panel:
        query = select(expression, "fleet", last_s(FRESH_S), CITY)
        return now(key, _, title, what, query, decimals=0, thresholds=look.thresholds((1, colour)))

    away = _("Devices that are not heard. The table below says why.")
    half = _("Devices that are heard but not well, or come and go.")
    return [
        of("up", _("Normal"), _("Devices that are heard and well."), "last(up)"),
        of("degraded", "▲ " + _("Degraded"), half, "last(degraded) + last(unstable)", look.WARN),
        of("down", "■ " + _("Down"), away, "last(down)", look.ALARM),
        of("unknown", "◇ " + _("Unknown"), _("Devices that were never heard."), "last(unknown)", look.UNKNOWN),
        of("maintenance", "● " + _("In maintenance"), _("Devices somebody works on."), "last(maintenance)", look.INFO),
    ]


def budget(_: Voice) -> Panel:
    """Alarms against what a person can answer."""
    query = select("count(devices)", "incident", last_s(BUDGET_S), is_("what", "opened"))
    what = _("Incidents opened in the last 10 minutes. Above 10 nobody can answer them one by one: look at causes.")
    steps = look.thresholds((BUDGET // 2, look.WARN), (BUDGET, look.ALARM))
    return stat(
        "budget", _("Alarms in 10 min"), what, query, unit="none", decimals=0, thresholds=steps, empty=_("0, if fresh")
    )


def proven(_: Voice) -> Panel:
    """Whether the gateway that watches is proven to be well."""
    words = {"1": (_("PROVEN"), look.NORMAL), "0": ("■ " + _("IN DOUBT"), look.ALARM)}
    what = _("Whether the watch has proven, by a message through broker and database, that it is well.")
    query = select("min(proven)", "gw", last_s(FRESH_S))
    return now("proven", _, _("The watch"), what, query, mappings=[look.values(words)])


def site_map(_: Voice) -> Panel:
    """Where it is."""
    query = select(newest("state", "total", "lat", "lon"), "fleet", last_s(FRESH_S), is_("level", "site"), by=["name"])
    steps = look.thresholds((1, look.WARN), (2, look.INFO), (3, look.UNKNOWN), (4, look.ALARM))
    what = _("Sites by their worst state. Own drawing of the coast, not for navigation.")
    shown: Json = {"mappings": [look.states(_)], "thresholds": steps, "unit": "none", "empty": look.stale(_)}
    return sites_map("map", _("Sites"), what, target(query, table=True), **shown)


def site_states(_: Voice) -> Panel:
    """The sites that were worst, over time."""
    level = is_("level", "site")
    query = select("max(state)", "fleet", level, "state > 0", by=["name"], every="$__interval")
    what = _("Sites that were not normal in the last hours, when and how.")
    shown: Json = {
        "mappings": [look.states(_)],
        "unit": "none",
        "interval": "1m",
        "empty": _("No site was out of order, if the data here is fresh."),
    }
    return timeline("sites", _("Sites that were not normal"), what, [target(query, alias="$tag_name")], **shown)


def cameras(_: Voice) -> Panel:
    """Views that are lost, by what is wrong with them."""
    kinds = {
        "camera-lost": "■ " + _("no picture"),
        "camera-covered": "■ " + _("covered"),
        "camera-moved": "▲ " + _("moved"),
        "camera-recording": "▲ " + _("not recording"),
    }
    queries = [target(how_many_open(kind), alias=word) for kind, word in kinds.items()]
    what = _("Cameras that show nothing useful, by open incident. Open the board of cameras.")
    steps = look.thresholds((1, look.WARN))
    none = _("none, if fresh")
    return bars("cameras", _("Camera views lost"), what, queries, unit="none", thresholds=steps, empty=none)


def notices(_: Voice) -> Panel:
    """Whether people hear of it."""
    query = select("max(notices_oldest_s)", "gw", last_s(FRESH_S))
    what = _("How long the oldest notice waits. Above 2 minutes look at the channels on the platform board.")
    return now("notices", _, _("Oldest notice waits"), what, query, "s", thresholds=look.thresholds((120, look.ALARM)))


def worst_value(_: Voice, name: str) -> Panel:
    """The city's highest value of a metric. Not every city measures all: the end of the row says if it is stale."""
    one = metric(name)
    query = select(f"last({name}_mean)", "worst_5m", last_s(ROLLED_S))
    what = _("The highest mean of 5 minutes anywhere in the city. Open the board of the environment.")
    title = f"{one.meaning(_.language)} ({one.unit})"
    shown: Json = {"thresholds": limits.thresholds(name), "nothing": (_("none, if fresh"), look.UNKNOWN)}
    return now(f"worst-{name}", _, title, what, query, decimals=one.decimals, **shown)
