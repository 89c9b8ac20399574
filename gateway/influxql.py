"""InfluxQL: names and strings quoted safely, and answers taken apart."""

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.influx_http import READ_TIMEOUT_S, InfluxHttp, answered
from gateway.ports import Misconfigured, RetryLater

Ask = Callable[[str], Coroutine[Any, Any, list["Series"]]]
"""Sends one statement, gives its series. Raises RetryLater or Misconfigured."""


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


async def ask(http: InfluxHttp, database: str, statement: str) -> list[Series]:
    """Send one statement to /query, in the body: no limit on its length, and nothing of it in a proxy's log."""
    form = {"db": database, "epoch": "ms", "q": statement}
    status, headers, body = await http.post("/query", {"db": database, "epoch": "ms"}, form, READ_TIMEOUT_S)
    if error := answered(status, headers, body):
        raise error
    return parse(body)


def parse(body: bytes) -> list[Series]:
    """The series of an answer to one statement. Raises RetryLater or Misconfigured for an error in it."""
    try:
        result: Mapping[str, Any] = json.loads(body)["results"][0]
        found = [
            Series(one.get("name", ""), one.get("tags", {}), one["columns"], one.get("values", []))
            for one in result.get("series", [])
        ]
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Misconfigured("the answer to a query is not InfluxQL's: is this the address of an InfluxDB?") from None
    if error := result.get("error"):
        raise _mapped(str(error))
    return found


def _mapped(error: str) -> RetryLater | Misconfigured:
    if "not found" in error:
        return Misconfigured(f"InfluxDB answered: {error}; mend the address or run 'kewang gateway init'")
    if "timeout" in error or "max-" in error or "limit" in error:
        return RetryLater(f"InfluxDB answered: {error}", 5.0)
    return Misconfigured(f"InfluxDB answered: {error}")
