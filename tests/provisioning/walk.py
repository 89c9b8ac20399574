"""A technician's whole visit in a browser of a phone's size, tap by tap. What is behind the page is the caller's.

`Phone` knows the screens, counts taps and keeps pictures; `walk` goes from the label to green.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.chromium import Tab

WIDTH_PX, HEIGHT_PX = 390, 844
SMALLEST_TARGET_PX = 56
TARGETS = """[...document.querySelectorAll(
  'a,button,summary,label.go,label.choice,input:not([type=hidden]):not(.take)')]
  .filter(e => e.checkVisibility({opacityProperty: true, visibilityProperty: true}) && e.type !== 'radio')
  .map(e => [e.getBoundingClientRect(), e]).filter(([box]) => box.width && (box.height < %d || box.width < %d))
  .map(([box, e]) => `${Math.round(box.width)}x${Math.round(box.height)} ${e.outerHTML.slice(0, 90)}`)"""
STICKING_OUT = """[...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect(); return box.width > 1 && (box.right > innerWidth + 1 || box.left < -1);
}).map(e => e.outerHTML.slice(0, 80))"""
CONTRAST = """[...document.querySelectorAll('body *')].filter(e => e.checkVisibility() &&
  [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())).map(e => {
  const rgb = c => (c.match(/[\\d.]+/g) ?? [0, 0, 0]).map(Number);
  const linear = v => v <= 10.31 ? v / 3294.6 : ((v / 255 + .055) / 1.055) ** 2.4;
  const lum = c => { const [r, g, b] = rgb(c).map(linear); return .2126 * r + .7152 * g + .0722 * b; };
  let ground = e, fill = getComputedStyle(e).backgroundColor;
  while (rgb(fill).length === 4 && rgb(fill)[3] === 0 && ground.parentElement) {
    ground = ground.parentElement; fill = getComputedStyle(ground).backgroundColor; }
  const [low, high] = [lum(fill), lum(getComputedStyle(e).color)].sort((a, b) => a - b);
  return [(high + .05) / (low + .05), e.outerHTML.slice(0, 80)]; }).filter(([ratio]) => ratio < 7)"""


@dataclass
class Phone:
    """A browser of a phone's size. `shots`: folder for a picture of each screen; `name` begins their file names."""

    tab: Tab
    address: str
    language: str = "id"
    shots: Path | None = None
    name: str = "visit"
    taps: int = 0
    seen: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        """What the camera of the phone does with a QR code, or a tap on the app's icon."""
        await self.tab.open(self.address + path, WIDTH_PX, HEIGHT_PX, phone=True)

    async def log_in(self, login: str, password: str) -> None:
        """Logs in, in the walk's language; not part of a visit."""
        await self.open(f"/login?lang={self.language}")
        await self.tab.type("[name=login]", login)
        await self.tab.type("[name=password]", password)
        await self.shot("login")
        await self.tab.tap("button.go")
        await self.tab.until("location.pathname === '/t/' && document.readyState === 'complete'")

    async def ready(self) -> None:
        """Waits until the page can be opened without a signal."""
        await self.tab.until(
            "document.documentElement.dataset.ready === '1' && navigator.serviceWorker.controller !== null"
        )

    async def at(self, step: str) -> None:
        """Waits for a screen of the visit."""
        await self.tab.until(
            f"document.getElementById('visit')?.dataset.at === '{step}' && "
            f"[...document.querySelectorAll('[data-step={step}]')].some(e => !e.hidden)"
        )
        if step not in self.seen:
            self.seen.append(step)

    async def shot(self, screen: str) -> None:
        """Keeps a picture of the screen, if wanted."""
        if self.shots is not None:
            await self.tab.picture(
                self.shots / f"{self.name}-{self.language}-{len(self.seen):02d}-{screen}.png", whole=True
            )

    async def tap(self, selector: str) -> None:
        """One tap."""
        self.taps += 1
        await self.tab.tap(selector)

    async def go(self, step: str) -> None:
        """One tap on the big button of a screen."""
        await self.tap(f"[data-step={step}]:not([hidden]) form:not([hidden]) button.go")

    async def photograph(self, step: str, photo: Path) -> None:
        """One tap on the big button that opens the camera; `photo` is what the camera gives."""
        self.taps += 1
        await self.tab.tap_and_choose(f"[data-step={step}]:not([hidden]) label.go", photo)

    async def fits(self) -> list[str]:
        """What is wrong with the screen: too small for gloves, sticking out, too little contrast for the sun."""
        small = await self.tab.ask(TARGETS % (SMALLEST_TARGET_PX, SMALLEST_TARGET_PX))
        out, dim = await self.tab.ask(STICKING_OUT), await self.tab.ask(CONTRAST)
        return [*(f"small: {one}" for one in small), *(f"out: {one}" for one in out), *(f"dim: {one}" for one in dim)]


@dataclass(frozen=True)
class Walked:
    """What a walk came to. `wrong`: screen and what does not fit on it."""

    taps: int
    number: str
    wrong: tuple[str, ...]


async def walk(phone: Phone, label: str, photo: Path, *, camera: bool, placed: Callable[[], Awaitable[None]]) -> Walked:
    """From the scanned `label` (path) to green. `placed` is called once the page has said where the device hangs."""
    wrong = list[str]()
    await phone.open(label)
    wrong += await _screen(phone, "start")
    await phone.go("start")
    await phone.at("site")
    await phone.tab.until("document.querySelector('.proposed') !== null")
    wrong += await _screen(phone, "site")
    await phone.go("site")
    wrong += await _screen(phone, "mounted")
    await phone.photograph("mounted", photo)
    wrong += await _screen(phone, "sources")
    await phone.go("sources")
    await phone.at("readings")
    await phone.shot("waiting")
    await placed()
    for step in ("readings", "picture") if camera else ("readings",):
        await phone.at(step)
        await phone.tab.until(BUTTON % step)
        if step == "picture":
            await phone.tab.until(SHOWN)
        wrong += await _screen(phone, step)
        await phone.go(step)
    if camera:
        wrong += await _screen(phone, "notice")
        await phone.photograph("notice", photo)
    return await end(phone, wrong)


async def _screen(phone: Phone, step: str) -> list[str]:
    """Waits for a screen and takes its picture; what does not fit on it."""
    if step not in phone.seen:
        await phone.at(step)
    await phone.shot(step)
    return [f"{step}: {one}" for one in await phone.fits()]


SHOWN = """[...document.querySelectorAll('.thumbnail img')].some(e => e.complete && e.naturalWidth > 0)"""
"""The camera's picture has come, and is one."""
BUTTON = "document.querySelector('[data-step=%s]:not([hidden]) form[data-when=ready]:not([hidden])') !== null"


async def end(phone: Phone, wrong: list[str]) -> Walked:
    """Waits for the last screen, green or not, and reads the number from it."""
    await phone.tab.until("document.querySelector('main.end .number b') !== null")
    phone.seen.append("end")
    await phone.shot("end")
    wrong.extend(f"end: {one}" for one in await phone.fits())
    return Walked(phone.taps, str(await phone.tab.ask("document.querySelector('.number b').textContent")), tuple(wrong))
