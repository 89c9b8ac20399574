"""Who is revoked in `kewang bench revoke`, and the ways in which a part of the revocation is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from kewang.bench.provisioned import Identity, now_ms
from kewang.wire.placement import Life, Place, Placement
from provisioning.guard import Denied, Guard, Revocation, Wanted

SABOTAGES: Final = ("none", "no-kick", "no-list", "no-placement")
"""A part that is left out: nobody is cut off; no certificate is listed; the gateway is not told."""


@dataclass
class Inventory:
    """What the guard is asked to bring about: the bench's stand-in for rows of the inventory."""

    lives: dict[str, Life] = field(default_factory=dict)
    certificates: set[Revocation] = field(default_factory=set)

    def wanted(self) -> Wanted:
        """Who is refused now."""
        denied: dict[str, Denied] = {name: "revoked" for name, life in self.lives.items() if life == "revoked"}
        return Wanted(denied, frozenset(self.certificates))

    def placements(self) -> dict[str, Placement]:
        """Placement by device."""
        return {name: Placement(h=(_place(life),)) for name, life in self.lives.items()}

    def revoke(self, boxes: Sequence[Identity]) -> None:
        """The act: from here on the time runs."""
        self.lives |= {box.name: "revoked" for box in boxes}
        self.certificates |= {Revocation(box.serial, now_ms()) for box in boxes}


def _place(life: Life) -> Place:
    return Place.model_validate({"from": 0, "site": "bench", "life": life})


class SpoiltInventory(Inventory):
    """Leaves out what `sabotage` says."""

    sabotage: str = "none"

    def wanted(self) -> Wanted:
        whole = super().wanted()
        return Wanted(whole.denied) if self.sabotage == "no-list" else whole

    def placements(self) -> dict[str, Placement]:
        whole = super().placements()
        return {} if self.sabotage == "no-placement" else whole


class KicklessGuard(Guard):
    """Cuts nobody off."""

    def _cut_off(self, devices: list[str], steps: object) -> list[str]:
        return []


def guard_of(sabotage: str) -> type[Guard]:
    """The guard, whole or spoilt."""
    return KicklessGuard if sabotage == "no-kick" else Guard


def inventory_of(sabotage: str) -> Inventory:
    """The inventory, whole or spoilt."""
    made = SpoiltInventory()
    made.sabotage = sabotage
    return made
