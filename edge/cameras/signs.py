"""What one picture gives away: its measures beside the reference and the picture before, and what they make suspect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.cameras import picture as measure
from edge.cameras.likeness import Likeness, Look, compare, lines, look, pattern
from edge.cameras.picture import OVERLAY_BLOCKS, Light, Picture, Plane
from edge.cameras.reference import Reference
from edge.cameras.thresholds import Thresholds
from kewang.wire.cameras import CameraReason

_INNER = slice(OVERLAY_BLOCKS, -OVERLAY_BLOCKS)
"""Rows of blocks without the camera's own writing."""
_BEST_SHARE: Final = 0.3
"""A vehicle that hides two thirds of the picture leaves as much."""
_GREY: Final = np.float32(128)
_TINY: Final = np.float32(1e-6)


@dataclass(frozen=True, slots=True)
class Beside:
    """A picture beside its mode's reference. Shares are 0–1 of the blocks where the reference has edges.

    `lost`: blocks whose edges are not there; `sharpness`: 1 as usual, None if too few edges are left to tell; `rest`:
    likewise of the blocks that agree best, however few: what a vehicle leaves of the view is sharp, but light of lamps
    and other rough strokes that agree by chance have nothing fine in them; `contrast`: of the coarse edges, 1 as
    usual; `fineness`: of whatever edges there are, 1 as usual; `glance`: correlation of the blocks' brightness with
    the last good pictures; `relief`: how much these brightnesses differ, 1 as usual; `straight`, `one_way`: how
    straight edges run in the straightest blocks, and all over (0–1); `tinted`: of the blocks whose edges are there,
    the share whose colour is off by more than the limit, 0 if too few are there to tell; `tint`: how far all are off,
    in chroma.
    """

    like: Likeness
    lost: float
    sharpness: float | None
    rest: float | None
    contrast: float
    fineness: float
    glance: float
    relief: float
    straight: float
    one_way: float
    tinted: float
    tint: float


@dataclass(frozen=True, slots=True)
class Signs:
    """All measures of one picture. `infrared`: it is one without colour; `main_colours`: 0 unless `flat` is much;
    `change`, `still`: beside the picture before (luma; share 0–1), None without one."""

    seen: Look
    light: Light
    infrared: bool
    flat: float
    main_colours: float
    strong_colour: float
    change: float | None
    still: float | None
    beside: Beside | None


def signs(
    picture: Picture,
    previous: Picture | None,
    references: Mapping[bool, Reference | None],
    limits: Thresholds,
    *,
    same_bytes: bool = False,
) -> Signs:
    """Measure `picture`. `references`: by mode (infrared), where one is ready; `same_bytes`: its key frame equals the
    last one."""
    change = still = None
    if previous is not None:
        inner = measure.block_change(picture, previous)[_INNER]
        change, still = float(inner.mean()), float((inner < limits.picture.still_luma).mean())
    if same_bytes:
        change, still = 0.0, 1.0
    seen, flat, card = look(picture), measure.flat_share(picture), limits.picture.card_flat_share
    colour = measure.colourfulness(picture)
    infrared = colour < limits.picture.infrared_chroma
    reference = references[infrared]
    return Signs(
        seen,
        measure.light(picture, limits.picture.clipped_luma),
        infrared,
        flat,
        measure.main_colours_share(picture, limits.picture.card_colours) if flat >= card else 0.0,
        colour,
        change,
        still,
        None if reference is None else beside(seen, reference, limits),
    )


def beside(seen: Look, reference: Reference, limits: Thresholds) -> Beside:
    """Measure what was seen beside its mode's reference."""
    view = limits.view
    like = compare(seen, reference.edges, reference.spectrum, view.clear_peak)
    active = reference.active(view.active_edges)
    kept = active & (like.agreement >= view.kept_agreement)
    inner = _without_writing(active)
    partly = inner & (like.agreement >= view.sharpness_agreement)
    enough = partly.sum() >= view.sharpness_share * max(inner.sum(), 1)
    known = kept.any() and kept.sum() >= limits.soft.tinted_kept * active.sum()
    shift = seen.colours - reference.colours
    return Beside(
        like,
        float(1 - kept.sum() / max(active.sum(), 1)),
        reference.sharpness(like, partly) if enough else None,
        reference.sharpness(like, _best(like, reference, inner)),
        float(like.coarse.mean()) / max(reference.contrast, 0.1),
        seen.fineness / max(reference.fineness, 0.01),
        pattern(seen.luma, reference.luma),
        float(seen.luma.std() / max(reference.luma.std(), 1)),
        *lines(seen),
        float((off_colour(seen.colours, reference.colours)[kept] > limits.soft.tint_chroma).mean()) if known else 0.0,
        float(np.hypot(np.float32(measure.median(shift[0])), np.float32(measure.median(shift[1])))),
    )


def _without_writing(active: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = active.copy()
    inner[:OVERLAY_BLOCKS] = inner[-OVERLAY_BLOCKS:] = False
    return inner


def _best(like: Likeness, reference: Reference, inner: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of the half of the blocks `inner` (9, 16) in which the view has most detail, those that agree best."""
    if not inner.any():
        return inner
    detail = reference.fine - reference.coarse
    rich: NDArray[np.bool_] = inner & (detail >= measure.median(detail[inner]))
    best: NDArray[np.bool_] = rich & (like.agreement >= measure.quantile(like.agreement[rich], 1 - _BEST_SHARE))
    return best


def off_colour(seen: Plane, usual: Plane) -> Plane:
    """How far colours (Cb and Cr per block: 2, 9, 16) are from anything between grey and the usual ones, in chroma
    (9, 16). Fog, rain and dusk take colour away and add none."""
    colour, full = seen - _GREY, usual - _GREY
    left = np.clip((colour * full).sum(0) / np.maximum((full * full).sum(0), _TINY), 0, 1)
    away: Plane = np.hypot(*(colour - left * full))
    return away


def suspicion(
    found: Signs, reference: Reference | None, limits: Thresholds, *, moves: bool, usual_still: float = 0.0
) -> CameraReason:
    """What this picture alone makes suspect; NONE if it looks as it should.

    `usual_still`: share (0–1) of the blocks that stand still between two good pictures of this camera. Where hardly
    anything ever changes, standing still must mean more.
    """
    alone = _alone(found, usual_still, limits)
    if alone is not CameraReason.NONE or found.beside is None or reference is None:
        return alone
    return _against(found, found.beside, reference, limits, moves=moves)


def _alone(found: Signs, usual_still: float, limits: Thresholds) -> CameraReason:
    picture, light = limits.picture, found.light
    flat = found.flat >= picture.card_flat_share and found.main_colours >= picture.card_main_share
    if flat and _drawn(found, limits):
        return CameraReason.NO_SIGNAL
    if light.p99 < picture.black_p99_luma:
        return CameraReason.BLACK
    if light.clipped_share >= picture.clipped_share:
        return CameraReason.WASHED_OUT
    still_enough = max(picture.still_share, 1 - (1 - usual_still) / picture.still_times)
    if found.still is not None and found.still >= still_enough:
        return CameraReason.FROZEN
    return CameraReason.NONE


def _drawn(found: Signs, limits: Thresholds) -> bool:
    """Whether a flat picture has writing on it, or a colour that no flat piece of the world has."""
    written = found.light.brightest - found.light.median >= limits.picture.card_writing_luma
    return written or found.strong_colour >= limits.picture.card_chroma


def _against(found: Signs, beside: Beside, reference: Reference, limits: Thresholds, *, moves: bool) -> CameraReason:
    soft = limits.soft
    if found.seen.noise >= max(soft.noise_luma, soft.noise_ratio * reference.noise + soft.noise_extra_luma):
        return CameraReason.NOISY
    if max(abs(beside.like.rows), abs(beside.like.columns)) >= soft.moved_px:
        return CameraReason.NONE if moves else CameraReason.MOVED
    if (reason := _unlike(beside, limits, moves=moves)) is not CameraReason.NONE:
        return reason
    if _blurred(beside, limits):
        return CameraReason.BLURRED
    if not found.infrared and beside.tinted >= soft.tinted_share:
        return CameraReason.COLOUR
    return CameraReason.NONE


def _unlike(beside: Beside, limits: Thresholds, *, moves: bool) -> CameraReason:
    """Whether hardly anything of the usual view is left, and why. Sharp straight edges mean a view or a vehicle: that
    takes more to believe."""
    soft = limits.soft
    lined = beside.straight >= soft.view_straight and beside.one_way < soft.view_one_way
    if lined and beside.fineness >= soft.fineness:
        if not _gone(beside, limits):
            return CameraReason.NONE
        if beside.relief < soft.view_relief:
            return CameraReason.COVERED
        return CameraReason.NONE if moves else CameraReason.MOVED
    if beside.lost < soft.lost_share:
        return CameraReason.NONE
    blurred = beside.glance >= soft.blur_glance and beside.fineness < soft.fineness
    return CameraReason.BLURRED if blurred else CameraReason.COVERED


def _gone(beside: Beside, limits: Thresholds) -> bool:
    """Whether so little of the view is left that no vehicle explains it. Edges that agree by chance, in rough strokes
    only, count as lost. Beside a vehicle what is left of the view agrees, and it has bright and dark places itself."""
    soft = limits.soft
    by_chance = beside.rest is not None and beside.rest <= soft.blocked_sharpness
    if beside.lost >= (soft.chance_lost_share if by_chance else soft.view_lost_share):
        return True
    strange = beside.like.match < soft.gone_match or beside.relief < soft.flat_relief
    return beside.lost >= soft.lost_share and strange


def _blurred(beside: Beside, limits: Thresholds) -> bool:
    """Whether nothing is in focus. A vehicle with smooth sides lowers the sharpness of the rest: that takes more. In
    infrared light noise passes for fine edges: there the best of the known view must tell it alone."""
    soft, sharpness = limits.soft, beside.sharpness
    if beside.fineness >= soft.fineness:
        unsharp = beside.rest is not None and beside.rest <= soft.blocked_sharpness
        return unsharp and sharpness is not None and beside.lost < soft.chance_lost_share
    if sharpness is None:
        return False
    return sharpness <= (soft.blocked_sharpness if beside.lost >= soft.blocked_share else soft.blur_sharpness)
