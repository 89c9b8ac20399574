"""The numbers that cameras are judged by: `thresholds.toml` beside this module, read strictly."""

import hashlib
import math
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

FILE: Final = Path(__file__).with_name("thresholds.toml")
Section = TypeVar("Section")


class ThresholdsError(Exception):
    """The thresholds can't be used; the text says which line is wrong."""


@dataclass(frozen=True, slots=True)
class Confirm:
    """How many looks make a suspicion a fault, and how many end it."""

    hard_looks: int
    hard_s: float
    frozen_s: float
    soft_looks: int
    soft_s: float
    soft_misses: int
    back_match: float
    back_s: float
    transport_looks: int
    stream_looks: int
    clear_looks: int
    pair_s: float
    stale_s: float


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What one picture shows by itself, or beside the one before."""

    black_p99_luma: float
    clipped_luma: int
    clipped_share: float
    still_luma: float
    still_share: float
    still_times: float
    infrared_chroma: float
    card_flat_share: float
    card_main_share: float
    card_colours: int
    card_writing_luma: float
    card_chroma: float


@dataclass(frozen=True, slots=True)
class View:
    """How a picture is laid beside the reference."""

    clear_peak: float
    active_edges: float
    kept_agreement: float
    sharpness_agreement: float
    sharpness_share: float


@dataclass(frozen=True, slots=True)
class SoftLimits:
    """What a picture shows beside its reference."""

    noise_luma: float
    noise_ratio: float
    noise_extra_luma: float
    moved_px: float
    blur_sharpness: float
    blocked_sharpness: float
    blocked_share: float
    fineness: float
    blur_glance: float
    lost_share: float
    view_lost_share: float
    chance_lost_share: float
    gone_match: float
    flat_relief: float
    view_relief: float
    view_straight: float
    view_one_way: float
    tint_chroma: float
    tinted_share: float
    tinted_kept: float


@dataclass(frozen=True, slots=True)
class SlowLimits:
    """What hours of pictures show."""

    hour_s: float
    hours: int
    bad_hours: int
    longest_gap_s: float
    moved_px: float
    kept_looks: float
    covered_share: float
    sharpness: float
    dirty_contrast: float
    dirty_visible: float
    dirty_share: float


@dataclass(frozen=True, slots=True)
class MarketLimits:
    """What is motion, and what is left lying."""

    motion_luma: float
    motion_spreads: float
    motion_share: float
    vehicle_luma: float
    vehicle_share: float
    entering_share: float
    settle_step: float
    unsettled_step: float
    unsettled_looks: int
    light_edges: float
    light_agreement: float
    light_times: float
    faint_times: float
    added_edges: float
    added_share: float
    cleaner_edges: float
    cleaner_weight: float


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What the session tells."""

    low_fps_ratio: float
    norm_sessions: int
    loss_pct: float
    clock_offset_s: float
    clock_believed_s: float


@dataclass(frozen=True, slots=True)
class Learning:
    """How references come about."""

    learning_pictures: int
    slow_pictures: int
    blocked_lost: float


@dataclass(frozen=True, slots=True)
class Thresholds:
    """All sections, and the SHA-256 of the file they came from, in hex."""

    confirm: Confirm
    picture: PictureLimits
    view: View
    soft: SoftLimits
    slow: SlowLimits
    market: MarketLimits
    stream: StreamLimits
    learning: Learning
    sha256: str


def load(path: Path = FILE) -> Thresholds:
    """The thresholds in `path`. Raises ThresholdsError for a missing, unknown or impossible value."""
    content = path.read_bytes()
    try:
        found = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ThresholdsError(f"{path}: {error}") from None
    _same_names(str(path), set(_SECTIONS), set(found))
    parts: dict[str, Any] = {name: _section(kind, name, found[name]) for name, kind in _SECTIONS.items()}
    return Thresholds(**parts, sha256=hashlib.sha256(content).hexdigest())


_SECTIONS: Final[dict[str, type[Any]]] = {
    "confirm": Confirm,
    "picture": PictureLimits,
    "view": View,
    "soft": SoftLimits,
    "slow": SlowLimits,
    "market": MarketLimits,
    "stream": StreamLimits,
    "learning": Learning,
}


def _section(kind: type[Section], name: str, found: Any) -> Section:
    if not isinstance(found, dict):
        raise ThresholdsError(f"[{name}]: a section is needed")
    wanted = {field.name: field.type for field in fields(kind)}  # type: ignore[arg-type]
    _same_names(f"[{name}]", set(wanted), set(found))
    return kind(**{key: _number(f"{name}.{key}", wanted[key], found[key]) for key in wanted})


def _same_names(where: str, wanted: set[str], found: set[str]) -> None:
    if missing := sorted(wanted - found):
        raise ThresholdsError(f"{where}: missing: {', '.join(missing)}")
    if unknown := sorted(found - wanted):
        raise ThresholdsError(f"{where}: not known: {', '.join(unknown)}")


def _number(where: str, kind: Any, value: Any) -> float:
    """`value` as its field wants it: int stays int, and everything is finite and not negative."""
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
        raise ThresholdsError(f"{where}: {value!r} is not {'a whole number' if kind is int else 'a number'}")
    if not math.isfinite(value) or value < 0:
        raise ThresholdsError(f"{where}: {value!r} is below 0 or no number")
    return value if kind is int else float(value)
