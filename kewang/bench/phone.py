"""A technician's phone as a client of the web app: it sends what the page's forms and script send, and counts taps.

The fields come out of the page that was served; the transport is that of the phone's queue (`static/queue.js`): each
answer has an id of its own and is sent again until its receipt is here, photos in pieces that are taken up again.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final, TypeVar

import httpx

T = TypeVar("T")
PIECE_BYTES: Final = 48 * 1024
"""As in `static/queue.js`."""
POLL_S: Final = 2.0
"""As the page asks; `WebOptions.poll_s`."""
_PATIENCE_S: Final = 30.0
_AGAIN_S: Final = 1.0
_SERVER_TROUBLE: Final = 500
_SEE_OTHER: Final = 303


class PhoneError(Exception):
    """The page says no, or is not what was expected; the text has its code."""


@dataclass
class Form:
    """A form of a screen: the fields as they stand, and which sites are offered."""

    action: str
    step: str
    fields: dict[str, str] = field(default_factory=dict)
    sites: list[str] = field(default_factory=list)


class Screens(HTMLParser):
    """Reads a visit's page: its number, and the forms by step."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.visit, self.at, self.forms = "", "", dict[str, Form]()
        self._step, self._form, self._shown = "", None, False
        self.feed(page)

    _form: Form | None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "main":
            self.visit = told.get("data-visit", "")
        elif tag == "section" and "data-step" in told:
            self._step, self._shown = told["data-step"], "hidden" not in told
            self.at = self._step if self._shown and not self.at else self.at
        elif tag == "form":
            answers = told.get("data-answers") or told.get("data-photo", "")
            self._form = Form(told.get("action", ""), answers)
            if answers and (self._shown or answers not in self.forms):
                self.forms[answers] = self._form
        elif tag == "input" and self._form is not None:
            self._input(self._form, told)

    def _input(self, form: Form, told: dict[str, str]) -> None:
        if told.get("type") == "radio":
            form.sites.append(told["value"])
        elif told.get("type") == "hidden" and "name" in told:
            form.fields[told["name"]] = told.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None


class Phone:
    """One technician's phone. `place`: where it stands (degrees). Use as a context manager."""

    def __init__(self, address: str, place: tuple[float, float]) -> None:
        self.place, self.taps, self.person, self._token = place, 0, "", ""
        self._client = httpx.Client(base_url=address, timeout=_PATIENCE_S, trust_env=False)

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def log_in(self, login: str, password: str) -> None:
        """By the form; not part of a visit."""
        page = self._again(lambda: self._client.get("/login")).text
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
        if token is None:
            raise PhoneError("the login form has no token")
        fields = {"login": login, "password": password, "csrf": token.group(1), "next": "/t/"}
        answer = self._again(lambda: self._client.post("/login", data=fields))
        if answer.status_code != _SEE_OTHER:
            raise PhoneError(f"{login} is not let in: {answer.status_code}")
        self.person = login

    def scan(self, path: str) -> Screens:
        """The label's page, as its QR code opens it."""
        return Screens(self.get(path))

    def get(self, path: str) -> str:
        """A page. Raises PhoneError unless it is served."""
        answer = self._again(lambda: self._client.get(path, follow_redirects=True))
        if answer.status_code != httpx.codes.OK:
            raise PhoneError(f"{path}: {answer.status_code} {code_of(answer.text)}")
        return answer.text

    def answer(self, form: Form, **given: str) -> dict[str, Any]:
        """One tap on the big button of a screen; what the server's receipt says of the visit."""
        self.taps += 1
        fields = {**form.fields, **given, "at_ms": str(time.time_ns() // 1_000_000)}
        fields.pop("csrf", None)
        fields["request"] = str(uuid.uuid4())
        headers = {"Accept": "application/json"}
        return self._kept("POST", form.action, fields["request"], data=fields, headers=headers)

    def choose_site(self, form: Form, site: str) -> dict[str, Any]:
        """One tap: the page proposes the nearest site."""
        if site not in form.sites:
            raise PhoneError(f"the site {site} is not offered")
        lat, lon = self.place
        return self.answer(form, site=site, lat=str(lat), lon=str(lon), accuracy_m="12")

    def photograph(self, visit: str, kind: str, photo: bytes) -> dict[str, Any]:
        """One tap on the button that opens the camera; what it gives goes in pieces."""
        self.taps += 1
        number, place = str(uuid.uuid4()), f"/t/visit/{visit}/photo/"
        query, have, piece = {"kind": kind, "total": str(len(photo))}, 0, b""
        while True:
            said = self._json("PUT", f"{place}{number}", params={**query, "offset": str(have)}, content=piece)
            if "receipt" in said:
                return dict(said["visit"])
            have = int(said["have"])
            piece = photo[have : have + PIECE_BYTES]

    def until(self, path: str, holds: Callable[[str], bool], limit_s: float) -> float:
        """Asks a live part of the page as often as the page does; seconds until it `holds`. Raises TimeoutError."""
        began_s = time.monotonic()
        while True:
            asked_s = time.monotonic()
            try:
                if holds(self._client.get(path).text):
                    return time.monotonic() - began_s
            except httpx.TransportError:
                pass
            if time.monotonic() - began_s > limit_s:
                raise TimeoutError(f"{path}: not so within {limit_s:g} s")
            time.sleep(max(0.0, POLL_S - (time.monotonic() - asked_s)))

    def _kept(self, method: str, path: str, request: str, **options: Any) -> dict[str, Any]:
        said = self._json(method, path, **options)
        if said.get("receipt") != request:
            raise PhoneError(f"{path}: no receipt: {said}")
        return dict(said["visit"])

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self._with_token(method, path, options)
        if "P-CSRF" in answer.text:
            self._token = ""
            answer = self._with_token(method, path, options)
        if answer.status_code != httpx.codes.OK:
            raise PhoneError(f"{path}: {answer.status_code} {answer.text[:200]}")
        return dict(answer.json())

    def _with_token(self, method: str, path: str, options: Mapping[str, Any]) -> httpx.Response:
        """With the forms' token, fetched where there is none yet."""
        if not self._token:
            self._token = str(self._again(lambda: self._client.get("/t/token")).json()["csrf"])
        more = {"Kewang-Csrf": self._token, "Kewang-Person": self.person}
        given = {**options, "headers": {**options.get("headers", {}), **more}}
        return self._again(lambda: self._client.request(method, path, **given))

    def _again(self, do: Callable[[], httpx.Response]) -> httpx.Response:
        """Sends again what got no answer, as a person or the queue does. Raises TimeoutError."""
        until_s = time.monotonic() + 4 * _PATIENCE_S
        while True:
            try:
                answer = do()
            except httpx.TransportError as error:
                if time.monotonic() > until_s:
                    raise TimeoutError(f"no way to the web app: {error}") from error
            else:
                if answer.status_code < _SERVER_TROUBLE:
                    return answer
                if time.monotonic() > until_s:
                    raise PhoneError(f"{answer.request.url.path}: {answer.status_code}")
            time.sleep(_AGAIN_S)


def code_of(page: str) -> str:
    """The code of a refusal's page."""
    found = re.search(r"P-[A-Z0-9-]+", page)
    return found.group() if found else ""


@dataclass(frozen=True, slots=True)
class Visited:
    """How a visit went: s from the scan to readings shown as stored, and to its end; `result` as on the last page."""

    first_reading_s: float
    done_s: float
    taps: int
    result: str
    number: str


def visit(phone: Phone, label: str, site: str, photo: bytes, *, camera: bool, limit_s: float) -> Visited:
    """From the scanned `label` (path) to the end. Raises PhoneError, TimeoutError."""
    began_s, taps = time.monotonic(), phone.taps
    screens = phone.scan(label)
    number, forms = screens.visit, screens.forms
    phone.taps += 1  # "Begin": a local form, nothing is sent
    phone.choose_site(forms["site"], site)
    phone.photograph(number, "mounted", photo)
    phone.answer(forms["sources"])
    phone.until(f"/t/visit/{number}/progress", is_ready, limit_s)
    first_reading_s = time.monotonic() - began_s
    told = phone.answer(forms["readings"])
    if camera:
        phone.until(f"/t/visit/{number}/pictures", is_ready, limit_s)
        phone.answer(forms["picture"])
        told = phone.photograph(number, "notice", photo)
    done_s = time.monotonic() - began_s
    end = phone.get(f"/t/visit/{number}/end")
    result = re.search(r'<main class="screen end (\w+)"', end)
    name = str(told.get("number") or "")
    return Visited(first_reading_s, done_s, phone.taps - taps, result.group(1) if result else "none", name)


def is_ready(fragment: str) -> bool:
    """Whether a live part of the page says that one may go on."""
    return 'data-ready="1"' in fragment
