"""How much of the database's own speed is left when readings come by MQTT through the real gateway.

Publisher (this process) ─> Mosquitto ─> gateway ─> influxd, then the very same points pushed raw into a fresh influxd,
in bodies of the size the gateway wrote and over as many connections. One run, one machine.
"""

import http.client
import itertools
import json
import math
import os
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from firmware_sim.device import SOURCE, FleetPlan
from firmware_sim.truth import DEFAULT_METRICS, Truth
from gateway.line_protocol import encode
from gateway.ports import Table, Value
from gateway.settings import StoreSettings
from kewang.bench import ingest_steps as steps
from kewang.bench.cpu import cost
from kewang.bench.envelope import envelope
from kewang.bench.line import DATABASE, FleetRun, Line, prepare
from kewang.bench.parts import Influxd
from kewang.bench.process import PartFailed

RATIO: Final = 0.5
RATIO_OF_SEVERAL: Final = 0.6
"""With two processes or more, on as many cores."""
CPU_US: Final = 4.0
UNBATCHED_CPU_US: Final = 40.0
QUEUE_BATCHES: Final = 20_000
"""Of the gateway here: the whole window of the fleet fits, so that nothing is dropped and sent again."""
_POLICY: Final = "raw"
_LIMIT_S: Final = 120.0
_TOLD_S: Final = 2.0
"""Ingest processes say once a second how many writes they did."""
_CONNECTIONS: Final = 4
_ROW_MS: Final = 10
"""So short that few readings are late when they are stored: each late one's mark is a point that the raw push lacks."""
_CLOSE: Final = 1e-9
_FULLY_CHECKED: Final = 5


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """Sizes. `window`: batches of a device that may be unnamed at one time."""

    devices: int = 800
    batches: int = 100
    """Of a device: so many that filling the queue, and the second in which the last ack waits, count little."""
    rows: int = 30
    window: int = 25
    unbatched: int = 30
    """Messages of one row, of each device, for the unbatched figure."""
    seed: int = 1
    processes: int = 1
    """Ingest processes of the gateway."""

    @property
    def readings(self) -> int:
        """In all."""
        return self.devices * self.batches * self.rows

    def fleet(self) -> FleetPlan:
        """The batched load: everything encoded before the first message."""
        return self._plan("ingest", self.rows, self.batches)

    def unbatched_fleet(self) -> FleetPlan:
        """A row a message."""
        return self._plan("single", 1, self.unbatched)

    def _plan(self, prefix: str, rows: int, batches: int) -> FleetPlan:
        return FleetPlan(
            devices=self.devices,
            connections=_CONNECTIONS,
            prefix=prefix,
            seed=self.seed,
            rows=rows,
            batches=batches,
            interval_s=0,
            row_ms=_ROW_MS,
            window=self.window,
            ahead=True,
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked for: the least ratio, the most processor time of the gateway in us."""

    ratio: float = RATIO
    cpu_us: float = CPU_US
    unbatched_cpu_us: float = UNBATCHED_CPU_US

    @classmethod
    def of(cls, plan: IngestPlan) -> "Limits":
        """For so many processes."""
        return cls(RATIO if plan.processes == 1 else RATIO_OF_SEVERAL)


def measure(plan: IngestPlan, limits: Limits | None = None) -> dict[str, Any]:
    """The full result. Raises MissingPart, PartFailed."""
    started_s = time.monotonic()
    with Line("influxd", {"queue_batches": QUEUE_BATCHES, "ingest_processes": plan.processes}) as line:
        assert line.influxd is not None
        line.rest()
        run = line.run_pour(plan.fleet(), _LIMIT_S)
        time.sleep(_TOLD_S)
        writes = line.gateway.signals()["write_seconds_count"]
        wrong = compare(line.influxd.url, run, plan)
        rows_per_write = max(plan.rows, round(run.report.rows_named / writes))
        single = line.run_pour(plan.unbatched_fleet(), _LIMIT_S)
    raw = raw_push(list(bodies(run, plan, rows_per_write)), plan.readings, plan.processes * StoreSettings().writers)
    figures = _figures(plan, run, raw) | {
        "unbatched_messages_per_s": round(single.rows_per_s),
        "unbatched_cpu_us_per_message": round(single.gateway_cpu_us, 1),
        "lost": wrong.lost,
        "rows_per_write": rows_per_write,
        "devices": plan.devices,
        "processes": plan.processes,
        "steps_us": steps.table(steps.measure()),
        "resent": run.report.resent,
        "peers": [],
    }
    failed = wrong.sentences + _too_slow(figures, limits or Limits.of(plan))
    if run.report.outstanding or single.report.outstanding:
        failed.append(f"{run.report.outstanding + single.report.outstanding} batches were never named")
    return envelope(
        "bench ingest",
        seed=plan.seed,
        parts=["mosquitto", "influxd", "aiohttp"],
        started_s=started_s,
        failed=failed,
        figures=figures,
    )


def measure_steps(plan: IngestPlan) -> dict[str, Any]:
    """The table of steps alone: no other part is needed."""
    started_s = time.monotonic()
    figures = {"steps_us": steps.table(steps.measure())}
    return envelope("bench ingest", seed=plan.seed, parts=["msgspec"], started_s=started_s, figures=figures)


@dataclass(frozen=True, slots=True)
class RawPush:
    """Readings a second, and processor time of a reading in us: of influxd, and of who pushed."""

    rows_per_s: float
    store_cpu_us: float
    pusher_cpu_us: float


def ratio_by_cpu(run: FleetRun, raw: RawPush, processes: int) -> float:
    """The ratio of a machine whose cores have nothing else to do, each kept busy all the time.

    A reading takes the line as long as all its processor time divided by the cores, or as its dearest process that has
    one core alone; others on the machine lengthen the time of a run, and this much less.
    """
    cores = len(os.sched_getaffinity(0))
    spent_us = run.gateway_cpu_us + run.store_cpu_us + run.broker_cpu_us + run.publisher_cpu_us
    single_us = max(run.gateway_cpu_us / min(processes, cores), run.broker_cpu_us, run.publisher_cpu_us)
    raw_us = max((raw.store_cpu_us + raw.pusher_cpu_us) / cores, raw.pusher_cpu_us)
    return raw_us / max(spent_us / cores, single_us)


def _figures(plan: IngestPlan, run: FleetRun, raw: RawPush) -> dict[str, Any]:
    return {
        "ratio": round(run.rows_per_s / raw.rows_per_s, 3),
        "ratio_by_cpu": round(ratio_by_cpu(run, raw, plan.processes), 3),
        "readings_per_s": round(run.rows_per_s),
        "raw_readings_per_s": round(raw.rows_per_s),
        "raw_store_cpu_us_per_reading": round(raw.store_cpu_us, 2),
        "raw_pusher_cpu_us_per_reading": round(raw.pusher_cpu_us, 2),
        "fields_per_s": round(run.rows_per_s * len(DEFAULT_METRICS)),
        "gateway_cpu_us_per_reading": round(run.gateway_cpu_us, 2),
        "store_cpu_us_per_reading": round(run.store_cpu_us, 2),
        "broker_cpu_us_per_reading": round(run.broker_cpu_us, 2),
        "publisher_cpu_us_per_reading": round(run.publisher_cpu_us, 2),
        "gateway_rss_mb": round(run.gateway_peak_mb, 1),
        "rows_per_batch": plan.rows,
        "fields_per_reading": len(DEFAULT_METRICS),
    }


def _too_slow(figures: Mapping[str, Any], limits: Limits) -> list[str]:
    failed, reading = [], figures["gateway_cpu_us_per_reading"]
    message = figures["unbatched_cpu_us_per_message"]
    if figures["ratio"] < limits.ratio:
        failed.append(f"ratio {figures['ratio']} to the raw push, less than {limits.ratio}")
    if reading > limits.cpu_us:
        failed.append(f"the gateway takes {reading} us a reading, more than {limits.cpu_us}")
    if message > limits.unbatched_cpu_us:
        failed.append(f"the gateway takes {message} us a message of one reading, more than {limits.unbatched_cpu_us}")
    return failed


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the database holds against what was published."""

    lost: int
    sentences: list[str]


def compare(url: str, run: FleetRun, plan: IngestPlan) -> Comparison:
    """Number and sum of every device's values, and every row of a few devices, against the rows computed again."""
    fleet, truth = plan.fleet(), Truth(plan.seed)
    sums = ", ".join(f"sum({name})" for name in DEFAULT_METRICS)
    found = {
        series["tags"]["device"]: series["values"][0][1:]
        for series in _ask(url, f'SELECT count({DEFAULT_METRICS[0]}), {sums} FROM "{_POLICY}".env GROUP BY device')
    }
    lost, wrong = 0, []
    for index, name in enumerate(fleet.names()):
        rows = [truth.row(name, number) for number in range(1, plan.batches * plan.rows + 1)]
        count, *summed = found.get(name, [0, *(0 for _ in DEFAULT_METRICS)])
        lost += max(0, len(rows) - count)
        same = all(
            math.isclose(a, b, rel_tol=_CLOSE) for a, b in zip(summed, map(sum, zip(*rows, strict=True)), strict=True)
        )
        if count > len(rows) or (count == len(rows) and not same):
            wrong.append(f"{name} holds {count} rows with other values than were published")
        elif index < _FULLY_CHECKED and count == len(rows) and _rows(url, name) != _dated(rows, run.t0_ms[name]):
            wrong.append(f"{name} holds other rows than were published")
    sentences = [f"{lost} readings are lost"] if lost else []
    return Comparison(lost, sentences + wrong[:_FULLY_CHECKED])


def _dated(rows: Sequence[tuple[float, ...]], t0_ms: int) -> list[list[float]]:
    return [[t0_ms + index * _ROW_MS, *map(float, row)] for index, row in enumerate(rows)]


def _rows(url: str, device: str) -> list[list[float]]:
    names = ", ".join(DEFAULT_METRICS)
    series = _ask(url, f"SELECT {names} FROM \"{_POLICY}\".env WHERE device = '{device}'")
    return [[row[0], *map(float, row[1:])] for one in series for row in one["values"]]


def _ask(url: str, statement: str) -> list[dict[str, Any]]:
    query = urllib.parse.urlencode({"db": DATABASE, "q": statement, "epoch": "ms"})
    with urllib.request.urlopen(f"{url}/query?{query}", timeout=_LIMIT_S) as answer:
        series: list[dict[str, Any]] = json.load(answer)["results"][0].get("series", [])
    return series


def bodies(run: FleetRun, plan: IngestPlan, rows_per_body: int) -> Iterator[bytes]:
    """The points of the run as the gateway writes them, in its order: a batch of each device, then the next."""
    truth, names = Truth(plan.seed), plan.fleet().names()
    tables = (_table(truth, name, batch, run.t0_ms[name], plan.rows) for batch in range(plan.batches) for name in names)
    while body := list(itertools.islice(tables, max(1, rows_per_body // plan.rows))):
        yield encode(body)


def _table(truth: Truth, device: str, batch: int, t0_ms: int, rows: int) -> Table:
    first = batch * rows
    dated: list[tuple[Value, ...]] = [
        (t0_ms + index * _ROW_MS, *map(float, truth.row(device, index + 1))) for index in range(first, first + rows)
    ]
    return Table("env", (("device", device), ("source", SOURCE)), DEFAULT_METRICS, dated)


def raw_push(bodies: Sequence[bytes], readings: int, connections: int) -> RawPush:
    """Into a fresh influxd. Raises PartFailed unless it took every body."""
    with TemporaryDirectory(prefix="kewang-bench-") as folder, Influxd(Path(folder)) as influxd:
        prepare(f"influx1+{influxd.url}/{DATABASE}")
        push = Push(influxd, bodies)
        threads = [threading.Thread(target=push.work, name=f"push-{n}") for n in range(connections)]
        began_s, store_s, own_s = time.monotonic(), cost(influxd).cpu_s, time.process_time()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if push.refused or push.taken != len(bodies):
            raise PartFailed(f"of the raw push {push.taken} of {len(bodies)} writes were taken: {push.refused}")
        spent_s, store_s, own_s = time.monotonic() - began_s, cost(influxd).cpu_s - store_s, time.process_time() - own_s
        return RawPush(readings / spent_s, 1e6 * store_s / readings, 1e6 * own_s / readings)


class Push:
    """Bodies on their way; each thread takes the next one. `taken`: how many were; `refused`: why one was not."""

    def __init__(self, influxd: Influxd, bodies: Iterable[bytes]) -> None:
        self._influxd, self._bodies, self._lock = influxd, iter(bodies), threading.Lock()
        self.taken = 0
        self.refused: str | None = None

    def work(self) -> None:
        """Push until none is left or one is not taken."""
        connection = http.client.HTTPConnection(self._influxd.host, self._influxd.port, timeout=_LIMIT_S)
        try:
            while self.refused is None and (body := self._next()) is not None:
                self._push(connection, body)
        except (OSError, http.client.HTTPException) as error:
            self.refused = repr(error)
        finally:
            connection.close()

    def _next(self) -> bytes | None:
        with self._lock:
            return next(self._bodies, None)

    def _push(self, connection: http.client.HTTPConnection, body: bytes) -> None:
        connection.request("POST", f"/write?db={DATABASE}&rp={_POLICY}&precision=ms", body)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != http.client.NO_CONTENT:
            self.refused = f"{answer.status} {said!r}"
            return
        with self._lock:
            self.taken += 1
