"""`kewang bench wire`: the bytes are those of the real encoder, and too many fail it."""

from kewang.bench.wire import METRICS, measure, mqtt_bytes, payload
from kewang.wire.batch import decode


def test_a_full_batch_costs_at_most_twenty_bytes_a_reading() -> None:
    result = measure(batches=20)
    assert result["ok"]
    assert 0 < result["bytes_per_reading"] <= 20
    assert [each["rows_per_batch"] for each in result["by_rows"]][:3] == [1, 10, 30]
    assert result["by_rows"][3]["settings"] == "default"


def test_more_bytes_than_the_limit_fail_it() -> None:
    result = measure(batches=2, limit_bytes=1.0)
    assert not result["ok"]
    assert "bytes at 30 rows" in result["failed"][0]


def test_payloads_are_batches_as_agents_send_them() -> None:
    batch = decode(payload(30, 7, seed=3))
    assert (batch.metrics, len(batch.rows), batch.number) == (list(METRICS), 30, 7)
    assert len({row[1] for row in batch.rows}) > 3


def test_mqtt_overhead_is_that_of_a_publish() -> None:
    assert mqtt_bytes("a/b", 10) == 1 + 1 + 2 + 3 + 2 + 10
    assert mqtt_bytes("a/b", 200) == 1 + 2 + 2 + 3 + 2 + 200
