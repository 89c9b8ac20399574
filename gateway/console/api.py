"""The pages' figures as JSON, health and metrics. 503 with the reason while the store is away."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from gateway.console.facts import Facts
from gateway.console.live import QUARANTINE_SHOWN, Live, Overview
from gateway.console.overview import Device
from gateway.metrics import CONTENT_TYPE, GatewayMetrics


def routes(live: Live, facts: Facts, metrics: GatewayMetrics) -> APIRouter:
    """`/health`, `/ready`, `/metrics` and `/api/v1/...`."""
    router = APIRouter()

    @router.get("/health")
    async def health() -> JSONResponse:
        stuck = facts.stuck()
        return JSONResponse({"ok": not stuck, "stuck": stuck}, 503 if stuck else 200)

    @router.get("/ready")
    async def ready() -> JSONResponse:
        reasons = why_not_ready(facts, await live.overview())
        return JSONResponse({"ok": not reasons, "reasons": reasons}, 503 if reasons else 200)

    @router.get("/metrics")
    async def prometheus() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    @router.get("/api/v1/devices")
    async def devices() -> JSONResponse:
        overview = await live.overview()
        listed = [device_figures(d, overview) for site in overview.sites for d in site.devices]
        return _answer(overview, {"devices": listed})

    @router.get("/api/v1/ledger")
    async def ledger() -> JSONResponse:
        overview = await live.overview()
        kept = overview.books
        by_device = {name: asdict(balance) for name, balance in kept.by_device.items()}
        window = {"from_ms": kept.from_ms, "to_ms": kept.to_ms}
        return _answer(overview, {**window, **asdict(kept.total), "devices": by_device})

    @router.get("/api/v1/quarantine")
    async def quarantine() -> JSONResponse:
        overview = await live.overview()
        rows = [
            {**asdict(row.series), "date_ms": row.date_ms, "reason": row.reason, "row": row.row}
            for row in overview.quarantine
        ]
        return _answer(overview, {"open": len(rows), "more": len(rows) >= QUARANTINE_SHOWN, "rows": rows})

    return router


def why_not_ready(facts: Facts, overview: Overview) -> list[str]:
    """What keeps the gateway from doing its work, in words."""
    checks = (
        (facts.broker_connected(), "the broker is not connected"),
        (facts.rewinds_read(), "the rewinds are not read yet"),
        (facts.store_trouble() is None, f"the store takes no readings: {facts.store_trouble()}"),
        (overview.trouble is None, f"the store does not answer: {overview.trouble}"),
    )
    return [why for well, why in checks if not well]


def device_figures(device: Device, overview: Overview) -> dict[str, Any]:
    """One device as JSON: state, place, newest readings by source, ledger."""
    sources = [
        {
            "stream": source.series.stream,
            "source": source.series.source,
            "date_ms": source.date_ms,
            "readings": {reading.metric.name: reading.value for reading in source.readings},
        }
        for source in device.sources
    ]
    return {
        "device": device.name,
        "site": device.place.site if device.place else None,
        "condition": device.condition,
        "last_ms": device.last_ms,
        "held": overview.books.stated_held.get(device.name, 0),
        "sources": sources,
    }


def _answer(overview: Overview, figures: dict[str, Any]) -> JSONResponse:
    """The figures with the times they hold for."""
    times = {"now_ms": overview.now_ms, "read_ms": overview.read_ms, "trouble": overview.trouble}
    return JSONResponse({**times, **figures}, 503 if overview.trouble else 200)
