"""Sources of a device: what its `edge.toml` says, kept here; secrets are sealed."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import select
from sqlalchemy.orm import Session

from kewang.runtime.settings import SettingsError
from provisioning.acts import fields
from provisioning.acts.places import write_place
from provisioning.acts.rights import must, must_be_near
from provisioning.acts.rows import device_row, district_of
from provisioning.inventory import Device, Source, Work
from provisioning.inventory.audit import record
from provisioning.keys import seal_key
from provisioning.refusals import Refused, key_trouble, unknown

SETTINGS_LIMIT_CHARACTERS: Final = 8_000
SOURCES_LIMIT: Final = 32
_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39}){0,3}")


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class NewSource:
    """A source as keys of `edge.toml` (without name and driver). `secrets` are keys whose values are sealed."""

    name: str
    driver: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str]


def put(work: Work, device: str, source: NewSource, *, keep_secrets: bool = False) -> int:
    """Add the source or write it anew; the configuration's new version (Unix ms).

    `keep_secrets`: what is sealed already stays as it is, for nobody can read it to write it again.
    """
    must(work, "source.put", device)
    row = device_row(work.rows, device)
    must_be_near(work, district_of(work.rows, row))
    name = fields.source(source.name)
    _must_have_room(work.rows, device, name)
    found = work.rows.get(Source, (device, name)) or Source(device=device, name=name)
    found.driver = fields.text("driver", source.driver, 64, least=1)
    found.settings = _settings(source.settings)
    if not keep_secrets:
        found.secrets = _sealed(work, source.secrets)
    found.changed_ms = work.now_ms
    work.rows.add(found)
    version = _changed(work, row)
    told = {"source": name, "driver": found.driver, "secrets": sorted(source.secrets or ())}
    record(work, "source.put", device, told)
    return version


def remove(work: Work, device: str, name: str) -> int:
    """Take a source away; the configuration's new version."""
    must(work, "source.remove", device)
    row = device_row(work.rows, device)
    must_be_near(work, district_of(work.rows, row))
    found = work.rows.get(Source, (device, fields.source(name)))
    if found is None:
        raise unknown(_("source"), name)
    work.rows.delete(found)
    version = _changed(work, row)
    record(work, "source.remove", device, {"source": name})
    return version


def copy_all(work: Work, old: str, new: Device) -> None:
    """Give `new` the sources of `old`, without an audit row: part of a replacement."""
    for source in work.rows.scalars(select(Source).where(Source.device == old)).all():
        copy = work.rows.get(Source, (new.id, source.name)) or Source(device=new.id, name=source.name)
        copy.driver, copy.settings, copy.secrets = source.driver, source.settings, source.secrets
        copy.changed_ms = work.now_ms
        work.rows.add(copy)
    _changed(work, new)


def opened(rows: Session, device: str, seal_key: bytes) -> list[NewSource]:
    """The sources of a device with their secrets open: for the device API alone. Raises SettingsError: a wrong key."""
    found = rows.scalars(select(Source).where(Source.device == device).order_by(Source.name))
    return [NewSource(row.name, row.driver, row.settings, _open(row.secrets, seal_key)) for row in found]


def version_ms(rows: Session, device: str) -> int:
    """Version of the device's configuration: Unix ms of the last change."""
    return device_row(rows, device).config_ms


def _settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON keeps them. Raises P-400."""
    try:
        written = json.dumps(dict(settings), allow_nan=False, ensure_ascii=False)
        written.encode()
        if "\\u0000" in written or len(written) > SETTINGS_LIMIT_CHARACTERS:
            raise ValueError
        found: dict[str, Any] = json.loads(written)
    except (TypeError, ValueError, RecursionError):
        raise fields.refuse(
            "settings", _("%(field_word)s can't be kept: too long, or not numbers and texts.")
        ) from None
    return found


def _sealed(work: Work, secrets: object) -> str | None:
    if not secrets:
        return None
    if not isinstance(secrets, dict):
        raise fields.refuse("settings", _("%(field_word)s is wrong."))
    kept: dict[object, str] = {key: fields.text("password", value, 500) for key, value in secrets.items()}
    if len(kept) > 20 or not all(isinstance(key, str) and _KEY.fullmatch(key) for key in kept):
        raise fields.refuse("settings", _("%(field_word)s is wrong."))
    try:
        key = seal_key(work.folder)
    except SettingsError as error:
        raise key_trouble(str(error)) from None
    return Fernet(key).encrypt(json.dumps(kept).encode()).decode()


def _open(sealed: str | None, key: bytes) -> dict[str, str]:
    if sealed is None:
        return {}
    try:
        found: dict[str, str] = json.loads(Fernet(key).decrypt(sealed))
    except InvalidToken:
        why = "a source's password was sealed with another seal.key: bring back the right one from a backup"
        raise SettingsError(why) from None
    return found


def _must_have_room(rows: Session, device: str, name: str) -> None:
    names = set(rows.scalars(select(Source.name).where(Source.device == device)))
    if len(names | {name}) > SOURCES_LIMIT:
        raise Refused(
            "P-413",
            "sources",
            _("A device has at most %(limit)s sources."),
            _("Take one away first."),
            limit=SOURCES_LIMIT,
        )


def _changed(work: Work, device: Device) -> int:
    device.config_ms = max(work.now_ms, device.config_ms + 1)
    device.changed_ms = work.now_ms
    work.rows.flush()
    write_place(work, device)
    return device.config_ms
