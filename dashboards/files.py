"""Everything Grafana needs, as files: mount the folder at /etc/grafana/kewang and nobody clicks anything.

No file holds a secret: passwords are references that Grafana fills in from its environment or a file of its own.
"""

import json
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from dashboards.alerts import contact_points, rules
from dashboards.boards import all_boards
from dashboards.builder import SOURCE_UID
from dashboards.voice import Voice
from dashboards.yaml_text import yaml_text
from kewang.ui import city

Json = dict[str, Any]
MOUNTED: Final = "/etc/grafana/kewang"
_SECRET: Final = "$__file{/run/secrets/kewang-influx}"
_MADE: Final = "Made by `kewang dashboards build`; made anew with every upgrade, so change nothing here."
_ENVIRONMENT: Final = f"""# {_MADE}
# What Grafana's environment needs beside these files; the first three are yours.
#KEWANG_INFLUX_URL=http://influxdb:8086
#KEWANG_INFLUX_USER=grafana
#KEWANG_ALERT_URL=http://somebody-else:9000/alarm
GF_PATHS_PROVISIONING={MOUNTED}/provisioning
GF_USERS_DEFAULT_THEME=dark
GF_DASHBOARDS_MIN_REFRESH_INTERVAL=10s
"""


def built(
    voices: Sequence[Voice], boards: Sequence[Json] | None = None, *, influx2: bool = False
) -> dict[str, str | bytes]:
    """Path below the folder -> content. `voices`: the languages, the city's own first. `influx2`: which database."""
    boards = all_boards(voices) if boards is None else boards
    first = voices[0]
    made: dict[str, str | bytes] = {
        "grafana.env": _ENVIRONMENT + f"GF_USERS_DEFAULT_LANGUAGE={'id-ID' if first.language == 'id' else 'en-US'}\n",
        "maps/city.geojson": city.FILE.read_bytes(),
        "maps/empty.png": _empty_png(),
        "playlist.json": _text(playlist(first)),
        "provisioning/datasources/kewang.yaml": yaml_text(data_source(influx2=influx2), _MADE + _INFLUX_2),
        "provisioning/dashboards/kewang.yaml": yaml_text(provider(), _MADE),
        "provisioning/alerting/kewang-rules.yaml": yaml_text(rules(first), _MADE),
        "provisioning/alerting/kewang-contacts.yaml": yaml_text(contact_points(), _MADE + _POLICY),
    }
    for one in boards:
        language = one["uid"].rpartition("-")[2]
        made[f"boards/{language}/{one['uid']}.json"] = _text(one)
    return made


def write(folder: Path, made: dict[str, str | bytes]) -> list[Path]:
    """Write the files below `folder`; each is whole or as before. Boards of ours that are no more are taken away.

    Raises OSError.
    """
    paths = []
    for name, content in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.replace(part, path)
        paths.append(path)
    for path in (folder / "boards").glob("*/kewang-*.json"):
        if path not in paths:
            path.unlink()
    return paths


_INFLUX_2: Final = """
InfluxDB 2 and 3 (`--influx2`): a token in a header instead of user and password, and a DBRP mapping of database kewang
and policies raw, months, years and kept to the buckets of these names, which `kewang gateway init` makes."""
_POLICY: Final = """
The policy tree is one thing to Grafana: this file replaces the whole of it. If you have one, take `policies` out here
and add a route to receiver kewang in yours."""


def data_source(open_at: str = "", *, influx2: bool = False) -> Json:
    """The file of the data source. `open_at`: the address of a database that asks for no password.

    The secret comes from a file that Grafana reads: a password, with `influx2` a token.
    """
    one: Json = {
        "name": "Kewang",
        "uid": SOURCE_UID,
        "type": "influxdb",
        "access": "proxy",
        "url": open_at or "$__env{KEWANG_INFLUX_URL}",
        "database": "kewang",
        "jsonData": {"dbName": "kewang", "httpMode": "POST", "timeInterval": "10s"},
        "editable": False,
    }
    if influx2:
        one["jsonData"]["httpHeaderName1"] = "Authorization"
        one["secureJsonData"] = {"httpHeaderValue1": f"Token {_SECRET}"}
    elif not open_at:
        one |= {"user": "$__env{KEWANG_INFLUX_USER}", "secureJsonData": {"password": _SECRET}}
    return {"apiVersion": 1, "datasources": [one]}


def provider() -> Json:
    """The file that lets Grafana read the boards, a folder for each language."""
    one = {
        "name": "kewang",
        "orgId": 1,
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 30,
        "options": {"path": f"{MOUNTED}/boards", "foldersFromFilesStructure": True},
    }
    return {"apiVersion": 1, "providers": [one]}


def playlist(_: Voice) -> Json:
    """For POST /api/playlists: the wall, and every few minutes a look at the others. Grafana has no file for it."""
    order = ("wall", "cameras", "environment", "network")
    items = [{"type": "dashboard_by_uid", "value": _.uid(name)} for name in order]
    return {"name": f"Kewang ({_.language})", "interval": "2m", "items": items}


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _empty_png() -> bytes:
    """One transparent pixel: the ground of the map, so that Grafana fetches none from the internet."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 6, 0, 0, 0)
    pixel = zlib.compress(b"\0" + b"\0\0\0\0", 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")
