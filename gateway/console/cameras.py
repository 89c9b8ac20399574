"""Cameras on the pages: how each is, and the numbers of its last looks, of which no single one has all. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from gateway.ports import Point, SeriesId
from kewang.ui.words import Language
from kewang.wire.cameras import FIRST_STEPS, REASON_WORDS, STATE_WORDS, CameraReason, CameraState

STREAM: Final = "cam"
RECENT_MS: Final = 150_000
"""A number counts for so long: a picture is looked at every minute, or when that look failed, in two."""
MOST_SERIES: Final = 200
"""With more cameras each shows what its newest look told: their earlier ones are not read for every page."""
ON_CARD: Final = ("fps", "loss_pct", "activity_pct", "clutter_pct")
"""What a card shows of a camera beside its state."""
TOLD_BY_STATE: Final = frozenset({"camera_state", "camera_reason"})
_OF_THE_ROW: Final = "tq"


def with_recent(points: Iterable[Point], recent: Iterable[Point]) -> list[Point]:
    """`points`, the newest of each series, with the fields that only an earlier one of `recent` (oldest first) has.

    A camera that is down keeps none of them: what it showed before is not how it is.
    """
    earlier: dict[SeriesId, dict[str, float | int | str]] = {}
    for point in recent:
        earlier.setdefault(point.series, {}).update(point.fields)
    return [_with(point, earlier.get(point.series, {})) for point in points]


def _with(point: Point, earlier: Mapping[str, float | int | str]) -> Point:
    if point.fields.get("camera_state") == CameraState.DOWN:
        return point
    kept = {name: value for name, value in earlier.items() if name != _OF_THE_ROW}
    return Point(point.series, point.date_ms, kept | point.fields)


def state_of(point: Point, heard: bool) -> tuple[CameraState, CameraReason] | None:
    """How the camera of `point` is and why, None if it is no camera. One that is not `heard` any more is unknown."""
    if point.series.stream != STREAM:
        return None
    state = _code(point.fields.get("camera_state"), STATE_WORDS, CameraState.UNKNOWN)
    reason = _code(point.fields.get("camera_reason"), REASON_WORDS, CameraReason.NONE)
    return (CameraState(state), CameraReason(reason)) if heard else (CameraState.UNKNOWN, CameraReason.NONE)


def _code(value: object, known: Iterable[int], otherwise: int) -> int:
    return next((code for code in known if code == value), otherwise)


def said(camera: tuple[CameraState, CameraReason], language: Language) -> str:
    """State and reason in words: `down: picture black`."""
    state, reason = camera
    column = 0 if language == "id" else 1
    told = STATE_WORDS[state][column]
    wanted = state is not CameraState.OK and reason is not CameraReason.NONE
    return f"{told}: {REASON_WORDS[reason][column]}" if wanted else told


def first_step(camera: tuple[CameraState, CameraReason], language: Language) -> str:
    """What a technician does first; empty when there is nothing to do."""
    state, reason = camera
    if state is CameraState.OK or reason not in FIRST_STEPS:
        return ""
    return FIRST_STEPS[reason][0 if language == "id" else 1]
