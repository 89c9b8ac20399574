"""A small server that answers as InfluxDB 2's published OpenAPI description says; a real InfluxDB 1 keeps the points.

Covers /api/v2/write, orgs, buckets, dbrps and the InfluxQL endpoint /query. `script` makes the next requests fail.
Marked *by documentation* wherever results are shown: the real server was not at hand.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
from aiohttp import web

ORGANISATION = "ambon"
ORGANISATION_ID = "0a0a0a0a0a0a0a0a"
TOKEN = "a-token"
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Scripted:
    """An answer given instead of the right one."""

    status: int
    message: str = "told to fail"
    headers: Mapping[str, str] = field(default_factory=dict)


class Influx2Server:
    """Serves on `url` inside `async with`. The InfluxDB 1 at `influxd_url` keeps each bucket as a database."""

    def __init__(self, influxd_url: str) -> None:
        self.url = ""
        self.buckets: dict[str, dict[str, Any]] = {}
        self.dbrps: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self._numbers = itertools.count(1)
        self._script: deque[Scripted] = deque()
        self._influxd_url = influxd_url

    def script(self, *answers: Scripted) -> None:
        """The next requests get these answers."""
        self._script += answers

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        app = web.Application(middlewares=[self._guard], client_max_size=2**26)
        app.router.add_post("/api/v2/write", self._write)
        app.router.add_post("/query", self._query)
        app.router.add_get("/api/v2/orgs", self._orgs)
        app.router.add_get("/api/v2/buckets", self._list_buckets)
        app.router.add_post("/api/v2/buckets", self._add_bucket)
        app.router.add_patch("/api/v2/buckets/{id}", self._change_bucket)
        app.router.add_get("/api/v2/dbrps", self._list_dbrps)
        app.router.add_post("/api/v2/dbrps", self._add_dbrp)
        app.router.add_delete("/api/v2/dbrps/{id}", self._delete_dbrp)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        if self._script:
            scripted = self._script.popleft()
            return _error(scripted.status, scripted.message, scripted.headers)
        if request.headers.get("Authorization") != f"Token {TOKEN}":
            return _error(401, "unauthorized access")
        return await handler(request)

    async def _write(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("org") not in (ORGANISATION, ORGANISATION_ID):
            return _error(404, f'organization name "{request.query.get("org")}" not found')
        bucket = self._named(request.query["bucket"])
        if bucket is None:
            return _error(404, f'bucket "{request.query["bucket"]}" not found')
        query = {"db": _database(bucket), "precision": request.query["precision"]}
        body = await request.read()
        async with self._session.post(f"{self._influxd_url}/write", params=query, data=body) as answer:
            if answer.status == 204:
                return web.Response(status=204)
            said = str((await answer.json())["error"])
        if "field type conflict" in said or "beyond retention" in said:
            return _error(422, f"failure writing points to database: {said}")
        return _error(400, said)

    async def _query(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        statement = str(form["q"])
        for dbrp in self.dbrps.values():
            name = f'"{dbrp["database"]}"."{dbrp["retention_policy"]}".'
            statement = statement.replace(name, f'"{_database(self.buckets[dbrp["bucketID"]])}"."autogen".')
        if re.search(r'FROM "(?!b_)', statement):
            return web.json_response({"results": [{"statement_id": 0, "error": "database not found: no mapping"}]})
        return web.Response(body=await self._influxql(statement), content_type="application/json")

    async def _orgs(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("org") != ORGANISATION:
            return _error(404, f'organization name "{request.query.get("org")}" not found')
        return web.json_response({"orgs": [{"id": ORGANISATION_ID, "name": ORGANISATION}]})

    async def _list_buckets(self, request: web.Request) -> web.StreamResponse:
        bucket = self._named(request.query["name"])
        if bucket is None:
            return _error(404, f'bucket "{request.query["name"]}" not found')
        return web.json_response({"buckets": [bucket]})

    async def _add_bucket(self, request: web.Request) -> web.StreamResponse:
        wanted = await request.json()
        if self._named(wanted["name"]):
            return _error(422, f"bucket with name {wanted['name']} already exists")
        identity = f"{next(self._numbers):016x}"
        bucket = {"id": identity, "type": "user"} | wanted
        bucket["retentionRules"] = [rule for rule in wanted["retentionRules"] if rule["everySeconds"]]
        self.buckets[identity] = bucket
        await self._influxql(f'CREATE DATABASE "{_database(bucket)}"')
        await self._keep(bucket, wanted["retentionRules"][0])
        return web.json_response(bucket, status=201)

    async def _change_bucket(self, request: web.Request) -> web.StreamResponse:
        bucket = self.buckets[request.match_info["id"]]
        rules = (await request.json())["retentionRules"]
        bucket["retentionRules"] = [rule for rule in rules if rule["everySeconds"]]
        await self._keep(bucket, rules[0])
        return web.json_response(bucket)

    async def _list_dbrps(self, request: web.Request) -> web.StreamResponse:
        wanted = {"database": request.query.get("db"), "retention_policy": request.query.get("rp")}
        found = [one for one in self.dbrps.values() if wanted.items() <= one.items()]
        return web.json_response({"content": found})

    async def _add_dbrp(self, request: web.Request) -> web.StreamResponse:
        dbrp = {"id": f"{next(self._numbers):016x}"} | await request.json()
        self.dbrps[dbrp["id"]] = dbrp
        return web.json_response(dbrp, status=201)

    async def _delete_dbrp(self, request: web.Request) -> web.StreamResponse:
        del self.dbrps[request.match_info["id"]]
        return web.Response(status=204)

    async def _keep(self, bucket: dict[str, Any], rule: Mapping[str, Any]) -> None:
        lasting = f"{rule['everySeconds']}s" if rule["everySeconds"] else "INF"
        shard = f"SHARD DURATION {rule['shardGroupDurationSeconds']}s"
        await self._influxql(
            f'ALTER RETENTION POLICY "autogen" ON "{_database(bucket)}" DURATION {lasting} {shard} DEFAULT'
        )

    async def _influxql(self, statement: str) -> bytes:
        form = {"q": statement}
        async with self._session.post(f"{self._influxd_url}/query", params={"epoch": "ms"}, data=form) as answer:
            body = await answer.read()
        assert b'"error"' not in body or statement.startswith("SELECT"), body
        return body

    def _named(self, name: str) -> dict[str, Any] | None:
        return next((bucket for bucket in self.buckets.values() if bucket["name"] == name), None)


def _database(bucket: Mapping[str, Any]) -> str:
    return f"b_{bucket['id']}"


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    codes = {400: "invalid", 401: "unauthorized", 403: "forbidden", 404: "not found", 413: "request too large"}
    codes |= {422: "unprocessable entity", 429: "too many requests", 503: "unavailable"}
    body = json.dumps({"code": codes.get(status, "internal error"), "message": message})
    return web.Response(status=status, text=body, content_type="application/json", headers=headers)
