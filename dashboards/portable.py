"""Whether a query is in the InfluxQL that InfluxDB 1, 2 and 3 share, and asks for nothing that is not there."""

import re
from collections.abc import Iterator
from typing import Final

from dashboards.catalogue import MEASUREMENTS

FUNCTIONS: Final = frozenset(
    {
        *("count", "distinct", "mean", "median", "mode", "spread", "stddev", "sum"),
        *("bottom", "first", "last", "max", "min", "percentile", "top"),
        *("abs", "ceil", "floor", "round", "derivative", "non_negative_derivative", "difference"),
        *("non_negative_difference", "cumulative_sum", "moving_average", "elapsed", "now", "time", "fill", "tz"),
    }
)
"""Functions of the shared subset (influxql-v3-reference/feature-support); SAMPLE, INTEGRAL and others are not."""
WORDS: Final = frozenset(
    {
        *("select", "from", "where", "and", "or", "group", "by", "order", "asc", "desc", "limit", "as", "time"),
        *("none", "null", "previous", "linear", "show", "tag", "values", "with", "key"),
    }
)
_TOKEN: Final = re.compile(
    r"""(?P<string>'(?:[^'\\]|\\.)*') | (?P<regex>(?<=~\s)/(?:[^/\\]|\\.)*/) | "(?P<quoted>(?:[^"\\]|\\.)*)" |
    (?P<macro>\$\{?[\w:]+\}?) | (?P<number>\d+(?:\.\d+)?(?:e\d+)?[a-z]*) | (?P<word>[A-Za-z_]\w*) | (?P<other>[^\s])""",
    re.VERBOSE,
)
_FROM: Final = re.compile(r'FROM (?:"(?P<bucket>\w+)"\.)?"(?P<name>\w+)"')
_ALIAS: Final = re.compile(r'AS "?(\w+)"?')
MACROS: Final = frozenset({"$timeFilter", "$__interval"})


def measurements(query: str) -> list[str]:
    """The measurements it reads."""
    return [found["name"] for found in _FROM.finditer(query)]


def faults(query: str) -> Iterator[str]:
    """What is wrong with it."""
    found = list(_FROM.finditer(query))
    if len(found) != 1:
        yield f"reads {len(found)} measurements instead of one: {query}"
        return
    name, bucket = found[0]["name"], found[0]["bucket"]
    if (known := MEASUREMENTS.get(name)) is None:
        yield f"reads {name}, which nobody writes"
        return
    if (bucket or "raw") != known.bucket:
        yield f"reads {name} from {bucket or 'raw'}, it lives in {known.bucket}"
    yield from _words(query, {*known.tags, *known.fields, name, known.bucket})
    if query.upper().startswith("SELECT") and not _is_bounded(query):
        yield f"has no time bound: {query}"


def _is_bounded(query: str) -> bool:
    innermost = query[query.rindex(" FROM ") :]
    return re.search(r"\$timeFilter|\btime >=? ", innermost) is not None


def _words(query: str, names: set[str]) -> Iterator[str]:
    names = names | {*_ALIAS.findall(query)}
    tokens = list(_TOKEN.finditer(query))
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if quoted := token["quoted"]:
            if quoted not in names:
                yield f"names {quoted}, which is not there"
        elif macro := token["macro"]:
            if macro not in MACROS:
                yield f"uses {macro} outside of a regular expression"
        elif word := token["word"]:
            called = after is not None and after.group() == "("
            if called and word.lower() not in FUNCTIONS | WORDS:
                yield f"calls {word}, which not every InfluxDB knows"
            if not called and word not in names and word.lower() not in WORDS:
                yield f"names {word}, which is not there"
        elif token.group() == ";":
            yield "is more than one statement"
