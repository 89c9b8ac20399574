"""The web app for people: everything that is served to a phone or to the office."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from kewang.web.headers import SafeHeaders
from provisioning.inventory import Inventory
from provisioning.refusals import Refused
from provisioning.web import office
from provisioning.web.desk import NO_STORE, Desk, Gateway, see, wants_json
from provisioning.web.field import Field
from provisioning.web.guards import HEADERS, BodyLimit
from provisioning.web.labels import Labels
from provisioning.web.offline import Offline
from provisioning.web.options import WebOptions
from provisioning.web.own_password import OwnPassword
from provisioning.web.photos import LIMIT_BYTES
from provisioning.web.render import Renderer
from provisioning.web.services import Services
from provisioning.web.session import Doorkeeper, LoginNeeded
from provisioning.web.signin import LoginTries, SignIn, login_at
from provisioning.web.standing import Standing
from provisioning.web.visits import Visits

BODY_BYTES: Final = LIMIT_BYTES + (64 << 10)
_STATUS: Final = {"P-CSRF": 403}


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


def create_web(
    inventory: Inventory, options: WebOptions, gateway: Gateway, standing: Standing | None = None
) -> FastAPI:
    """The app over an open inventory. `gateway` says what is stored; whoever serves the app closes both afterwards.

    `standing`: what the office is told of the broker's guard and of certificates.
    """
    desk = Desk(inventory, options, gateway, Doorkeeper(inventory, options), Renderer(options), standing or Standing())
    app = FastAPI(title="Kewang", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(BodyLimit, limit_bytes=BODY_BYTES)
    app.add_middleware(SafeHeaders, headers=HEADERS)
    tries = LoginTries(options.proxies)
    for part in (SignIn(desk, tries), OwnPassword(desk, tries), Field(desk), Labels(desk), Visits(desk), Offline(desk)):
        app.include_router(part.router())
    app.include_router(Services(desk).router())
    office.mount(app, desk)
    _answer_errors(app, desk)
    return app


def _answer_errors(app: FastAPI, desk: Desk) -> None:
    """Every error is a sentence, a next step and a code."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        status = _STATUS.get(error.code) or int(error.code.removeprefix("P-"))
        return await desk.refusal(request, error, status)

    async def login_needed(request: Request, error: Exception) -> Response:
        assert isinstance(error, LoginNeeded)
        if wants_json(request):
            return JSONResponse({"code": "P-401", "other": error.other}, 401, NO_STORE)
        if "hx-request" in request.headers:
            return Response(status_code=401, headers={**NO_STORE, "HX-Refresh": "true"})
        return see(login_at(request))

    async def no_such(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 400
        return await desk.refusal(request, no_page(status), status)

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(LoginNeeded, login_needed)
    app.add_exception_handler(HTTPException, no_such)
    app.add_exception_handler(RequestValidationError, no_such)


def no_page(status: int) -> Refused:
    """P-404, P-400 and the like: nothing of ours is there."""
    return Refused(
        f"P-{status}",
        "no-page",
        _("There is no such page."),
        _("Go to the first page and begin again."),
        audited=False,
    )
