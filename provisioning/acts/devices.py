"""The moves of a device: from the list to the wall and away again."""

from dataclasses import dataclass

from provisioning.inventory import Device, Work


@dataclass(frozen=True)
class NewDevice:
    """A box for the list, as a label or a line of a CSV file says it."""

    id: str
    kind: str
    fingerprint: str
    model: str = ""
    serial: str = ""
    site: str | None = None
    preapproved: bool = False
    note: str = ""


@dataclass(frozen=True)
class Spot:
    """Where exactly, as the phone measured it (degrees, m); without it the site's position holds."""

    lat: float
    lon: float
    accuracy_m: float | None = None


@dataclass(frozen=True)
class Issued:
    """A certificate that the authority made. `serial` is lower-case hex, `fingerprint` of its key, times Unix ms."""

    serial: str
    fingerprint: str
    chain: str
    from_ms: int
    to_ms: int


def add(work: Work, device: NewDevice) -> Device:
    """nothing → new. P-409 if the id or the fingerprint is in the list already."""
    raise NotImplementedError


def request_seen(work: Work, device: str, fingerprint: str, *, hw: str = "", fw: str = "") -> Device:
    """A box asks to be let in: new → pending, or → approved if it was preapproved for a site.

    Seen again it changes nothing and leaves no audit row. P-404 unknown; P-403 a key that is not the label's, or a box
    that is revoked, retired or quarantined. The answer's `state` says what to tell the box.
    """
    raise NotImplementedError


def approve(work: Work, device: str, site: str, spot: Spot | None = None, *, label: str | None = None) -> Device:
    """new, pending → approved, at `site`. `label`: the fingerprint that was scanned, checked against the list.

    Again by the same person for the same site changes nothing. P-409 `taken` names who has it, where and since when;
    P-409 `label`; P-403 `blocked`, `district`; P-404 device or site; P-429 more than 30 within an hour by a technician.
    """
    raise NotImplementedError


def certificate_given(work: Work, device: str, issued: Issued) -> Device:
    """approved → active; for an active or installed box a renewal. The same serial again changes nothing."""
    raise NotImplementedError


def accept(work: Work, device: str, *, visit: str | None = None, reason: str = "") -> Device:
    """active → installed. A technician's needs a visit whose result is green or amber; an operator's a reason."""
    raise NotImplementedError


def quarantine(work: Work, device: str, reason: str) -> Device:
    """active, installed → quarantined: it is heard no more, but not thrown out."""
    raise NotImplementedError


def release(work: Work, device: str, reason: str) -> Device:
    """quarantined → what it was before."""
    raise NotImplementedError


def revoke(work: Work, device: str, reason: str) -> Device:
    """Any but retired → revoked; all its certificates too. Again: nothing. The guard does the rest."""
    raise NotImplementedError


def replace(work: Work, old: str, new: str, *, label: str | None = None, reason: str = "") -> Device:
    """The box `new` takes over the site, position, sources and history of `old`, which is revoked. Gives `new`.

    `new` becomes approved, as by `approve`; `new.replaces` is `old`.
    """
    raise NotImplementedError


def move(work: Work, device: str, site: str, spot: Spot | None = None) -> Device:
    """A device that is approved, active or installed hangs somewhere else from now on; its state stays."""
    raise NotImplementedError


def retire(work: Work, device: str, reason: str = "") -> Device:
    """Any → retired: taken down for good; its certificates are revoked."""
    raise NotImplementedError


def describe(work: Work, device: str, *, note: str | None = None, model: str | None = None) -> Device:
    """Change what is said about a device; None leaves as it is."""
    raise NotImplementedError
