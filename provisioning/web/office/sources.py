"""The sources of a device: added, changed, taken away. A password goes in and is never shown again."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from provisioning.acts import fields as checks
from provisioning.acts import sources
from provisioning.acts.rows import device_row
from provisioning.acts.sources import NewSource
from provisioning.inventory import Source, Work
from provisioning.refusals import Refused, unknown
from provisioning.web.office.forms import Choice, Field, Form
from provisioning.web.office.house import House, asked

DRIVERS: Final = ("camera", "modbus-tcp", "box")
OWN: Final = ("url", "user")
"""Settings that have fields of their own; the others are lines of TOML."""
PASSWORD: Final = "password"
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


class Sources:
    """`/office/device/{device}/source...`."""

    def __init__(self, house: House) -> None:
        self._house = house

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/office/device/{device}/source", self.ask, methods=["GET"])
        router.add_api_route("/office/device/{device}/source", self.put, methods=["POST"])
        router.add_api_route("/office/device/{device}/source/{name}/remove", self.ask_remove, methods=["GET"])
        router.add_api_route("/office/device/{device}/source/{name}/remove", self.remove, methods=["POST"])
        return router

    async def ask(self, device: str, request: Request) -> Response:
        """The form: empty, or of the source `?name=`."""
        who = await self._house.who(request, "source.put")
        name = request.query_params.get("name", "")
        found = await self._house.desk.read(lambda rows: _source(rows, device, name))
        return await self._house.form(request, who, _form(device, found))

    async def put(self, device: str, request: Request) -> Response:
        """Writes a source."""
        who = await self._house.who(request, "source.put")
        name = request.query_params.get("name", "")
        found = await self._house.desk.read(lambda rows: _source(rows, device, name))
        return await self._house.act(
            request,
            who,
            lambda: _form(device, found),
            lambda work, fields: _put(work, device, found, fields),
            lambda _version: f"/office/device/{device}?done=source#sources",
        )

    async def ask_remove(self, device: str, name: str, request: Request) -> Response:
        """What taking it away means."""
        who = await self._house.who(request, "source.remove")
        found = await self._house.desk.read(lambda rows: _source(rows, device, name))
        return await self._house.form(request, who, _removal(device, found.name if found else ""))

    async def remove(self, device: str, name: str, request: Request) -> Response:
        """Takes a source away."""
        who = await self._house.who(request, "source.remove")
        return await self._house.act(
            request,
            who,
            lambda: _removal(device, asked(name, 32)),
            lambda work, fields: sources.remove(work, device, name),
            lambda _version: f"/office/device/{device}?done=removed#sources",
        )


def _source(rows: Session, device: str, name: str) -> Source | None:
    """The source `name`, None without a name. Raises Refused P-404."""
    of = device_row(rows, device).id
    if not name:
        return None
    found = rows.get(Source, (of, name)) if name.isascii() and name.isprintable() else None
    if found is None:
        raise unknown(_("source"), asked(name, 32))
    return found


def _put(work: Work, device: str, known: Source | None, fields: dict[str, str]) -> int:
    settings = settings_in(fields)
    password = fields.get("password", "")
    name = known.name if known else fields.get("name", "").strip()
    if known is None and work.rows.get(Source, (device, checks.source(name))) is not None:
        raise Refused("P-409", "source", _("There is a source of this name already."), _("Choose another name."))
    keep = known is not None and not password and fields.get("forget") != "yes"
    secrets = {PASSWORD: password} if password else {}
    source = NewSource(name, fields.get("driver", "").strip(), settings, secrets)
    return sources.put(work, device, source, keep_secrets=keep)


def settings_in(fields: Mapping[str, str]) -> dict[str, Any]:
    """The settings of a form. Raises Refused P-400, also for a password among them: it would be kept open."""
    try:
        found: dict[str, Any] = tomllib.loads(fields.get("settings", "").replace("\r\n", "\n"))
    except (ValueError, RecursionError):
        raise checks.refuse("settings", _("%(field_word)s: write lines as key = value, texts in quotes.")) from None
    found |= {name: fields[name].strip() for name in OWN if fields.get(name, "").strip()}
    for name, value in _leaves(found):
        if name.lower() == PASSWORD or (isinstance(value, str) and _tells(value)):
            raise checks.refuse("settings", _("%(field_word)s must not hold a password: it has a field of its own."))
    return found


def _tells(value: str) -> bool:
    """Whether an address has a password in it; `{password}` only says where it belongs."""
    try:
        password = urlsplit(value).password
    except ValueError:
        return "@" in value
    return bool(password) and password != "{password}"


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name, value


def lines_of(settings: Mapping[str, Any]) -> str:
    """Settings as lines of TOML; the inverse of `settings_in` for what JSON can say."""
    return "\n".join(f"{_key(name)} = {_toml(value)}" for name, value in settings.items() if value is not None)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(name)} = {_toml(each)}" for name, each in value.items() if each is not None)
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(_toml(each) for each in value if each is not None)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _toml(name)


def _form(device: str, known: Source | None) -> Form:
    settings = known.settings if known else {}
    others = {name: value for name, value in settings.items() if name not in OWN}
    title = _("Change a source") if known else _("Add a source")
    name = Field("name", _("Name"), "code", most=32, required=True, hint=_("as cam-1 or env-1"))
    return Form(
        title=title,
        about=f"{device.upper()} {known.name}" if known else device.upper(),
        action=f"/office/device/{device}/source" + (f"?name={known.name}" if known else ""),
        back=f"/office/device/{device}#sources",
        button=_("Save"),
        fields=(
            *(() if known else (name,)),
            Field(
                "driver", _("Driver"), value=known.driver if known else "camera", required=True, suggest=DRIVERS
            ),
            Field("url", _("Address of the camera"), "code", str(settings.get("url", "")), most=500,
                  hint=_("as rtsp://10.0.0.9/stream, without user and password")),
            Field("user", _("User of the camera"), "code", str(settings.get("user", ""))),
            *_password(known),
            Field("settings", _("Other settings"), "area", lines_of(others), most=8000,
                  hint=_("One line each, as in edge.toml: host = \"10.0.0.8\"")),
        ),
    )  # fmt: skip


def _password(known: Source | None) -> tuple[Field, ...]:
    if known is None or known.secrets is None:
        return (Field("password", _("Password"), "password", most=500, hint=_("It is kept sealed and never shown.")),)
    no_yes = (Choice("no", _("no"), say=True), Choice("yes", _("yes"), say=True))
    return (
        Field("password", _("New password"), "password", most=500, hint=_("Empty: the one that is kept stays.")),
        Field("forget", _("Forget the password"), "choice", "no", choices=no_yes),
    )


def _removal(device: str, name: str) -> Form:
    return Form(
        title=_("Take this source away?"),
        about=f"{device.upper()} {name}",
        lead=_("The device stops reading it. What is stored of it stays."),
        action=f"/office/device/{device}/source/{name}/remove",
        back=f"/office/device/{device}#sources",
        button=_("Take it away"),
        danger=True,
    )
