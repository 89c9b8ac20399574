"""The office as boxes meet it: a real inventory, authority and device API over TLS on 127.0.0.1, in a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kewang.bench.process import wait_for
from kewang.wire.names import is_device
from provisioning.acts import devices, sites
from provisioning.authority import Authority, Lifetimes, create, open_authority
from provisioning.devices import DeviceApi, Office, Terms
from provisioning.devices.app import Rates
from provisioning.inventory import Actor, Inventory, open_inventory
from provisioning.keys import make_keys, seal_key

SITE: Final = "mardika"
OPERATOR: Final = Actor.cli("bench")
_HOSTS: Final = ("localhost", "127.0.0.1")
_START_S: Final = 20.0


class OfficeHouse:
    """As a context manager it serves for the length of the block; `start` and `stop` restart it on the same port.

    What is in `folder` is used; else it is made. `clock_ms`: the office's clock;
    `lifetimes`: of what it issues; `day_ms`: how long a day of its rules is.
    """

    def __init__(
        self,
        folder: Path,
        *,
        broker_port: int = 8883,
        lifetimes: Lifetimes | None = None,
        day_ms: int = 86_400_000,
        clock_ms: Callable[[], int] | None = None,
        rates: Rates | None = None,
        inventory_url: str | None = None,
    ) -> None:
        self.folder, self.rates = folder, rates
        self.clock_ms = clock_ms or _wall_ms
        self.terms = Terms("localhost", broker_port, day_ms)
        if not (folder / "ca").exists():
            now_ms = self.clock_ms()
            create(folder, city="amb", broker_hosts=_HOSTS, api_hosts=_HOSTS, now_ms=now_ms, lifetimes=lifetimes)
        self.authority: Authority = open_authority(folder, lifetimes)
        self.inventory: Inventory = open_inventory(
            inventory_url or f"sqlite:///{folder}/inventory.db", folder, clock_ms=self.clock_ms
        )
        with self.inventory.writing(OPERATOR) as work:
            sites.put(work, sites.NewSite(SITE, "Pasar Mardika", -3.695, 128.181))
        make_keys(folder)
        self.port = 0
        self.office = self._new_office()
        self._api: DeviceApi | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def ca_file(self) -> Path:
        """What a box pins."""
        return self.folder / "ca" / "service-root.pem"

    def register(self, device: str, fingerprint: str, *, preapproved: bool = False) -> None:
        """Put a box on the list."""
        assert is_device(device)
        with self.inventory.writing(OPERATOR) as work:
            new = devices.NewDevice(device, "sensor", fingerprint, site=SITE, preapproved=preapproved)
            devices.add(work, new)

    def approve(self, device: str) -> None:
        """As a technician does."""
        with self.inventory.writing(OPERATOR) as work:
            devices.approve(work, device, SITE)

    def start(self) -> None:
        """Serve, on the port of last time if there was one."""
        self.office = self._new_office()
        api = DeviceApi(self.office, self.authority.service("api"), "127.0.0.1", self.port, self.rates)
        self.port, self._api = api.port, api
        ready = threading.Event()
        self._thread = serving = threading.Thread(target=self._serve, args=(api, ready), name="device-api")
        serving.start()
        if not ready.wait(_START_S):
            raise TimeoutError("the device API does not serve")
        wait_for(lambda: api.is_serving or not serving.is_alive(), _START_S)
        if not api.is_serving:
            raise RuntimeError("the device API ended at once: its log tells why")

    def renew_services(self) -> list[str]:
        """What upkeep does: renew our own certificates that are due, and serve with them. Their names."""
        renewed = self.authority.renew_services(self.clock_ms())
        if self._api:
            self._api.reload()
        return renewed

    def stop(self) -> None:
        """End serving; the inventory stays open."""
        if self._thread and self._loop and self._stopping:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        self.stop()
        self.inventory.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _new_office(self) -> Office:
        key = seal_key(self.folder)
        return Office(self.inventory, self.authority, self.terms, seal_key=key, clock_ms=self.clock_ms)

    def _serve(self, api: DeviceApi, ready: threading.Event) -> None:
        async def main() -> None:
            self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
            ready.set()
            await api.run(self._stopping)

        asyncio.run(main())


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
