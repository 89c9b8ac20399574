"""The long tail: whatever the library apprise speaks (ntfy, SMS gateways, Matrix and others), by one of its addresses.

It says only whether it worked; so everything it fails at is tried again. It connects by itself, follows where an answer
sends it and reads answers to their end, so each message is sent by a process of its own with a guard and limits
(gateway.notify.apprise_send).
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import quote

from gateway.notify.apprise_send import FORBIDDEN, SENT, UNKNOWN
from gateway.notify.message import Message, Unclear
from gateway.ports import Misconfigured

_PROGRAM: Final = (sys.executable, "-P", "-m", "gateway.notify.apprise_send")


class Apprise:
    """One address of apprise's, in which {recipient} is filled in. `allowed`: inner networks that it may be in."""

    def __init__(self, url: str, allowed: Sequence[str] = ()) -> None:
        self._url, self._allowed = url, list(allowed)

    async def send(self, message: Message) -> str:
        """See Channel. No idempotency key: a try whose answer is lost may arrive twice. There are no receipts."""
        code, said = await self._run(message)
        if code == UNKNOWN:
            raise Misconfigured("apprise does not know this kind of address: mend the file of url_file")
        if code == FORBIDDEN:
            raise Misconfigured(f"apprise: {said}")
        if code != SENT:
            raise Unclear("apprise could not send: is its address right, and the other side there?", 0.0)
        return ""

    async def close(self) -> None:
        """Holds nothing."""

    async def _run(self, message: Message) -> tuple[int, str]:
        """How the process ended, and its word. It ends with us."""
        told = {
            "url": self._url.replace("{recipient}", quote(message.recipient, safe="")),
            "allowed": self._allowed,
            "title": message.subject,
            "body": message.text,
            "severity": message.severity,
        }
        pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        child = await asyncio.create_subprocess_exec(*_PROGRAM, stdin=pipe, stdout=pipe, stderr=nowhere)
        try:
            said, _ = await child.communicate(json.dumps(told).encode())
        finally:
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        return child.returncode or 0, said.decode(errors="replace").strip()[:300]
