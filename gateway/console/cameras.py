"""Cameras on the pages: how each is, and the numbers of its last looks, of which no single one has all. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
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


Dated = tuple[int, float | int | str]
"""Unix ms and the value of then."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest point of a series, and of the fields that it lacks the last value before it."""

    point: Point
    earlier: Mapping[str, Dated] = field(default_factory=dict)

    def dated(self) -> dict[str, Dated]:
        """Every field's last value with its date."""
        return {**self.earlier, **_dated(self.point)}


def with_recent(points: Iterable[Point], recent: Iterable[Point]) -> list[Newest]:
    """`points`, the newest of each series, with the fields that only an earlier one of `recent` (oldest first) has."""
    newest = {point.series: point for point in points}
    earlier: dict[SeriesId, dict[str, Dated]] = {series: {} for series in newest}
    for point in recent:
        if point.series in newest and point.date_ms < newest[point.series].date_ms:
            earlier[point.series].update(_dated(point))
    return [Newest(point, _without(earlier[series], {_OF_THE_ROW, *point.fields})) for series, point in newest.items()]


def _dated(point: Point) -> dict[str, Dated]:
    return {name: (point.date_ms, value) for name, value in point.fields.items()}


def _without(fields: Mapping[str, Dated], names: Collection[str]) -> dict[str, Dated]:
    return {name: dated for name, dated in fields.items() if name not in names}


def state_of(newest: Newest, heard: bool) -> tuple[CameraState, CameraReason] | None:
    """How a camera is and why, None if `newest` is of none. One that is not `heard` any more is unknown."""
    if newest.point.series.stream != STREAM:
        return None
    dated = newest.dated()
    state = _code(dated.get("camera_state"), STATE_WORDS, CameraState.UNKNOWN)
    reason = _code(dated.get("camera_reason"), REASON_WORDS, CameraReason.NONE)
    return (CameraState(state), CameraReason(reason)) if heard else (CameraState.UNKNOWN, CameraReason.NONE)


def _code(dated: Dated | None, known: Iterable[int], otherwise: int) -> int:
    return next((code for code in known if dated and code == dated[1]), otherwise)


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
