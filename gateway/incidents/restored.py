"""What was kept, made fit for now: after a clock was set back between two runs, the past lies ahead. Pure."""

from typing import Any


def not_ahead(kept: Any, now_s: float, *, within_s: float = 0.0) -> Any:
    """JSON-able facts in which each time later than `within_s` from now is now. All floats are times but a `value`."""
    if isinstance(kept, dict):
        return {key: one if key == "value" else not_ahead(one, now_s, within_s=within_s) for key, one in kept.items()}
    if isinstance(kept, list | tuple):
        return [not_ahead(one, now_s, within_s=within_s) for one in kept]
    return now_s if isinstance(kept, float) and kept > now_s + within_s else kept
