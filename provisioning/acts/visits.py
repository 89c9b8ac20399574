"""Visits: what a technician did at a device, step by step, with pictures."""

from dataclasses import dataclass
from typing import Literal

from provisioning.acts.devices import Spot
from provisioning.inventory import Photo, PhotoKind, Visit, VisitKind, Work

Result = Literal["green", "amber", "red", "left"]
"""`left`: the technician went away without an end."""


@dataclass(frozen=True)
class Picture:
    """A picture that lies in `photos/{sha256}` already. `expires_ms`: None keeps it as long as its visit."""

    sha256: str
    kind: PhotoKind
    taken_ms: int
    source: str | None = None
    expires_ms: int | None = None


def start(
    work: Work,
    visit: str,
    device: str,
    kind: VisitKind,
    *,
    site: str | None = None,
    spot: Spot | None = None,
    started_ms: int | None = None,
) -> Visit:
    """Begin the visit with the phone's own id `visit` (UUID), and maintenance with it. Again: the same visit."""
    raise NotImplementedError


def step(work: Work, visit: str, name: str, at_ms: int) -> Visit:
    """Note that a step was reached at Unix ms `at_ms`. The same step again changes nothing."""
    raise NotImplementedError


def finish(work: Work, visit: str, result: Result, *, reason: str = "", finished_ms: int | None = None) -> Visit:
    """End the visit and its maintenance. Green and amber get a number (`visit.number`); red needs a reason.

    Does not accept the device: call `devices.accept` in the same `Work`. Again with the same result: the same visit.
    """
    raise NotImplementedError


def add_photo(work: Work, device: str, picture: Picture, *, visit: str | None = None) -> Photo:
    """Note a picture of a visit, or a source's thumbnail. The same picture again is the same row."""
    raise NotImplementedError


def drop_expired_photos(work: Work) -> list[str]:
    """Forget pictures whose time is over (for `upkeep`) and delete their files; the hashes."""
    raise NotImplementedError
