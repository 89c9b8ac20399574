"""The guard's seams: who is refused, who signs, and how the broker is told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

Denied = Literal["revoked", "retired", "quarantined"]


@dataclass(frozen=True, slots=True)
class Revocation:
    """A certificate that counts no more: `serial` in hex, `at_ms` Unix ms. Leave it out once it has ended by itself."""

    serial: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom the broker must refuse, from the inventory.

    `denied`: device id -> why. Each may say and hear nothing, is cut off, and what the broker retained of a revoked or
    retired one is cleared. `certificates`: of boxes, `services`: of our own programs.
    """

    denied: Mapping[str, Denied] = field(default_factory=dict)
    certificates: frozenset[Revocation] = frozenset()
    services: frozenset[Revocation] = frozenset()


class Own(Protocol):
    """A certificate of ours in its files (PEM)."""

    @property
    def certificate(self) -> Path: ...
    @property
    def key(self) -> Path: ...
    @property
    def not_after_ms(self) -> int: ...


class Issuer(Protocol):
    """Of `provisioning.authority.Authority`, what the guard needs. Blocking. Raises OSError or AuthorityError."""

    @property
    def device_root(self) -> bytes: ...
    @property
    def service_root(self) -> bytes: ...
    def issue_canary(self, name: str, now_ms: int) -> Own: ...
    def issue_service(
        self, name: str, hosts: tuple[str, ...], now_ms: int, use: Literal["server", "client"] = "server"
    ) -> Own: ...
    def service(self, name: str) -> Own: ...
    def serial(self, name: str) -> str: ...
    def device_crl(self, revoked: Iterable[tuple[str, int]], now_ms: int) -> bytes: ...
    def service_crl(self, revoked: Iterable[tuple[str, int]], now_ms: int) -> bytes: ...
    def renew_services(self, now_ms: int) -> list[str]: ...


class Signal(Protocol):
    """Tells the broker's process. Blocking, done within seconds. Raises OSError with the next step.

    `reload`: read the files again (SIGHUP). `stop`: end, and stay ended. `start`: run again after `stop`.
    """

    def reload(self) -> None: ...
    def stop(self) -> None: ...
    def start(self) -> None: ...
