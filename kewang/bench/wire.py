"""How many bytes a reading costs on the way: simulated sensors, the real encoder.

A reading is one row: the values of a source at one moment.
"""

import random
import time
from collections.abc import Sequence
from typing import Any, Final

from edge.settings import OutboxSettings
from edge.sources.settings import SourceSettings
from firmware_sim.layout import Cell, map_file, read_layout
from firmware_sim.signals import DAY_S, Signals
from kewang.bench.envelope import envelope
from kewang.wire import topics
from kewang.wire.batch import Batch, Row, encode
from kewang.wire.catalogue import metric

NOISE: Final = {"temp_c": 0.1, "rh_pct": 0.25, "pm25_ugm3": 1.0}
"""The metrics, and the standard deviation of their sensors' own noise: a digit or more, as cheap sensors have it."""
METRICS: Final = tuple(NOISE)
FULL_ROWS: Final = 30
LIMIT_BYTES: Final = 20.0
"""Most a reading may cost in a full batch."""
_MAP: Final = "market-env"
_START_S: Final = 1_785_000_000
_LATE_MS: Final = 4
"""A reading is taken up to so many ms after its time."""


def measure(batches: int = 200, seed: int = 1, limit_bytes: float = LIMIT_BYTES) -> dict[str, Any]:
    """Bytes a reading by rows a batch; the mean of `batches`, over a day and as many boards. The full result."""
    started_s = time.monotonic()
    by_rows = [_of_rows(rows, batches, seed) for rows in (1, 10, FULL_ROWS)]
    full = by_rows[-1]
    default = _of_rows(default_rows(), batches, seed) | {"settings": "default"}
    failed = []
    if full["bytes_per_reading"] > limit_bytes:
        failed.append(f"a reading costs {full['bytes_per_reading']} bytes at {FULL_ROWS} rows, more than {limit_bytes}")
    figures = {
        "bytes_per_reading": full["bytes_per_reading"],
        "mqtt_bytes_per_reading": full["mqtt_bytes_per_reading"],
        "rows_per_batch": FULL_ROWS,
        "fields_per_reading": len(METRICS),
        "by_rows": [*by_rows, default],
    }
    return envelope("bench wire", seed=seed, parts=[], started_s=started_s, failed=failed, figures=figures)


def default_rows() -> int:
    """Rows of a batch with the settings nobody changed: what a source reads between two commits."""
    rhythm = OutboxSettings().rhythm
    interval_s = float(SourceSettings.model_fields["interval_s"].default)
    return max(1, min(rhythm.flush_rows, int(rhythm.flush_s / interval_s)))


def payload(rows: int, number: int, seed: int, *, from_s: float = _START_S, interval_s: float = 10.0) -> bytes:
    """Batch `number` of `rows` rows as an agent sends it; board and its noise follow from `seed`."""
    layout = read_layout(map_file(_MAP))
    cells = [cell for cell in layout.registers if cell.metric in METRICS]
    signals, rng = Signals(seed), random.Random(f"{seed}/{number}")
    taken: list[Row] = []
    for index in range(rows):
        late_ms = rng.randint(0, _LATE_MS) if index else 0
        taken.append(
            [int(index * interval_s * 1000) + late_ms, *_read(cells, signals, from_s + index * interval_s, rng)]
        )
    run, t0_ms = f"{rng.getrandbits(48):012x}", int(from_s * 1000) + rng.randint(0, 9_999)
    up_ms = rng.randint(10**6, 10**9)
    return encode(Batch(run, number, "env-1", 2, t0_ms, [c.metric for c in cells], taken, _START_S, up_ms))


def mqtt_bytes(topic: str, payload_bytes: int) -> int:
    """Bytes of a PUBLISH with QoS 1 (MQTT 3.1.1, 3.3): type, remaining length, topic, packet id, payload."""
    rest = 2 + len(topic.encode()) + 2 + payload_bytes
    length_bytes = 1 + (rest > 127) + (rest > 16_383) + (rest > 2_097_151)
    return 1 + length_bytes + rest


def _read(cells: Sequence[Cell], signals: Signals, unix_s: float, rng: random.Random) -> list[float | None]:
    """What the edge reads of the board's registers: a sensor's own noise and rounding are in it."""
    return [_value(cell, signals.value(cell.metric, unix_s) + rng.gauss(0, NOISE[cell.metric])) for cell in cells]


def _value(cell: Cell, exact: float) -> float | None:
    found = metric(cell.metric)
    shown = round(min(found.high, max(found.low, exact)), found.decimals)
    return cell.given(cell.registers(shown))


def _of_rows(rows: int, batches: int, seed: int) -> dict[str, Any]:
    topic = topics.build("pasar-mardika-01", "d/env")
    sizes = [
        len(payload(rows, 1000 + i, seed + i, from_s=_START_S + i * DAY_S / batches)) for i in range(max(1, batches))
    ]
    carried = sum(mqtt_bytes(topic, size) for size in sizes)
    readings = rows * len(sizes)
    return {
        "rows_per_batch": rows,
        "bytes_per_reading": round(sum(sizes) / readings, 1),
        "mqtt_bytes_per_reading": round(carried / readings, 1),
    }
