"""Whether boards are what Grafana's own types say: of the version they are made for, and of an older one.

The types are vendored as JSON Schema (dashboards/grafana, made by deploy/grafana-schema.sh).
"""

import copy
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from dashboards.lint import panels

Json = dict[str, Any]
FOLDER: Final = Path(__file__).parent / "grafana"
VERSIONS: Final = ("13.2.3", "11.6.0")
"""Grafanas that boards are checked for, the targeted one first."""


def faults(boards: Sequence[Json]) -> list[str]:
    """What does not fit: a sentence each."""
    return [fault for version in VERSIONS for board in boards for fault in _of_board(version, board)]


def _of_board(version: str, board: Json) -> Iterator[str]:
    schema = json.loads((FOLDER / f"grafana-{version}.json").read_text(encoding="utf-8"))
    bare = copy.deepcopy(board)
    for one in bare["annotations"]["list"]:
        # Grafana types the target of its own annotations alone; a data source's are as it likes.
        del one["target"]
    yield from _faults(f"{board['uid']} for Grafana {version}", schema["dashboard"], bare)
    for one in panels(board):
        where = f"{board['uid']} {one['title']!r} for Grafana {version}"
        known = schema["panels"][one["type"]]
        yield from _faults(f"{where}: options", known["options"], one["options"])
        if (custom := one.get("fieldConfig", {}).get("defaults", {}).get("custom")) and "custom" in known:
            yield from _faults(f"{where}: custom", known["custom"], custom)


def _faults(where: str, schema: Json, value: Json) -> Iterator[str]:
    import jsonschema_rs

    for error in jsonschema_rs.Draft7Validator(schema).iter_errors(value):
        at = "/".join(map(str, error.instance_path))
        yield f"{where}: {at}: {error.message[:300]}"
