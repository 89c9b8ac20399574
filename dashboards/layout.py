"""Boards as plain dicts: panels laid out in bands, links, variables, annotations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from dashboards.builder import SOURCE, Json, Panel, panel_id
from dashboards.voice import Voice

SCHEMA_VERSION: Final = 41
COLUMNS: Final = 24


@dataclass(frozen=True, slots=True)
class Band:
    """A row of panels, each with its width in columns, of one height; or of columns of panels, by (width, panels).

    `title`: they are below a heading; `folded`: which is closed at first.
    """

    height: int
    panels: Sequence[tuple[int, Panel | Sequence[tuple[int, Panel]]]]
    title: str = ""
    key: str = ""
    folded: bool = False


def board(
    name: str,
    _: Voice,
    title: str,
    description: str,
    bands: Iterable[Band],
    *,
    refresh: str,
    since: str,
    variables: Sequence[Json] = (),
    annotations: Sequence[Json] = (),
    links: Sequence[Json] = (),
) -> Json:
    """A board with its panels laid out. `since`: from when it shows (`now-3h`)."""
    return {
        "uid": _.uid(name),
        "title": title,
        "description": description,
        "tags": ["kewang", f"kewang-{_.language}"],
        "schemaVersion": SCHEMA_VERSION,
        "timezone": _.zone,
        "editable": False,
        "graphTooltip": 1,
        "refresh": refresh,
        "time": {"from": since, "to": "now"},
        "timepicker": {"refresh_intervals": ["10s", "30s", "1m", "5m"]},
        "templating": {"list": list(variables)},
        "annotations": {"list": list(annotations)},
        "links": list(links),
        "panels": _placed(bands),
    }


def _placed(bands: Iterable[Band]) -> list[Json]:
    """All panels with id and place, from the top left."""
    done: list[Json] = []
    y = 0
    for band in bands:
        below: list[Json] = []
        if band.title:
            head = {"type": "row", "title": band.title, "collapsed": band.folded, "panels": below}
            place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
            done.append({**head, "id": panel_id(band.key), "gridPos": place})
            y += 1
        x = 0
        for width, one in band.panels:
            stack = [(band.height, one)] if isinstance(one, Panel) else one
            at = y
            for height, each in stack:
                place = {"x": x % COLUMNS, "y": at + x // COLUMNS * band.height, "w": width, "h": height}
                where = below if band.title and band.folded else done
                where.append({"id": panel_id(each.key), "gridPos": place, **each.json})
                at += height
            x += width
        y += band.height * max(1, -(-x // COLUMNS))
    return done


def link_to(title: str, board_uid: str, **variables: str) -> Json:
    """A link to another board: its variables from fields of the row, each as one value. The time range goes along."""
    chosen = "".join(f"&var-{name}=${{__data.fields.{field}:percentencode}}" for name, field in variables.items())
    return {"title": title, "url": f"/d/{board_uid}?${{__url_time_range}}{chosen}", "targetBlank": False}


def other_boards(_: Voice, title: str) -> Json:
    """The menu of all boards in this language."""
    tags = [f"kewang-{_.language}"]
    return {
        "type": "dashboards",
        "title": title,
        "tags": tags,
        "asDropdown": True,
        "keepTime": False,
        "includeVars": False,
        "targetBlank": False,
        "icon": "",
        "tooltip": "",
        "url": "",
    }


def chosen_by(name: str, label: str, query: str) -> Json:
    """A variable with the values that a query lists; one of them is chosen."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": SOURCE,
        "query": query,
        "refresh": 2,
        "sort": 1,
        "multi": False,
        "includeAll": False,
        "regex": "",
        "hide": 0,
    }


def annotation(name: str, colour: str, query: str, text_column: str) -> Json:
    """Moments drawn into all graphs."""
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "target": {"refId": "Anno", "query": query, "rawQuery": True, "textEditor": True, "textColumn": text_column},
    }
