"""Whom the broker must refuse, as the inventory has it; on both engines."""

from __future__ import annotations

from provisioning.guard import Revocation
from provisioning.guard.wanted import wanted
from provisioning.inventory import Actor, Certificate, Device, Inventory
from provisioning.inventory.audit import record

NOW_MS = 1_785_000_000_000
DAY_MS = 86_400_000
STATES = ("installed", "revoked", "retired", "quarantined", "new")


def fingerprint(index: int) -> str:
    return "A" * 25 + "BCDEFG"[index]


def filled(inventory: Inventory) -> None:
    """A box in each state with a certificate each, one more whose certificate ended, and a service."""
    with inventory.writing(Actor.system("guard")) as work:
        for index, state in enumerate([*STATES, "revoked"]):
            name = f"amb-box-{state}" if index < len(STATES) else "amb-box-ended"
            revoked_ms = NOW_MS - 1000 if state in ("revoked", "retired") else None
            ends_ms = NOW_MS - 1 if name == "amb-box-ended" else NOW_MS + DAY_MS
            times = {"state_ms": NOW_MS, "created_ms": NOW_MS, "changed_ms": NOW_MS}
            work.rows.add(Device(id=name, kind="sensor", fingerprint=fingerprint(index), state=state, **times))
            work.rows.add(certificate(f"a{index}", name, ends_ms, revoked_ms, "device", index))
        work.rows.add(certificate("b0", "gateway", NOW_MS + DAY_MS, NOW_MS - 1000, "service", 0))
        record(work, "test.filled", "guard")


def certificate(serial: str, name: str, ends_ms: int, revoked_ms: int | None, role: str, index: int) -> Certificate:
    return Certificate(
        serial=serial,
        subject=name,
        fingerprint=fingerprint(index),
        chain="",
        from_ms=NOW_MS - DAY_MS,
        to_ms=ends_ms,
        issued_ms=NOW_MS - DAY_MS,
        revoked_ms=revoked_ms,
        role=role,
    )


def test_who_is_refused_is_denied_and_listed(inventory: Inventory) -> None:
    filled(inventory)
    with inventory.reading() as rows:
        found = wanted(rows, NOW_MS)
    assert found.denied == {
        "amb-box-revoked": "revoked",
        "amb-box-retired": "retired",
        "amb-box-quarantined": "quarantined",
    }
    assert found.certificates == {Revocation("a1", NOW_MS - 1000), Revocation("a2", NOW_MS - 1000)}
    assert found.services == {Revocation("b0", NOW_MS - 1000)}


def test_an_empty_inventory_refuses_nobody(inventory: Inventory) -> None:
    with inventory.reading() as rows:
        found = wanted(rows, NOW_MS)
    assert (dict(found.denied), found.certificates, found.services) == ({}, frozenset(), frozenset())
