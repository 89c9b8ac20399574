"""The page on which everybody changes the own password, whatever the role."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, Request, Response

from provisioning.acts import sessions
from provisioning.acts.passwords import LEAST_CHARACTERS, MOST_CHARACTERS
from provisioning.refusals import Refused, bad_input
from provisioning.web.desk import Desk, see
from provisioning.web.session import Who
from provisioning.web.signin import LoginTries

PATH: Final = "/t/password"


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


class OwnPassword:
    """`/t/password`."""

    def __init__(self, desk: Desk, tries: LoginTries) -> None:
        self._desk, self._tries = desk, tries

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route(PATH, self.show, methods=["GET"])
        router.add_api_route(PATH, self.change, methods=["POST"])
        return router

    async def show(self, request: Request) -> Response:
        """The form; with `?done` that it is done."""
        who = await self._desk.door.who(request)
        return await self._page(request, who)

    async def change(self, request: Request) -> Response:
        """Ends every session of the person and begins a new one on this phone, or shows the form with why not."""
        who = await self._desk.door.who(request)
        fields = await self._desk.form(request, who)
        try:
            begun = await self._changed(request, who, fields)
        except Refused as refused:
            return await self._page(request, who, refused)
        response = see(f"{PATH}?done")
        self._desk.door.give(response, begun)
        return response

    async def _changed(self, request: Request, who: Who, fields: dict[str, str]) -> Who:
        new = fields.get("new", "")
        if new != fields.get("again", ""):
            raise differ()
        self._tries.count(request, who.login)
        present, inventory = fields.get("present", ""), self._desk.inventory
        begun = await asyncio.to_thread(sessions.change_password, inventory, who.login, present, new)
        self._tries.forgive(who.login)
        return self._desk.door.begun(begun)

    async def _page(self, request: Request, who: Who, refused: Refused | None = None) -> Response:
        language = self._desk.door.language(request, who)
        known = {
            "said": refused.parts(language, self._desk.options.zone) if refused else None,
            "code": refused.code if refused else "",
            "done": refused is None and "done" in request.query_params,
            "least": LEAST_CHARACTERS,
            "most": MOST_CHARACTERS,
            "back": "/office/" if who.office else "/t/",
        }
        status = int(refused.code.removeprefix("P-")) if refused else 200
        return await self._desk.page(request, who, "own_password", known, status)


def differ() -> Refused:
    """P-400: the two new passwords are not the same."""
    return bad_input("password", _("The two new passwords are not the same. Type both again."))
