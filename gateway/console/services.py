"""What provisioning asks of the gateway: is a device's data *stored*, when was it heard, who floods.

Only with the token of `console.service_token_file`, as `Authorization: Bearer ...`; without that setting nobody.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse

from gateway.console.facts import Facts
from gateway.console.login import bearer
from gateway.ports import Clock, History, Misconfigured, Point, RetryLater
from kewang.wire.batch import MAX_DATE_MS
from kewang.wire.names import STREAMS

_Device = Annotated[str, Path(pattern=r"^[a-z0-9-]{3,32}$")]
_Since = Annotated[int, Query(ge=0, le=MAX_DATE_MS)]


class Services:
    """Routes for provisioning. `token`: the secret, None = closed."""

    def __init__(self, history: History, facts: Facts, clock: Clock, token: str | None) -> None:
        self._history, self._facts, self._clock, self._token = history, facts, clock, token

    def router(self) -> APIRouter:
        """`/api/v1/acceptance/{device}`, `/api/v1/heard`, `/api/v1/floods`."""
        router = APIRouter(prefix="/api/v1", dependencies=[Depends(self._let_in)])
        router.add_api_route("/acceptance/{device}", self.acceptance)
        router.add_api_route("/heard", self.heard)
        router.add_api_route("/floods", self.floods)
        return router

    async def _let_in(self, request: Request) -> None:
        if not bearer(request.headers, self._token):
            raise HTTPException(
                401, "a service token is needed: console.service_token_file", {"WWW-Authenticate": "Bearer"}
            )

    async def acceptance(self, device: _Device, since_ms: _Since = 0) -> JSONResponse:
        """What the database holds of one device since a date, source by source; its birth; when it was heard."""
        trouble, points = None, list[Point]()
        try:
            for stream in STREAMS:
                points += await self._history.recent(stream, since_ms, device)
        except (RetryLater, Misconfigured) as error:
            trouble = str(error)
        birth = self._facts.birth(device)
        told = {
            "device": device,
            "now_ms": self._clock.wall_ms(),
            "heard_ms": self._facts.heard_ms().get(device),
            "birth": None if birth is None else birth.model_dump(exclude_none=True),
            "sources": sources_of(points),
            "trouble": trouble,
        }
        return JSONResponse(told, 503 if trouble else 200)

    async def heard(self) -> JSONResponse:
        """Device -> Unix ms at which it was heard last, since this gateway started."""
        return JSONResponse({"now_ms": self._clock.wall_ms(), "heard_ms": dict(self._facts.heard_ms())})

    async def floods(self) -> JSONResponse:
        """Devices whose messages are dropped because they send far too many."""
        return JSONResponse({"now_ms": self._clock.wall_ms(), "floods": self._facts.floods()})


def sources_of(points: Sequence[Point]) -> list[dict[str, Any]]:
    """The series of `points` (by series, oldest first), each with how many rows (100 at most), from when to when, and
    the newest value of each of its metrics."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for point in points:
        key = (point.series.stream, point.series.source)
        one = found.setdefault(key, {"stream": key[0], "source": key[1], "first_ms": point.date_ms, "rows": 0})
        one |= {"newest_ms": point.date_ms, "rows": one["rows"] + 1}
        one["values"] = {**one.get("values", {}), **point.fields}
    return list(found.values())
