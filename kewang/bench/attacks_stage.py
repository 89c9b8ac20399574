"""The office that is attacked: the real stack, boxes in the hands of the attacker, people with their browsers."""

from __future__ import annotations

import http.client
import re
import ssl
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import func, select

from edge.enrol.asking import Conversation
from edge.enrol.box import Box
from edge.enrol.errors import Refusing, Unreachable, Unusable
from kewang.bench.provisioned import now_ms
from kewang.bench.secured import BENCH
from kewang.bench.stack import DISTRICT, SITE, SecuredStack
from kewang.wire.enrolment import DATE_HEADER, DEVICE_HEADER, SIGNATURE_HEADER, request_text
from provisioning.acts import devices, people
from provisioning.inventory import Actor, Audit, Certificate, Device, Role
from provisioning.inventory.base import Base

NO_WAY: Final = (Refusing, Unreachable, Unusable)
PASSWORD: Final = "ikan-bakar-colo-colo"
OFFICE: Final = Actor("ina", "operator")
FIELD: Final = Actor("rudi", "technician", DISTRICT)
ELSEWHERE: Final = "nusaniwe"
_LIMIT_S: Final = 30.0


@dataclass
class Answer:
    """What the device API said."""

    status: int
    body: bytes


@dataclass
class Post:
    """The stack with its people: `rudi` and `nus` (technicians of two districts), `ina` (operator)."""

    stack: SecuredStack
    browsers: dict[str, Browser] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 10_000)))

    @classmethod
    def set(cls, stack: SecuredStack) -> Post:
        """People, a site in another district, and a browser for each of them."""
        post = cls(stack)
        stack.site("amahusu", ELSEWHERE)
        for login, role, district in (
            ("rudi", "technician", DISTRICT),
            ("nus", "technician", ELSEWHERE),
            ("ina", "operator", None),
        ):
            post.person(login, role, district)
            post.browsers[login] = Browser(stack.office.web_url)
            post.browsers[login].log_in(login)
        return post

    def person(self, login: str, role: Any, district: str | None = None) -> None:
        """Let somebody in, with the password that all have here."""
        with self.stack.office.inventory() as inventory, inventory.writing(BENCH) as work:
            kept: Role = role
            people.add(work, people.NewPerson(login, login.title(), kept, district=district), PASSWORD)

    def new_person(self) -> str:
        """A technician who has done nothing yet; the login."""
        self.person(login := self.name("p"), "technician", DISTRICT)
        return login

    def somebody(self) -> Browser:
        """The browser of such a technician, logged in."""
        browser = Browser(self.stack.office.web_url, address="192.0.2.50")
        browser.log_in(self.new_person())
        return browser

    def name(self, what: str = "box") -> str:
        """An id that nobody has yet."""
        return f"amb-{what}-{next(self._numbers):03d}"

    def box(self, *, approved: bool = False, listed: bool = True) -> Box:
        """A box fresh from its carton; in the list; approved by the office."""
        device = self.name()
        box = Box(self.stack.folder / "attacked" / device)
        box.begin(device, "amb", "box")
        with self.stack.office.inventory() as inventory, inventory.writing(BENCH) as work:
            if listed:
                place = SITE if approved else None
                made = devices.NewDevice(device, "sensor", box.key.fingerprint, site=place, preapproved=approved)
                devices.add(work, made)
        return box

    def enrolled(self) -> Box:
        """A box with its certificate."""
        box = self.box(approved=True)
        with self.talk(box) as office:
            box.enrol(office)
        return box

    def talk(self, box: Box, roots: bytes | None = None) -> Conversation:
        """What a box says to the office begins so."""
        ca = self.stack.office.state / "ca" / "service-root.pem"
        return Conversation(self.stack.office.settings.devices.public_url, roots or box.roots(ca))

    def say(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Anything at all to the device API."""
        tls = ssl.create_default_context(cafile=str(self.stack.office.state / "ca" / "service-root.pem"))
        port = self.stack.office.settings.devices.port
        with closing(http.client.HTTPSConnection("localhost", port, timeout=_LIMIT_S, context=tls)) as connection:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                connection.putheader(name, value)
            with suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has read all
                connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())

    @contextmanager
    def rows(self) -> Iterator[Any]:
        """A session on the inventory, to look."""
        with self.stack.office.inventory() as inventory, inventory.reading() as rows:
            yield rows

    def count(self, table: type[Base], *where: Any) -> int:
        """How many rows there are."""
        with self.rows() as rows:
            return int(rows.scalar(select(func.count()).select_from(table).where(*where)) or 0)

    def certificates(self, device: str) -> int:
        """How many certificates a box has been given."""
        return self.count(Certificate, Certificate.subject == device)

    def acts(self, act: str, subject: str) -> int:
        """How often an act about `subject` is in the audit log."""
        return self.count(Audit, Audit.act == act, Audit.subject == subject)

    def state(self, device: str) -> str:
        """Where a device is on its way; "" for one that is not in the list."""
        with self.rows() as rows:
            found = rows.get(Device, device)
            return found.state if found else ""


def plain_client(url: str, **more: Any) -> httpx.Client:
    """For a web app without TLS: it spares the 30 ms that reading the system's trust anchors takes."""
    return httpx.Client(base_url=url, trust_env=False, verify=False, **more)


class Browser:
    """Somebody's browser, without script: cookies, forms and their tokens. `address`: where it says it comes from."""

    def __init__(self, url: str, address: str = "192.0.2.200") -> None:
        # The office believes its own proxy, which is on this machine, about where people come from.
        headers = {"X-Forwarded-For": address}
        self.login = ""
        self.client = plain_client(url, timeout=_LIMIT_S, headers=headers)
        weakref.finalize(self, self.client.close)

    def tries(self, login: str, password: str, target: str = "/t/") -> httpx.Response:
        """The login form, filled in."""
        page = self.client.get("/login").text
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
        fields = {"login": login, "password": password, "csrf": found.group(1) if found else "", "next": target}
        return self.client.post("/login", data=fields)

    def log_in(self, login: str, password: str = PASSWORD) -> httpx.Response:
        """By the form. Raises ValueError unless it lets in."""
        answer = self.tries(login, password)
        if answer.status_code != httpx.codes.SEE_OTHER:
            raise ValueError(f"{login} is not let in: {answer.status_code}")
        self.login = login
        return answer

    def token(self) -> str:
        """What a form must carry."""
        return str(self.client.get("/t/token").json()["csrf"])

    def post(
        self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """A form with its token, unless it brings one."""
        sent = {"csrf": self.token(), **fields} if "csrf" not in fields else dict(fields)
        return self.client.post(path, data=sent, headers=dict(headers or {}), **more)


def sealed(box: Box, method: str, path: str, body: bytes = b"", date_ms: int | None = None) -> dict[str, str]:
    """The headers of a request that `box` signs."""
    date = now_ms() if date_ms is None else date_ms
    signature = box.key.sign(request_text(method, path, date, body))
    return {DEVICE_HEADER: box.device, DATE_HEADER: str(date), SIGNATURE_HEADER: signature}


def tried(act: Callable[[], object]) -> bool:
    """Whether the box's own program is content with what it did."""
    try:
        act()
    except NO_WAY:
        return False
    return True


def folder_of(stack: SecuredStack) -> Path:
    """Where the office keeps pictures."""
    return stack.office.state / "photos"
