"""Provisioning put together from its settings; the only module that knows all of its parts.

web (people) ──┐                      ┌── guard ──> broker's files, signal, kick, canaries
device API ────┴── inventory, authority ── placements ──> broker (retained `p`)
                                      └── floods <── gateway; what runs out by itself
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from kewang.runtime.broker import BrokerSettings, TlsSettings
from kewang.runtime.settings import SettingsError, secret
from kewang.web.server import Server, TlsServer, config_of, tls_context
from kewang.wire.placement import Placement
from provisioning import keys
from provisioning.authority import Authority, open_authority
from provisioning.devices.opening import open_office
from provisioning.devices.serving import DeviceApi
from provisioning.floods import keep_quarantining
from provisioning.gateway_api import GatewayAddress, GatewayApi
from provisioning.guard import Guard, GuardSettings, Keeping, Wanted, haproxy, keep_guarded
from provisioning.guard.notes import Memory
from provisioning.guard.signals import signal_by
from provisioning.guard.wanted import wanted
from provisioning.handing_over import hand_over
from provisioning.inventory import Inventory, open_inventory
from provisioning.inventory.placements import placements
from provisioning.nudges import keep_nudging
from provisioning.placements import keep_published
from provisioning.refusals import Refused
from provisioning.settings import ProvisionSettings, WebSettings
from provisioning.upkeep import keep_tidy
from provisioning.web.app import create_web
from provisioning.web.options import WebOptions
from provisioning.web.standing import Standing

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """What everything stands on."""

    settings: ProvisionSettings
    inventory: Inventory
    authority: Authority
    broker: BrokerSettings


@contextmanager
def opened(settings: ProvisionSettings) -> Iterator[Parts]:
    """The parts of a provisioning that `kewang provision init` has made. Raises SettingsError, InventoryError,
    AuthorityError, OSError, each with the next step."""
    authority = open_authority(settings.state_folder)
    with closing(open_inventory(settings.inventory_url(), settings.state_folder)) as inventory:
        yield Parts(settings, inventory, authority, _as_provisioning(settings, authority))


async def serve(settings: ProvisionSettings, stopping: asyncio.Event) -> None:
    """Run until `stopping`. Raises as `opened`, before it starts."""
    # Its client is asked every second: a line each would bury everything else in the log.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with opened(settings) as parts:
        hand_over(settings)
        people, boxes = People(settings.web), _device_api(parts)
        async with GatewayApi(_gateway(settings)) as gateway, asyncio.TaskGroup() as group:
            app = create_web(parts.inventory, _options(settings), gateway, _standing(parts))
            group.create_task(people.run(app, stopping), name="web")
            group.create_task(boxes.run(stopping), name="devices")
            group.create_task(keep_published(parts.broker, _places(parts.inventory), stopping), name="placements")
            group.create_task(keep_quarantining(parts.inventory, gateway, stopping), name="floods")
            group.create_task(keep_nudging(parts.inventory, parts.broker, stopping), name="nudges")
            group.create_task(_tidied(parts, stopping), name="upkeep")
            if settings.guard:
                group.create_task(_guarded(parts, settings.guard, stopping), name="guard")


class People:
    """Serves the web app: by TLS with the city's certificate, or plain behind a proxy that has it."""

    def __init__(self, settings: WebSettings) -> None:
        """Raises OSError when the port is taken, SettingsError when the certificate can't be used."""
        self._tls = _tls(settings)
        self._listening = socket.create_server((settings.host, settings.port), backlog=128)
        log.info("web app: port %d, as %s", self._listening.getsockname()[1], settings.public_url)

    async def run(self, app: FastAPI, stopping: asyncio.Event) -> None:
        """Serve until `stopping`."""
        config = config_of(app)
        server = TlsServer(config, self._tls) if self._tls else Server(config)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve([self._listening]), name="web-server")
            await stopping.wait()
            server.should_exit = True
            await serving


def _tls(settings: WebSettings) -> ssl.SSLContext | None:
    if settings.cert_file is None:
        return None
    if settings.key_file is None:
        raise SettingsError("web.key_file is missing: cert_file and key_file go together")
    secret(settings.key_file)
    try:
        return tls_context(str(settings.cert_file), str(settings.key_file))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"web.cert_file: {error}: check cert_file and key_file") from None


def _options(settings: ProvisionSettings) -> WebOptions:
    web = settings.web
    return WebOptions(
        keys.session_key(settings.state_folder),
        https=web.public_url.startswith("https:"),
        language=web.language,
        zone=settings.zone(),
        office_phone=web.office_phone,
        label_host=web.public_url.partition("://")[2],
        gateway_token_file=_gateway(settings).token_file,
    )


def _standing(parts: Parts) -> Standing:
    memory = Memory(_guard_folder(parts.settings)) if parts.settings.guard else None
    return Standing(memory.alarms if memory else None, parts.authority.expiring)


def _guard_folder(settings: ProvisionSettings) -> Path:
    return settings.state_folder / "guard"


def _gateway(settings: ProvisionSettings) -> GatewayAddress:
    token = settings.gateway.token_file or settings.state_folder / keys.GATEWAY_TOKEN
    return GatewayAddress(settings.gateway.url, token)


def _as_provisioning(settings: ProvisionSettings, authority: Authority) -> BrokerSettings:
    """The broker as the settings say; a guarded one on its listener for services, by the certificate `provisioning`."""
    if settings.guard is None:
        return settings.broker
    leaf, services = authority.service("provisioning"), settings.guard.services
    tls = TlsSettings(ca_file=authority.folder / "service-root.pem", cert_file=leaf.certificate, key_file=leaf.key)
    return BrokerSettings(host=services.host, port=services.port, tls=tls)


def _device_api(parts: Parts) -> DeviceApi:
    told = parts.settings.devices
    office = open_office(parts.settings, parts.inventory, parts.authority)
    return DeviceApi(office, parts.authority.service("api"), told.host, told.port)


def _places(inventory: Inventory) -> Callable[[], Mapping[str, Placement]]:
    """What the inventory says of places now, for a reader that waits out trouble."""

    def read() -> Mapping[str, Placement]:
        try:
            return placements(inventory)
        except Refused as error:
            raise SettingsError(str(error)) from None

    return read


async def _tidied(parts: Parts, stopping: asyncio.Event) -> None:
    renewed = partial(hand_over, parts.settings)
    await keep_tidy(parts.inventory, parts.authority, stopping, renews=parts.settings.guard is None, then=renewed)


async def _guarded(parts: Parts, settings: GuardSettings, stopping: asyncio.Event) -> None:
    if settings.proxy and haproxy.install(settings.proxy, settings.devices, settings.max_devices):
        log.warning("%s is new: let HAProxy read it (systemctl reload haproxy)", settings.proxy.file)
    guard = Guard(settings, parts.authority, signal_by(settings.signal), _guard_folder(parts.settings))
    keeping = Keeping(partial(refused, parts.inventory), partial(placements, parts.inventory), parts.broker)
    await keep_guarded(guard, keeping, stopping)


def refused(inventory: Inventory) -> Wanted:
    """Whom the broker must refuse now. Raises OSError when the inventory does not answer: what holds goes on."""
    try:
        with inventory.reading() as rows:
            return wanted(rows, inventory.clock_ms())
    except Refused as error:
        raise OSError(str(error)) from None
