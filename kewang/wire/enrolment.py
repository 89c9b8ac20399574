"""What a box and the device API say to each other: messages, error codes, and the strings that are signed."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from kewang.wire.batch import MAX_DATE_MS
from kewang.wire.models import Message, Version
from kewang.wire.names import check_device, is_source

DEVICE_HEADER: Final = "Kewang-Device"
DATE_HEADER: Final = "Kewang-Date"
SIGNATURE_HEADER: Final = "Kewang-Signature"
DATE_WITHIN_MS: Final = 300_000
"""A signed request counts only so near to the API's own time."""
THUMBNAIL_PX: Final = 320
THUMBNAIL_BYTES: Final = 60_000
MAX_BODY_BYTES: Final = 16_384
"""Of every request but a thumbnail."""
VISIT_AGAIN_S: Final = 2.0
"""How soon a box asks again while somebody stands before it."""
BUNDLE_DAYS: Final = 14

Date = Annotated[int, Field(ge=0, le=MAX_DATE_MS)]
Nonce = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{16,64}$")]
Pem = Annotated[str, Field(min_length=1, max_length=16_384)]
Csr = Annotated[str, Field(min_length=1, max_length=8_192)]
Signature = Annotated[str, Field(pattern=r"^[0-9A-Za-z+/]{16,1024}={0,2}$")]
Serial = Annotated[str, Field(pattern=r"^[0-9a-f]{1,40}$")]
Host = Annotated[str, Field(pattern=r"^[0-9A-Za-z.:-]{1,253}$")]
SourceKeys = dict[str, Any]
"""A `[[sources]]` section of edge.toml; the box's own driver judges the keys."""


class Code(StrEnum):
    """What went wrong, short enough to be read out on the telephone. HTTP status and words: `REASONS`."""

    MESSAGE = "P-400"
    CSR = "P-CSR"
    PICTURE = "P-PIC"
    BLOCKED = "P-403"
    KEY = "P-KEY"
    SIGNATURE = "P-SIG"
    DATE = "P-DATE"
    REPLAY = "P-AGAIN"
    GRACE = "P-GRACE"
    UNKNOWN = "P-404"
    NOT_THERE = "P-PATH"
    DIFFERENT = "P-409"
    TOO_BIG = "P-413"
    TOO_OFTEN = "P-429"
    UNABLE = "P-503"


@dataclass(frozen=True, slots=True)
class Reason:
    """`status` of HTTP; `text`: English words with the next step, the key of their translation."""

    status: int
    text: str


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


REASONS: Final = {
    Code.MESSAGE: Reason(400, _("The request can't be understood. Update Kewang on the box.")),
    Code.CSR: Reason(400, _("The certificate request is not well. Delete the folder next/ of the box's identity.")),
    Code.PICTURE: Reason(400, _("This is not a JPEG picture that can be read. Look at the camera.")),
    Code.BLOCKED: Reason(403, _("This box is blocked. Keep it and call the office.")),
    Code.KEY: Reason(403, _("The key of this box is not the one on its label. Do not install it; call the office.")),
    Code.SIGNATURE: Reason(403, _("The signature does not hold. Is it the box that was enrolled? Call the office.")),
    Code.DATE: Reason(403, _("The box's idea of the time is wrong. It asks for the time and tries again.")),
    Code.REPLAY: Reason(403, _("This request was made before. The box signs a new one and tries again.")),
    Code.GRACE: Reason(403, _("The certificate ended too long ago. A technician has to approve the box again.")),
    Code.UNKNOWN: Reason(404, _("This box is not in the list. Photograph the label and send it to the office.")),
    Code.NOT_THERE: Reason(404, _("There is nothing at this address. Correct enrolment.url in edge.toml.")),
    Code.DIFFERENT: Reason(409, _("This was answered before, and differently. Call the office.")),
    Code.TOO_BIG: Reason(413, _("The request is too big. Send a smaller picture.")),
    Code.TOO_OFTEN: Reason(429, _("Too many requests. The box tries again by itself later.")),
    Code.UNABLE: Reason(503, _("The office can't give out certificates now. The box tries again; call city IT.")),
}


class Time(Message):
    """The API's time, signed (Ed25519 over `time_text`); `chain`: the signer's certificates (PEM), up to the root."""

    v: Version = 1
    unix_ms: Date
    nonce: Nonce
    sig: Signature
    chain: Pem


class Enrol(Message):
    """A box asks for its first certificate, again and again with the same key until it has it."""

    v: Version = 1
    device: str
    csr: Csr
    boot: Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{0,64}$")] = ""
    fw: Annotated[str, Field(max_length=64)] = ""

    @field_validator("device")
    @classmethod
    def _device(cls, device: str) -> str:
        return check_device(device)


class Renew(Message):
    """A box asks for a certificate over a new key; the request is signed with the old one."""

    v: Version = 1
    csr: Csr


class Pending(Message):
    """Known, but nobody has approved it yet: ask again in `again_s` seconds."""

    v: Version = 1
    state: Literal["pending"] = "pending"
    again_s: Annotated[float, Field(ge=0.5, le=3600)]


class BrokerPlace(Message):
    """Where the broker is, and the certificates (PEM) that its own must come from."""

    host: Host
    port: Annotated[int, Field(ge=1, le=65535)]
    ca: Pem


class Issued(Message):
    """A certificate with all a box needs. `chain`: leaf and device CA; `api_ca`: the service root."""

    v: Version = 1
    state: Literal["active"] = "active"
    device: str
    chain: Pem
    broker: BrokerPlace
    api_ca: Pem
    serial: Serial
    not_before_ms: Date
    not_after_ms: Date

    @field_validator("device")
    @classmethod
    def _device(cls, device: str) -> str:
        return check_device(device)


class Config(Message):
    """What the office wants a box to read. `version` grows with every change; `thumbnails`: sources to show once."""

    v: Version = 1
    version: Date
    sources: Annotated[tuple[SourceKeys, ...], Field(max_length=64)] = ()
    maintenance: bool = False
    thumbnails: Annotated[tuple[str, ...], Field(max_length=64)] = ()

    @field_validator("thumbnails")
    @classmethod
    def _sources(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(is_source, names)):
            raise ValueError("not the name of a source")
        return names


class Bundle(Message):
    """The identity of one box on a USB stick, for one that can't reach the API. It holds no private key.

    `counter` grows with every bundle made for the box; `made_ms` is a time the box may believe.
    """

    v: Version = 1
    fingerprint: Annotated[str, Field(pattern=r"^[A-Z2-7]{26}$")]
    counter: Date
    made_ms: Date
    expires_ms: Date
    issued: Issued
    config: Config


class SignedBundle(Message):
    """The file on the stick. `body` is an encoded Bundle as text; Ed25519 over `bundle_text`; `chain` as in Time."""

    v: Version = 1
    body: Annotated[str, Field(max_length=262_144)]
    sig: Signature
    chain: Pem


class Words(Message):
    """A sentence in both languages."""

    en: str
    id: str


class Refusal(Message):
    """Why not, and what to do next."""

    code: Annotated[str, Field(pattern=r"^P-[0-9A-Z]{3,8}$")]
    text: Words


def time_text(nonce: str, unix_ms: int) -> bytes:
    """What the API signs for `GET /v1/time`."""
    return f"kewang-time-1\n{nonce}\n{unix_ms}".encode()


def request_text(method: str, path: str, date_ms: int, body: bytes) -> bytes:
    """What a box signs. `path` with its query, as it is sent."""
    return f"kewang-request-1\n{method}\n{path}\n{date_ms}\n{hashlib.sha256(body).hexdigest()}".encode()


def bundle_text(body: str) -> bytes:
    """What the office signs of a bundle's body."""
    return b"kewang-bundle-1\n" + body.encode()
