"""mosquitto.conf, whole: three listeners, each with its own list of who may say what."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provisioning.guard.kick import AT_ONCE
from provisioning.guard.settings import GuardSettings, ListenerSettings

CONF: Final = "mosquitto.conf"
DEVICES_ACL: Final = "devices.acl"
SERVICES_ACL: Final = "services.acl"
KICK_ACL: Final = "kick.acl"
KICK_PASSWORDS: Final = "kick.passwords"
DEVICES_CRL: Final = "devices.crl"
SERVICES_CRL: Final = "services.crl"
DEVICE_ROOT: Final = "device-root.pem"
SERVICE_ROOT: Final = "service-root.pem"
CERTIFICATE: Final = "broker.pem"
KEY: Final = "broker.key"

_MAX_PACKET_BYTES: Final = 70_000
"""A batch is at most 64 KiB."""
_INFLIGHT: Final = 1000
_QUEUED: Final = 100_000
_QUEUED_BYTES: Final = 256_000_000
"""What waits for the gateway in a busy moment. Mosquitto's own 20 and 1000 would throttle and drop."""
_SERVICES: Final = 32
_KICKERS: Final = AT_ONCE + 10


@dataclass(frozen=True, slots=True)
class Place:
    """Where a broker listens and keeps things. `folder` holds the files named in this module."""

    folder: Path
    devices: ListenerSettings
    services: ListenerSettings
    kick_port: int
    persistence: Path | None = None
    pid_file: Path | None = None
    user: str | None = None


def real_place(settings: GuardSettings) -> Place:
    """Where the city's broker is."""
    return Place(
        settings.folder,
        settings.devices,
        settings.services,
        settings.kick_port,
        settings.persistence,
        settings.pid_file,
        settings.user,
    )


def mosquitto_conf(place: Place, max_devices: int) -> str:
    """The file. With HAProxy in front, `place.devices` is where HAProxy finds the broker."""
    blocks = [
        _everywhere(place),
        [
            *_tls_listener(place, place.devices, max_devices, DEVICE_ROOT, DEVICES_CRL, DEVICES_ACL),
            # Nobody throws out a box by taking its client id.
            "use_username_as_clientid true",
        ],
        _tls_listener(place, place.services, _SERVICES, SERVICE_ROOT, SERVICES_CRL, SERVICES_ACL),
        _kick_listener(place),
    ]
    return "# Written by the guard of Kewang; changes are undone.\n" + "\n\n".join(map("\n".join, blocks)) + "\n"


def _everywhere(place: Place) -> list[str]:
    lines = ["per_listener_settings true", "log_dest stderr", "connection_messages true"]
    lines += [f"user {place.user}"] if place.user else []
    lines += [f"pid_file {place.pid_file}"] if place.pid_file else []
    lines += [f"persistence {'true' if place.persistence else 'false'}"]
    lines += [f"persistence_location {place.persistence}/"] if place.persistence else []
    return [
        *lines,
        # Off unless written, whatever the manual says: what a refused box has left retained is not served.
        "check_retain_source true",
        f"max_packet_size {_MAX_PACKET_BYTES}",
        f"max_inflight_messages {_INFLIGHT}",
        f"max_queued_messages {_QUEUED}",
        f"max_queued_bytes {_QUEUED_BYTES}",
        "queue_qos0_messages false",
        "max_keepalive 300",
        "persistent_client_expiration 7d",
    ]


def _tls_listener(
    place: Place, listener: ListenerSettings, max_connections: int, root: str, revoked: str, acl: str
) -> list[str]:
    folder = place.folder
    return [
        f"listener {listener.port} {listener.host}",
        f"max_connections {max_connections}",
        "allow_zero_length_clientid false",
        "allow_anonymous false",
        "tls_version tlsv1.2",
        f"cafile {folder / root}",
        f"crlfile {folder / revoked}",
        f"certfile {folder / CERTIFICATE}",
        f"keyfile {folder / KEY}",
        "require_certificate true",
        "use_identity_as_username true",
        f"acl_file {folder / acl}",
    ]


def _kick_listener(place: Place) -> list[str]:
    return [
        f"listener {place.kick_port} 127.0.0.1",
        f"max_connections {_KICKERS}",
        "allow_zero_length_clientid false",
        "allow_anonymous false",
        f"password_file {place.folder / KICK_PASSWORDS}",
        f"acl_file {place.folder / KICK_ACL}",
    ]
