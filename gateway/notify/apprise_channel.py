"""The long tail: whatever the library apprise speaks (ntfy, SMS gateways, Matrix and others), by one of its addresses.

It says only whether it worked; so everything it fails at is tried again. It blocks, so it runs in a thread; it is
large, so it is imported when the first message goes.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from gateway.notify.message import Message, Unclear
from gateway.ports import Misconfigured


class Apprise:
    """One address of apprise's, in which {recipient} is filled in."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = ThreadPoolExecutor(2, "apprise")

    async def send(self, message: Message) -> str:
        """See Channel. No idempotency key: a try whose answer is lost may arrive twice. There are no receipts."""
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(self._pool, self._sent, message):
            raise Unclear("apprise could not send: is its address right, and the other side there?", 0.0)
        return ""

    async def close(self) -> None:
        """Wait for nobody: what still talks has apprise's own limits."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _sent(self, message: Message) -> bool:
        import apprise

        # Its log lines hold addresses, and these hold tokens.
        logging.getLogger("apprise").disabled = True
        client = apprise.Apprise()
        if not client.add(self._url.replace("{recipient}", quote(message.recipient, safe=""))):
            raise Misconfigured("apprise does not know this kind of address: mend the file of url_file")
        kinds: dict[str, Any] = {
            "critical": apprise.NotifyType.FAILURE,
            "warning": apprise.NotifyType.WARNING,
            "info": apprise.NotifyType.INFO,
        }
        return bool(client.notify(body=message.text, title=message.subject, notify_type=kinds[message.severity]))
