"""A webhook: the message as JSON to an address of the city's choice, signed, with its idempotency key.

Where the settings say `{recipient}` in place of an address, each recipient is one; the guard judges every one of them.
"""

import hashlib
import hmac
import json
import time
from typing import Final
from urllib.parse import urlsplit

from gateway.notify.guard import Guard
from gateway.notify.http import Http, answered
from gateway.notify.message import Message
from gateway.ports import Misconfigured, Poison

SIGNATURE: Final = "Kewang-Signature"
RECIPIENT: Final = "{recipient}"


class Webhook:
    """One address. `secret`: key of the signature; the address may be a secret itself."""

    def __init__(self, url: str, secret: str | None, guard: Guard, limit_s: float = 15.0) -> None:
        self._url, self._secret = url, secret
        self._name = "webhook" if url == RECIPIENT else f"webhook {urlsplit(url).hostname}"
        self._http = Http(self._name, [url, urlsplit(url).path.strip("/"), secret or ""], guard, limit_s)

    async def send(self, message: Message) -> str:
        """See Channel. The receipt is the answer's `id`, if it has one."""
        if self._url != RECIPIENT:
            return await self._post(self._url, message)
        try:
            return await self._post(message.recipient, message)
        except Misconfigured as error:
            raise Poison(str(error)) from None  # of this recipient; the channel serves the others

    async def _post(self, url: str, message: Message) -> str:
        body = json.dumps(
            {
                "key": message.key,
                "severity": message.severity,
                "subject": message.subject,
                "text": message.text,
                "recipient": message.recipient,
                **message.facts,
            },
            ensure_ascii=False,
        ).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"{message.key}.{message.recipient}"}
        if self._secret is not None:
            headers[SIGNATURE] = signature(self._secret, int(time.time()), body)
        answer = await self._http.post(url, body, headers)
        secrets = url, urlsplit(url).path.strip("/")
        said = self._http.scrubbed(answer.body.decode(errors="replace"), secrets)
        if (trouble := answered(self._name, answer, said)) is not None:
            raise trouble
        return self._http.scrubbed(str(answer.json().get("id", "")), secrets)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def signature(secret: str, date_s: int, body: bytes) -> str:
    """`t=UNIX_S,v1=HEX`: HMAC-SHA256 of `UNIX_S.BODY` by the secret. Receivers refuse dates far from their own."""
    made = hmac.new(secret.encode(), str(date_s).encode() + b"." + body, hashlib.sha256)
    return f"t={date_s},v1={made.hexdigest()}"
