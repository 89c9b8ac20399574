"""Asks a database what boards ask it, as Grafana would: macros and variables filled in, times measured."""

import http.client
import json
import re
import statistics
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from dashboards import look
from dashboards.lint import WALL, panels, queries

Json = dict[str, Any]
TRIES: Final = 3
LIMIT_S: Final = 60.0
_POINTS: Final = 1000
"""About as many points as a panel is wide."""
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_CHOSEN: Final = re.compile(r"\$\{(\w+):regex\}")
_SPECIAL: Final = re.compile(r"[\\^$*+?.()|\[\]{}/]")


class NoDatabase(Exception):
    """The database does not answer; the text says what it said."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `values` that are none of time or tags, and the median time of the tries."""

    values: int
    ms: float
    error: str = ""


class Influx:
    """Queries to one database of an InfluxDB 1 or to the InfluxQL of another."""

    def __init__(self, url: str, database: str, headers: Mapping[str, str] | None = None) -> None:
        at = urllib.parse.urlsplit(url)
        if at.scheme not in ("http", "https") or not at.hostname:
            raise ValueError(f"{url} is no address of an InfluxDB: write http://HOST:8086")
        kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(at.hostname, at.port or 8086, timeout=LIMIT_S)
        self._database, self._headers = database, dict(headers or {})

    def series(self, query: str) -> list[Json]:
        """The series of the answer. Raises NoDatabase, or ValueError with what the database says of the query."""
        body = urllib.parse.urlencode({"db": self._database, "epoch": "ms", "q": query})
        headers = {"Content-Type": "application/x-www-form-urlencoded", **self._headers}
        try:
            self._connection.request("POST", "/query", body, headers)
            answer = self._connection.getresponse()
            told = json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            raise NoDatabase(str(error)) from None
        if answer.status in (401, 403):
            raise NoDatabase("user, password or token are refused: mend them")
        result = told.get("results", [told])[0]
        if error_text := result.get("error"):
            raise ValueError(str(error_text))
        found: list[Json] = result.get("series", [])
        return found

    def answer(self, query: str, tries: int = 1) -> Answer:
        """How many values come back, and how fast."""
        took, found = [], list[Json]()
        for _ in range(tries):
            began_s = time.perf_counter()
            try:
                found = self.series(query)
            except ValueError as error:
                return Answer(0, 0.0, str(error))
            took.append((time.perf_counter() - began_s) * 1000)
        return Answer(values_in(found), statistics.median(took))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def values_in(series: Sequence[Json]) -> int:
    """How many values are in an answer, without times and those that are none."""
    found = 0
    for one in series:
        counted = [at for at, column in enumerate(one["columns"]) if column not in ("time", "key")]
        found += sum(row[at] is not None for row in one["values"] for at in counted)
    return found


def filled_in(query: str, board: Json, panel: Json | None, chosen: Mapping[str, str], now_ms: int) -> str:
    """The query as Grafana sends it at this moment."""
    since_ms = since(board, now_ms)
    least_s = _seconds((panel or {}).get("interval") or "10s")
    step_s = max(least_s, (now_ms - since_ms) // 1000 // _POINTS)
    query = query.replace("$timeFilter", f"time >= {since_ms}ms and time <= {now_ms}ms")
    query = query.replace("$__interval", f"{step_s}s")
    return _CHOSEN.sub(lambda found: _SPECIAL.sub(r"\\\g<0>", chosen[found[1]]), query)


def since(board: Json, now_ms: int) -> int:
    """From when the board shows, Unix ms."""
    text = str(board["time"]["from"])
    if text == "now/M":
        there = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(board["timezone"]))
        return round(there.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)
    return now_ms - _seconds(text.removeprefix("now-")) * 1000


def _seconds(text: str) -> int:
    return int(text[:-1]) * _SECONDS[text[-1]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of a board, with its answer. `wall`: it is asked every 10 s; `may_be_empty`: its panel has words for
    an empty answer that say that all is well."""

    board: str
    panel: str
    query: str
    wall: bool
    answer: Answer
    may_be_empty: bool = False

    @property
    def where(self) -> str:
        """The panel, for people."""
        return f"{self.board} {self.panel!r}"


def ask(influx: Influx, board: Json, chosen: Mapping[str, str], known: dict[str, Answer]) -> list[Asked]:
    """Every query of a board. `known`: answers of this moment to the queries of the same board in another language."""
    is_wall = board["uid"].startswith(WALL)
    by_query = {target["query"]: one for one in panels(board) for target in one.get("targets", [])}
    found = []
    for panel, query in queries(board):
        now_ms = time.time_ns() // 1_000_000
        if query not in known:
            sent = filled_in(query, board, by_query.get(query), chosen, now_ms)
            known[query] = influx.answer(sent, TRIES if is_wall else 1)
        found.append(Asked(board["uid"], panel, query, is_wall, known[query], _may_be_empty(by_query.get(query))))
    return found


def _may_be_empty(panel: Json | None) -> bool:
    """Annotations may be, and variables are no query of a panel."""
    return panel is None or not look.says_stale(panel["fieldConfig"]["defaults"]["noValue"])


def ask_rules(influx: Influx, rules: Json) -> list[Asked]:
    """The query of every alert rule. What has no answer there would be an alarm, or never be one."""
    found = []
    for rule in (one for group in rules["groups"] for one in group["rules"]):
        query = rule["data"][0]["model"]["query"]
        found.append(Asked("alert rule", rule["uid"], query, False, influx.answer(query)))
    return found
