"""Grammar of the names that travel: device, source, run, metric; and the streams."""

import re
from functools import lru_cache
from typing import Final

from kewang.wire.errors import WireError

STREAMS: Final = ("env", "cam", "sys", "evt")
"""The kinds of reading: environment, camera health, the box itself, things that happened."""

BOX_SOURCE: Final = "box"
"""Source of the `sys` stream whose batches are the heartbeat."""

NO_SOURCE: Final = "-"
"""Source under which a message that can't be read as a batch is quarantined."""

_DEVICE = re.compile(r"[a-z0-9-]{3,32}")
_SOURCE = re.compile(r"[a-z0-9-]{1,32}")
_RUN = re.compile(r"[0-9A-Za-z]{1,32}")

DEVICE_PATTERN: Final = f"^{_DEVICE.pattern}$"
SOURCE_PATTERN: Final = f"^(?!-$){_SOURCE.pattern}$"
RUN_PATTERN: Final = f"^{_RUN.pattern}$"
"""The grammar as regular expressions of JSON Schema."""


def is_device(text: str) -> bool:
    """Whether `text` is a device id (also its MQTT user name, client id and certificate CN)."""
    return _DEVICE.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def is_source(text: str) -> bool:
    """Whether `text` may name a source of a device. The bare `-` is kept for unreadable messages."""
    return text != NO_SOURCE and _SOURCE.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def is_run(text: str) -> bool:
    """Whether `text` may name a run (ours are 12 hex digits; others may choose up to 32 letters and digits)."""
    return _RUN.fullmatch(text) is not None


def check_device(text: str) -> str:
    """`text` itself, or WireError."""
    if not is_device(text):
        raise WireError(f"device id {text!r} is not 3 to 32 characters of a-z, 0-9 and '-'")
    return text
