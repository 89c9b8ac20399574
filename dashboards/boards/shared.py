"""What several boards show alike: links, columns of devices and incidents, worst-first tables."""

from typing import Any

from dashboards import limits, look
from dashboards.builder import Json, Panel, column, stat, table, target, timeline
from dashboards.influxql import FRESH_S, WHOLE, identifier, is_, last_s, newest, outer, select
from dashboards.layout import link_to
from dashboards.voice import Voice
from kewang.wire.catalogue import METRICS, Metric

WORST = 20


def metric(name: str) -> Metric:
    """The metric of this name."""
    return next(one for one in METRICS if one.name == name)


def to_device(_: Voice, field: str = "device") -> Json:
    """The link from a row to its device's board."""
    return link_to(_("Open the device"), _.uid("device"), device=field)


def device_column(_: Voice) -> Json:
    """The column that names a device."""
    return column(_("Device"), links=[to_device(_)])


def source_column(_: Voice) -> Json:
    """The column that names a source of it."""
    return column(_("Source"))


def worst(
    key: str,
    title: str,
    what: str,
    _: Voice,
    expression: str,
    measurement: str,
    *where: str,
    by: tuple[str, ...] = ("device", "source"),
    shown: Json,
    or_zero: bool = False,
    with_site: bool = False,
    least: bool = False,
    limit: int = WORST,
    **more: Any,
) -> Panel:
    """The devices (or other tags) with the highest (or `least`) value of `expression`, as a table. `shown`: the value's
    column; `or_zero`: a sum of nothing is 0; `with_site`: where the device stands, by a second query."""
    whole: Json = {"every": WHOLE, "fill": "0"} if or_zero else {}
    each = select(f"{expression} AS value", measurement, *where, by=by, **whole)
    pick = "bottom" if least else "top"
    query = outer(f"{pick}(value, {', '.join(map(identifier, by))}, {limit})", each)
    columns = {"device": device_column(_), "source": source_column(_)}
    named = {tag: columns[tag] if tag in columns else column(_("Place")) for tag in by}
    rows = [target(query, table=True)]
    if with_site:
        rows.append(target(select(newest("site"), "state", last_s(FRESH_S), by=["device"]), table=True))
        named = {"site": column(_("Site")), **named}
        more["joined_by"] = "device"
    return table(key, title, what, rows, {**named, pick: shown}, sort=pick, ascending=least, **more)


def open_incidents(key: str, _: Voice, *where: str, limit: int = 0) -> Panel:
    """The incidents that are open now, worst first."""
    what = _("What is down or wrong now, since when, why, and who has it. Click a row's title to take it on.")
    facts = (f"title_{_.language}", "severity", "devices", "missing", "since_ms", "cause", "by")
    each = select(newest(*facts), "incident_open", last_s(FRESH_S), *where, by=["number"])
    page = {"title": _("Open the incident"), "url": f"{_.console}/incidents/${{__data.fields.number:percentencode}}"}
    nobody = look.nothing("▲ " + _("nobody yet"), look.WARN)
    columns = {
        "severity": column(_("Severity"), mappings=[look.severities(_)], width=120),
        f"title_{_.language}": column(_("What"), links=[{**page, "targetBlank": True}]),
        "missing": column(_("Missing"), decimals=0, width=90),
        "since_ms": column(_("Since"), unit="dateTimeFromNow", width=150),
        "cause": column(_("Why"), mappings=[look.causes(_), look.nothing("–", look.NORMAL)]),
        "by": column(_("Who has it"), mappings=[nobody], width=140),
        "number": column(_("No."), width=60),
    }
    none = _("No incident is open, if the data here is fresh.")
    return table(
        key, _("Open incidents"), what, [target(each, table=True)], columns, sort="missing", limit=limit, empty=none
    )


def fleet_states(key: str, title: str, what: str, _: Voice, level: str, limit: int = 60) -> Panel:
    """Places of a level that are not normal now, with how many of their devices are how."""
    facts = ("state", "total", "down", "degraded", "unknown", "maintenance")
    each = select(newest(*facts), "fleet", last_s(FRESH_S), is_("level", level), by=["name"])
    columns = {
        "name": column(_("Place")),
        "state": column(_("State"), mappings=[look.states(_)], width=170),
        "total": column(_("Devices"), decimals=0),
        "down": column(_("Down"), decimals=0, thresholds=look.thresholds((1, look.ALARM))),
        "degraded": column(_("Degraded"), decimals=0, thresholds=look.thresholds((1, look.WARN))),
        "unknown": column(_("Unknown"), decimals=0),
        "maintenance": column(_("In maintenance"), decimals=0),
    }
    return table(key, title, what, [target(each, table=True)], columns, sort="state", limit=limit, empty=look.stale(_))


def how_many_open(kind: str) -> str:
    """How many incidents of a kind are open."""
    each = select("last(devices) AS devices", "incident_open", last_s(FRESH_S), is_("kind", kind), by=["number"])
    return outer("count(devices)", each)


def open_count(key: str, _: Voice, title: str, what: str, kind: str, colour: str = look.WARN) -> Panel:
    """How many incidents of a kind are open. Nothing found is 0 only if the data is fresh, and the words say so."""
    steps = look.thresholds((1, colour))
    return stat(
        key, title, what, how_many_open(kind), unit="none", decimals=0, thresholds=steps, empty=_("0, if fresh")
    )


def states_over_time(key: str, title: str, what: str, _: Voice, level: str) -> Panel:
    """The states of all places of a level."""
    query = select("max(state)", "fleet", is_("level", level), by=["name"], every="$__interval")
    shown: Json = {"mappings": [look.states(_)], "unit": "none", "interval": "1m", "empty": look.stale(_)}
    return timeline(key, title, what, [target(query, alias="$tag_name")], **shown)


def newest_data(_: Voice, field: str, measurement: str, *where: str) -> Panel:
    """Of when the newest data of a board is."""
    query = select(f"last({field})", measurement, last_s(86_400), *where)
    what = _("The absolute time of the newest data. Compare it with a clock.")
    shape = "time:DD/MM HH:mm:ss"
    return stat("newest", _("Newest data"), what, query, field="/^Time$/", unit=shape, empty=look.stale(_))


def unmeasured(_: Voice) -> str:
    """What stands where no device measures this."""
    return _("Nobody measured it.")


def worst_hour(_: Voice, name: str) -> Panel:
    """The places with the highest values of the last hour."""
    one = metric(name)
    shown = column(one.unit, decimals=one.decimals, thresholds=limits.thresholds(name))
    what = _("The highest means of 5 minutes of the last hour.")
    title = _("Worst hour: %(what)s") % {"what": one.meaning(_.language)}
    return worst(
        f"worst-{name}",
        title,
        what,
        _,
        f"max({name}_mean)",
        f"{one.stream}_5m",
        last_s(3600),
        shown=shown,
        empty=unmeasured(_),
    )
