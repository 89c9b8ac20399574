"""What the tests of the device API share: an office, a box, raw requests."""

from __future__ import annotations

import http.client
import io
import json
import ssl
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from edge.enrol.keys import BoxKey
from kewang.bench.office import OfficeHouse
from kewang.wire.enrolment import Refusal, request_text
from tests.provisioning.boxes import DEVICE

DAY_MS = 86_400_000


@dataclass
class Answer:
    status: int
    body: bytes
    headers: Any

    @property
    def code(self) -> str:
        """Of a refusal, which always has its words."""
        refusal = Refusal.decode(self.body)
        assert refusal.text.en
        assert refusal.text.id != refusal.text.en
        return refusal.code


@dataclass
class Raw:
    """Requests as an attacker makes them: with the real TLS, and whatever bytes."""

    house: OfficeHouse
    last_ms: list[int] = field(default_factory=lambda: [0])

    def say(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        context = ssl.create_default_context(cafile=self.house.ca_file)
        context.verify_flags |= 0x200000
        link = http.client.HTTPSConnection("localhost", self.house.port, context=context, timeout=20)
        try:
            link.request(method, path, body or None, headers or {})
            answer = link.getresponse()
            return Answer(answer.status, answer.read(), answer.headers)
        finally:
            link.close()

    def signed(
        self,
        key: BoxKey,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        device: str = DEVICE,
        date_ms: int | None = None,
    ) -> Answer:
        self.last_ms[0] = date_ms = date_ms or max(self.house.clock_ms(), self.last_ms[0] + 1)
        return self.say(method, path, body, signature(key, method, path, body, device, date_ms))


def signature(key: BoxKey, method: str, path: str, body: bytes, device: str, date_ms: int) -> dict[str, str]:
    said = key.sign(request_text(method, path, date_ms, body))
    return {"Kewang-Device": device, "Kewang-Date": str(date_ms), "Kewang-Signature": said}


def enrol_body(key: BoxKey, device: str = DEVICE, **changes: object) -> bytes:
    return json.dumps({"v": 1, "device": device, "csr": key.request(device), **changes}).encode()


def picture(size: tuple[int, int] = (320, 180), **more: Any) -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(out, "JPEG", quality=30, **more)
    return out.getvalue()
