"""Platform & Mutu Alarm: whether we ourselves are well: gateway, ledger, notices, noise."""

from typing import Any, Final

from dashboards import look
from dashboards.boards.shared import newest_data, worst, worst_hour
from dashboards.builder import Json, Panel, column, stat, table, target, timeseries
from dashboards.influxql import FRESH_S, is_, last_s, newest, select
from dashboards.layout import Band, other_boards
from dashboards.layout import board as laid_out
from dashboards.voice import Voice

DAY_S: Final = 86_400
BUDGET: Final = 10
LEDGER_S: Final = 900
"""It comes every five minutes."""


def board(_: Voice) -> Json:
    """The board."""
    bands = [
        Band(4, [*((4, one) for one in now(_)), (4, newest_data(_, "messages", "gw"))]),
        Band(5, [(6, complete(_)), (18, ledger(_))]),
        Band(8, [(8, throughput(_)), (8, latency(_)), (8, queue(_))]),
        Band(8, [(8, errors(_)), (8, refused(_)), (8, quarantine(_))]),
        Band(8, [(12, channels(_)), (12, waiting(_))]),
        Band(8, [(8, alarms(_)), (8, detection(_)), (8, noisy(_))]),
        Band(8, [(12, worst_hour(_, "disk_pct")), (12, worst_hour(_, "box_temp_c"))]),
    ]
    what = _("Whether Kewang itself is well, and whether its alarms are worth reading.")
    links = [other_boards(_, _("Boards"))]
    title = _("Kewang: platform and alarm quality")
    return laid_out("platform", _, title, what, bands, refresh="30s", since="now-6h", links=links)


def now(_: Voice) -> list[Panel]:
    """The gateway in five numbers."""

    def of(key: str, title: str, what: str, query: str, unit: str = "none", **more: Any) -> Panel:
        words = [look.nothing(look.stale(_), look.ALARM)]
        return stat(key, title, what, query, unit=unit, empty=look.stale(_), mappings=words, **more)

    fresh = last_s(FRESH_S)
    beat = _("Gateways that reported in the last minute. None: start it, then look at the database.")
    seen = _("Devices heard since the gateway started.")
    broker = _("Whether every gateway is connected to the broker: 1 is yes. At 0 look at the broker.")
    mean = _("How long the database takes for a write, mean since the start. From 1 s it is too slow.")
    late = _("How long the oldest notice waits.")
    slow = look.thresholds((1, look.WARN))
    good = {"mode": "absolute", "steps": [{"value": None, "color": look.ALARM}, {"value": 1, "color": look.NORMAL}]}
    took = "sum(write_s_sum) / sum(write_s_count)"
    return [
        of("heartbeat", _("Reports in a minute"), beat, select("count(messages)", "gw", fresh), decimals=0),
        of("devices", _("Devices heard"), seen, select("max(devices_seen)", "gw", fresh), decimals=0),
        of("broker", _("Broker connected"), broker, select("min(broker_connected)", "gw", fresh), thresholds=good),
        of("took", _("Write takes"), mean, select(took, "gw", fresh), "s", decimals=3, thresholds=slow),
        of("oldest", _("Oldest notice waits"), late, select("max(notices_oldest_s)", "gw", fresh), "s"),
    ]


def complete(_: Voice) -> Panel:
    """Is the data complete?"""
    words = [
        look.values({"0": (_("EVERY READING ACCOUNTED FOR"), look.NORMAL)}),
        look.nothing(look.stale(_), look.ALARM),
    ]
    what = _("Readings of the last 24 hours that were made and are nowhere. Above 0: `kewang ledger` names the device.")
    query = select("last(lost)", "ledger", last_s(LEDGER_S))
    shown: Json = {"mappings": words, "thresholds": look.thresholds((1, look.ALARM)), "empty": look.stale(_)}
    return stat("complete", _("Is the data complete?"), what, query, unit="none", decimals=0, **shown)


def ledger(_: Voice) -> Panel:
    """Where every reading of 24 hours is."""
    query = select(newest("made", "stored", "quarantined", "dropped", "held", "lost"), "ledger", last_s(LEDGER_S))
    lost = look.thresholds((1, look.ALARM))
    columns = {
        "made": column(_("Made"), decimals=0),
        "stored": column(_("Stored"), decimals=0),
        "quarantined": column(_("Quarantine"), decimals=0),
        "dropped": column(_("Dropped by the box"), decimals=0),
        "held": column(_("Waiting in the box"), decimals=0),
        "lost": column(_("Lost"), decimals=0, thresholds=lost),
    }
    what = _("Made is the sum of all others: each reading of the last 24 hours is in exactly one of them.")
    return table("ledger", _("Ledger of 24 hours"), what, [target(query, table=True)], columns, empty=look.stale(_))


def _rates(key: str, title: str, what: str, _: Voice, fields: dict[str, str], unit: str = "ops") -> Panel:
    """Counters as rates, each gateway's added up by eye: a line each."""
    queries = [
        target(
            select(f"non_negative_derivative(max({name}), 1s)", "gw", by=["gateway"], every="$__interval"), alias=word
        )
        for name, word in fields.items()
    ]
    return timeseries(key, title, what, queries, unit=unit, interval="10s", empty=look.stale(_))


def throughput(_: Voice) -> Panel:
    """What comes and what is stored."""
    what = _("Messages taken and rows stored in a second. Stored far below what comes: the database is too slow.")
    fields = {"messages": _("messages"), "rows_stored": _("rows stored"), "acks": _("acknowledged")}
    return _rates("throughput", _("Throughput"), what, _, fields)


def latency(_: Voice) -> Panel:
    """How long writes take."""
    what = _("Seconds of writing in each second: near the number of connections the database is at its limit.")
    return _rates("latency", _("Time spent writing"), what, _, {"write_s_sum": _("writing")}, "s")


def queue(_: Voice) -> Panel:
    """What waits inside."""
    fields = {"queue_messages": _("messages waiting"), "writes_in_flight": _("writes under way")}
    rows = [target(select(f"max({name})", "gw", every="$__interval"), alias=word) for name, word in fields.items()]
    what = _("What waits inside the gateway. If it grows, the database is slow; boxes hold back by themselves.")
    return timeseries("queue", _("Waiting inside"), what, rows, unit="none", interval="10s", empty=look.stale(_))


def errors(_: Voice) -> Panel:
    """What went wrong."""
    what = _(
        "Writes the database did not take, messages let go and messages that can't be read. Boxes send them again."
    )
    fields = {"store_errors": _("database"), "dropped": _("let go"), "bad": _("unreadable")}
    return _rates("errors", _("Errors"), what, _, fields)


def refused(_: Voice) -> Panel:
    """What went to quarantine."""
    what = _("Rows put into quarantine. A step up after an upgrade of boxes: upgrade the gateway first.")
    return _rates("refused", _("Into quarantine"), what, _, {"rows_quarantined": _("rows")})


def quarantine(_: Voice) -> Panel:
    """Whose rows lie there."""
    shown = column(_("Refused"), decimals=0)
    what = _("Who has most readings in quarantine, of the last 24 hours. `kewang quarantine list` says why.")
    asked = ("count(reason)", "quarantine", last_s(DAY_S))
    return worst("quarantine", _("Quarantine, 24 h"), what, _, *asked, shown=shown, empty=_("None."))


def channels(_: Voice) -> Panel:
    """The ways to people."""
    facts = ("trouble", "waiting", "oldest_s", "delivered", "refused", "expired")
    query = select(newest(*facts), "delivery", last_s(FRESH_S), by=["channel"])
    well = look.values({"0": (_("well"), look.NORMAL), "1": ("■ " + _("in trouble"), look.ALARM)})
    columns = {
        "channel": column(_("Channel")),
        "trouble": column(_("State"), mappings=[well]),
        "waiting": column(_("Waiting"), decimals=0),
        "oldest_s": column(_("Oldest"), unit="dthms", thresholds=look.thresholds((120, look.ALARM))),
        "delivered": column(_("Delivered"), decimals=0),
        "refused": column(_("Refused"), decimals=0, thresholds=look.thresholds((1, look.WARN))),
        "expired": column(_("Expired"), decimals=0, thresholds=look.thresholds((1, look.WARN))),
    }
    what = _("Whether notices reach people, since the start. In trouble: `kewang notify test` says why.")
    rows = [target(query, table=True)]
    return table("channels", _("Delivery by channel"), what, rows, columns, sort="trouble", empty=look.stale(_))


def waiting(_: Voice) -> Panel:
    """Notices that wait, over time."""
    query = select("max(waiting)", "delivery", by=["channel"], every="$__interval")
    what = _("Notices that should have gone and did not yet, by channel.")
    rows = [target(query, alias="$tag_channel")]
    return timeseries("waiting", _("Notices waiting"), what, rows, unit="none", interval="10s", empty=look.stale(_))


def alarms(_: Voice) -> Panel:
    """Alarms in ten minutes, with the line that one person can answer."""
    query = select("count(devices)", "incident", is_("what", "opened"), every="10m", fill="0")
    what = _("Incidents opened in 10 minutes. More than 10 nobody can answer (EEMUA 191): find the common cause.")
    steps = look.thresholds((BUDGET, look.ALARM))
    rows = [target(query, alias=_("opened"))]
    return timeseries("alarms", _("Alarms in 10 min"), what, rows, unit="none", thresholds=steps, lines=True, empty="0")


def detection(_: Voice) -> Panel:
    """How fast a silent device is known."""
    halves = {"50": _("half within"), "95": _("95% within")}
    rows = [
        target(select(f"percentile(silent_s, {part})", "device_event", is_("word", "down"), every="1h"), alias=word)
        for part, word in halves.items()
    ]
    what = _("How long a device had been silent when it was called down. Wired about 105 s, cellular about 135 s.")
    return timeseries("detection", _("Time to detect"), what, rows, unit="s", empty=_("Nothing fell."))


def noisy(_: Voice) -> Panel:
    """Devices that change most."""
    shown = column(_("Changes"), decimals=0, thresholds=look.thresholds((20, look.WARN)))
    what = _("Devices that changed most in 24 hours. Mend these first: they make the most noise.")
    asked = ("count(word)", "device_event", last_s(DAY_S))
    more: Json = {"by": ("device",), "shown": shown, "limit": 10, "empty": _("Nothing changed.")}
    return worst("noisy", _("Noisy devices"), what, _, *asked, **more)
