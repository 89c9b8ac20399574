"""People and their roles: for administrators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast, get_args

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kewang.ui.words import LANGUAGES
from provisioning.acts import people, sessions
from provisioning.acts.people import NewPerson, PersonChange
from provisioning.acts.rows import person_row
from provisioning.inventory import LoginSession, Person, Role, Work
from provisioning.inventory.queries import everybody
from provisioning.refusals import Refused, unknown
from provisioning.web.desk import see
from provisioning.web.office import reads
from provisioning.web.office.forms import Choice, Field, Form
from provisioning.web.office.house import House, asked
from provisioning.web.office_words import ROLE_WORDS
from provisioning.web.session import Who

TONGUES: Final = {"id": "Bahasa Indonesia", "en": "English"}


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Turn:
    """Something done to somebody's login. `done`: the word of DONE_WORDS."""

    act: str
    title: str
    lead: str
    done: str
    do: Callable[[Work, str], object]
    danger: bool = True


PASSWORD: Final = "password"
TURNS: Final = {
    PASSWORD: Turn(
        "person.password",
        _("Make a new password"),
        _("The old one is good no longer, every session ends. The new one is shown once: write it down."),
        "",
        people.set_password,
    ),
    "disable": Turn(
        "person.disable", _("Shut out"), _("No login from now on; every session ends."), "shut", people.disable
    ),
    "enable": Turn(
        "person.enable", _("Let in again"), _("The password is the one from before."), "opened", people.enable, False
    ),
    "end": Turn(
        "person.end-sessions",
        _("End all sessions"),
        _("For a lost phone: whoever has it is logged out at once."),
        "ended",
        sessions.end_all,
    ),
}


class People:
    """`/office/people`, `/office/person`, `/office/person/{login}/{turn}`."""

    def __init__(self, house: House) -> None:
        self._house = house

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/office/people", self.list, methods=["GET"])
        router.add_api_route("/office/person", self.ask, methods=["GET"])
        router.add_api_route("/office/person", self.put, methods=["POST"])
        router.add_api_route("/office/person/{login}/{turn}", self.ask_turn, methods=["GET"])
        router.add_api_route("/office/person/{login}/{turn}", self.turn, methods=["POST"])
        return router

    async def list(self, request: Request) -> Response:
        """Everybody who may log in, or might once."""
        who = await self._house.who(request, "person.change")
        known = await self._house.desk.read(_everybody)
        return await self._house.page(request, who, "people", known)

    async def ask(self, request: Request) -> Response:
        """The form: empty, or of the person `?login=`."""
        who = await self._house.who(request, "person.change")
        return await self._house.form(request, who, await self._form(request))

    async def put(self, request: Request) -> Response:
        """Lets somebody in, with a password that is shown once; or changes what is known of somebody."""
        who = await self._house.who(request, "person.change")
        form = await self._form(request)
        login = request.query_params.get("login", "")
        if login:
            return await self._house.act(
                request,
                who,
                lambda: form,
                lambda work, fields: people.change(work, login, _change(fields)),
                lambda _row: "/office/people?done=saved",
            )
        fields = await self._house.fields(request, who)
        try:
            person, password = await self._house.desk.act(who, lambda work: people.add(work, _new(fields)))
        except Refused as refused:
            return await self._house.form(request, who, form.filled(fields), refused)
        return await self._once(request, who, person.login, password)

    async def ask_turn(self, login: str, turn: str, request: Request) -> Response:
        """What will happen."""
        what = _turn(turn)
        who = await self._house.who(request, what.act)
        found = await self._house.desk.read(lambda rows: person_row(rows, login))
        return await self._house.form(request, who, _turning(found.login, turn))

    async def turn(self, login: str, turn: str, request: Request) -> Response:
        """Does it. A new password is shown on this answer and nowhere else."""
        what = _turn(turn)
        who = await self._house.who(request, what.act)
        found = await self._house.desk.read(lambda rows: person_row(rows, login))
        await self._house.fields(request, who)
        try:
            result = await self._house.desk.act(who, lambda work: what.do(work, found.login))
        except Refused as refused:
            return await self._house.form(request, who, _turning(found.login, turn), refused)
        if turn == PASSWORD:
            return await self._once(request, who, found.login, str(result))
        return see(f"/office/people?done={what.done}")

    async def _once(self, request: Request, who: Who, login: str, password: str) -> Response:
        return await self._house.page(request, who, "password", {"login": login, "password": password})

    async def _form(self, request: Request) -> Form:
        login = request.query_params.get("login", "")
        known = await self._house.desk.read(lambda rows: person_row(rows, login)) if login else None
        districts = {site.district for site in await self._house.desk.read(reads.sites) if site.district}
        return _form(known, tuple(sorted(districts)))


def _everybody(rows: Session) -> dict[str, Any]:
    opened = select(LoginSession.person, func.max(LoginSession.seen_ms), func.count(LoginSession.id_hash))
    opened = opened.where(LoginSession.ended_ms.is_(None)).group_by(LoginSession.person)
    seen = {person: (seen_ms, count) for person, seen_ms, count in rows.execute(opened)}
    return {"people": everybody(rows), "seen": seen}


def _turn(name: str) -> Turn:
    if name not in TURNS:
        raise unknown(_("act"), asked(name, 20))
    return TURNS[name]


def _new(fields: dict[str, str]) -> NewPerson:
    return NewPerson(
        fields.get("login", "").strip().lower(),
        fields.get("name", ""),
        cast(Role, fields.get("role", "")),
        fields.get("phone", "").strip(),
        fields.get("district", "").strip() or None,
        cast(Any, fields.get("language", "id")),
    )


def _change(fields: dict[str, str]) -> PersonChange:
    return PersonChange(
        fields.get("name", ""),
        fields.get("phone", "").strip(),
        cast(Role, fields.get("role", "")),
        fields.get("district", "").strip(),
        cast(Any, fields.get("language", "id")),
    )


def _form(known: Person | None, districts: tuple[str, ...]) -> Form:
    roles = tuple(Choice(role, ROLE_WORDS[role], say=True) for role in get_args(Role))
    login = Field("login", _("Login name"), "code", most=32, required=True, hint=_("Letters a-z, digits and -."))
    return Form(
        title=_("Change a person") if known else _("Let somebody in"),
        about=known.login if known else "",
        lead="" if known else _("The password is made up and shown once."),
        action=f"/office/person?login={known.login}" if known else "/office/person",
        back="/office/people",
        button=_("Save"),
        fields=(
            *(() if known else (login,)),
            Field("name", _("Name"), value=known.name if known else "", required=True),
            Field("role", _("Role"), "choice", known.role if known else "technician", choices=roles),
            Field("phone", _("Telephone"), value=known.phone if known else "", most=32),
            Field("district", _("District"), "code", (known.district or "") if known else "", suggest=districts,
                  hint=_("For a technician. Empty: everywhere.")),
            Field("language", _("Language"), "choice", known.language if known else "id",
                  choices=tuple(Choice(each, TONGUES[each]) for each in LANGUAGES)),
        ),
    )  # fmt: skip


def _turning(login: str, turn: str) -> Form:
    what = TURNS[turn]
    return Form(
        title=what.title,
        about=login,
        lead=what.lead,
        action=f"/office/person/{login}/{turn}",
        back="/office/people",
        button=what.title,
        danger=what.danger,
    )
