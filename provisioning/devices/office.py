"""What the device API does: every call is one method. Blocking; safe in several threads."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kewang.runtime.settings import SettingsError
from kewang.wire import enrolment
from kewang.wire.enrolment import (
    THUMBNAIL_BYTES,
    THUMBNAIL_PX,
    BrokerPlace,
    Code,
    Config,
    Enrol,
    Issued,
    Pending,
    Renew,
    Time,
    time_text,
)
from kewang.wire.errors import WireError
from kewang.wire.identity import fingerprint
from kewang.wire.names import is_source
from provisioning.acts import devices, sources, visits
from provisioning.authority import Authority, AuthorityError, BadRequest, Leaf
from provisioning.authority.making import DAY_MS, requested_key, spki
from provisioning.devices.no import No
from provisioning.devices.signed import BLOCKED, Asked, Signatures
from provisioning.inventory import Actor, Certificate, Device, Inventory, Maintenance, Photo, Source, Visit, Work
from provisioning.pictures import Making, NoPicture, made_anew, stored

log = logging.getLogger(__name__)

ISSUES_A_DAY: Final = 4
"""So many certificates a box gets within a day: a renewal that loops must not fill the inventory."""
GRACE_DAYS: Final = 90
THUMBNAIL_DAYS: Final = 7
BLUR_PX: Final = 2.0
"""Enough that nobody is recognised in 320 pixels, too little to hide where the camera looks."""
_THUMBNAIL: Final = Making({"JPEG": 4_000_000}, THUMBNAIL_PX, THUMBNAIL_BYTES)
_SOON_MS: Final = 600_000
_LATER_MS: Final = 3_600_000
_SOON_S: Final = 15.0
_LATER_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What boxes are told and held to. `day_ms`: a day, for benches that live faster; `blur`: of thumbnails."""

    broker_host: str
    broker_port: int
    day_ms: int = DAY_MS
    blur: bool = True


class Office:
    """Answers boxes. Everything raises No or provisioning.refusals.Refused."""

    def __init__(
        self,
        inventory: Inventory,
        authority: Authority,
        terms: Terms,
        *,
        seal_key: bytes,
        clock_ms: Callable[[], int],
    ) -> None:
        self._inventory, self._authority, self._terms = inventory, authority, terms
        self._seal_key, self._clock_ms = seal_key, clock_ms
        self._signatures = Signatures(clock_ms, clock_ms())

    def time(self, nonce: str) -> Time:
        """The time, signed together with the nonce."""
        now_ms = self._clock_ms()
        signature = self._authority.sign(time_text(nonce, now_ms))
        return Time(unix_ms=now_ms, nonce=nonce, sig=signature, chain=self._authority.signer_chain)

    def enrol(self, asked: Enrol) -> Issued | Pending:
        """The certificate of a box that was approved; until then how soon to ask again. Same key, same certificate."""
        key = _key_of(asked.csr)
        with self._inventory.reading() as rows:
            known = self._answer_known(rows, asked.device, key)
        if known is not None:
            return known
        with self._inventory.writing(Actor.device(asked.device)) as work:
            device = devices.request_seen(work, asked.device, key, hw="", fw=asked.fw)
            if device.state in ("new", "pending"):
                return self._pending(work.rows, device)
            return self._issue(work, device, asked.csr, key)

    def renew(self, asked: Asked) -> Issued:
        """A certificate over a new key for a box that proves its old one, also `GRACE_DAYS` after that ended."""
        with self._inventory.reading() as rows:
            name = self._signatures.device(rows, asked, GRACE_DAYS * self._terms.day_ms).id
        csr = _decoded(asked.body).csr
        key = _key_of(csr)
        with self._inventory.writing(Actor.device(name)) as work:
            device = work.rows.get_one(Device, name)
            if device.state in BLOCKED:
                raise No(Code.BLOCKED, device.state)
            return self._issue(work, device, csr, key)

    def config(self, asked: Asked) -> tuple[Config, str]:
        """The sources with their secrets, and a tag that differs when anything does."""
        with self._inventory.reading() as rows:
            config = self._config(rows, self._signatures.device(rows, asked, 0).id)
        return config, hashlib.sha256(config.encode()).hexdigest()[:32]

    def config_of(self, device: str) -> Config:
        """The same for a bundle: who asks is on the server already."""
        with self._inventory.reading() as rows:
            return self._config(rows, device)

    def thumbnail(self, source: str, asked: Asked) -> None:
        """Keep the picture of a source, made small and without a word of where it comes from."""
        with self._inventory.reading() as rows:
            device = self._signatures.device(rows, asked, 0).id
            if not is_source(source) or rows.get(Source, (device, source)) is None:
                raise No(Code.UNKNOWN, "no such source")
        try:
            picture = made_anew(asked.body, _THUMBNAIL, blur_px=BLUR_PX if self._terms.blur else 0)
        except NoPicture as error:
            raise No(Code.PICTURE, str(error)) from None
        with self._inventory.writing(Actor.device(device)) as work:
            name = stored(work.folder, picture)  # in the turn of whoever deletes pictures that are over
            expires_ms = work.now_ms + THUMBNAIL_DAYS * self._terms.day_ms
            kept = visits.Picture(name, "thumbnail", work.now_ms, source, expires_ms)
            visits.add_photo(work, device, kept)

    def forget_old(self) -> None:
        """For a loop: what is remembered about requests and no longer needed."""
        self._signatures.forget_old()

    def _config(self, rows: Session, device: str) -> Config:
        found = self._opened(rows, device)
        return Config(
            version=sources.version_ms(rows, device),
            sources=tuple(
                {"driver": each.driver, "name": each.name, **each.settings, **each.secrets} for each in found
            ),
            maintenance=_open_span(rows, device) is not None,
            thumbnails=_wanted(rows, device, self._clock_ms()),
        )

    def _opened(self, rows: Session, device: str) -> list[sources.NewSource]:
        try:
            return sources.opened(rows, device, self._seal_key)
        except SettingsError as error:
            log.error("no sources for %s: %s", device, error)
            raise No(Code.UNABLE, str(error), _LATER_S) from None

    def _answer_known(self, rows: Session, name: str, key: str) -> Issued | Pending | None:
        """The answer to a request that changes nothing; None if an act has to be done, be it to refuse it."""
        device = rows.get(Device, name)
        if device is None or device.fingerprint != key or device.state in BLOCKED:
            return None
        if device.state == "pending":
            return self._pending(rows, device)
        held = _certificate(rows, name, key)
        return self._issued(held) if held and held.to_ms > self._clock_ms() else None

    def _pending(self, rows: Session, device: Device) -> Pending:
        """Soon while somebody stands before it, or it has just begun; ever more rarely else."""
        waited_ms = self._clock_ms() - device.state_ms
        if _open_span(rows, device.id) is not None or waited_ms < _SOON_MS:
            return Pending(again_s=enrolment.VISIT_AGAIN_S)
        return Pending(again_s=_SOON_S if waited_ms < _LATER_MS else _LATER_S)

    def _issue(self, work: Work, device: Device, csr: str, key: str) -> Issued:
        """A certificate over `key`; the one that there is already, byte for byte, if there is."""
        held = _certificate(work.rows, device.id, key)
        if held is not None:
            if held.to_ms <= work.now_ms:
                raise No(Code.GRACE, "the key's certificate ended: a new key is wanted")
            return self._issued(held)
        if work.rows.scalars(select(Certificate).where(Certificate.fingerprint == key).limit(1)).first() is not None:
            raise No(Code.DIFFERENT, "another box has this key, or it was revoked")
        since_ms = work.now_ms - self._terms.day_ms
        lately = select(func.count()).where(Certificate.subject == device.id, Certificate.issued_ms > since_ms)
        if (work.rows.scalar(lately) or 0) >= ISSUES_A_DAY:
            raise No(Code.TOO_OFTEN, "certificates a day", self._terms.day_ms / 1000 / ISSUES_A_DAY)
        leaf = self._leaf(device.id, csr, work.now_ms)
        given = devices.Issued(
            leaf.serial, leaf.fingerprint, leaf.chain.decode(), leaf.not_before_ms, leaf.not_after_ms
        )
        devices.certificate_given(work, device.id, given)
        return self._issued_of(device.id, given)

    def _leaf(self, device: str, csr: str, now_ms: int) -> Leaf:
        try:
            return self._authority.issue_device(device, csr.encode(), now_ms)
        except (BadRequest, WireError) as error:
            raise No(Code.CSR, str(error)) from None
        except (AuthorityError, OSError) as error:
            log.error("no certificate for %s: %s", device, error)
            raise No(Code.UNABLE, str(error), _LATER_S) from None

    def _issued(self, held: Certificate) -> Issued:
        given = devices.Issued(held.serial, held.fingerprint, held.chain, held.from_ms, held.to_ms)
        return self._issued_of(held.subject, given)

    def _issued_of(self, device: str, given: devices.Issued) -> Issued:
        root = self._authority.service_root.decode()
        return Issued(
            device=device,
            chain=given.chain,
            broker=BrokerPlace(host=self._terms.broker_host, port=self._terms.broker_port, ca=root),
            api_ca=root,
            serial=given.serial,
            not_before_ms=given.from_ms,
            not_after_ms=given.to_ms,
        )


def _key_of(csr: str) -> str:
    """Fingerprint of the key in a request. Raises No."""
    try:
        return fingerprint(spki(requested_key(csr.encode())))
    except BadRequest as error:
        raise No(Code.CSR, str(error)) from None


def _decoded(body: bytes) -> Renew:
    try:
        return Renew.decode(body)
    except WireError as error:
        raise No(Code.MESSAGE, str(error)) from None


def _certificate(rows: Session, device: str, key: str) -> Certificate | None:
    """The newest that counts of this box over this key."""
    found = select(Certificate).where(
        Certificate.subject == device, Certificate.fingerprint == key, Certificate.revoked_ms.is_(None)
    )
    return rows.scalars(found.order_by(Certificate.issued_ms.desc()).limit(1)).first()


def _open_span(rows: Session, device: str) -> Maintenance | None:
    return rows.scalars(
        select(Maintenance).where(Maintenance.device == device, Maintenance.to_ms.is_(None)).limit(1)
    ).first()


def _wanted(rows: Session, device: str, now_ms: int) -> tuple[str, ...]:
    """Cameras of which this visit has no picture yet."""
    span = _open_span(rows, device)
    if span is None or span.visit is None:
        return ()
    since_ms = rows.get_one(Visit, span.visit).started_ms
    shown = select(Photo.source).where(
        Photo.device == device,
        Photo.kind == "thumbnail",
        Photo.taken_ms >= since_ms,
        Photo.expires_ms > now_ms,
        Photo.source.is_not(None),
    )
    cameras = select(Source.name).where(Source.device == device, Source.driver == "camera", Source.name.not_in(shown))
    return tuple(rows.scalars(cameras.order_by(Source.name)))
