"""Forms of the console: who sends one, and that it is one of our own; and what programs send in their place."""

import hashlib
import hmac
from typing import Final, TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError

from gateway.console.facts import Access
from gateway.console.login import bearer
from gateway.ports import Clock
from kewang.wire import session

FORM_BYTES: Final = 8192
NAME_CHARACTERS: Final = 64
NOTE_CHARACTERS: Final = 300
Said = TypeVar("Said", bound=BaseModel)


class Forms:
    """What people and programs send to the pages about incidents."""

    def __init__(self, clock: Clock, access: Access) -> None:
        self._clock, self._key, self._token_of_services = clock, access.session_key, access.service_token

    def who(self, request: Request) -> session.SessionPayload | None:
        """Who is logged in."""
        cookie = request.cookies.get(session.COOKIE, "")
        return session.verify(cookie, self._key, self._clock.wall_ms() / 1000) if self._key else None

    def token(self, who: session.SessionPayload | None) -> str:
        """What our form carries: nobody who can't read the page knows it."""
        if who is None:
            return ""
        key = hashlib.sha256(b"kewang-console-1." + (self._key or b"")).digest()
        return hmac.new(key, who.sid.encode(), hashlib.sha256).hexdigest()

    async def sent(self, request: Request) -> tuple[session.SessionPayload, dict[str, str]] | JSONResponse:
        """Who sends one of our own forms, with its fields; or the refusal."""
        who, fields = self.who(request), await _fields(request)
        if who is None or not hmac.compare_digest(self.token(who).encode(), fields.get("token", "").encode()):
            return JSONResponse({"detail": "open the page of it, logged in, and do it there"}, 403)
        return who, fields

    async def said(self, request: Request, form: type[Said], example: str) -> Said | JSONResponse:
        """What a program with the service token sends; or the refusal. Nothing is read of who has none."""
        if not bearer(request.headers, self._token_of_services):
            return JSONResponse({"detail": "the service token is wanted"}, 401)
        if not _is_small(request):
            return JSONResponse({"detail": f"at most {FORM_BYTES} bytes, with their number"}, 413)
        try:
            return form.model_validate_json(await request.body())
        except ValidationError:
            return JSONResponse({"detail": f"write {example}"}, 422)


def clean(text: str, limit: int = NOTE_CHARACTERS) -> str:
    """What of `text` can be shown, at most so much."""
    return "".join(letter for letter in text if letter.isprintable()).strip()[:limit]


def _is_small(request: Request) -> bool:
    length = request.headers.get("content-length", "")
    return length.isdecimal() and len(length) < 9 and int(length) <= FORM_BYTES


async def _fields(request: Request) -> dict[str, str]:
    """Of a small form; {} for anything else."""
    if not _is_small(request):
        return {}
    form = await request.form(max_files=0, max_fields=12)
    return {name: value for name, value in form.items() if isinstance(value, str)}
