"""InfluxQL: names and strings quoted safely, and answers taken apart."""

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from gateway.influx_http import READ_TIMEOUT_S, InfluxHttp, answered
from gateway.points import MAX_DATE_MS
from gateway.ports import Misconfigured, RetryLater, SeriesId

P = ParamSpec("P")
T = TypeVar("T")
_NO_INFLUXQL: Final = "the store answers InfluxQL with something else: is this the address of an InfluxDB?"
_NOT_INFLUXQL: Final = "the answer to a query is not InfluxQL's: is this the address of an InfluxDB?"


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer. `rows` hold a value per column; `time` is Unix ms."""

    name: str
    tags: dict[str, str]
    columns: list[str]
    rows: list[list[Any]]

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as column -> value, without the columns that have none."""
        named = (zip(self.columns, row, strict=True) for row in self.rows)
        return [{column: value for column, value in row if value is not None} for row in named]


def identifier(name: str) -> str:
    """`name` in double quotes."""
    return '"' + _escaped(name).replace('"', '\\"') + '"'


def string(text: str) -> str:
    """`text` in single quotes."""
    return "'" + _escaped(text).replace("'", "\\'") + "'"


def ms(date_ms: int) -> str:
    """A time literal of Unix ms."""
    return f"{date_ms}ms"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


class Queries:
    """Statements to one database, sent to /query in the body: no limit on their length, and nothing of them in a
    proxy's log. Raises RetryLater or Misconfigured."""

    def __init__(self, http: InfluxHttp, database: str) -> None:
        self._http, self._address = http, {"db": database, "epoch": "ms"}

    async def ask(self, statement: str) -> list[Series]:
        """The series of the answer to one statement."""
        form = {**self._address, "q": statement}
        status, headers, body = await self._http.post("/query", self._address, form, READ_TIMEOUT_S)
        if error := answered(status, headers, body):
            raise error
        return parse(body)

    async def pieces(self, statement: str, take: Callable[[Series], None]) -> None:
        """The same for a long answer: `take` gets each series as it comes, a long one in several pieces, and neither
        side holds all of it. Errors may come after some of them."""
        more = True

        def line(body: bytes) -> None:
            nonlocal more
            if body.strip():
                result = _result(body)
                for series in _series_of(result):
                    take(series)
                more = bool(result.get("partial"))

        await self._http.lines("/query", self._address, {**self._address, "chunked": "true", "q": statement}, line)
        if more:
            raise RetryLater("InfluxDB ended its answer too early")


def understood(read: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """`read`, that says Misconfigured to what InfluxDB would not answer (some stores answer InfluxQL with anything)."""

    @wraps(read)
    async def understanding(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await read(*args, **kwargs)
        except (LookupError, TypeError, ValueError) as error:
            raise Misconfigured(f"{read.__name__}: {_NO_INFLUXQL} ({error!r})") from error

    return understanding


def dated(series: Series) -> Series:
    """Itself, if its rows have dates. Raises Misconfigured."""
    if series.columns[:1] != ["time"]:
        raise Misconfigured(_NO_INFLUXQL)
    return series


def series_id(stream: str, series: Series) -> SeriesId:
    """Whose readings a series of an answer holds."""
    return SeriesId(stream, series.tags.get("device", ""), series.tags.get("source", ""))


def between(from_ms: int, to_ms: int) -> str:
    """The condition on time, within what InfluxDB can date."""
    low, high = (min(max(date_ms, -MAX_DATE_MS), MAX_DATE_MS) for date_ms in (from_ms, to_ms))
    return f"time >= {ms(low)} AND time < {ms(high)}"


def parse(body: bytes) -> list[Series]:
    """The series of an answer to one statement. Raises RetryLater or Misconfigured for an error in it."""
    return _series_of(_result(body))


def _result(body: bytes) -> Mapping[str, Any]:
    try:
        result: Mapping[str, Any] = json.loads(body)["results"][0]
        if error := result.get("error"):
            raise _mapped(str(error))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Misconfigured(_NOT_INFLUXQL) from None
    return result


def _series_of(result: Mapping[str, Any]) -> list[Series]:
    try:
        return [
            Series(one.get("name", ""), one.get("tags", {}), one["columns"], one.get("values", []))
            for one in result.get("series", [])
        ]
    except (LookupError, TypeError, AttributeError):
        raise Misconfigured(_NOT_INFLUXQL) from None


def _mapped(error: str) -> RetryLater | Misconfigured:
    if "not found" in error:
        return Misconfigured(f"InfluxDB answered: {error}; mend the address or run 'kewang gateway init'")
    if "timeout" in error or "max-" in error or "limit" in error:
        return RetryLater(f"InfluxDB answered: {error}", 5.0)
    return Misconfigured(f"InfluxDB answered: {error}")
