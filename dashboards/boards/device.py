"""Alat: one device, from its state down to every metric."""

from typing import Final

from dashboards import limits, look
from dashboards.boards.environment import grafana_unit
from dashboards.boards.shared import metric
from dashboards.builder import Json, Panel, column, stat, table, target, timeline, timeseries
from dashboards.catalogue import metrics
from dashboards.influxql import chosen, is_, last_s, newest, select, source
from dashboards.layout import Band, annotation, chosen_by, other_boards
from dashboards.layout import board as laid_out
from dashboards.voice import Voice
from kewang.wire.catalogue import Metric

WEEK_S: Final = 7 * 86_400
ONE: Final = chosen("device")
ITSELF: Final = is_("source", "")
"""Of `device_event`: what the device became, not one of its sources."""
SOURCES: Final = '"source" =~ /./'
PER_BAND: Final = 3


def board(_: Voice) -> Json:
    """The board."""
    every = [
        Band(7, _in_columns(_, stream), title=title, key=f"row-{stream}", folded=stream != "env")
        for stream, title in {
            "env": _("Environment"),
            "cam": _("Camera"),
            "sys": _("The box itself"),
        }.items()
    ]
    bands = [
        Band(
            4, [(4, age(_)), (4, open_now(_)), (4, held(_)), (4, certificate(_)), (4, completeness(_)), (4, clock(_))]
        ),
        Band(6, [(24, week(_))]),
        Band(9, [(9, days(_)), (9, history(_)), (6, events(_))]),
        Band(7, [(12, refused(_)), (12, incidents(_))]),
        *every,
    ]
    devices = chosen_by("device", _("Device"), f'SHOW TAG VALUES FROM {source("state")} WITH KEY = "device"')
    moments = annotation(_("Changes"), look.WARN, select("word", "device_event", ONE), "word")
    live = {"title": _("Live page"), "url": f"{_.console}/device/${{device:percentencode}}", "icon": "external link"}
    what = _("One device: its state, what it measures, what happened to it.")
    return laid_out(
        "device",
        _,
        _("Kewang: device"),
        what,
        bands,
        refresh="30s",
        since="now-24h",
        variables=[devices],
        annotations=[moments],
        links=[other_boards(_, _("Boards")), _external(live)],
    )


def _external(link: Json) -> Json:
    return {"type": "link", "asDropdown": False, "includeVars": False, "keepTime": False, "tags": [], "tooltip": ""} | {
        **link,
        "targetBlank": True,
    }


def age(_: Voice) -> Panel:
    """How long ago it was heard."""
    query = select("last(age_s)", "state", last_s(60), ONE)
    what = _("Seconds since its last message. Above 90 s it is silent: look at power, then at its line.")
    steps = look.thresholds((45, look.WARN), (90, look.ALARM))
    return stat("age", _("Heard before"), what, query, unit="s", decimals=0, thresholds=steps, empty=look.stale(_))


def open_now(_: Voice) -> Panel:
    """Its word now."""
    query = select("last(word)", "device_event", last_s(30 * 86_400), ONE, ITSELF)
    what = _("How it is, as the watch last said.")
    word: Json = {"field": "/word|last/", "mappings": [look.words_of_device(_)], "empty": "◇ " + _("unknown")}
    return stat("word", _("State"), what, query, unit="none", **word)


def held(_: Voice) -> Panel:
    """What it holds unsent."""
    query = select("last(held)", "sys", last_s(3600), ONE)
    what = _("Readings it holds and could not send yet. They come when its line is back.")
    return stat("held", _("Waiting in the box"), what, query, unit="none", decimals=0, empty=look.stale(_))


def certificate(_: Voice) -> Panel:
    """How long its certificate lives."""
    query = select("last(cert_days)", "sys", last_s(3600), ONE)
    what = _("Days until its certificate runs out. It renews by itself; below 5 read the runbook.")
    steps = {"mode": "absolute", "steps": [{"value": None, "color": look.ALARM}, {"value": 5, "color": look.NORMAL}]}
    return stat("certificate", _("Certificate"), what, query, unit="d", decimals=1, thresholds=steps, empty="–")


def completeness(_: Voice) -> Panel:
    """How many readings came."""
    query = select("sum(cpu_pct_count)", "sys_5m", last_s(86_400), ONE)
    what = _("Heartbeats of the last 24 hours in the database: one every 30 s are 2880.")
    return stat("heartbeats", _("Heartbeats in 24 h"), what, query, unit="none", decimals=0, empty="0")


def clock(_: Voice) -> Panel:
    """Whether its clock is right."""
    words = look.values({"0": ("▲ " + _("not synchronised"), look.WARN), "1": (_("synchronised"), look.NORMAL)})
    query = select("last(clock_synced)", "sys", last_s(3600), ONE)
    what = _("Whether its clock is synchronised. If not, its times are estimates.")
    return stat("clock", _("Clock"), what, query, unit="none", mappings=[words], empty=look.stale(_))


def week(_: Voice) -> Panel:
    """How it was, over 7 days."""
    itself = select("word", "device_event", last_s(WEEK_S), ONE, ITSELF)
    sources = select("word", "device_event", last_s(WEEK_S), ONE, SOURCES, by=["source"])
    rows = [target(itself, alias=_("Device")), target(sources, alias="$tag_source")]
    what = _("How the device and each of its sources were. Empty at the left: nothing changed before.")
    shown: Json = {"mappings": [look.words_of_device(_)], "unit": "none", "empty": _("Nothing changed.")}
    return timeline("week", _("States of 7 days"), what, rows, **shown)


def days(_: Voice) -> Panel:
    """How long it was how, each day."""
    states = ("up_s", "degraded_s", "down_s", "maintenance_s", "unknown_s")
    words = (_("Normal"), _("Degraded"), _("Down"), _("In maintenance"), _("Unknown"))
    query = select([f"{one} AS {one}" for one in states], "availability_1d", last_s(30 * 86_400), ONE)
    bad = look.thresholds((60, look.ALARM))
    columns = {"Time": column(_("Day"), unit="time:DD/MM/YYYY")}
    for name, word in zip(states, words, strict=True):
        columns[name] = column(word, unit="dthms", thresholds=bad if name == "down_s" else None)
    what = _("How long it was how, on each of the last 30 days.")
    return table("days", _("Availability by day"), what, [target(query, table=True)], columns, sort="Time", empty="–")


def history(_: Voice) -> Panel:
    """What changed."""
    facts = ["word AS word", "before AS before", "silent_s AS silent_s"]
    query = select(facts, "device_event", last_s(30 * 86_400), ONE, by=["source"], newest_first=True, limit=50)
    words = [look.words_of_device(_)]
    columns = {
        "Time": column(_("When"), unit="time:DD/MM HH:mm:ss"),
        "source": column(_("Source")),
        "before": column(_("From"), mappings=words),
        "word": column(_("To"), mappings=words),
        "silent_s": column(_("Silent for"), unit="dthms"),
    }
    what = _("Its changes of the last 30 days, newest first.")
    rows = [target(query, table=True)]
    return table("history", _("Changes"), what, rows, columns, sort="Time", empty=_("Nothing changed."))


def events(_: Voice) -> Panel:
    """What its box said of itself."""
    query = select("event AS event", "evt", last_s(30 * 86_400), ONE, newest_first=True, limit=50)
    words = {str(code): (word[_.language != "id"], look.NORMAL) for code, *word in metric("event").codes}
    columns = {
        "Time": column(_("When"), unit="time:DD/MM HH:mm:ss"),
        "event": column(_("Event"), mappings=[look.values(words)]),
    }
    what = _("What the box told of itself in the last 30 days.")
    return table("events", _("Events"), what, [target(query, table=True)], columns, sort="Time", empty=_("None."))


def refused(_: Voice) -> Panel:
    """Its readings in quarantine."""
    query = select(
        "reason AS reason", "quarantine", last_s(30 * 86_400), ONE, by=["source"], newest_first=True, limit=50
    )
    columns = {
        "Time": column(_("When"), unit="time:DD/MM HH:mm:ss"),
        "source": column(_("Source")),
        "reason": column(_("Reason")),
    }
    what = _("Readings of the last 30 days that were refused, and why. `kewang quarantine` shows and mends them.")
    return table("refused", _("Quarantine"), what, [target(query, table=True)], columns, sort="Time", empty=_("None."))


def incidents(_: Voice) -> Panel:
    """Incidents of its own."""
    facts = newest("what", "severity", "by", "lost_s")
    query = select(facts, "incident", last_s(30 * 86_400), chosen("name", "device"), by=["number", "kind"])
    columns = {
        "number": column(_("No."), links=[_incident(_)]),
        "kind": column(_("Kind")),
        "severity": column(_("Severity"), mappings=[look.severities(_)]),
        "what": column(_("Newest"), mappings=[_whats(_)]),
        "lost_s": column(_("Lost"), unit="dthms"),
        "by": column(_("Who has it")),
    }
    what = _("Incidents of this device alone in the last 30 days; those of its site stand on the wall.")
    return table(
        "incidents", _("Incidents"), what, [target(query, table=True)], columns, sort="number", empty=_("None.")
    )


def _incident(_: Voice) -> Json:
    url = f"{_.console}/incidents/${{__data.fields.number:percentencode}}"
    return {"title": _("Open the incident"), "url": url, "targetBlank": True}


def _whats(_: Voice) -> Json:
    words = {
        "opened": _("opened"),
        "worsened": _("worsened"),
        "cause": _("cause known"),
        "acknowledged": _("taken on"),
        "resolved": _("resolved"),
    }
    return look.values({word: (text, look.NORMAL) for word, text in words.items()})


def _in_columns(_: Voice, stream: str) -> list[tuple[int, Panel]]:
    return [(24 // PER_BAND, one_metric(_, each)) for each in metrics(stream) if each.name != "sim_n"]


def one_metric(_: Voice, one: Metric) -> Panel:
    """A metric of this device, each source a line."""
    query = select(f"mean({one.name})", one.stream, ONE, by=["source"], every="$__interval")
    what = _("Believed from %(low)s to %(high)s %(unit)s.") % {
        "low": f"{one.low:g}",
        "high": f"{one.high:g}",
        "unit": one.unit,
    }
    words = {str(code): (word[_.language != "id"], look.NORMAL) for code, *word in one.codes}
    more: Json = {"mappings": [look.values(words)]} if words else {}
    more |= {"thresholds": limits.thresholds(one.name), "lines": one.name in limits.LIMITS, "empty": "–"}
    rows = [target(query, alias="$tag_source")]
    return timeseries(
        f"metric-{one.name}", one.meaning(_.language), what, rows, unit=grafana_unit(one.unit), interval="30s", **more
    )
