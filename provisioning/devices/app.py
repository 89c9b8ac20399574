"""The web app of the device API: reads requests with limits, asks the office, words the answers."""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from kewang.wire.enrolment import (
    DATE_HEADER,
    DEVICE_HEADER,
    MAX_BODY_BYTES,
    SIGNATURE_HEADER,
    THUMBNAIL_BYTES,
    Code,
    Config,
    Enrol,
    Issued,
    Pending,
    Refusal,
    Renew,
    Time,
)
from kewang.wire.errors import WireError
from kewang.wire.models import Message
from provisioning.devices.limits import Buckets, Rate
from provisioning.devices.no import No, of_refused
from provisioning.devices.office import Office
from provisioning.devices.signed import Asked, named
from provisioning.refusals import Refused

T = TypeVar("T")
BODY_S: Final = 20.0
"""A body that is not here by then is not waited for."""
_NONCE: Final = "^[0-9A-Za-z_-]{16,64}$"
_JSON: Final = "application/json"
_OF_ADDRESS: Final = Rate(20.0, 200.0)
_OF_DEVICE: Final = Rate(2.0, 20.0)


@dataclass(frozen=True, slots=True)
class Rates:
    """How often one source address and one device may ask; carriers put many boxes behind one address."""

    address: Rate = field(default=_OF_ADDRESS)
    device: Rate = field(default=_OF_DEVICE)


def create_app(office: Office, rates: Rates | None = None) -> FastAPI:
    """The app. Every refusal is a `Refusal`; nothing else ever leaves it, whatever comes in."""
    app = FastAPI(title="Kewang device API", version="1", docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json")
    app.include_router(Calls(office, rates or Rates()).router())
    app.add_exception_handler(No, _no)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http)
    return app


class Calls:
    """The five calls."""

    def __init__(self, office: Office, rates: Rates) -> None:
        self._office = office
        self._addresses, self._devices = Buckets(rates.address), Buckets(rates.device)

    def router(self) -> APIRouter:
        """All of them, under `/v1`."""
        router = APIRouter(prefix="/v1", route_class=APIRoute)
        signed = {"parameters": [_header(name) for name in (DEVICE_HEADER, DATE_HEADER, SIGNATURE_HEADER)]}
        add = router.add_api_route
        add("/time", self.time, responses=_answers(Time, 400, 429), openapi_extra={"parameters": [_nonce()]})
        add(
            "/enrol",
            self.enrol,
            methods=["POST"],
            responses=_answers(Issued, 400, 403, 404, 409, 413, 429, 503) | {202: {"model": Pending}},
            openapi_extra=_body(Enrol),
        )
        add(
            "/renew",
            self.renew,
            methods=["POST"],
            responses=_answers(Issued, 400, 403, 404, 409, 413, 429, 503),
            openapi_extra=signed | _body(Renew),
        )
        add("/config", self.config, responses=_answers(Config, 403, 404, 429) | {304: {}}, openapi_extra=signed)
        add(
            "/thumbnail/{source}",
            self.thumbnail,
            methods=["POST"],
            status_code=204,
            response_class=Response,
            responses={status: {"model": Refusal} for status in (400, 403, 404, 413, 429)},
            openapi_extra=signed | {"requestBody": _jpeg()},
        )
        return router

    async def time(self, request: Request) -> Response:
        """The time, signed together with the nonce."""
        self._let_in(request)
        nonces = request.query_params.getlist("nonce")
        try:
            return _said(await run_in_threadpool(self._office.time, nonces[0] if len(nonces) == 1 else ""))
        except ValueError:
            raise No(Code.MESSAGE, "nonce") from None

    async def enrol(self, request: Request) -> Response:
        """The first certificate, or when to ask again."""
        self._let_in(request)
        body = await _read(request, MAX_BODY_BYTES)
        try:
            asked = Enrol.decode(body)
        except WireError as error:
            raise No(Code.MESSAGE, str(error)) from None
        self._let_device_in(request, asked.device)
        answer = await run_in_threadpool(self._office.enrol, asked)
        return _said(answer, 202 if isinstance(answer, Pending) else 200)

    async def renew(self, request: Request) -> Response:
        """A certificate over a new key; signed with the old one."""
        return _said(await self._signed(request, MAX_BODY_BYTES, self._office.renew))

    async def config(self, request: Request) -> Response:
        """Sources and maintenance; 304 while nothing changed."""
        config, tag = await self._signed(request, MAX_BODY_BYTES, self._office.config)
        headers = {"ETag": f'"{tag}"', "Cache-Control": "no-store"}
        if request.headers.get("if-none-match") == f'"{tag}"':
            return Response(status_code=304, headers=headers)
        return Response(config.encode(), 200, headers, _JSON)

    async def thumbnail(self, source: str, request: Request) -> Response:
        """The acceptance picture of a source."""
        await self._signed(request, THUMBNAIL_BYTES, lambda asked: self._office.thumbnail(source, asked))
        return Response(status_code=204)

    async def _signed(self, request: Request, limit_bytes: int, do: Callable[[Asked], T]) -> T:
        self._let_in(request)
        device = named(request.headers)
        if device is not None:
            self._let_device_in(request, device)
        body = await _read(request, limit_bytes)
        query = request.scope["query_string"]
        path = (request.scope["raw_path"] + (b"?" + query if query else b"")).decode("ascii", "replace")
        return await run_in_threadpool(do, Asked(request.method, path, request.headers, body))

    def _let_in(self, request: Request) -> None:
        """Raises No when this source address asks too often."""
        _wait(self._addresses.take(_address(request), time.monotonic()))

    def _let_device_in(self, request: Request, device: str) -> None:
        """By address too: else anybody could use up the bucket of any box."""
        _wait(self._devices.take((_address(request), device), time.monotonic()))


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _wait(wait_s: float) -> None:
    if wait_s:
        raise No(Code.TOO_OFTEN, retry_s=wait_s)


async def _read(request: Request, limit_bytes: int) -> bytes:
    """The body. Raises No as soon as it is too long or takes too long."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > limit_bytes:
        raise No(Code.TOO_BIG)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                body += part
                if len(body) > limit_bytes:
                    raise No(Code.TOO_BIG)
    except TimeoutError:
        raise No(Code.MESSAGE, "the body did not come") from None
    return bytes(body)


def _said(message: Message, status: int = 200) -> Response:
    return Response(message.encode(), status, {"Cache-Control": "no-store"}, _JSON)


async def _no(_: Request, error: Exception) -> Response:
    assert isinstance(error, No)
    headers = {} if error.retry_s is None else {"Retry-After": str(max(1, math.ceil(error.retry_s)))}
    return Response(error.answer(), error.status, headers, _JSON)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    status, body = of_refused(error)
    return Response(body, status, media_type=_JSON)


async def _http(request: Request, error: Exception) -> Response:
    """What the framework refuses by itself: paths and methods that we don't have."""
    assert isinstance(error, HTTPException)
    return Response(No(Code.NOT_THERE).answer(), error.status_code, error.headers, _JSON)


def _answers(message: type[Message], *refusals: int) -> dict[int | str, dict[str, Any]]:
    refused: dict[int | str, dict[str, Any]] = {status: {"model": Refusal} for status in refusals}
    return {200: {"model": message}, **refused}


def _header(name: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}


def _nonce() -> dict[str, Any]:
    return {"name": "nonce", "in": "query", "required": True, "schema": {"type": "string", "pattern": _NONCE}}


def _body(message: type[Message]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {_JSON: {"schema": message.model_json_schema()}}}}


def _jpeg() -> dict[str, Any]:
    content = {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}
    return {"required": True, "content": content}
