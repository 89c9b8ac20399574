"""The gateway's golden signals: what is counted is what is told, by snapshot and as Prometheus text."""

import pytest

from gateway.metrics import GatewayMetrics

WATCH = ("notices", "notices_waiting", "notices_oldest_s", "channel_trouble", "incidents_open", "proven")


def test_everything_counted_is_in_the_snapshot() -> None:
    metrics = GatewayMetrics()
    metrics.took(3)
    metrics.dropped("queue")
    metrics.dropped("life", 2)
    metrics.bad()
    metrics.stored(30)
    metrics.quarantined("range", 4)
    metrics.acked()
    metrics.store_error("RetryLater")
    metrics.office("new")
    metrics.broker(True)
    metrics.queue(7)
    metrics.devices(5)
    metrics.devices_ahead(2)
    with metrics.write():
        assert metrics.snapshot()["writes_in_flight"] == 1
    told = metrics.snapshot()
    assert told.pop("write_s_sum") > 0
    assert told == {
        "messages": 3,
        "dropped": 3,
        "dropped_queue": 1,
        "dropped_life": 2,
        "bad": 1,
        "rows_stored": 30,
        "rows_quarantined": 4,
        "rows_quarantined_range": 4,
        "acks": 1,
        "store_errors": 1,
        "store_errors_RetryLater": 1,
        "office_answers": 1,
        "office_answers_new": 1,
        "broker_connects": 1,
        "queue_messages": 7,
        "writes_in_flight": 0,
        "devices_seen": 5,
        "devices_ahead": 2,
        "broker_connected": 1,
        **dict.fromkeys(WATCH, 0),
        "write_s_count": 1,
    }


def test_figures_of_the_watch_are_sums_over_its_channels() -> None:
    metrics = GatewayMetrics()
    metrics.notice("chat", "delivered")
    metrics.notice("mail", "delivered")
    metrics.notice("mail", "expired")
    metrics.channel("chat", 2, True)
    metrics.channel("mail", 5, False)
    metrics.oldest(90)
    metrics.watch(4, True)
    told = metrics.snapshot()
    assert [told[name] for name in WATCH] == [3, 7, 90, 1, 4, 1]
    assert (told["notices_delivered"], told["notices_expired"]) == (2, 1)
    assert [name for name in told if "chat" in name or "mail" in name] == []


def test_a_new_gateway_tells_zeros_for_everything() -> None:
    told = GatewayMetrics().snapshot()
    assert {"messages", "dropped", "rows_quarantined", "store_errors", "write_s_count"} <= set(told)
    assert set(told.values()) == {0.0}


def test_a_failed_write_is_measured_and_not_left_in_flight() -> None:
    metrics = GatewayMetrics()
    with pytest.raises(ValueError, match="refused"), metrics.write():
        raise ValueError("refused")
    assert metrics.snapshot()["write_s_count"] == 1
    assert metrics.snapshot()["writes_in_flight"] == 0


def test_the_rate_is_of_the_last_ten_seconds() -> None:
    metrics = GatewayMetrics()
    assert metrics.readings_per_s() == 0
    metrics.stored(30)
    metrics.stored(20)
    assert metrics.readings_per_s() == 5


def test_the_broker_is_known_to_be_away_again() -> None:
    metrics = GatewayMetrics()
    metrics.broker(True)
    metrics.broker(True)
    assert metrics.broker_connected
    metrics.broker(False)
    metrics.broker(True)
    assert metrics.snapshot()["broker_connects"] == 2


def test_a_loop_that_does_not_turn_is_stuck() -> None:
    metrics = GatewayMetrics()
    assert metrics.stuck(0) == []
    metrics.turned("acknowledge")
    metrics.turned("report")
    assert metrics.stuck(60) == []
    assert metrics.stuck(-1) == ["acknowledge", "report"]


def test_prometheus_text_names_reasons() -> None:
    metrics = GatewayMetrics()
    metrics.dropped("queue")
    with metrics.write():
        pass
    text = metrics.text().decode()
    assert 'kewang_gateway_dropped_total{reason="queue"} 1.0' in text
    assert 'kewang_gateway_write_seconds_bucket{le="+Inf"} 1.0' in text
