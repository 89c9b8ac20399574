"""What a camera's pictures say about it, over time: faults confirmed, views learned, views accepted."""

from typing import Final

from edge.cameras.confirm import Spell
from edge.cameras.market import Market, Zones
from edge.cameras.picture import COLUMNS, Picture
from edge.cameras.reference import Reference
from edge.cameras.signs import Signs, signs, suspicion
from edge.cameras.slow import SlowTrack
from edge.cameras.thresholds import Thresholds
from kewang.wire.cameras import CameraReason

HARD: Final = frozenset({CameraReason.BLACK, CameraReason.WASHED_OUT, CameraReason.NO_SIGNAL, CameraReason.FROZEN})
"""Nothing of the view is left: the camera is as good as down."""
SOFT: Final = frozenset(
    {CameraReason.COVERED, CameraReason.MOVED, CameraReason.BLURRED, CameraReason.NOISY, CameraReason.COLOUR}
)
"""The picture is there but worth little. It takes minutes, because trucks and gusts look the same for a while."""

_STILL_WEIGHT: Final = 0.05
"""Of a new picture in what usually stands still: about ten minutes."""
_STILL_AT_FIRST: Final = 0.9
"""Share of the blocks (0-1) that is taken to stand still until more is known: a calm night must not begin as frozen."""


class NothingToAccept(Exception):
    """There is no picture that could become the reference; the text says why and what to do next."""


class Sight:
    """One camera's pictures. `zones`: where litter is looked for; `moves`: a camera that turns by itself.

    A confirmed fault stays until good pictures end it. MOVED stays until somebody accepts the view, or the accepted
    view itself is seen again for a while: good pictures are not enough, for in fog every view is one.
    """

    def __init__(self, limits: Thresholds, zones: Zones, *, moves: bool) -> None:
        self.references = {mode: Reference.empty() for mode in (False, True)}
        self.slow = SlowTrack(limits.slow)
        self.market = Market(limits.market, zones)
        self.infrared = False
        self.last: Picture | None = None
        self.last_s: float | None = None
        self._limits, self._moves = limits, moves
        self._hard = Spell(HARD)
        self._soft = Spell(SOFT, allowed_misses=limits.confirm.soft_misses)
        self._fault = self._slow_fault = CameraReason.NONE
        self._is_blocked = False
        self._good_looks = self._views_seen = 0
        self._view_since_s = 0.0
        self._fingerprint: int | None = None
        self._usual_still = dict.fromkeys((False, True), _STILL_AT_FIRST)

    def saw(self, picture: Picture, fingerprint: int | None, now_s: float) -> dict[str, float]:
        """Judge a picture; its metrics by the catalogue's names. `fingerprint`: of its key frame's bytes."""
        same_bytes = fingerprint is not None and fingerprint == self._fingerprint
        known = self._known()
        found = signs(picture, self.last, known, self._limits, same_bytes=same_bytes)
        self.infrared = found.infrared
        reference, ready = self.references[self.infrared], known[self.infrared]
        still = self._usual_still[self.infrared]
        suspect = suspicion(found, ready, self._limits, moves=self._moves, usual_still=still)
        if suspect is CameraReason.NONE and found.still is not None:
            self._usual_still[self.infrared] = still + (found.still - still) * _STILL_WEIGHT
        self._is_blocked = self._blocked(found)
        self._weigh(suspect, now_s)
        self._turned_back(found, suspect, now_s)
        if suspect is CameraReason.NONE and self._fault is CameraReason.NONE:
            self._learn(found, reference, now_s)
        self.last, self.last_s, self._fingerprint = picture, now_s, fingerprint
        return _metrics(found) | self._slow_metrics() | self._market_metrics(found, suspect)

    @property
    def fault(self) -> CameraReason:
        """The confirmed fault, the gravest first; NONE if there is none."""
        return self._fault if self._fault is not CameraReason.NONE else self._slow_fault

    @property
    def suspected(self) -> CameraReason:
        """What the latest pictures make suspect while no fault is confirmed, the gravest first; NONE if nothing is."""
        if self.fault is not CameraReason.NONE:
            return CameraReason.NONE
        going = next((spell for spell in (self._hard, self._soft) if spell.going), None)
        if going:
            return going.reason()
        return CameraReason.PARTLY_COVERED if self._is_blocked else CameraReason.NONE

    @property
    def learning(self) -> bool:
        """Whether the present mode's view is not known yet."""
        return not self._ready(self.references[self.infrared])

    @property
    def undecided(self) -> bool:
        """Whether another look soon would decide something: a hard fault begins or ends."""
        return self._hard.going != (self._fault in HARD)

    def accept(self, clean: bool) -> str:
        """Make the last picture the reference of its mode, with `clean` also the clean view. Raises NothingToAccept.

        A picture that shows the known view only confirms it, and what was learned stays. Another view makes the other
        mode's reference worthless too: that is learned anew.
        """
        if self.last is None:
            raise NothingToAccept("no picture has come from this camera yet: wait for one, then accept again")
        reference = self.references[self.infrared]
        found = signs(self.last, None, self._known(), self._limits)
        if suspicion(found, None, self._limits, moves=self._moves) is not CameraReason.NONE:
            raise NothingToAccept(
                "the last picture shows no view (black, burnt out or a card): repair it, accept again"
            )
        known = self._shows_known_view(found, reference)
        if not known:
            self._restart(found)
        if clean:
            self.market.views[self.infrared].accept_clean(found.seen, known)
        self.slow.forget()
        self._soft.over()
        self._is_blocked = False
        self._fault = self._slow_fault = CameraReason.NONE
        words = ("view accepted: it is the new reference", "view accepted: it is the one known already")[known]
        if not clean:
            return words
        return words + ", and the clean view" + ("" if self.market.zones else ": give zones in its settings to use it")

    def _shows_known_view(self, found: Signs, reference: Reference) -> bool:
        stands = self._slow_fault is not CameraReason.NONE or found.beside is None
        return not stands and suspicion(found, reference, self._limits, moves=self._moves) is CameraReason.NONE

    def _restart(self, found: Signs) -> None:
        learning = self._limits.learning
        reference = self.references[self.infrared]
        reference.restart(found.seen, learning.learning_pictures, self._limits.view.clear_peak)
        if self._fault is CameraReason.MOVED or self._slow_fault is CameraReason.MOVED:
            self.references[not self.infrared] = Reference.empty()

    def _known(self) -> dict[bool, Reference | None]:
        return {mode: one if self._ready(one) else None for mode, one in self.references.items()}

    def _ready(self, reference: Reference) -> bool:
        return reference.pictures >= self._limits.learning.learning_pictures

    def _learn(self, found: Signs, reference: Reference, now_s: float) -> None:
        """From a picture without suspicion; while the slow track suspects something only that track goes on. Nothing is
        learned of what stands before the view, or a parked truck and a poster would become part of it."""
        like = None
        if found.beside is not None:
            self.slow.saw(found.beside, reference, self._limits, now_s)
            self._slow_fault = self.slow.suspect()
            like = found.beside.like
        if not self._soft.going and not self._blocked(found) and self._slow_fault is CameraReason.NONE:
            slow_pictures, clear_peak = self._limits.learning.slow_pictures, self._limits.view.clear_peak
            reference.learn(found.seen, slow_pictures, clear_peak, like)

    def _weigh(self, suspect: CameraReason, now_s: float) -> None:
        """Follow the spells of suspicion; a spell that lasts becomes the fault, good looks end it."""
        self._hard.saw(suspect, now_s)
        self._soft.saw(suspect, now_s)
        self._good_looks = self._good_looks + 1 if suspect is CameraReason.NONE else 0
        confirm = self._limits.confirm
        if self._hard.going:
            reason = self._hard.reason()
            enough_s = confirm.frozen_s if reason is CameraReason.FROZEN else confirm.hard_s
            if self._hard.lasted(confirm.hard_looks, enough_s):
                self._fault = reason
        elif self._soft.going:
            if self._soft.lasted(confirm.soft_looks, confirm.soft_s) and self._fault is not CameraReason.MOVED:
                self._fault = self._soft.reason()
        elif self._good_looks >= confirm.clear_looks and self._fault is not CameraReason.MOVED:
            self._fault = CameraReason.NONE

    def _turned_back(self, found: Signs, suspect: CameraReason, now_s: float) -> None:
        """End MOVED once the accepted view has been seen clearly in every look for long enough."""
        confirm, beside = self._limits.confirm, found.beside
        if suspect is not CameraReason.NONE or beside is None or beside.like.match < confirm.back_match:
            self._views_seen = 0
            return
        self._view_since_s = now_s if self._views_seen == 0 else self._view_since_s
        self._views_seen += 1
        lasted = self._views_seen >= confirm.soft_looks and now_s - self._view_since_s >= confirm.back_s
        if lasted and self._fault is CameraReason.MOVED:
            self._fault = CameraReason.NONE

    def _slow_metrics(self) -> dict[str, float]:
        dirt = self.slow.dirt_share()
        return {} if dirt is None else {"dirt_pct": 100 * dirt}

    def _market_metrics(self, found: Signs, suspect: CameraReason) -> dict[str, float]:
        """Of a picture that shows the market. Half hidden behind a truck it is not measured."""
        faulty = suspect is not CameraReason.NONE or self._fault is not CameraReason.NONE
        if faulty or self._blocked(found):
            return {}
        return self.market.metrics(found.seen, found.infrared)

    def _blocked(self, found: Signs) -> bool:
        return found.beside is not None and found.beside.lost >= self._limits.learning.blocked_lost


def _metrics(found: Signs) -> dict[str, float]:
    """What was measured in this picture, by the catalogue's names."""
    light, beside = found.light, found.beside
    metrics = {
        "ir_mode": float(found.infrared),
        "brightness_pct": light.mean / 2.55,
        "contrast_pct": light.std / 1.275,
        "clipped_pct": 100 * light.clipped_share,
        "noise_luma": found.seen.noise,
        "change_luma": found.change,
    }
    if beside is not None:
        away = max(abs(beside.like.rows), abs(beside.like.columns))
        metrics |= {
            "sharpness_ratio": None if beside.sharpness is None else max(0.0, beside.sharpness),
            "covered_pct": 100 * beside.lost,
            "view_match": beside.like.match,
            "shift_pct": 100 * away / COLUMNS,
            "colour_shift": beside.tint,
        }
    return {name: float(value) for name, value in metrics.items() if value is not None}
