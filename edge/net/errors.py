"""What ends talking to a camera early: a reason for the state, and a sentence for people."""

import re
from base64 import b64encode
from typing import Final
from urllib.parse import quote

from edge.net.address import Address
from kewang.wire.cameras import CameraReason
from kewang.wire.errors import printable

_DETAIL_LIMIT: Final = 200
_SECRET_MIN: Final = 4


class CameraError(Exception):
    """It can't go on. `detail` says what to look at, never a secret, and of the camera's own text only names."""

    def __init__(self, reason: CameraReason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def shown(detail: str, address: Address) -> str:
    """`detail` fit to be told. A camera that knows the password of `address` could name its codec so."""
    password = address.password or ""
    if len(password) >= _SECRET_MIN:
        basic = b64encode(f"{address.user}:{password}".encode()).decode()
        for secret in (password, quote(password, safe=""), basic):
            detail = re.sub(re.escape(secret), "***", detail, flags=re.IGNORECASE)
    return printable(detail, _DETAIL_LIMIT)
