"""A headless Chromium driven over its DevTools protocol: open a page at a size, ask it things, take its picture."""

import asyncio
import base64
import json
import os
import re
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

LIMIT_S = 60.0
_LOOK_S = 0.05
"""Between two looks at a page, which has to work in the meantime."""


class Tab:
    """One page. Every call waits for the answer; events that come meanwhile are kept for `event`, the newest ones."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self._events: deque[dict[str, Any]] = deque(maxlen=200)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A DevTools command and its result."""
        self._number += 1
        await self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        async with asyncio.timeout(LIMIT_S):
            while (answer := json.loads(await self._socket.recv())).get("id") != self._number:
                self._events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def open(self, url: str, width: int, height: int, *, phone: bool = False, script: bool = True) -> None:
        """Show `url` at a size in CSS pixels; `script` False turns JavaScript off."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        await self.call("Emulation.setDeviceMetricsOverride", **metrics)
        await self.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        await self.call("Emulation.setScriptExecutionDisabled", value=not script)
        await self.call("Page.enable")
        await self.call("Page.navigate", url=url)
        if script:
            await self.until("document.readyState === 'complete'")

    async def event(self, method: str) -> dict[str, Any]:
        """The parameters of the next event `method`, which may have come already; what came before is forgotten."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                while self._events:
                    if (told := self._events.popleft()).get("method") == method:
                        parameters: dict[str, Any] = told["params"]
                        return parameters
                self._events.append(json.loads(await self._socket.recv()))

    async def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression; of a promise, what it comes to."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    async def tap(self, selector: str) -> None:
        """A finger on the middle of the first visible element, which must lie uncovered on the screen then."""
        await self.until(f"document.querySelector({json.dumps(selector)})?.checkVisibility()")
        place = await self.ask(_MIDDLE % json.dumps(selector))
        if place is None:
            raise RuntimeError(f"{selector} is covered or outside of the screen")
        await self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[place])
        await self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    async def type(self, selector: str, text: str) -> None:
        """Types into a field."""
        await self.until(f"document.querySelector({json.dumps(selector)})?.checkVisibility()")
        await self.ask(f"document.querySelector({json.dumps(selector)}).focus()")
        await self.call("Input.insertText", text=text)

    async def tap_and_choose(self, selector: str, file: Path) -> None:
        """A finger on what opens the camera or the files; `file` is what comes of it."""
        await self.call("Page.setInterceptFileChooserDialog", enabled=True)
        await self.tap(selector)
        opened = await self.event("Page.fileChooserOpened")
        await self.call("DOM.setFileInputFiles", files=[str(file)], backendNodeId=opened["backendNodeId"])

    async def offline(self, offline: bool) -> None:
        """Without any network, as seen by the page. Its service worker has a network of its own: see `Link`."""
        await self.call("Network.enable")
        await self.call(
            "Network.emulateNetworkConditions", offline=offline, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )

    async def stand_at(self, lat: float, lon: float, accuracy_m: float = 12) -> None:
        """Where the phone is (degrees, m); the page may ask."""
        await self.call("Browser.grantPermissions", permissions=["geolocation"])
        await self.call("Emulation.setGeolocationOverride", latitude=lat, longitude=lon, accuracy=accuracy_m)

    async def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        async with asyncio.timeout(LIMIT_S):
            while not await self.ask(expression):
                await asyncio.sleep(_LOOK_S)

    async def picture(self, file: Path, *, whole: bool = False) -> None:
        """A PNG of what is seen, or of the whole page."""
        answer = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        await asyncio.to_thread(file.write_bytes, base64.b64decode(answer["data"]))


_MIDDLE = """(() => {
  const found = document.querySelector(%s);
  found.scrollIntoView({ block: "center", behavior: "instant" });
  const box = found.getBoundingClientRect();
  const place = { x: box.left + box.width / 2, y: box.top + box.height / 2 };
  const hit = document.elementFromPoint(place.x, place.y);
  return hit && (found.contains(hit) || hit.contains(found)) ? place : null;
})()"""


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Tab]:
    """A tab of a new Chromium whose profile is in `folder`; killed at the end of the block, as a phone's app may be.

    Opened again with the same folder it has what the pages kept.
    """
    await asyncio.to_thread((folder / "DevToolsActivePort").unlink, missing_ok=True)
    program = shutil.which("chromium")
    if program is None:
        raise RuntimeError("chromium is not on PATH. Run: make parts")
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0"]
    process = await asyncio.create_subprocess_exec(
        program,
        *flags,
        "--no-first-run",
        f"--user-data-dir={folder}",
        "about:blank",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with connect(await _address(folder), max_size=None) as socket:
            yield Tab(socket)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _address(folder: Path) -> str:
    """The page's DevTools address, as soon as Chromium has written its port."""
    async with asyncio.timeout(LIMIT_S), httpx.AsyncClient(verify=False) as client:
        while not (port := await asyncio.to_thread(_port, folder / "DevToolsActivePort")):
            await asyncio.sleep(0.05)
        while not (pages := await _pages(client, port)):
            await asyncio.sleep(0.05)
    return pages[0]


def _port(file: Path) -> str | None:
    written = re.match(r"(\d+)\n", file.read_text()) if file.exists() else None
    return written[1] if written else None


async def _pages(client: httpx.AsyncClient, port: str) -> list[str]:
    listed = (await client.get(f"http://127.0.0.1:{port}/json")).json()
    return [page["webSocketDebuggerUrl"] for page in listed if page["type"] == "page"]
