"""Lingkungan: the air, heat, noise and water at the markets, and whether the sensors can be trusted."""

from typing import Final

from dashboards import limits, look
from dashboards.boards.shared import device_column, metric, newest_data, source_column, unmeasured, worst, worst_hour
from dashboards.builder import Json, Panel, column, table, target, timeseries
from dashboards.influxql import last_s, newest, select
from dashboards.layout import Band, other_boards
from dashboards.layout import board as laid_out
from dashboards.voice import Voice
from kewang.wire.catalogue import FLAG_ENDING

NOW_S: Final = 900
HOUR_S: Final = 3600
DAY_S: Final = 86_400
TRUST_S: Final = 3 * DAY_S
ASKING: Final = frozenset({3, 4})
"""Flags that send somebody to the sensor: it differs from its neighbours, it is stuck."""
SHOWN: Final = ("temp_c", "rh_pct", "noise_dba", "nh3_ppm", "h2s_ppm", "water_level_cm", "bin_fill_pct", "pm25_ugm3")


def board(_: Voice) -> Json:
    """The board."""
    air = [over_time(_, name) for name in ("pm25_ugm3", "temp_c", "noise_dba")]
    bands = [
        Band(8, [(21, everywhere(_)), (3, newest_data(_, "temp_c_count", "env_5m"))]),
        Band(8, [(6, one) for one in (ispu(_), *air)]),
        Band(8, [(6, over_time(_, name)) for name in ("nh3_ppm", "h2s_ppm", "water_level_cm", "bin_fill_pct")]),
        Band(9, [(6, worst_hour(_, name)) for name in ("pm25_ugm3", "temp_c", "nh3_ppm", "water_level_cm")]),
        Band(
            9,
            [(8, stuck(_)), (8, refused(_)), (8, doubtful_time(_))],
            title=_("Can the sensors be trusted?"),
            key="trust",
        ),
        Band(8, [(24, doubted(_))]),
    ]
    what = _("The air, heat, noise and water at the markets. A colour is above the limit of its rule.")
    links = [other_boards(_, _("Boards"))]
    return laid_out("environment", _, _("Kewang: environment"), what, bands, refresh="1m", since="now-24h", links=links)


def ispu(_: Voice) -> Panel:
    """PM2.5 as a mean of 24 hours, with its class."""
    shown = column(_("Mean of 24 h"), unit="µg/m³", decimals=1, thresholds=limits.thresholds("pm25_ugm3"))
    mean = "sum(pm25_ugm3_sum) / sum(pm25_ugm3_count)"
    what = _(
        "PM2.5 as a mean of 24 hours. Classes of ISPU: good up to 15.5, moderate up to 55.4, unhealthy up to 150.4, "
        "very unhealthy up to 250.4 µg/m³. From unhealthy on: tell the health office and the market's head."
    )
    return worst(
        "ispu", _("PM2.5 and ISPU, 24 h"), what, _, mean, "env_5m", last_s(DAY_S), shown=shown, empty=unmeasured(_)
    )


def everywhere(_: Voice) -> Panel:
    """What every place measures now."""
    query = select([f"last({name}_mean) AS {name}" for name in SHOWN], "env_5m", last_s(NOW_S), by=["device", "source"])
    columns = {"device": device_column(_), "source": source_column(_)}
    for name in SHOWN:
        one = metric(name)
        steps = limits.thresholds(name) if name in limits.LIMITS else None
        columns[name] = column(f"{one.meaning(_.language)} ({one.unit})", decimals=one.decimals, thresholds=steps)
    what = _("The newest mean of 5 minutes at every place. Click a device for all it measures.")
    rows = [target(query, table=True)]
    return table("everywhere", _("Everywhere now"), what, rows, columns, sort="pm25_ugm3", empty=look.stale(_))


def over_time(_: Voice, name: str) -> Panel:
    """The city's highest value and mean of a metric."""
    one = metric(name)
    measurement = f"{one.stream}_5m"
    queries = [
        target(select(f"max({name}_max)", measurement, every="$__interval"), alias=_("highest")),
        target(select(f"mean({name}_mean)", measurement, every="$__interval"), alias=_("mean")),
    ]
    what = _("The highest value anywhere, and the mean of the city. The line is the limit of the rule.")
    shown: Json = {"thresholds": limits.thresholds(name), "lines": name in limits.LIMITS, "empty": unmeasured(_)}
    return timeseries(name, one.meaning(_.language), what, queries, unit=grafana_unit(one.unit), interval="5m", **shown)


def stuck(_: Voice) -> Panel:
    """Sensors whose value does not move."""
    what = _("How little the temperature moved in 3 days, least first. Near 0: the sensor is stuck, exchange it.")
    moves = look.thresholds((0.1, look.NORMAL), base=look.WARN)
    shown = column(_("Span"), unit="celsius", decimals=2, thresholds=moves)
    span = "max(temp_c_max) - min(temp_c_min)"
    more: Json = {"shown": shown, "least": True, "empty": unmeasured(_)}
    return worst("stuck", _("Stuck sensors"), what, _, span, "env_5m", last_s(TRUST_S), **more)


def refused(_: Voice) -> Panel:
    """Who sends what can't be."""
    shown = column(_("Refused"), decimals=0, thresholds=look.thresholds((1, look.WARN)))
    what = _("Readings in quarantine in the last 24 hours: out of range or unreadable. Look at the sensor's wiring.")
    asked = ("count(reason)", "quarantine", last_s(DAY_S))
    return worst("refused", _("Refused readings"), what, _, *asked, shown=shown, empty=_("None."))


def doubtful_time(_: Voice) -> Panel:
    """Boxes whose clock is not synchronised."""
    query = select(newest("clock_synced"), "sys", last_s(NOW_S), "clock_synced = 0", by=["device"])
    words = look.values({"0": ("▲ " + _("not synchronised"), look.WARN), "1": (_("synchronised"), look.NORMAL)})
    columns = {"device": device_column(_), "clock_synced": column(_("Clock"), mappings=[words])}
    what = _("Boxes whose clock is not synchronised: their times are estimates. Check their way to the internet.")
    rows = [target(query, table=True)]
    return table("clocks", _("Clocks not synchronised"), what, rows, columns, empty=_("All clocks are synchronised."))


def doubted(_: Voice) -> Panel:
    """Whose values their own box doubts, and why."""
    flags = [name + FLAG_ENDING for name in SHOWN]
    names = {code: word[_.language != "id"] for code, *word in metric(flags[0]).codes}
    told = {
        str(code): ("▲ " + name, look.WARN) if code in ASKING else (name, look.NORMAL) for code, name in names.items()
    }
    columns = {"device": device_column(_), "source": source_column(_)} | {
        flag: column(metric(name).meaning(_.language), mappings=[look.values(told)])
        for name, flag in zip(SHOWN, flags, strict=True)
    }
    query = select(newest(*flags), "env", last_s(HOUR_S), by=["device", "source"])
    what = _("Sensors whose values their own box doubted in the last hour, and why. Yellow: look at the sensor.")
    rows = [target(query, table=True)]
    return table("doubted", _("Doubted values"), what, rows, columns, empty=_("No value is doubted."))


def grafana_unit(unit: str) -> str:
    """Grafana's name for a unit of the catalogue; an unknown one is written as it is."""
    return {"°C": "celsius", "%": "percent", "": "none"}.get(unit, f"suffix: {unit}")
