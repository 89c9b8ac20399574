"""WhatsApp by Meta's Cloud API: outside a running conversation it carries approved templates only, filled in by us."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from gateway.notify.http import Answer, Http, answered
from gateway.notify.message import Message, Unclear
from gateway.ports import Misconfigured, Poison, RetryLater

_PARAMETER_CHARACTERS: Final = 200
_LATER: Final = frozenset({1, 2, 4, 80007, 130429, 131000, 131016, 131048, 131056, 131057, 133016})
"""Codes of Meta's: throttled, or the service is away."""
_MEND: Final = frozenset(
    {0, 3, 10, 33, 190, 368, 131005, 131031, 131042, 131045, 132000, 132001, 132005, 132007, 132012, 132015, 132016}
    | {133010, *range(200, 300)}
)
"""Token, rights, account, payment, or the template itself: no message gets through."""
_REFUSED: Final = frozenset({100, 130472, 131008, 131009, 131021, 131026, 131030, 131047, 131049, 131050, 131051})
"""This recipient or this message."""


class WhatsApp:
    """One sending number. `recipient` of a message: a telephone number with its country (`+62812...`)."""

    def __init__(
        self,
        base_url: str,
        phone_number_id: str,
        token: str,
        templates: tuple[str, str],
        language: str,
        parameters: Sequence[str],
        limit_s: float = 15.0,
    ) -> None:
        self._url = f"{base_url.rstrip('/')}/{phone_number_id}/messages"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._opened, self._resolved = templates
        self._language, self._parameters = language, tuple(parameters)
        self._http = Http("WhatsApp", [token], limit_s=limit_s)

    async def send(self, message: Message) -> str:
        """See Channel. The API knows no idempotency key: a try whose answer is lost may arrive twice."""
        body = json.dumps(self._body(message)).encode()
        answer = await self._http.post(self._url, body, self._headers | {"Idempotency-Key": message.key})
        told = answer.json()
        if (trouble := self._trouble(answer, told)) is not None:
            raise trouble
        return str(told["messages"][0]["id"])

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def _body(self, message: Message) -> dict[str, Any]:
        facts = {**message.facts, "subject": message.subject, "text": message.text}
        values = [{"type": "text", "text": parameter(facts.get(name, ""))} for name in self._parameters]
        return {
            "messaging_product": "whatsapp",
            "to": message.recipient.lstrip("+"),
            "type": "template",
            "template": {
                "name": self._resolved if message.facts.get("kind") == "resolved" else self._opened,
                "language": {"code": self._language},
                "components": [{"type": "body", "parameters": values}] if values else [],
            },
        }

    def _trouble(self, answer: Answer, told: dict[str, Any]) -> RetryLater | Misconfigured | Poison | None:
        found = told.get("error")
        error = found if isinstance(found, dict) else {}
        code = error.get("code")
        text = f"WhatsApp answered {answer.status}, {code}: {self._http.scrubbed(str(error.get('message', '')))}"
        if code in _LATER:
            return RetryLater(text, 0.0)
        if code in _MEND:
            return Misconfigured(f"{text}: mend token, account or template")
        if code in _REFUSED:
            return Poison(text)
        if (trouble := answered("WhatsApp", answer, text)) is not None:
            return trouble
        try:
            str(told["messages"][0]["id"])
        except (KeyError, IndexError, TypeError):
            return Unclear("who answers 200 is not WhatsApp: is there a login page in between?", 0.0)
        return None


def parameter(text: str) -> str:
    """`text` as a template takes it: not empty, no line ends, no tabs, never many spaces in a row."""
    return re.sub(r"\s+", " ", text).strip()[:_PARAMETER_CHARACTERS] or "-"
