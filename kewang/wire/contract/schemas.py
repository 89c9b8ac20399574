"""JSON Schema (2020-12) of every kind of message: what a sender must send. Readers are more lenient, and say where."""

import ast
import inspect
import textwrap
from typing import Any, Final

from kewang.wire.batch import MAX_COUNT, MAX_DATE_MS, MAX_METRICS, MAX_REWIND, MAX_ROWS, MIN_DATE_MS
from kewang.wire.contract.kinds import KINDS, Kind
from kewang.wire.models import Message
from kewang.wire.names import RUN_PATTERN, SOURCE_PATTERN
from kewang.wire.tally import MAX_TALLIES

Json = dict[str, Any]
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema(kind: Kind) -> Json:
    """The schema of one kind, with its title and description. One of a reserved channel takes anything."""
    made = _batch() if kind.name == "batch" else _of_model(kind.model) if kind.model else {}
    return {"$schema": DIALECT, "title": kind.name, "description": kind.about} | made


def schemas() -> dict[str, Json]:
    """All of them by name."""
    return {kind.name: schema(kind) for kind in KINDS}


def _of_model(model: type[Message]) -> Json:
    made = model.model_json_schema(by_alias=True)
    for part in [made, *made.get("$defs", {}).values()]:
        part.pop("title", None)
        part.pop("description", None)
    shown: Json = _plain(made)
    for name, inner in [(model.__name__, shown), *shown.get("$defs", {}).items()]:
        _describe(inner, _model(model, name))
    return shown


def _model(outer: type[Message], name: str) -> type[Message]:
    """`outer` itself or the model called `name` beside it."""
    found: type[Message] = getattr(inspect.getmodule(outer), name)
    return found


def _plain(value: Any) -> Any:
    """Without the titles that pydantic makes of names; an optional key may be left out, and is never sent as null."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    left = {key: _plain(inner) for key, inner in value.items() if key != "title" or not isinstance(inner, str)}
    options = [each for each in left.get("anyOf", []) if each != {"type": "null"}]
    if len(options) == 1:
        del left["anyOf"]
        left |= options[0]
    if left.get("default", 0) is None:
        del left["default"]
    if "patternProperties" in left:
        left["additionalProperties"] = False
    return left


def _describe(part: Json, model: type[Message]) -> None:
    """The docstring below each field, as the description of its key."""
    found = meanings(model)
    for name, field in model.model_fields.items():
        part["properties"][field.alias or name]["description"] = found[name]


def meanings(model: type[Message]) -> dict[str, str]:
    """The docstrings below the fields of a model, by field."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(body, ast.ClassDef)
    told = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            text = ast.literal_eval(below.value)
            told[field.target.id] = " ".join(str(text).split())
    return told


def _count(about: str, high: int = MAX_COUNT, low: int = 0) -> Json:
    return {"description": about, "type": "integer", "minimum": low, "maximum": high}


def _list(about: str, items: Json, most: int, least: int = 1) -> Json:
    return {"description": about, "type": "array", "minItems": least, "maxItems": most, "items": items}


def _batch() -> Json:
    run, source = {"type": "string", "pattern": RUN_PATTERN}, {"type": "string", "pattern": SOURCE_PATTERN}
    count = {"type": "integer", "minimum": 0, "maximum": MAX_COUNT}
    row = {"type": "array", "minItems": 2, "maxItems": MAX_METRICS + 1}
    row |= {"prefixItems": [{"type": "integer"}], "items": {"type": ["number", "null"]}}
    tally = {"type": "array", "prefixItems": [run, source, count, count, count], "minItems": 5, "maxItems": 5}
    properties = {
        "v": _count("Version of the protocol.", 1, 1),
        "bt": run | {"description": "Run: new and random at every start of the program. With `q` the batch's name."},
        "q": _count("Number of the batch in its run, counted from 1 over all streams.", low=1),
        "rw": _count("Rewind obeyed last; 0 = none. Stamped at sending.", MAX_REWIND),
        "up": _count("Monotonic ms of this run at sending. Stamped at sending."),
        "src": source | {"description": "Source of one stream: a sensor or camera of the device. Not `-` alone."},
        "tq": {"default": 2} | _count("Time quality: 2 synchronised, 1 dated by the gateway, 0 chained.", 2),
        "t0": _count("Unix ms that the rows count from.", MAX_DATE_MS, MIN_DATE_MS),
        "k": _list("Metrics: names of metrics.json, each once.", {"type": "string"}, MAX_METRICS)
        | {"uniqueItems": True},
        "r": _list("Rows: ms after `t0`, then a value for each metric of `k`, null = no value.", row, MAX_ROWS),
        "held": _count("Heartbeat only: rows of the device not yet acknowledged, without this batch's own."),
        "tl": _list(
            "Heartbeat only: run, source, Unix hour, rows made, rows dropped; cumulative.", tally, MAX_TALLIES, 0
        ),
    }
    return {"type": "object", "required": ["v", "bt", "q", "rw", "up", "src", "t0", "k", "r"], "properties": properties}
