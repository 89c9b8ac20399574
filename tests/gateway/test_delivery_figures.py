"""Figures of the delivery: what arrived, what waits how long, which channel is in trouble; as points and metrics."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from gateway.delivery_figures import DeliveryFigures
from gateway.metrics import GatewayMetrics
from gateway.notify.delivery import Delivery
from gateway.notify.outbox import Outbox
from gateway.ports import Table
from tests.fake_outbox import ManualClock
from tests.gateway.notify.messengers import NOW_S, message, messenger, until
from tests.gateway.notify.test_delivery import QUICK, delivering, now_s, webhook


def facts(tables: Iterable[Table]) -> dict[str, dict[str, float]]:
    """Channel -> fields without the age."""
    found: dict[str, dict[str, float]] = {}
    for table in tables:
        assert (table.measurement, dict(table.tags)["gateway"]) == ("delivery", "gw1")
        fields = {name: float(value or 0) for name, value in zip(table.fields, table.rows[0][1:], strict=True)}
        found[dict(table.tags)["channel"]] = fields
    return found


async def test_every_channel_is_told_as_it_is(tmp_path: Path) -> None:
    outbox, metrics = Outbox(tmp_path / "gateway.db"), GatewayMetrics()
    async with (
        messenger() as well,
        messenger(["422"]) as strict,
        messenger(["500"] * 99) as away,
        delivering(outbox, chat=webhook(well), desk=webhook(strict), sms=webhook(away)) as delivery,
    ):
        outbox.put([message(f"{n}-opened", due_s=NOW_S + hours * 3600) for n, hours in enumerate((0, 0, 9))])
        outbox.put([message(channel="desk"), message(channel="sms", created_s=NOW_S - 500)])
        figures = DeliveryFigures("gw1", outbox, delivery, ManualClock(), now_s)
        points: list[Table] = []
        telling = asyncio.create_task(figures.keep_telling(metrics, points.extend, lambda: (4, True)))
        await until(lambda: len(points) == 3)
        delivery.wake()
        await until(lambda: delivery.ended[("desk", "refused")] and delivery.troubles.get("sms"))
        await until(lambda: delivery.ended[("chat", "delivered")] == 2)
        told = facts(await figures.tables(metrics))
        telling.cancel()
        await asyncio.wait([telling])
    well_now = {"waiting": 0, "oldest_s": 0, "trouble": 0, "delivered": 2, "refused": 0, "expired": 0}
    assert told["chat"] == well_now, "what waits for the morning waits for nobody"
    assert (told["desk"]["refused"], told["desk"]["waiting"]) == (1, 0)
    assert (told["sms"]["trouble"], told["sms"]["waiting"], told["sms"]["delivered"]) == (1, 1, 0)
    assert told["sms"]["oldest_s"] > 500
    signals = metrics.snapshot()
    wanted = {"notices_delivered": 2, "notices_refused": 1, "notices_waiting": 1, "channel_trouble": 1, "proven": 1}
    assert {name: signals[name] for name in wanted} == wanted
    assert (signals["incidents_open"], signals["notices_oldest_s"] > 500) == (4, True)
    assert 'kewang_gateway_notices_total{channel="chat",end="delivered"} 2.0' in metrics.text().decode()
    outbox.close()


async def test_a_file_that_can_not_be_read_stops_no_figures(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    outbox, metrics, points = Outbox(tmp_path / "gateway.db"), GatewayMetrics(), list[Table]()
    outbox._db.execute("DROP TABLE message")
    figures = DeliveryFigures("gw1", outbox, Delivery(outbox, {}, QUICK, now_s), ManualClock(), now_s)
    telling = asyncio.create_task(figures.keep_telling(metrics, points.extend, lambda: (1, False)))
    await until(lambda: "can't be counted" in caplog.text)
    assert not telling.done()
    telling.cancel()
    await asyncio.wait([telling])
    assert (metrics.snapshot()["incidents_open"], metrics.snapshot()["proven"]) == (1, 0)
    outbox.close()
