"""The office's pages in a real browser, on a desk and on a phone. KEWANG_SHOTS=folder keeps a picture of every one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.chromium import Tab, chromium
from tests.provisioning.market import PASSWORD, Town
from tests.provisioning.office_town import INSTALLED
from tests.provisioning.test_web_walk import shots
from tests.provisioning.walk import STICKING_OUT

pytestmark = pytest.mark.slow

PAGES = {
    "devices": "/office/",
    "device": f"/office/device/{INSTALLED}",
    "people": "/office/people",
    "exports": "/office/exports",
    "labels": "/office/labels",
}
SIZES = {"desk": (1280, 800), "phone": (390, 844)}
SPOILT = """id;kind;fingerprint;site;note
amb-cam-808n18;camera;MR7WITT6COBXZS7ETUTZA77I6T;mardika;main gate
amb-cam-808n19;camera;MR7WITT6COBXZS7ETUTZA77I6U;mardika;mistyped
amb-cam-2m8r4w;camera;TOO-SHORT;pasar-lama;
amb-cam-808n18;camera;MR7WITT6COBXZS7ETUTZA77I6T;mardika;twice
"""
CHOOSE = """(() => {
  const chosen = new DataTransfer();
  chosen.items.add(new File([%s], "boxes.csv", { type: "text/csv" }));
  const file = document.querySelector("input[type=file]");
  file.files = chosen.files;
  file.form.requestSubmit();
})()"""


@pytest.mark.parametrize("language", ["id", "en"])
async def test_every_page_fits_a_desk_and_a_phone(office: Town, tmp_path: Path, language: str) -> None:
    async with chromium(tmp_path / "profile") as tab:
        await log_in(tab, office, language)
        for size, (width, height) in SIZES.items():
            for name, path in PAGES.items():
                await tab.open(office.address + path, width, height, phone=size == "phone")
                await fits(tab, f"{name}-{size}-{language}")
            await tab.open(office.address + "/office/import", width, height, phone=size == "phone")
            await tab.ask(CHOOSE % json.dumps(SPOILT))
            await tab.until("document.querySelector('.told.alarm') !== null && document.readyState === 'complete'")
            await fits(tab, f"import-{size}-{language}")


async def log_in(tab: Tab, office: Town, language: str) -> None:
    """As an administrator, who sees every page."""
    await tab.open(f"{office.address}/login?lang={language}", 1280, 800)
    await tab.type("[name=login]", "ada")
    await tab.type("[name=password]", PASSWORD)
    await tab.ask("document.querySelector('button.go').click()")
    await tab.until("location.pathname === '/t/' && document.readyState === 'complete'")


async def fits(tab: Tab, name: str) -> None:
    """Nothing is beside the screen but in what is made to be scrolled."""
    if folder := shots():
        await tab.picture(folder / f"office-{name}.png", whole=True)
    out = await tab.ask(STICKING_OUT.replace(".filter(e => {", ".filter(e => !e.closest('.wide')).filter(e => {"))
    assert out == [], name
    assert await tab.ask("document.documentElement.scrollWidth <= innerWidth"), name
