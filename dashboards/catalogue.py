"""What boards may ask the database for: its measurements with bucket, tags and fields, as the gateway writes them.

The boards know the gateway by its points alone (docs/dev/protocol.md); a test holds both against each other.
"""

from dataclasses import dataclass
from typing import Final

from kewang.wire.catalogue import FLAG_ENDING, METRICS, Metric
from kewang.wire.names import STREAMS

SUMMARIES: Final = ("min", "mean", "max", "sum", "count")
STATES: Final = ("up", "degraded", "down", "unstable", "maintenance", "unknown")
"""Of `availability_1d`: a field `<state>_s` each."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement. `wide`: it has a series for each device, too many for a wall that asks every 10 s."""

    bucket: str
    tags: tuple[str, ...]
    fields: tuple[str, ...]
    wide: bool = False


def metrics(stream: str) -> list[Metric]:
    """What the stream measures, in the catalogue's order, without the flags of doubt, which stay with their
    readings: no roll-up has them."""
    return [metric for metric in METRICS if metric.stream == stream and not metric.name.endswith(FLAG_ENDING)]


def _rolled(stream: str) -> tuple[str, ...]:
    summed = [f"{one.name}_{summary}" for one in metrics(stream) for summary in SUMMARIES]
    return (*summed, *(f"camera_state_{code}_count" for code in range(4) if stream == "cam"))


_OF_SOURCE: Final = ("device", "source")
_RAW: Final = {
    stream: Measurement(
        "raw", _OF_SOURCE, (*(one.name for one in METRICS if one.stream == stream), "tq", "held"), wide=True
    )
    for stream in STREAMS
}
_ROLLED: Final = {
    f"{stream}_{every}": Measurement(bucket, _OF_SOURCE, _rolled(stream), wide=True)
    for stream in STREAMS
    for every, bucket in (("5m", "months"), ("1d", "years"))
}
_AVAILABILITY: Final = tuple(f"{state}_s" for state in STATES)
_SENT: Final = ("waiting", "oldest_s", "trouble", "delivered", "refused", "expired")
_WORST: Final = tuple(f"{one.name}_{what}" for one in metrics("env") for what in ("mean", "device"))
_LEDGER: Final = ("made", "stored", "quarantined", "dropped", "held", "lost", "filling")
_OPEN: Final = ("severity", "since_ms", "devices", "missing", "by", "cause", "title_id", "title_en")
_INCIDENT: Final = (*("what", "severity", "devices", "back", "cause", "since_ms", "by", "lost_s", "device_lost_s"),)
_FLEET: Final = (*("total", "up", "degraded", "down", "unstable", "maintenance", "unknown", "state", "lat", "lon"),)
_GATEWAY: Final = (
    *("messages", "dropped", "bad", "rows_stored", "rows_quarantined", "acks", "store_errors", "broker_connects"),
    *("queue_messages", "writes_in_flight", "devices_seen", "broker_connected", "write_s_sum", "write_s_count"),
    *("notices", "notices_waiting", "notices_oldest_s", "channel_trouble", "incidents_open", "proven"),
)

MEASUREMENTS: Final[dict[str, Measurement]] = {
    **_RAW,
    **_ROLLED,
    "availability_1d": Measurement("years", ("device",), _AVAILABILITY, wide=True),
    "worst_5m": Measurement("months", (), _WORST),
    "state": Measurement("raw", ("device",), ("age_s", "site"), wide=True),
    "fleet": Measurement("raw", ("level", "name"), _FLEET),
    "incident_open": Measurement("raw", ("number", "kind", "level", "name"), _OPEN),
    "incident": Measurement("years", ("kind", "level", "name", "number"), _INCIDENT),
    "device_event": Measurement("years", _OF_SOURCE, ("word", "before", "silent_s"), wide=True),
    "gw": Measurement("raw", ("gateway",), _GATEWAY),
    "delivery": Measurement("raw", ("channel", "gateway"), _SENT),
    "ledger": Measurement("raw", ("gateway",), _LEDGER),
    "quarantine": Measurement("kept", ("stream", "device", "source"), ("reason", "row", "deleted"), wide=True),
}
