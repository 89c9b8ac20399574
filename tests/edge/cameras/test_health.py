"""The judgement of a camera in simulated time: what it says of faults, and what it does not say of harmless things."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.cameras.facts import Transport, Verdict
from edge.cameras.health import CameraHealth, DamagedMemory, NothingToAccept
from edge.cameras.picture import Picture
from edge.cameras.slow import Hour, covered_share, hour_reason
from edge.cameras.thresholds import load
from kewang.wire.cameras import CameraReason, CameraState
from kewang.wire.catalogue import BY_NAME
from tests.edge.cameras import views

Shown: TypeAlias = Callable[[int], Picture]
GOOD = Transport(CameraReason.NONE, tcp_ms=1.0, fps=10.0, loss_pct=0.0)
OK = (CameraState.OK, CameraReason.NONE)
MINUTE_S = 60.0


class Days:
    """A camera that is looked at as production does it: once a minute, and 10 s later if the verdict asks for it."""

    def __init__(self, *, moves: bool = False) -> None:
        self.health = CameraHealth(load(), [views.ZONE], moves=moves)
        self.now_s = 0.0
        self.every_s = MINUTE_S

    def look(self, shown: Shown, transport: Transport = GOOD) -> Verdict:
        """One look and, if asked for, those that follow; the last verdict."""
        began_s = self.now_s
        verdict = self.health.saw(transport, shown(int(self.now_s)), self.now_s).verdict
        while verdict.suspicious and self.now_s < began_s + MINUTE_S - 10:
            self.now_s += 10
            verdict = self.health.saw(transport, shown(int(self.now_s)), self.now_s).verdict
        self.now_s = began_s + self.every_s
        return verdict

    def minutes(self, count: int, shown: Shown) -> Verdict:
        """So many looks, one a minute unless `every_s` says otherwise; the last verdict."""
        return [self.look(shown) for _ in range(count)][-1]

    def until_told(self, shown: Shown, limit_s: float) -> tuple[Verdict, float]:
        """Look until something is told, or for `limit_s`; the verdict and how long it took."""
        began_s = self.now_s
        while True:
            verdict = self.health.saw(GOOD, shown(int(self.now_s)), self.now_s).verdict
            if verdict.state in (CameraState.DEGRADED, CameraState.DOWN) or self.now_s - began_s > limit_s:
                return verdict, self.now_s - began_s
            self.now_s += 10 if verdict.suspicious else MINUTE_S


def usual(moment: int) -> Picture:
    return views.picture(views.with_persons(views.PLACE, 6, moment), moment)


def altered(change: Callable[[views.Luma], views.Luma]) -> Shown:
    return lambda moment: views.picture(change(views.with_persons(views.PLACE, 6, moment)), moment)


def told(verdict: Verdict) -> tuple[CameraState, CameraReason]:
    return verdict.state, verdict.reason


@pytest.fixture(scope="module")
def learned() -> bytes:
    """What a camera knows after an hour."""
    days = Days()
    assert told(days.minutes(60, usual)) == OK
    return days.health.dump()


@pytest.fixture
def days(learned: bytes) -> Days:
    """A camera whose view is known."""
    days = Days()
    days.health.restore(learned)
    assert told(days.minutes(6, usual)) == OK
    return days


def test_a_new_camera_is_unknown_until_its_view_is_learned() -> None:
    days = Days()
    assert told(days.health.reached(Transport(CameraReason.NONE), 0.0).verdict) == (
        CameraState.UNKNOWN,
        CameraReason.NOT_MEASURED,
    )
    assert told(days.look(usual)) == (CameraState.UNKNOWN, CameraReason.LEARNING)
    assert told(days.minutes(30, usual)) == OK


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (lambda moment: views.picture(views.PLACE * 0 + 17, moment, infrared=True), CameraReason.BLACK),
        (lambda moment: views.picture(views.PLACE * 0 + 253, moment, infrared=True), CameraReason.WASHED_OUT),
        (lambda _: views.card(), CameraReason.NO_SIGNAL),
        (lambda _: usual(5), CameraReason.FROZEN),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_hard_faults_are_told_within_90_s(days: Days, shown: Shown, reason: CameraReason, known: bool) -> None:
    if not known:
        days = Days()
        days.minutes(2, usual)
    verdict, after_s = days.until_told(shown, 120)
    assert told(verdict) == (CameraState.DOWN, reason)
    assert after_s <= 40
    assert told(days.minutes(40, usual)) == OK


def test_a_hard_fault_is_suspected_until_it_is_told() -> None:
    """For a person who looks for seconds: another look soon decides, and then nothing is left to decide."""
    days = Days()
    assert (days.health.suspected, days.health.undecided) == (CameraReason.NONE, False)
    for at_s in (0.0, 10.0, 20.0):
        days.health.saw(GOOD, views.card(), at_s)
        assert (days.health.suspected, days.health.undecided) == (CameraReason.NO_SIGNAL, True)
    assert told(days.health.saw(GOOD, views.card(), 30.0).verdict) == (CameraState.DOWN, CameraReason.NO_SIGNAL)
    assert (days.health.suspected, days.health.undecided) == (CameraReason.NONE, False)


@pytest.mark.parametrize(("share", "reason"), [(0.9, CameraReason.COVERED), (0.55, CameraReason.PARTLY_COVERED)])
def test_a_soft_fault_is_suspected_at_the_first_look(days: Days, share: float, reason: CameraReason) -> None:
    shown = altered(lambda luma: views.covered(luma, share))
    assert told(days.health.saw(GOOD, usual(0), 0.0).verdict) == OK
    assert days.health.suspected is CameraReason.NONE
    assert told(days.health.saw(GOOD, shown(10), 10.0).verdict) == OK
    assert (days.health.suspected, days.health.undecided) == (reason, False)


def test_an_outage_is_suspected_before_it_is_told(days: Days) -> None:
    silent = Transport(CameraReason.TIMEOUT)
    days.health.saw(GOOD, usual(0), 0.0)
    days.health.saw(silent, None, 10.0)
    assert (days.health.suspected, days.health.undecided) == (CameraReason.TIMEOUT, True)
    assert days.health.saw(silent, None, 20.0).verdict.reason is CameraReason.TIMEOUT
    assert (days.health.suspected, days.health.undecided) == (CameraReason.NONE, False)


def test_a_frozen_picture_whose_clock_goes_on_is_frozen(days: Days) -> None:
    still = usual(5)

    def ticking(moment: int) -> Picture:
        shown = still.copy()
        shown[4:16, 200 + moment % 90 : 210 + moment % 90] ^= 255
        return shown

    assert told(days.until_told(ticking, 120)[0]) == (CameraState.DOWN, CameraReason.FROZEN)


def test_a_night_in_which_hardly_anything_changes_is_not_frozen() -> None:
    still = views.picture(views.PLACE, 5, infrared=True)

    def smoothed_night(moment: int) -> Picture:
        shown = still.copy()
        shown[40:60, 40:140] ^= np.uint8(2 + moment % 60)
        return shown

    days = Days()
    days.minutes(60, smoothed_night)
    assert told(days.minutes(30, smoothed_night)) == OK
    assert told(days.until_told(lambda _: still, 120)[0]) == (CameraState.DOWN, CameraReason.FROZEN)


def test_equal_bytes_are_frozen_even_if_the_decoder_differs(days: Days) -> None:
    verdicts = [
        days.health.saw(GOOD, usual(step), days.now_s + 10 * step, fingerprint=1234).verdict for step in range(5)
    ]
    assert told(verdicts[-1]) == (CameraState.DOWN, CameraReason.FROZEN)


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (altered(lambda luma: views.covered(luma, 0.9)), CameraReason.COVERED),
        (altered(lambda luma: views.blurred(luma, 60)), CameraReason.BLURRED),
        (lambda moment: views.picture(views.place(2), moment), CameraReason.MOVED),
        (lambda moment: views.picture(views.PLACE, moment, noise=18), CameraReason.NOISY),
        (lambda moment: views.tinted(usual(moment)), CameraReason.COLOUR),
        (lambda moment: views.tinted(altered(views.truck)(moment)), CameraReason.COLOUR),
    ],
)
def test_soft_faults_are_told_within_6_minutes(days: Days, shown: Shown, reason: CameraReason) -> None:
    verdict, after_s = days.until_told(shown, 420)
    assert told(verdict) == (CameraState.DEGRADED, reason)
    assert 180 < after_s <= 300


@pytest.mark.parametrize(
    ("left", "cast", "expected"),
    [(0.3, (0, 0), CameraReason.NONE), (1.0, (-10, -9), CameraReason.COLOUR), (-1.0, (-5, -4), CameraReason.COLOUR)],
    ids=["fog takes the colour", "greener", "turned hues"],
)
def test_colour_of_a_green_place(left: float, cast: tuple[float, float], expected: CameraReason) -> None:
    def green(moment: int) -> Picture:
        return views.coloured(usual(moment), -20, -16)

    days = Days()
    assert told(days.minutes(40, green)) == OK
    verdict, _ = days.until_told(lambda moment: views.coloured(green(moment), *cast, left), 420)
    assert verdict.reason is expected


def lamplit(change: Callable[[views.Luma], views.Luma], noise: float) -> Shown:
    return lambda moment: views.picture(views.lamplit(change(views.PLACE)), moment, noise=noise, infrared=True)


def test_lamps_that_turn_along_do_not_hide_that_the_camera_is_moved() -> None:
    days = Days()
    assert told(days.minutes(40, lamplit(lambda luma: luma, 4))) == OK
    for _ in range(8):
        assert told(days.look(lamplit(views.truck, 4))) == OK
    assert told(days.minutes(3, lamplit(lambda luma: luma, 4))) == OK
    verdict, after_s = days.until_told(lamplit(lambda luma: views.place(2), 4), 420)
    assert told(verdict) == (CameraState.DEGRADED, CameraReason.MOVED)
    assert after_s <= 300


@pytest.mark.parametrize(
    ("shown", "minutes"),
    [
        (altered(views.truck), 8),
        (altered(lambda luma: views.foggy(luma, 0.3)), 60),
        (altered(lambda luma: luma * 0.5), 30),
        (lambda moment: views.picture(views.with_persons(views.PLACE, 60, moment), moment), 60),
        (lambda moment: views.picture(views.PLACE, moment, noise=5), 60),
    ],
    ids=["truck", "fog", "exposure", "crowd", "gain"],
)
def test_harmless_things_are_not_told(days: Days, shown: Shown, minutes: int) -> None:
    for _ in range(minutes):
        assert told(days.look(shown)) == OK
    assert told(days.minutes(5, usual)) == OK


def test_a_flash_is_not_told(days: Days) -> None:
    white = views.picture(views.PLACE * 0 + 253, 1)
    for step in range(3):
        days.health.saw(GOOD, white, days.now_s + 10 * step)
    days.now_s += 30
    assert told(days.minutes(2, usual)) == OK


def test_night_is_another_mode_with_a_view_of_its_own(days: Days) -> None:
    def night(moment: int) -> Picture:
        return views.picture(255 - views.PLACE, moment, infrared=True)

    assert told(days.look(night)) == (CameraState.UNKNOWN, CameraReason.LEARNING)
    assert told(days.minutes(40, night)) == OK
    assert told(days.look(usual)) == OK


def test_moved_stays_until_the_view_is_accepted_or_back_for_a_while(days: Days) -> None:
    days.until_told(lambda moment: views.picture(views.place(2), moment), 420)
    assert told(days.minutes(5, usual)) == (CameraState.DEGRADED, CameraReason.MOVED)
    assert "known already" in days.health.accept(False)
    assert told(days.look(usual)) == OK
    days.until_told(lambda moment: views.picture(views.place(2), moment), 420)
    assert told(days.minutes(12, usual)) == OK


@pytest.mark.parametrize("left", [0.3, 0.1])
def test_fog_before_a_moved_camera_is_not_the_view_coming_back(days: Days, left: float) -> None:
    days.until_told(lambda moment: views.picture(views.place(2), moment), 420)
    fog = days.minutes(40, lambda moment: views.picture(views.foggy(views.place(2), left), moment))
    assert told(fog) == (CameraState.DEGRADED, CameraReason.MOVED)


def test_the_other_mode_ends_no_moved(days: Days) -> None:
    days.minutes(40, lambda moment: views.picture(255 - views.PLACE, moment, infrared=True))
    days.minutes(5, usual)
    days.until_told(lambda moment: views.picture(views.place(2), moment), 420)
    night = days.minutes(40, lambda moment: views.picture(255 - views.place(2), moment, infrared=True))
    assert told(night) == (CameraState.DEGRADED, CameraReason.MOVED)


def test_an_accepted_view_is_the_new_reference(days: Days) -> None:
    def new(moment: int) -> Picture:
        return views.picture(views.with_persons(views.place(2), 6, moment), moment)

    days.until_told(new, 420)
    assert "new reference" in days.health.accept(False)
    assert told(days.minutes(20, new)) == OK
    assert told(days.until_told(usual, 420)[0]) == (CameraState.DEGRADED, CameraReason.MOVED)


def test_a_camera_that_turns_is_not_moved() -> None:
    days = Days(moves=True)
    days.minutes(60, usual)
    assert told(days.minutes(15, lambda moment: views.picture(views.place(2), moment))) == OK


def test_nothing_to_accept_says_why() -> None:
    days = Days()
    with pytest.raises(NothingToAccept, match="wait for one"):
        days.health.accept(False)
    days.look(lambda moment: views.picture(views.PLACE * 0 + 17, moment))
    with pytest.raises(NothingToAccept, match="repair it"):
        days.health.accept(True)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda luma: views.covered(luma, 0.4), CameraReason.PARTLY_COVERED),
        (lambda luma: views.blurred(luma, 12), CameraReason.BLURRED),
    ],
)
def test_what_creeps_in_is_told_within_a_day(
    days: Days, change: Callable[[views.Luma], views.Luma], reason: CameraReason
) -> None:
    days.every_s = 5 * MINUTE_S
    verdict = days.minutes(6 * 60 // 5, altered(change))
    assert told(verdict) == (CameraState.DEGRADED, reason)


def test_only_what_was_measured_is_published_under_names_of_the_catalogue(days: Days) -> None:
    found = days.health.saw(GOOD, usual(1), days.now_s).metrics
    assert set(found) <= set(BY_NAME)
    assert {"sharpness_ratio", "covered_pct", "view_match", "activity_pct", "fps_ratio"} <= set(found)
    for name, value in found.items():
        assert BY_NAME[name].low <= value <= BY_NAME[name].high
    blind = days.health.saw(Transport(CameraReason.NO_MEDIA), None, days.now_s + 60).metrics
    assert set(blind) == {"reachable", "camera_state", "camera_reason"}


def test_a_market_half_hidden_is_not_measured_and_a_truck_that_leaves_is_no_activity(days: Days) -> None:
    def activity(shown: Shown) -> float | None:
        days.now_s += MINUTE_S
        return days.health.saw(GOOD, shown(int(days.now_s)), days.now_s).metrics.get("activity_pct")

    usually = [found for _ in range(5) if (found := activity(usual)) is not None]
    assert [activity(altered(views.truck)) for _ in range(4)] == [None] * 4
    assert activity(usual) == pytest.approx(float(np.mean(usually)), abs=5)


def test_without_a_picture_for_long_nothing_is_known(days: Days) -> None:
    nothing = replace(GOOD, fps=None)
    assert told(days.health.saw(nothing, None, days.now_s + 3600).verdict) == (
        CameraState.UNKNOWN,
        CameraReason.NOT_MEASURED,
    )


def test_what_is_kept_outlives_a_restart(days: Days) -> None:
    kept = days.health.dump()
    assert len(kept) < 150_000
    again = Days()
    again.health.restore(kept)
    assert told(again.look(usual)) == OK
    assert told(again.until_told(altered(lambda luma: views.covered(luma, 0.9)), 420)[0]) == (
        CameraState.DEGRADED,
        CameraReason.COVERED,
    )


@pytest.mark.parametrize(
    "spoil", [lambda kept: b"", lambda kept: b"PK", lambda kept: kept[:-400], lambda kept: bytes(2_000_000)]
)
def test_damaged_memory_is_refused_and_changes_nothing(days: Days, spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(DamagedMemory, match="learned anew"):
        days.health.restore(spoil(days.health.dump()))
    assert told(days.look(usual)) == OK


def hour(kept: NDArray[np.float32], **other: float) -> Hour:
    usual = {"sharpness": 1.0, "contrast": 1.0, "rows": 0.0, "columns": 0.0}
    return Hour(kept, np.ones_like(kept), **(usual | other))


def test_a_cover_is_in_one_piece_and_dirt_in_many() -> None:
    limits = load().slow
    cover, dirt = np.ones((9, 16), np.float32), np.ones((9, 16), np.float32)
    cover[:, :5] = 0.0
    dirt[::2, ::2] = dirt[1::2, 1::2] = 0.0
    assert covered_share(hour(cover), limits) == pytest.approx(5 / 16)
    assert covered_share(hour(dirt), limits) == 0
    dirt[4] = np.nan
    assert covered_share(hour(dirt), limits) == 0


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({}, CameraReason.NONE),
        ({"columns": -4.0}, CameraReason.MOVED),
        ({"sharpness": 0.7}, CameraReason.BLURRED),
        ({"sharpness": float("nan")}, CameraReason.NONE),
    ],
)
def test_what_an_hour_shows(found: dict[str, float], reason: CameraReason) -> None:
    assert hour_reason(hour(np.ones((9, 16), np.float32), **found), load().slow) is reason
