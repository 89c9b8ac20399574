"""Panels as plain dicts, in the classic schema that Grafana 9 to 13 load. Stock panels only.

A panel has a key, which says what it shows; its id follows from the key, so links and alert rules survive every
change of the board.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dashboards import look

Json = dict[str, Any]
SOURCE_UID: Final = "kewang"
SOURCE: Final = {"type": "influxdb", "uid": SOURCE_UID}


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel without its place: `json` is all of it but id and gridPos."""

    key: str
    json: Json


def panel_id(key: str) -> int:
    """The id of the panel with this key."""
    return zlib.crc32(key.encode()) % 1_000_000 + 1


def target(query: str, table: bool = False, alias: str = "") -> Json:
    """One query. `table`: rows as they come, else a series each, called `alias` (`$tag_device`, `$col`)."""
    form = {"resultFormat": "table" if table else "time_series"}
    return {"datasource": SOURCE, "rawQuery": True, "query": query, **form, **({"alias": alias} if alias else {})}


def panel(
    kind: str,
    key: str,
    title: str,
    description: str,
    targets: Sequence[Json],
    *,
    options: Json,
    unit: str,
    decimals: int | None = None,
    thresholds: Json | None = None,
    mappings: Sequence[Json] = (),
    custom: Json | None = None,
    empty: str = "",
    fixed: str | None = None,
    overrides: Sequence[Json] = (),
    transformations: Sequence[Json] = (),
    links: Sequence[Json] = (),
    interval: str = "",
) -> Panel:
    """Any panel with queries. `empty`: the words where there is no value; `fixed`: one colour instead of thresholds;
    `interval`: the shortest step of its time axis."""
    defaults: Json = {
        "unit": unit,
        "color": {"mode": "fixed", "fixedColor": fixed} if fixed else {"mode": "thresholds"},
        "thresholds": thresholds or look.thresholds(),
        "mappings": list(mappings),
        "custom": custom or {},
        **({"decimals": decimals} if decimals is not None else {}),
        **({"noValue": empty} if empty else {}),
        **({"links": list(links)} if links else {}),
    }
    json: Json = {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "targets": [{"refId": chr(ord("A") + at), **one} for at, one in enumerate(targets)],
        "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
        "options": options,
        **({"transformations": list(transformations)} if transformations else {}),
        **({"interval": interval} if interval else {}),
    }
    return Panel(key, json)


def stat(
    key: str, title: str, description: str, query: str | Json, *, field: str = "", graph: bool = False, **more: Any
) -> Panel:
    """The newest value, large, in its colour. `field`: a regular expression for which field, if not the values."""
    options: Json = {
        "colorMode": "value",
        "graphMode": "area" if graph else "none",
        "justifyMode": "center",
        "orientation": "auto",
        "textMode": "value",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": field, "values": False},
    }
    return panel("stat", key, title, description, [_target(query)], options=options, **more)


def bars(key: str, title: str, description: str, queries: Sequence[Json], **more: Any) -> Panel:
    """One bar a series, with its newest value."""
    options: Json = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "showUnfilled": False,
        "valueMode": "color",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return panel("bargauge", key, title, description, queries, options=options, **more)


def timeseries(
    key: str, title: str, description: str, queries: Sequence[Json], *, lines: bool = False, **more: Any
) -> Panel:
    """Lines over time. `lines`: the thresholds are drawn too."""
    custom: Json = {
        "drawStyle": "line",
        "lineWidth": 2,
        "fillOpacity": 0,
        "showPoints": "auto",
        "spanNulls": False,
        "thresholdsStyle": {"mode": "line" if lines else "off"},
    }
    options: Json = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": len(queries) > 1, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    pairs = zip(queries, look.LINES, strict=False)
    more.setdefault("overrides", [drawn(one["alias"], line) for one, line in pairs if "alias" in one])
    more.setdefault("fixed", look.NORMAL)
    return panel("timeseries", key, title, description, queries, options=options, custom=custom, **more)


def timeline(key: str, title: str, description: str, queries: Sequence[Json], **more: Any) -> Panel:
    """States over time, a row each, with their words."""
    options: Json = {
        "alignValue": "left",
        "mergeValues": True,
        "perPage": 20,
        "rowHeight": 0.85,
        "showValue": "auto",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {"fillOpacity": look.FILL_PCT, "lineWidth": 0}
    return panel("state-timeline", key, title, description, queries, options=options, custom=custom, **more)


def table(
    key: str,
    title: str,
    description: str,
    queries: Sequence[Json],
    columns: Mapping[str, Json],
    *,
    sort: str = "",
    ascending: bool = False,
    limit: int = 0,
    joined_by: str = "",
    **more: Any,
) -> Panel:
    """Rows, with `columns` alone, in their order: name in the answer -> its header and look (see `column`).

    `sort`: the column it is sorted by, largest first or `ascending`; `limit`: rows at most; `joined_by`: the
    column that joins the answers of several queries.
    """
    steps: list[Json] = [{"id": "joinByField", "options": {"byField": joined_by, "mode": "inner"}}] if joined_by else []
    if sort:
        steps.append({"id": "sortBy", "options": {"fields": {}, "sort": [{"field": sort, "desc": not ascending}]}})
    if limit:
        steps.append({"id": "limit", "options": {"limitField": limit}})
    names = list(columns)
    shown = {"include": {"names": names}}
    steps.append({"id": "filterFieldsByName", "options": shown})
    order = {"indexByName": {name: at for at, name in enumerate(names)}, "excludeByName": {}, "renameByName": {}}
    steps.append({"id": "organize", "options": order})
    overrides = [_override({"id": "byName", "options": name}, look_of) for name, look_of in columns.items()]
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": False}
    options = {"cellHeight": "md", "showHeader": True}
    more.setdefault("unit", "none")
    return panel(
        "table",
        key,
        title,
        description,
        queries,
        options=options,
        custom=custom,
        overrides=overrides,
        transformations=steps,
        **more,
    )


def column(
    header: str,
    *,
    unit: str = "",
    decimals: int | None = None,
    mappings: Sequence[Json] = (),
    thresholds: Json | None = None,
    links: Sequence[Json] = (),
    width: int = 0,
) -> Json:
    """Header and look of a table's column: properties of its override. What has a meaning is coloured text."""
    properties: Json = {"displayName": header}
    if unit:
        properties["unit"] = unit
    if decimals is not None:
        properties["decimals"] = decimals
    if mappings:
        properties["mappings"] = list(mappings)
    if thresholds:
        properties |= {"thresholds": thresholds, "color": {"mode": "thresholds"}}
    if mappings or thresholds:
        properties["custom.cellOptions"] = {"type": "color-text"}
    if links:
        properties["links"] = list(links)
    if width:
        properties["custom.width"] = width
    return properties


def sites_map(key: str, title: str, description: str, query: Json, **more: Any) -> Panel:
    """Rows with `lat`, `lon`, `state`, `total` and `name` on a drawing of the city: nothing comes from the internet."""
    marks: Json = {
        "type": "markers",
        "name": "sites",
        "config": {
            "showLegend": False,
            "style": {
                "color": {"field": "state", "fixed": look.NORMAL},
                "opacity": 0.9,
                "size": {"field": "total", "fixed": 12, "min": 10, "max": 22},
                "symbol": {"fixed": "img/icons/marker/circle.svg", "mode": "fixed"},
                "text": {"field": "name", "fixed": "", "mode": "field"},
                "textConfig": {"fontSize": 14, "offsetX": 0, "offsetY": -18, "textAlign": "center"},
            },
        },
        "location": {"mode": "coords", "latitude": "lat", "longitude": "lon"},
        "tooltip": True,
    }
    drawing: Json = {
        "type": "geojson",
        "name": "city",
        "config": {
            "src": "public/maps/city.geojson",
            "rules": [],
            "style": {"color": {"fixed": look.NORMAL}, "opacity": 0.4, "lineWidth": 2},
        },
        "tooltip": False,
    }
    ground: Json = {
        "type": "xyz",
        "name": "ground",
        "config": {"url": "public/maps/empty.png?z={z}&x={x}&y={y}", "attribution": ""},
    }
    options: Json = {
        "basemap": ground,
        "layers": [drawing, marks],
        "controls": {"mouseWheelZoom": False, "showAttribution": False, "showZoom": False},
        "tooltip": {"mode": "details"},
        "view": {
            "id": "fit",
            "allLayers": False,
            "layer": "sites",
            "lat": -3.68,
            "lon": 128.19,
            "zoom": 11,
            "padding": 10,
        },
    }
    return panel("geomap", key, title, description, [query], options=options, **more)


def text(key: str, title: str, markdown: str) -> Panel:
    """Words that never change: nothing a viewer or a device chose is put into them."""
    body = {"mode": "markdown", "content": markdown}
    return Panel(key, {"type": "text", "title": title, "description": title, "options": body})


def drawn(name: str, line: str) -> Json:
    """The override that draws the series `name` as a line of its own kind (`solid`, `dash`, `dot`)."""
    pattern = {"dash": [10, 10], "dot": [0, 10]}
    style = {"fill": line, **({"dash": pattern[line]} if line in pattern else {})}
    return _override({"id": "byName", "options": name}, {"custom.lineStyle": style})


def _override(matcher: Json, properties: Json) -> Json:
    return {"matcher": matcher, "properties": [{"id": name, "value": value} for name, value in properties.items()]}


def _target(query: str | Json) -> Json:
    return target(query) if isinstance(query, str) else query
