"""The broker's files, spoilt in nine ways, and the signer of revocation lists gone: Mosquitto alone falls open.

Each way twice: by our own writer in the middle of a change, and by somebody else who also tells the broker to read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from kewang.bench.attacks_rows import Attack, Stage
from kewang.bench.process import wait_for
from kewang.bench.provisioned import now_ms
from kewang.wire import topics
from provisioning.authority import AuthorityError
from provisioning.authority.making import DAY_MS
from provisioning.guard import Wanted, conf, names
from provisioning.guard.client import Refused

ALARM_LIMIT_S = 10.0
_FROZEN_DAYS = 5
_BINARY = bytes(range(256)) * 4

Spoil = Callable[[Path], None]


def ways(stage: Stage) -> Mapping[str, Spoil]:
    """The nine, by name. Each spoils an access list or a revocation list in place."""
    return {
        "missing": lambda file: file.unlink(),
        "half a line": lambda file: _rewrite(file, lambda it: it[: it.rindex(b"\n", 0, -8) + 12]),
        "a bad word": lambda file: _rewrite(file, lambda it: it.replace(b"write", b"wrote").replace(b"CRL", b"CLR")),
        "empty": lambda file: file.write_bytes(b""),
        "garbage": lambda file: file.write_bytes(_BINARY),
        "truncated": lambda file: _rewrite(file, lambda it: it[: len(it) // 2]),
        "old": lambda file: file.write_bytes(_old(stage, file.name)),
        "unreadable": lambda file: file.chmod(0o000),
        "swapped": lambda file: file.write_bytes(_other(stage, file)),
    }


def attacks(stage: Stage) -> list[Attack]:
    """Threats T9 and T10."""
    spoilt = [
        (f"{file}: {way}", file, spoil)
        for file in (conf.DEVICES_ACL, conf.SERVICES_ACL, conf.DEVICES_CRL)
        for way, spoil in ways(stage).items()
    ]
    return [
        *(Attack("T9", f"{what}, in a change", _writes(stage, file, by), _applies(stage)) for what, file, by in spoilt),
        *(Attack("T9", f"{what}, by others", _alters(stage, file, by), _applies(stage)) for what, file, by in spoilt),
        Attack("T10", f"the signer is gone for {_FROZEN_DAYS} days", _no_signer(stage), _applies(stage)),
    ]


def _applies(stage: Stage) -> Callable[[], bool]:
    return lambda: stage.broker.guard.apply(Wanted()).ok and not _open_doors(stage) and _serves(stage)


def _writes(stage: Stage, file: str, spoil: Spoil) -> Callable[[], bool]:
    """Whether a change whose staged file is spoilt gets into force."""

    def act() -> bool:
        with stage.broker.meddling(lambda step: _spoil_staged(stage, file, spoil) if step == "read back" else None):
            report = stage.broker.guard.apply(Wanted())
        alarmed = any(each.code == "refused" for each in stage.broker.guard.alarms())
        return report.outcome != "refused" or not alarmed or bool(_open_doors(stage)) or not _serves(stage)

    return act


def _spoil_staged(stage: Stage, file: str, spoil: Spoil) -> None:
    spoil(stage.broker.settings.folder / "staged" / file)


def _alters(stage: Stage, file: str, spoil: Spoil) -> Callable[[], bool]:
    """Whether a file that somebody else spoils, and makes the broker read, stays so, or without alarm."""

    def act() -> bool:
        guard = stage.broker.guard
        guard.apply(Wanted())
        guard.memory.clear("altered")
        spoil(stage.broker.settings.folder / file)
        stage.broker.signal.reload()
        began_s = time.monotonic()
        wait_for(lambda: guard.look() is not None, ALARM_LIMIT_S)
        late = time.monotonic() - began_s > ALARM_LIMIT_S
        alarmed = any(each.code == "altered" for each in guard.alarms())
        return late or not alarmed or bool(_open_doors(stage)) or not _serves(stage)

    return act


def _no_signer(stage: Stage) -> Callable[[], bool]:
    """Whether the fleet comes to harm, or nobody is told, when nothing was signed for days."""

    def act() -> bool:
        guard, key = stage.broker.guard, stage.broker.authority.folder / "device-ca.key"
        away = key.with_suffix(".away")
        key.rename(away)
        try:
            with suppress(AuthorityError):
                guard.apply(Wanted())
            guard.watch_dates(now_ms() + _FROZEN_DAYS * DAY_MS)
            told = {each.code for each in guard.alarms()}
            reloaded = guard.reload().ok
        finally:
            away.rename(key)
            guard.apply(Wanted())
            guard.watch_dates(now_ms())
        return not reloaded or not {"signer", "lists-end"} <= told or not _serves(stage)

    return act


def _open_doors(stage: Stage) -> list[str]:
    """What is open that must be shut: somebody speaks for another, or a revoked box is let in."""
    found = []
    try:
        with stage.broker.box(stage.a) as box:
            if box.publish(topics.build(stage.b.name, topics.STATE), b"said"):
                found.append("a box may speak for another")
    except (Refused, OSError):
        found.append("a good box is not let in")
    with suppress(Refused, OSError), stage.broker.box(stage.broker.canary(names.REVOKED)):
        found.append("a revoked box is let in")
    return found


def _serves(stage: Stage) -> bool:
    """Whether a good box can do its work."""
    with stage.broker.box(stage.a) as box:
        return box.publish(topics.build(stage.a.name, topics.STATE), b"")


def _rewrite(file: Path, change: Callable[[bytes], bytes]) -> None:
    file.write_bytes(change(file.read_bytes()))


def _old(stage: Stage, name: str) -> bytes:
    """A list that has run out; an access list of another change."""
    if name == conf.DEVICES_CRL:
        return stage.broker.authority.device_crl([], now_ms() - 30 * DAY_MS)
    if name == conf.SERVICES_CRL:
        return stage.broker.authority.service_crl([], now_ms() - 30 * DAY_MS)
    return (stage.broker.settings.folder / name).read_bytes().replace(names.DENIED.encode(), b"canary-former")


def _other(stage: Stage, file: Path) -> bytes:
    """The file of the other listener."""
    other = {
        conf.DEVICES_ACL: conf.SERVICES_ACL,
        conf.SERVICES_ACL: conf.DEVICES_ACL,
        conf.DEVICES_CRL: conf.SERVICES_CRL,
        conf.SERVICES_CRL: conf.DEVICES_CRL,
    }
    return file.with_name(other[file.name]).read_bytes()
