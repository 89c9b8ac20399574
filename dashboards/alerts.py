"""Alert rules for Grafana: what only somebody outside of the gateway can tell, and slow thresholds.

Outages are told by the gateway, which knows causes; these rules watch the gateway. Nothing here holds a `$`: Grafana
would fill it in from its environment.
"""

from typing import Any, Final

from dashboards.boards.shared import metric
from dashboards.builder import SOURCE, SOURCE_UID, panel_id
from dashboards.influxql import is_, last_s, select
from dashboards.limits import LIMITS
from dashboards.voice import Voice

Json = dict[str, Any]
SILENT_S: Final = 120
SLOW_S: Final = 3600
SLOW: Final = {"pm25_ugm3": "environment", "temp_c": "environment", "disk_pct": "platform", "box_temp_c": "platform"}
"""Metric -> the board that shows it."""
FOLDER: Final = "Kewang"


def rules(_: Voice) -> Json:
    """The file of alert rules."""
    groups = [("kewang-platform", "1m", platform(_)), ("kewang-slow", "5m", slow(_))]
    return {
        "apiVersion": 1,
        "groups": [
            {"orgId": 1, "name": name, "folder": FOLDER, "interval": every, "rules": made}
            for name, every, made in groups
        ],
    }


def platform(_: Voice) -> list[Json]:
    """The gateway is silent, in doubt, or reaches nobody. No data is the alarm itself."""
    silent = select("count(incidents_open)", "gw", last_s(SILENT_S))
    proven = select("min(proven)", "gw", last_s(SILENT_S))
    waits = select("min(notices_oldest_s)", "gw", last_s(300))
    city = select("count(total)", "fleet", last_s(SILENT_S), is_("level", "city"))
    nobody = _("Nothing of the gateway is in the database for two minutes. No outage is told while this lasts.")
    unproven = _("The watch can't prove that it is well: broker, database or a loop is stuck. See the live page.")
    stuck = _("A notice waits for ten minutes: no channel gets through. Call people by telephone.")
    unwatched = _("Nobody counts the city's devices for two minutes: the gateway that watches is away.")
    return [
        _rule("kewang-silent", _("Gateway silent"), nobody, silent, ("lt", 1), "1m", "platform", "heartbeat", _),
        _rule("kewang-unwatched", _("City not watched"), unwatched, city, ("lt", 1), "1m", "wall", "fresh-devices", _),
        _rule("kewang-doubt", _("Watch in doubt"), unproven, proven, ("lt", 1), "3m", "wall", "proven", _),
        _rule("kewang-undelivered", _("Notices stuck"), stuck, waits, ("gt", 600), "1m", "wall", "notices", _),
    ]


def slow(_: Voice) -> list[Json]:
    """A mean of an hour, anywhere, above its limit: a city without a duty at the gateway's own notices."""
    made = []
    for name, board in SLOW.items():
        one = metric(name)
        query = select(f"max({name}_mean)", f"{one.stream}_5m", last_s(SLOW_S))
        title = _("%(what)s high") % {"what": one.meaning(_.language)}
        what = _("For an hour a mean of 5 minutes was above %(limit)s %(unit)s somewhere in the city.")
        limit = next(each for each in LIMITS[name] if each is not None)
        told = what % {"limit": f"{limit:g}", "unit": one.unit}
        uid = f"kewang-{name.replace('_', '-')}"
        made.append(_rule(uid, title, told, query, ("gt", limit), "1h", board, f"worst-{name}", _, "OK"))
    return made


def contact_points() -> Json:
    """The file of contact points and the policy that uses it: a webhook, whose address is in Grafana's environment."""
    receiver = {
        "uid": "kewang-webhook",
        "type": "webhook",
        "settings": {"url": "$__env{KEWANG_ALERT_URL}", "httpMethod": "POST", "maxAlerts": 20},
        "disableResolveMessage": False,
    }
    policy = {"receiver": "kewang", "group_by": ["grafana_folder", "alertname"], "repeat_interval": "4h"}
    return {
        "apiVersion": 1,
        "contactPoints": [{"orgId": 1, "name": "kewang", "receivers": [receiver]}],
        "policies": [{"orgId": 1, **policy, "group_wait": "30s", "group_interval": "5m"}],
    }


def _rule(
    uid: str,
    title: str,
    summary: str,
    query: str,
    limit: tuple[str, float],
    holds: str,
    board: str,
    panel: str,
    _: Voice,
    no_data: str = "Alerting",
) -> Json:
    """One rule: the query's newest value against `limit` ("lt" or "gt", value), for so long."""
    assert "$" not in query + title + summary
    ask = {"refId": "A", "datasource": SOURCE, "rawQuery": True, "query": query, "resultFormat": "time_series"}
    reduce = {"refId": "B", "type": "reduce", "expression": "A", "reducer": "last", "settings": {"mode": "dropNN"}}
    evaluator = {"type": limit[0], "params": [limit[1]]}
    judge = {"refId": "C", "type": "threshold", "expression": "B", "conditions": [{"evaluator": evaluator}]}
    span = {"from": 2 * SLOW_S, "to": 0}
    expressions = [
        {"refId": one["refId"], "relativeTimeRange": span, "datasourceUid": "__expr__", "model": one}
        for one in (reduce, judge)
    ]
    return {
        "uid": uid,
        "title": title,
        "condition": "C",
        "for": holds,
        "noDataState": no_data,
        "execErrState": "Alerting",
        "data": [{"refId": "A", "relativeTimeRange": span, "datasourceUid": SOURCE_UID, "model": ask}, *expressions],
        "dashboardUid": _.uid(board),
        "panelId": panel_id(panel),
        "annotations": {"summary": summary},
        "labels": {"source": "kewang"},
    }
