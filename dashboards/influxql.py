"""InfluxQL for boards: one statement a panel, in the subset that InfluxDB 1, 2 (by DBRP) and 3 share.

Names and texts are quoted here and nowhere else. What a viewer chooses comes in as a regular expression that Grafana
escapes (`${device:regex}`): whatever it is, it stays one value.
"""

from collections.abc import Sequence

from dashboards.catalogue import MEASUREMENTS

RANGE = "$timeFilter"
"""The time range of the board."""
WHOLE = "36500d"
"""A step as long as any range: one value for all of it, and by fill(0) a sum of nothing is 0."""
FRESH_S = 60
"""What is older is stale: the wall says so."""


def identifier(name: str) -> str:
    """`name` in double quotes."""
    return '"' + _escaped(name).replace('"', '\\"') + '"'


def string(text: str) -> str:
    """`text` in single quotes."""
    return "'" + _escaped(text).replace("'", "\\'") + "'"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def is_(tag: str, *values: str) -> str:
    """The condition that a tag or field has one of these values."""
    each = " OR ".join(f"{identifier(tag)} = {string(value)}" for value in values)
    return each if len(values) == 1 else f"({each})"


def newest(*fields: str) -> list[str]:
    """The newest value of each of these fields, under its own name."""
    return [f"last({identifier(one)}) AS {identifier(one)}" for one in fields]


def chosen(tag: str, variable: str | None = None) -> str:
    """The condition that a tag is what the viewer chose in the variable (of the tag's name, if not told)."""
    return f"{identifier(tag)} =~ /^${{{variable or tag}:regex}}$/"


def last_s(seconds: int) -> str:
    """The condition that a point is of the last so many seconds, whatever the board's range is."""
    return f"time > now() - {seconds}s"


def source(measurement: str) -> str:
    """A measurement where it lives: its retention policy is named, for only `raw` is the default one."""
    bucket = MEASUREMENTS[measurement].bucket
    return identifier(measurement) if bucket == "raw" else f"{identifier(bucket)}.{identifier(measurement)}"


def select(
    what: str | Sequence[str],
    measurement: str,
    *where: str,
    by: Sequence[str] = (),
    every: str | None = None,
    fill: str = "none",
    limit: int | None = None,
    newest_first: bool = False,
) -> str:
    """SELECT what FROM measurement WHERE all of `where` GROUP BY the tags `by`, and by time `every`.

    `where` bounds the time (RANGE if it names none). `newest_first`: `limit` rows of each series.
    """
    columns = what if isinstance(what, str) else ", ".join(what)
    if not any("time" in one and one.startswith(("time", RANGE)) for one in where):
        where = (RANGE, *where)
    return f"SELECT {columns} FROM {source(measurement)} WHERE {' AND '.join(where)}" + _end(
        by, every, fill, limit, newest_first
    )


def outer(what: str, inner: str, *, by: Sequence[str] = (), limit: int | None = None) -> str:
    """SELECT what FROM (inner): the inner one bounds the time."""
    return f"SELECT {what} FROM ({inner})" + _end(by, None, "", limit, False)


def _end(by: Sequence[str], every: str | None, fill: str, limit: int | None, newest_first: bool) -> str:
    groups = [*([f"time({every})"] if every else []), *map(identifier, by)]
    return (
        (f" GROUP BY {', '.join(groups)}" if groups else "")
        + (f" fill({fill})" if every else "")
        + (" ORDER BY time DESC" if newest_first else "")
        + (f" LIMIT {limit}" if limit else "")
    )
