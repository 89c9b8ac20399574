"""What one picture gives away: its measures beside the reference and the picture before, and what they make suspect."""

from dataclasses import dataclass

import numpy as np

from edge.cameras import picture as measure
from edge.cameras.likeness import Likeness, Look, compare, look, pattern
from edge.cameras.picture import BLOCK_COLUMNS, BLOCK_ROWS, Light, Picture
from edge.cameras.reference import Reference
from edge.cameras.thresholds import Thresholds
from kewang.wire.cameras import CameraReason

_OVERLAY_ROWS = slice(1, -1)
"""Clocks and names are written into the outermost rows of blocks: 20 of 180 lines each."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A picture beside its mode's reference. Shares are 0–1 of the blocks where the reference has edges.

    `lost`: blocks whose edges are not there; `sharpness`: 1 as usual, None if too few edges are left to tell;
    `contrast`: of the coarse edges in luma; `glance`: correlation of the blocks' brightness with the last good
    pictures; `tinted`: share of all blocks whose colour is off by more than the limit; `tint`: how far, in chroma.
    """

    like: Likeness
    lost: float
    sharpness: float | None
    contrast: float
    glance: float
    tinted: float
    tint: float


@dataclass(frozen=True, slots=True)
class Signs:
    """All measures of one picture. `change`, `still`: beside the picture before (luma; share 0–1); None without one."""

    seen: Look
    light: Light
    infrared: bool
    noise: float
    flat: float
    main_colours: float
    change: float | None
    still: float | None
    beside: Beside | None


def signs(picture: Picture, previous: Picture | None, reference: Reference | None, limits: Thresholds) -> Signs:
    """Measure `picture`. `reference`: of its mode, if it is ready."""
    change = still = None
    if previous is not None:
        inner = measure.block_change(picture, previous)[_OVERLAY_ROWS]
        change, still = float(inner.mean()), float((inner < limits.picture.still_luma).mean())
    seen = look(picture)
    return Signs(
        seen,
        measure.light(picture, limits.picture.clipped_luma),
        infrared(picture, limits),
        measure.noise(picture),
        measure.flat_share(picture),
        measure.main_colours_share(picture, limits.picture.card_colours),
        change,
        still,
        None if reference is None else beside(seen, reference, limits),
    )


def infrared(picture: Picture, limits: Thresholds) -> bool:
    """Whether the camera gives pictures without colour."""
    return measure.colourfulness(picture) < limits.picture.infrared_chroma


def beside(seen: Look, reference: Reference, limits: Thresholds) -> Beside:
    """Measure what was seen beside its mode's reference."""
    view = limits.view
    like = compare(seen, reference.edges, view.clear_peak)
    active = reference.active(view.active_edges)
    kept = active & (like.agreement >= view.kept_agreement)
    lost = 1 - kept.sum() / max(active.sum(), 1)
    enough = kept.sum() >= view.sharpness_blocks
    shift = seen.colours - reference.colours
    away = np.hypot(shift[0], shift[1])
    return Beside(
        like,
        float(lost),
        reference.sharpness(like, kept) if enough else None,
        float(like.coarse[active].sum()) / (BLOCK_ROWS * BLOCK_COLUMNS),
        pattern(seen.luma, reference.luma),
        float((away > limits.soft.tint_chroma).mean()),
        float(np.hypot(np.median(shift[0]), np.median(shift[1]))),
    )


def suspicion(found: Signs, reference: Reference | None, limits: Thresholds, *, moves: bool) -> CameraReason:
    """What this picture alone makes suspect; NONE if it looks as it should."""
    alone = _alone(found, limits)
    if alone is not CameraReason.NONE or found.beside is None or reference is None:
        return alone
    return _against(found, found.beside, reference, limits, moves=moves)


def _alone(found: Signs, limits: Thresholds) -> CameraReason:
    picture = limits.picture
    if (
        found.flat >= picture.card_flat_share
        and found.main_colours >= picture.card_main_share
        and not _dark(found, limits)
    ):
        return CameraReason.NO_SIGNAL
    if _dark(found, limits):
        return CameraReason.BLACK
    if found.light.clipped_share >= picture.clipped_share:
        return CameraReason.WASHED_OUT
    if found.still is not None and found.still >= picture.still_share:
        return CameraReason.FROZEN
    return CameraReason.NONE


def _dark(found: Signs, limits: Thresholds) -> bool:
    light, picture = found.light, limits.picture
    if light.p99 < picture.black_p99_luma:
        return True
    return light.mean < picture.dark_mean_luma and light.std < picture.dark_std_luma


def _against(found: Signs, beside: Beside, reference: Reference, limits: Thresholds, *, moves: bool) -> CameraReason:
    soft = limits.soft
    if found.noise >= max(soft.noise_luma, soft.noise_ratio * reference.noise + soft.noise_extra_luma):
        return CameraReason.NOISY
    shift = max(abs(beside.like.rows), abs(beside.like.columns))
    if shift >= soft.moved_px and not moves:
        return CameraReason.MOVED
    if beside.sharpness is not None and beside.sharpness <= soft.blur_sharpness:
        return CameraReason.BLURRED
    if beside.lost >= soft.lost_share:
        if beside.glance >= soft.blur_glance:
            return CameraReason.BLURRED
        return CameraReason.COVERED
    if not found.infrared and beside.tinted >= soft.tinted_share:
        return CameraReason.COLOUR
    return CameraReason.NONE
