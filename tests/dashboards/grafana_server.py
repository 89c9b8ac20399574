"""A small server that answers as Grafana's HTTP API is documented: health, folders, boards with versions, groups of
alert rules, tokens.

By documentation: the real one was not at hand. `script` makes the next requests to a path fail.
"""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import psutil

TOKEN = "glsa_a-token"
Json = dict[str, Any]
_GROUP = re.compile("/api/v1/provisioning/folder/(?P<folder>[^/]+)/rule-groups/(?P<group>[^/]+)")


class GrafanaServer:
    """Serves on `url` inside `with`."""

    def __init__(self, version: str = "13.2.3") -> None:
        self.version = version
        self.folders: dict[str, str] = {}
        self.boards: dict[str, Json] = {}
        self.groups: dict[str, Json] = {}
        self.looked: list[str] = []
        """What `ps` showed of `watched`'s children at each request."""
        self.watched: int | None = None
        self.requests: list[str] = []
        self._script: dict[str, deque[tuple[int, Any]]] = defaultdict(deque)

    def script(self, path: str, *answers: tuple[int, Any]) -> None:
        """The next requests to `path` get these statuses and bodies."""
        self._script[path] += answers

    def __enter__(self) -> Self:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._serve("GET", {})

            def do_POST(self) -> None:
                self._serve("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def do_PUT(self) -> None:
                self._serve("PUT", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _serve(self, method: str, body: Json) -> None:
                status, told = server._answer(method, self.path, self.headers.get("Authorization"), body)
                sent = told.encode() if isinstance(told, str) else json.dumps(told).encode()
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "https://elsewhere/")
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *_: object) -> None: ...

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _answer(self, method: str, path: str, login: str | None, body: Json) -> tuple[int, Any]:
        self.requests.append(f"{method} {path}")
        if self.watched:
            self.looked += [str(one.cmdline()) for one in psutil.Process(self.watched).children(recursive=True)]
        if self._script[path]:
            return self._script[path].popleft()
        if path == "/api/health":
            return 200, {"database": "ok", "version": self.version}
        if login != f"Bearer {TOKEN}":
            return 401, {"message": "Invalid API key"}
        if path == "/api/folders":
            return self._make_folder(body)
        if path.startswith("/api/folders/"):
            uid = path.rpartition("/")[2]
            return (200, {"uid": uid}) if uid in self.folders else (404, {"message": "folder not found"})
        if path.startswith("/api/dashboards/uid/"):
            known = self.boards.get(path.rpartition("/")[2])
            return (200, {"dashboard": known, "meta": {}}) if known else (404, {"message": "Dashboard not found"})
        if path == "/api/dashboards/db":
            return self._save(body)
        if method == "PUT" and (found := _GROUP.fullmatch(path)):
            return self._put_group(found["folder"], found["group"], body)
        return 404, {"message": "Not found"}

    def _make_folder(self, body: Json) -> tuple[int, Any]:
        if body["title"] in self.folders.values():
            return 409, {"message": "a folder with the same name already exists in the current location"}
        self.folders[body["uid"]] = body["title"]
        return 200, {"uid": body["uid"]}

    def _put_group(self, folder: str, group: str, body: Json) -> tuple[int, Any]:
        """As documented: idempotent, the rules in the body replace those of the group."""
        known = {"uid", "title", "condition", "data", "noDataState", "execErrState", "for", "annotations", "labels"}
        rules = body["rules"]
        if folder not in self.folders or any(
            one.keys() != known | {"orgID", "folderUID", "ruleGroup"} for one in rules
        ):
            return 400, {"message": "invalid alert rule"}
        if body["interval"] % 10 or (body["title"], body["folderUid"]) != (group, folder):
            return 400, {"message": "invalid group"}
        self.groups[group] = body
        return 200, body

    def _save(self, body: Json) -> tuple[int, Any]:
        board = body["dashboard"]
        if body["folderUid"] not in self.folders:
            return 400, {"message": "folder not found"}
        known = self.boards.get(board["uid"])
        if known and not body["overwrite"] and board["version"] != known["version"]:
            return 412, {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
        version = (known or {"version": 0})["version"] + 1
        self.boards[board["uid"]] = board | {"id": len(self.boards) + 1, "version": version}
        return 200, {"uid": board["uid"], "url": f"/d/{board['uid']}/kewang", "version": version, "status": "success"}
