"""The login cookie: who is logged in, signed so that the gateway believes it without asking.

`v1.PAYLOAD.SIGNATURE`: base64url without padding of a JSON object, and of HMAC-SHA256 over `kewang-session-1.` and the
payload as it stands. Provisioning makes it and looks its session up as well; the gateway only verifies it.
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kewang.wire.batch import MAX_DATE_MS

COOKIE: Final = "kewang_session"
KEY_BYTES: Final = 32
LIMIT_CHARACTERS: Final = 1024
"""A longer cookie is not ours."""
_PREFIX: Final = b"kewang-session-1."


class SessionPayload(BaseModel):
    """What the cookie says: session id, login, name, role, language, and until when (Unix s)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    sid: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{22,64}$")]
    sub: Annotated[str, Field(pattern=r"^[a-z0-9._-]{2,32}$")]
    name: Annotated[str, Field(max_length=64)]
    role: Literal["technician", "operator", "admin"]
    lang: Literal["id", "en"]
    exp: Annotated[int, Field(ge=0, le=MAX_DATE_MS // 1000)]


def encode(payload: SessionPayload, key: bytes) -> str:
    """The cookie's value. Raises ValueError for a key that is too short."""
    said = _to_text(payload.model_dump_json().encode())
    return f"v1.{said}.{_to_text(_signature(said, key))}"


def verify(cookie: str, key: bytes, now_s: float) -> SessionPayload | None:
    """What the cookie says, if it was signed with `key` and is not over at `now_s` (Unix s); else None."""
    version, _, rest = cookie[: LIMIT_CHARACTERS + 1].partition(".")
    said, _, signature = rest.partition(".")
    if len(cookie) > LIMIT_CHARACTERS or version != "v1" or not cookie.isascii():
        return None
    if not hmac.compare_digest(_to_text(_signature(said, key)).encode(), signature.encode()):
        return None
    try:
        payload = SessionPayload.model_validate(json.loads(_to_bytes(said)))
    except (ValidationError, ValueError, RecursionError):
        return None
    return payload if now_s < payload.exp else None


def _signature(said: str, key: bytes) -> bytes:
    if len(key) < KEY_BYTES:
        raise ValueError(f"a key of {KEY_BYTES} bytes or more is needed")
    return hmac.new(key, _PREFIX + said.encode(), hashlib.sha256).digest()


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _to_bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
