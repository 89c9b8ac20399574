"""What the web app is told by whoever serves it."""

from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path

from kewang.ui.words import DEFAULT, Language


@dataclass(frozen=True, slots=True)
class WebOptions:
    """`session_key`: 32 bytes or more, shared with the gateway. `https`: people reach us by https (cookie Secure).

    `office_phone`: international number without signs (`62811...`), for the WhatsApp button; empty: no button.
    `label_host`: how phones reach us, on the labels: name and port.
    `gateway_token_file`: the secret with which the gateway asks; without it nobody does.
    `proxies`: addresses whose `X-Forwarded-For` is believed. `late_s`: when a missing step is called late.
    """

    session_key: bytes = field(repr=False)
    https: bool = True
    language: Language = DEFAULT
    zone: tzinfo = UTC
    office_phone: str = ""
    label_host: str = "localhost"
    gateway_token_file: Path | None = None
    proxies: frozenset[str] = frozenset({"127.0.0.1", "::1"})
    poll_s: float = 2.0
    late_s: float = 60.0
    late_source_s: float = 120.0
