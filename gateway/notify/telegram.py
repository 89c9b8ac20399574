"""Telegram: the bot API's sendMessage, in plain text, and what its answers mean."""

import json
from typing import Any, Final

from gateway.notify.http import LONGEST_AFTER_S, Answer, Http, answered
from gateway.notify.message import Message, Unclear
from gateway.ports import Misconfigured, Poison, RetryLater

LIMIT_UNITS: Final = 4096
"""UTF-16 units in one message."""


class Telegram:
    """One bot. `recipient` of a message: the chat (`-1001234567890`, `@channel`)."""

    def __init__(self, base_url: str, token: str, limit_s: float = 15.0) -> None:
        self._url = f"{base_url.rstrip('/')}/bot{token}/sendMessage"
        self._http = Http("Telegram", [token], limit_s=limit_s)

    async def send(self, message: Message) -> str:
        """See Channel. Telegram knows no idempotency key: a try whose answer is lost may arrive twice."""
        body: dict[str, Any] = {
            "chat_id": message.recipient,
            "text": cut(message.text, LIMIT_UNITS),
            "link_preview_options": {"is_disabled": True},
            "disable_notification": message.severity == "info",
        }
        headers = {"Content-Type": "application/json", "Idempotency-Key": message.key}
        answer = await self._http.post(self._url, json.dumps(body).encode(), headers)
        told = answer.json()
        if (trouble := self._trouble(answer, told)) is not None:
            raise trouble
        return str(told["result"]["message_id"])

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def _trouble(self, answer: Answer, told: dict[str, Any]) -> RetryLater | Misconfigured | Poison | None:
        said = self._http.scrubbed(str(told.get("description", "")))
        found = told.get("parameters")
        parameters = found if isinstance(found, dict) else {}
        if answer.status == 429 and isinstance(parameters.get("retry_after"), int):
            return RetryLater(f"Telegram answered 429: {said}", min(max(parameters["retry_after"], 0), LONGEST_AFTER_S))
        if answer.status == 403:
            return Poison(f"Telegram answered 403: {said}: let the bot into this chat")
        if "migrate_to_chat_id" in parameters:
            return Poison(f"this chat is {parameters['migrate_to_chat_id']} now: write that into the settings")
        if (trouble := answered("Telegram", answer, said)) is not None:
            return trouble
        result = told.get("result")
        if told.get("ok") is not True or not isinstance(result, dict) or "message_id" not in result:
            return Unclear("who answers 200 is not Telegram: is there a login page in between?", 0.0)
        return None


def cut(text: str, units: int) -> str:
    """`text`, or its beginning and an ellipsis, in at most so many UTF-16 units."""
    encoded = text.encode("utf-16-le", "surrogatepass")
    if len(encoded) <= 2 * units:
        return text
    return encoded[: 2 * (units - 1)].decode("utf-16-le", "ignore") + "…"
