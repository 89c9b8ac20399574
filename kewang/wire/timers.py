"""The protocol's times in one place, so that tests and benches can shorten them all alike."""

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Timers:
    """Times of protocol.md, in seconds."""

    keepalive_s: float = 30.0
    """MQTT keep-alive."""
    heartbeat_s: float = 30.0
    """Longest time between two heartbeats of a device."""
    resend_s: float = 30.0
    """A batch not named by an ack is sent again after this; doubled per batch, with 20 % jitter."""
    resend_max_s: float = 600.0
    live_s: float = 300.0
    """A batch of this run is in the live lane this long after its commit."""
    credit_life_s: float = 120.0
    """Credit ends this long after the ack that gave it."""
    ack_interval_s: float = 1.0
    """At most one ack a device in this time."""
    rewind_poll_s: float = 15.0
    """How often a gateway reads the rewinds."""
    anchor_fresh_s: float = 5.0
    """An ack dates a boot only if it answers a message at most this old."""
    birth_repeat_s: float = 30.0
    """An undated box says its birth this often."""
    correction_s: float = 10.0
    """A clock correction larger than this is a new anchor for rows not yet committed."""
    step_back_s: float = 300.0
    """A date at most this far behind the last one of its source is moved after it; a larger step is believed."""
    ahead_s: float = 300.0
    """Rows dated further ahead of the gateway's clock go to quarantine."""

    def faster(self, factor: float) -> "Timers":
        """The same times divided by `factor`, for tests: what judges dates (ahead, step back) stays."""
        judged = {"correction_s", "step_back_s", "ahead_s", "keepalive_s"}
        quick = {f.name: getattr(self, f.name) / factor for f in fields(self) if f.name not in judged}
        return replace(self, **quick)
