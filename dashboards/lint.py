"""What a board must be, besides valid: read from the finished JSON, so that nothing slips through the builder."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final

from dashboards import look, portable
from dashboards.builder import SOURCE
from dashboards.catalogue import MEASUREMENTS
from dashboards.layout import COLUMNS
from dashboards.voice import Voice
from kewang.ui.words import LOCALE, read_po

Json = dict[str, Any]
PANELS: Final = frozenset({"bargauge", "geomap", "stat", "state-timeline", "table", "text", "timeseries"})
"""Panels that every Grafana brings."""
PLAIN: Final = frozenset({"auto", "color-text"})
"""Cells that show names as text, whatever is in them."""
SHORTEST_REFRESH_S: Final = 10
WALL: Final = "kewang-wall-"
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_COLOUR: Final = re.compile(
    r"#[0-9a-fA-F]{3,8}|rgba?\(.*\)|((super-light|light|semi-dark|dark)-)?(red|green|blue|yellow|orange|purple)"
)
_FILLED_IN: Final = re.compile(r"\$\{[^}]*\}|\$\w+")
_BOARD: Final = re.compile(r"/d/([^?/]+)")


@dataclass(frozen=True)
class Listener(Voice):
    """A voice that remembers what it was asked to say."""

    heard: list[str] = field(default_factory=list)

    def __call__(self, text: str) -> str:
        self.heard.append(text)
        return text

    def untranslated(self) -> list[str]:
        """What of it has no Indonesian words."""
        known = read_po(LOCALE / "id.po")
        return sorted({f"no Indonesian for {text!r}" for text in self.heard if not known.get(text)})


def faults(boards: Sequence[Json]) -> list[str]:
    """What is wrong with these boards, which are all there are: a sentence each, with board and panel."""
    uids = Counter(str(one["uid"]) for one in boards)
    found = [f"{uid}: the uid of {count} boards" for uid, count in uids.items() if count > 1]
    for one in boards:
        found += [f"{one['uid']}: {fault}" for fault in _of_board(one, uids)]
    return found


def of_rules(rules: Json, boards: Sequence[Json]) -> list[str]:
    """What is wrong with alert rules beside these boards: a sentence each."""
    shown = {(one["uid"], each["id"]) for one in boards for each in panels(one)}
    found = []
    for rule in (one for group in rules["groups"] for one in group["rules"]):
        query = rule["data"][0]["model"]["query"]
        found += [f"rule {rule['uid']} {fault}" for fault in portable.faults(query)]
        if "$" in json.dumps(rule):
            found.append(f"rule {rule['uid']} holds a $, which Grafana fills in from its environment")
        if (rule["dashboardUid"], rule["panelId"]) not in shown:
            found.append(f"rule {rule['uid']} points to a panel that is not there")
    return found


def panels(board: Json) -> list[Json]:
    """All panels, those in closed rows too; rows are none."""
    inner = [each for one in board["panels"] for each in one.get("panels", [])]
    return [one for one in [*board["panels"], *inner] if one["type"] != "row"]


def queries(board: Json) -> Iterator[tuple[str, str]]:
    """(panel's title, query) of everything a board asks."""
    for one in panels(board):
        for target in one.get("targets", []):
            yield str(one["title"]), str(target["query"])
    for one in board["annotations"]["list"]:
        yield str(one["name"]), str(one["target"]["query"])


def _of_board(board: Json, uids: Counter[str]) -> Iterator[str]:
    unit = board["refresh"][-1:]
    if int(board["refresh"][:-1] or 0) * _SECONDS.get(unit, 0) < SHORTEST_REFRESH_S:
        yield f"asks again every {board['refresh']}, at least {SHORTEST_REFRESH_S} s must pass"
    if not board["title"] or not board["description"]:
        yield "has no title or no description"
    yield from _ids_and_places(board)
    for one in board["templating"]["list"]:
        yield from (f"variable {one['name']} {fault}" for fault in portable.faults(one["query"]))
    for url in _urls(board):
        yield from _link(url, uids)
    for title, query in queries(board):
        yield from (f"{title!r} {fault}" for fault in _query(board, query))
    for one in panels(board):
        yield from (f"{one.get('title')!r} {fault}" for fault in _of_panel(one))


def _ids_and_places(board: Json) -> Iterator[str]:
    rows = [one for one in board["panels"] if one["type"] == "row"]
    everything = [*rows, *panels(board)]
    for number, count in Counter(one["id"] for one in everything).items():
        if count > 1:
            yield f"{count} panels have the id {number}"
    for one in everything:
        place = one["gridPos"]
        if place["x"] < 0 or place["w"] < 1 or place["h"] < 1 or place["x"] + place["w"] > COLUMNS:
            yield f"{one['title']!r} is not within the {COLUMNS} columns"
    for group in (board["panels"], *(row["panels"] for row in rows)):
        for first, second in combinations(group, 2):
            if _overlap(first["gridPos"], second["gridPos"]):
                yield f"{first['title']!r} and {second['title']!r} lie on each other"


def _overlap(one: Json, other: Json) -> bool:
    return bool(
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def _query(board: Json, query: str) -> Iterator[str]:
    yield from portable.faults(query)
    if board["uid"].startswith(WALL):
        for name in portable.measurements(query):
            if name in MEASUREMENTS and MEASUREMENTS[name].wide:
                yield f"reads {name}, which has a series for each device: too many for a wall"


def _of_panel(panel: Json) -> Iterator[str]:
    if panel["type"] not in PANELS:
        yield f"is a {panel['type']}, which not every Grafana brings"
    if not panel.get("title") or not panel.get("description"):
        yield "has no title or no description"
    if panel["type"] == "text" and "$" in panel["options"]["content"]:
        yield "puts something that others chose into its words"
    for kind in {*_cells(panel)} - PLAIN:
        yield f"has cells of type {kind}: what others chose must be shown as text"
    if panel["type"] != "text":
        yield from _of_targets(panel)
    for colour in {*_colours(panel)} - look.PALETTE:
        yield f"uses {colour}, which is not in the palette"


def _of_targets(panel: Json) -> Iterator[str]:
    if not panel.get("targets"):
        yield "asks nothing"
    for target in panel.get("targets", []):
        if target.get("datasource") != SOURCE or not target.get("rawQuery"):
            yield "has a query that is not raw InfluxQL of our data source"
    if not panel["fieldConfig"]["defaults"].get("unit"):
        yield "has no unit"
    if not panel["fieldConfig"]["defaults"].get("noValue"):
        yield "has no words for when nothing comes"


def _cells(node: Any) -> Iterator[str]:
    """The types of a table's cells, of all and by override; some of Grafana's show HTML, Markdown or pictures."""
    if isinstance(node, dict):
        for one in (node.get("cellOptions"), node.get("value") if node.get("id") == "custom.cellOptions" else None):
            if isinstance(one, dict):
                yield str(one.get("type"))
    for value in _inside(node):
        yield from _cells(value)


def _colours(node: Any) -> Iterator[str]:
    if isinstance(node, str) and _COLOUR.fullmatch(node):
        yield node
    for value in _inside(node):
        yield from _colours(value)


def _inside(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _urls(node: Any) -> Iterator[str]:
    if isinstance(node, dict) and isinstance(url := node.get("url"), str):
        yield url
    for value in _inside(node):
        yield from _urls(value)


def _link(url: str, uids: Counter[str]) -> Iterator[str]:
    if (board := _BOARD.search(url)) and board[1] not in uids:
        yield f"links to {board[1]}, which is no board"
    for part in _FILLED_IN.findall(url):
        if part != "${__url_time_range}" and not part.endswith(":percentencode}"):
            yield f"puts {part} into a link as it is"
