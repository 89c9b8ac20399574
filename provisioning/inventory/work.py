"""One open transaction: its rows, who does it, and when."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from provisioning.inventory.actor import Actor

Doing = dict[str, str]
"""`act` and `subject` of what is being tried, for the row of a refusal."""


@dataclass(frozen=True)
class Work:
    """What every act takes first. Nobody else writes meanwhile; it is kept when the block ends, or not at all.

    `now_ms` (Unix ms) is the same for everything in it. `folder` is the state folder (photos, `seal.key`).
    """

    rows: Session
    actor: Actor
    now_ms: int
    folder: Path
    doing: Doing
