"""What every page of the office needs: who may be here, its forms, its messages, its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeVar

from fastapi import Request, Response
from starlette.datastructures import UploadFile

from provisioning.acts import fields as checks
from provisioning.acts.rights import may
from provisioning.inventory import Work
from provisioning.refusals import Refused, not_allowed
from provisioning.web.desk import NO_STORE, Desk, see
from provisioning.web.office.forms import Form
from provisioning.web.office_words import DONE_WORDS
from provisioning.web.session import Who

T = TypeVar("T")
FIELDS_MOST: Final = 64
LIST_BYTES: Final = 64 << 10
"""The longest field: a list of devices."""
REASON_LEAST: Final = 3


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


class House:
    """Shared by all pages of the office."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def who(self, request: Request, act: str = "") -> Who:
        """The person. Raises LoginNeeded; Refused P-403 for a technician, and for who has no right to `act`."""
        who = await self.desk.door.who(request)
        if not who.office:
            raise not_for_you()
        if act and not may(who.role, act):
            raise not_allowed(act)
        return who

    async def page(
        self, request: Request, who: Who, name: str, known: Mapping[str, Any], status: int = 200
    ) -> Response:
        """The page `office_{name}`."""
        done = DONE_WORDS.get(request.query_params.get("done", ""), "")
        shared = {"done": done, "here": request.url.path, "refused": None}
        return await self.desk.page(request, who, f"office_{name}", {**shared, **known}, status)

    async def form(self, request: Request, who: Who, form: Form, refused: Refused | None = None) -> Response:
        """The page of a form; with `refused` what is wrong, in words."""
        return await self.page(request, who, "form", {"form": form, **self.said(request, who, refused)}, code(refused))

    def said(self, request: Request, who: Who, refused: Refused | None) -> dict[str, Any]:
        """`refused` for a template: its sentence, next step and code."""
        if refused is None:
            return {"refused": None}
        text, step = refused.parts(self.desk.door.language(request, who), self.desk.options.zone)
        return {"refused": {"text": text, "next": step, "code": refused.code}}

    async def fields(self, request: Request, who: Who) -> dict[str, str]:
        """What a form sent, with our token. Raises Refused P-CSRF."""
        async with request.form(max_files=1, max_fields=FIELDS_MOST, max_part_size=LIST_BYTES):
            return await self.desk.form(request, who)

    async def file(self, request: Request, who: Who) -> tuple[dict[str, str], bytes]:
        """The fields and the file `file` of a form."""
        async with request.form(max_files=1, max_fields=FIELDS_MOST, max_part_size=LIST_BYTES) as form:
            sent = form.get("file")
            content = await sent.read() if isinstance(sent, UploadFile) else b""
            return await self.desk.form(request, who), content

    async def act(
        self,
        request: Request,
        who: Who,
        form: Callable[[], Form],
        do: Callable[[Work, dict[str, str]], T],
        done: Callable[[T], str],
    ) -> Response:
        """Does what the form asks for and goes on to `done(result)`; what is refused is shown with the form."""
        fields = await self.fields(request, who)
        try:
            result = await self.desk.act(who, lambda work: do(work, fields))
        except Refused as refused:
            return await self.form(request, who, form().filled(fields), refused)
        return see(done(result))

    def day(self, text: str, otherwise: date, *, later_days: int = 0) -> tuple[date, int]:
        """A day as a form sends it (`otherwise` if it is none), and Unix ms of its beginning `later_days` later."""
        try:
            found = date.fromisoformat(text) if len(text) == 10 else otherwise
            begin = datetime.combine(found + timedelta(days=later_days), datetime.min.time(), self.desk.options.zone)
            return found, max(0, int(begin.timestamp() * 1000))
        except (ValueError, OverflowError):
            return self.day("", otherwise, later_days=later_days)

    def today(self) -> date:
        """The city's date."""
        return datetime.fromtimestamp(self.desk.inventory.clock_ms() / 1000, self.desk.options.zone).date()


def code(refused: Refused | None) -> int:
    """The HTTP status of a refusal."""
    return int(refused.code.removeprefix("P-")) if refused else 200


def download(content: str | bytes, name: str, media_type: str) -> Response:
    """A file to keep. `name`: of our own making."""
    headers = {**NO_STORE, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def reason(fields: Mapping[str, str], name: str = "reason") -> str:
    """Why somebody does it: needed. Raises Refused P-400."""
    return checks.text("reason", fields.get(name, ""), 500, least=REASON_LEAST, lines=True)


def degrees(name: str, text: str, limit: int) -> float | None:
    """An angle as people type it, with a point or a comma; None for nothing. Raises Refused P-400."""
    cell = text.strip().replace("\u2212", "-").replace(",", ".")
    if not cell:
        return None
    try:
        value = float(cell) if "_" not in cell else float("nan")
    except ValueError:
        value = float("nan")
    return checks.degrees(name, value, limit)


def whole(text: str, least: int, most: int, otherwise: int) -> int:
    """A number in a query, kept within its limits."""
    return max(least, min(most, int(text))) if text.isascii() and text.isdecimal() and len(text) < 10 else otherwise


def asked(text: str, most: int = 64) -> str:
    """What a person searches for: visible characters, no more than `most`."""
    return "".join(letter for letter in text if letter.isprintable()).strip()[:most]


def not_for_you() -> Refused:
    """P-403: the office's pages, and a technician."""
    return Refused(
        "P-403",
        "office",
        _("These pages are for the office."),
        _("Go on with your own pages."),
        audited=False,
    )
