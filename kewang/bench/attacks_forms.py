"""T14, T15, T19, T20: hostile text in every field that is read, and files that are no tables of ours."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC
from typing import Final

import httpx

from kewang.bench.attacks_rows import Attack
from kewang.bench.attacks_stage import OFFICE, Browser, Post
from kewang.bench.attacks_visits import begun, opens_own, starts
from kewang.bench.provisioned import now_ms
from kewang.bench.secured import BENCH
from kewang.bench.stack import DISTRICT
from provisioning.acts import devices, exporting, importing, sites
from provisioning.inventory import Device, Site, Visit
from provisioning.refusals import Refused

_LONG_MS: Final = 10_000
_FIELDS: Final = ("device", "fingerprint", "kind", "site", "request")
_GOOD: Final = "id;kind;fingerprint\n{name};camera;{fingerprint}\n"
HOSTILE: Final = {
    "SQL": "' or 1=1--",
    "a script": "<script>alert(1)</script>",
    "an attribute": '" onmouseover="alert(1)',
    "line protocol": "x\nadmin v=1",
    "InfluxQL": "'); drop measurement env--",
    "a path": "../../etc/passwd",
    "turned writing": "\u202egpj.exe",
    "NUL": "a\0b",
    "a formula": "=HYPERLINK(1)",
    "10,000 characters": "A" * 10_000,
}


class Forms:
    """Not as a visit's right answers, but as what a field may hold."""

    def __init__(self, post: Post) -> None:
        self._post, self._browser = post, post.browsers["ina"]

    def attacks(self) -> list[Attack]:
        """Not run yet."""
        right, own = starts(self._post), lambda: opens_own(self._post)
        texts = HOSTILE.items()
        return [
            *(Attack("T15", f"logs in as {what}", self._logs_in(text), None) for what, text in texts),
            *(Attack("T14", f"sends {what} in each field of a form", self._stays(text), right) for what, text in texts),
            *(Attack("T19", f"opens a label that is {what}", self._opens(text), own) for what, text in texts),
            *(Attack("T19", f"is a device whose note is {what}", self._noted(text), None) for what, text in texts),
            Attack("T19", "is a site whose name is a script", self._named, None),
            *self._tables(),
        ]

    def _logs_in(self, text: str) -> Callable[[], bool]:
        def act() -> bool:
            answer = Browser(self._post.stack.office.web_url, address="192.0.2.99").tries(text, text)
            return answer.status_code < 400 or answer.status_code >= 500 or _echoes(answer.text, text)

        return act

    def _stays(self, text: str) -> Callable[[], bool]:
        """Whether the text in any field of the first step changes anything, or comes back as it is."""
        post = self._post

        def act() -> bool:
            before = post.count(Site), post.count(Visit), post.count(Device)
            answers = []
            for name in _FIELDS:
                step = begun(post, **{name: text})
                answers.append(self._browser.post(step.path, step.fields))
            after = post.count(Site), post.count(Visit), post.count(Device) - len(_FIELDS)
            wrong = any(not 400 <= each.status_code < 500 or _echoes(each.text, text) for each in answers)
            return wrong or before != after

        return act

    def _opens(self, text: str) -> Callable[[], bool]:
        def act() -> bool:
            url = httpx.URL("/d/").copy_with(raw_path=b"/d/" + _quoted(text) + b"/" + _quoted(text))
            answer = self._browser.client.get(url)
            return not 400 <= answer.status_code < 500 or _echoes(answer.text, text)

        return act

    def _noted(self, text: str) -> Callable[[], bool]:
        """Whether the text, written about a device, begins a formula in a table that the office exports."""

        def act() -> bool:
            device = self._post.box().device
            with self._post.stack.office.inventory() as inventory:
                try:
                    with inventory.writing(OFFICE) as work:
                        devices.describe(work, device, model=text)
                except Refused:
                    return False
                with inventory.writing(OFFICE) as work:
                    table = exporting.inventory_csv(work, "en", UTC)
            cells = [cell for row in csv.reader(io.StringIO(table), delimiter=";") for cell in row]
            if not any(cell.endswith(text) for cell in cells):
                raise OSError("the text is not in the table: nothing was tried")
            return any(cell[:1] in "=+-@\t\r" for cell in cells if cell and not _is_number(cell))

        return act

    def _named(self) -> bool:
        """A name that means something to a browser, in the list of the sites."""
        name = HOSTILE["a script"]
        with self._post.stack.office.inventory() as inventory, inventory.writing(BENCH) as work:
            sites.put(work, sites.NewSite("kios", name, -3.69, 128.18, district=DISTRICT))
        box = self._post.box()
        page = self._browser.client.get(f"/d/{box.device}/{box.key.fingerprint}").text
        if "&lt;script&gt;alert(1)" not in page:
            raise OSError("the name is not shown: nothing was tried")
        return name in page

    def _tables(self) -> list[Attack]:
        """T20: files for the inventory."""
        good, a = self._imports(_GOOD), "A" * 26
        row = "{name};camera;" + a + "\n"
        bad = {
            "a formula as an id": "id;kind;fingerprint\n=HYPERLINK(1);camera;" + a + "\n",
            "a formula as a kind": "id;kind;fingerprint\n{name};=1+1;" + a + "\n",
            "one id twice": "id;kind;fingerprint\n" + row + row,
            "one fingerprint twice": "id;kind;fingerprint\n" + row + row.replace("{name}", "{name}b"),
            "a name of ours": "id;kind;fingerprint\ngateway;camera;{fingerprint}\n",
            "a column that nobody knows": "id;kind;fingerprint;drop table\n{name};camera;{fingerprint};x\n",
            "NUL in a cell": "id;kind;fingerprint\n{name};cam\0era;{fingerprint}\n",
            "turned writing": "id;kind;fingerprint;note\n{name};camera;{fingerprint};\u202egpj\n",
            "200,000 lines": "id;kind;fingerprint\n" + row * 200_000,
            "an endless cell": 'id;kind;fingerprint\n{name};camera;"' + "x" * 2_000_000,
        }
        return [Attack("T20", f"imports {what}", self._imports(text), good) for what, text in bad.items()]

    def _imports(self, text: str) -> Callable[[], bool]:
        """Whether the file puts a device into the list."""

        def act() -> bool:
            box = self._post.box(listed=False)
            data = text.replace("{name}", box.device).replace("{fingerprint}", box.key.fingerprint).encode()
            before, began_ms = self._post.count(Device), now_ms()
            with self._post.stack.office.inventory() as inventory, suppress(Refused), inventory.writing(OFFICE) as work:
                importing.import_csv(work, "devices", data)
            if now_ms() - began_ms > _LONG_MS:
                raise ValueError(f"it took {now_ms() - began_ms} ms to say no")
            return self._post.count(Device) != before

        return act


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _echoes(page: str, text: str) -> bool:
    """Whether a page holds text as it is that means something to a browser."""
    return any(sign in text for sign in '<>"') and text in page


def _quoted(text: str) -> bytes:
    return "".join(f"%{byte:02x}" for byte in text[:2000].encode()).encode()
