"""The pages' figures as JSON, health and metrics. 503 with the reason while the store is away."""

from dataclasses import asdict
from typing import Any, Final

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from gateway.console.facts import Facts
from gateway.console.live import QUARANTINE_SHOWN, Live, Overview
from gateway.console.overview import Device
from gateway.metrics import CONTENT_TYPE, GatewayMetrics

_NAMED: Final = 20


class Api:
    """Routes for programs."""

    def __init__(self, live: Live, facts: Facts, metrics: GatewayMetrics) -> None:
        self._live, self._facts, self._metrics = live, facts, metrics

    def router(self) -> APIRouter:
        """`/health`, `/ready`, `/metrics` and `/api/v1/...`."""
        router = APIRouter()
        router.add_api_route("/health", self.health)
        router.add_api_route("/ready", self.ready)
        router.add_api_route("/metrics", self.metrics)
        router.add_api_route("/api/v1/devices", self.devices)
        router.add_api_route("/api/v1/ledger", self.ledger)
        router.add_api_route("/api/v1/quarantine", self.quarantine)
        return router

    async def health(self) -> Response:
        """200 while the process lives and its loops turn."""
        stuck = self._facts.stuck()
        return JSONResponse({"ok": not stuck, "stuck": stuck}, 503 if stuck else 200)

    async def ready(self) -> Response:
        """200 while it does its work; else 503 and why not. Warnings: it works, and a person is needed all the same."""
        reasons = why_not_ready(self._facts, await self._live.overview())
        warnings = warnings_of(self._facts)
        return JSONResponse({"ok": not reasons, "reasons": reasons, "warnings": warnings}, 503 if reasons else 200)

    async def metrics(self) -> Response:
        """For Prometheus."""
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def devices(self) -> Response:
        """Every device: state, site, newest readings."""
        overview = await self._live.overview()
        listed = [device_figures(device, overview) for site in overview.sites for device in site.devices]
        return _answer(overview, {"devices": listed})

    async def ledger(self) -> Response:
        """The ledger of the last 24 hours, of all and by device; after a start of as many as are read by now."""
        overview = await self._live.overview()
        books = overview.books
        by_device = {name: asdict(balance) for name, balance in books.by_device.items()}
        window = {"from_ms": books.from_ms, "to_ms": books.to_ms, "closed_as_of_ms": books.closed_ms}
        return _answer(overview, {**window, **asdict(books.total), "devices": by_device})

    async def quarantine(self) -> Response:
        """Rows in quarantine that nobody deleted, newest first."""
        overview = await self._live.overview()
        rows = [
            {**asdict(row.series), "date_ms": row.date_ms, "reason": row.reason, "row": row.row}
            for row in overview.quarantine
        ]
        return _answer(overview, {"open": len(rows), "more": len(rows) >= QUARANTINE_SHOWN, "rows": rows})


def why_not_ready(facts: Facts, overview: Overview) -> list[str]:
    """What keeps the gateway from doing its work, in words."""
    checks = (
        (facts.broker_connected(), "the broker is not connected"),
        (facts.rewinds_read(), "the rewinds are not read yet"),
        (facts.store_trouble() is None, f"the store takes no readings: {facts.store_trouble()}"),
        (overview.trouble is None, f"the store does not answer: {overview.trouble}"),
    )
    return [why for well, why in checks if not well]


def warnings_of(facts: Facts) -> list[str]:
    """What a person should do while the gateway does its work."""
    ahead, doubled = facts.devices_ahead(), sorted(facts.two_boxes())
    restored = (
        f"{ahead} devices hold their readings back: the database was restored without a rewind; "
        "run 'kewang rewind --from TIME' with the time of the backup"
    )
    clock = "this server's clock is not synchronised: boxes without network time wait; see timedatectl"
    return (
        [clock] * (not facts.clock_synchronised())
        + [restored] * bool(ahead)
        + [f"two boxes share the identity {name}: replace or enrol one of them anew" for name in doubled[:_NAMED]]
    )


def device_figures(device: Device, overview: Overview) -> dict[str, Any]:
    """One device as JSON: state, place, newest readings by source, ledger."""
    sources = [
        {
            "stream": source.series.stream,
            "source": source.series.source,
            "date_ms": source.date_ms,
            "camera": source.camera[0].name.lower() if source.camera else None,
            "readings": {reading.metric.name: reading.value for reading in source.current},
        }
        for source in device.sources
    ]
    return {
        "device": device.name,
        "site": device.place.site if device.place else None,
        "condition": device.condition,
        "two_boxes": device.marks.two_boxes,
        "last_ms": device.last_ms,
        "held": overview.books.stated_held.get(device.name, 0),
        "sources": sources,
    }


def _answer(overview: Overview, figures: dict[str, Any]) -> JSONResponse:
    """The figures with the times they hold for."""
    times = {"now_ms": overview.now_ms, "read_ms": overview.read_ms, "trouble": overview.trouble}
    return JSONResponse({**times, **figures}, 503 if overview.trouble else 200)
