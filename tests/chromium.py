"""A headless Chromium driven over its DevTools protocol: open a page at a size, ask it things, take its picture."""

import asyncio
import base64
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

LIMIT_S = 60.0


class Tab:
    """One page. Every call waits for the answer."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A DevTools command and its result."""
        self._number += 1
        await self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        async with asyncio.timeout(LIMIT_S):
            while (answer := json.loads(await self._socket.recv())).get("id") != self._number:
                pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def open(self, url: str, width: int, height: int, *, phone: bool = False, script: bool = True) -> None:
        """Show `url` at a size in CSS pixels; `script` False turns JavaScript off."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        await self.call("Emulation.setDeviceMetricsOverride", **metrics)
        await self.call("Emulation.setScriptExecutionDisabled", value=not script)
        await self.call("Page.enable")
        await self.call("Page.navigate", url=url)
        if script:
            await self.until("document.readyState === 'complete'")

    async def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        async with asyncio.timeout(LIMIT_S):
            while not await self.ask(expression):
                pass

    async def picture(self, file: Path, *, whole: bool = False) -> None:
        """A PNG of what is seen, or of the whole page."""
        answer = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        await asyncio.to_thread(file.write_bytes, base64.b64decode(answer["data"]))


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Tab]:
    """A tab of a new Chromium whose profile is in `folder`; ended at the end of the block."""
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
    async with asyncio.timeout(LIMIT_S), httpx.AsyncClient() as client:
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
