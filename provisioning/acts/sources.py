"""Sources of a device: what its `edge.toml` says, kept here; secrets are sealed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from provisioning.inventory import Work


@dataclass(frozen=True)
class NewSource:
    """A source as keys of `edge.toml` (without name and driver). `secrets` are keys whose values are sealed."""

    name: str
    driver: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str]


def put(work: Work, device: str, source: NewSource) -> int:
    """Add the source or write it anew; the configuration's new version (Unix ms)."""
    raise NotImplementedError


def remove(work: Work, device: str, name: str) -> int:
    """Take a source away; the configuration's new version."""
    raise NotImplementedError


def opened(rows: Session, device: str, seal_key: bytes) -> list[NewSource]:
    """The sources of a device with their secrets open: for the device API alone."""
    raise NotImplementedError


def version_ms(rows: Session, device: str) -> int:
    """Version of the device's configuration: Unix ms of the last change."""
    raise NotImplementedError
