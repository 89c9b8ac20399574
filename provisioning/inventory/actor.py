"""Who does something: a person, a box, or a part of this program."""

from dataclasses import dataclass
from typing import Final, Literal

ActorRole = Literal["technician", "operator", "admin", "device", "system"]


@dataclass(frozen=True)
class Actor:
    """Who acts. `name` is what the audit log says: a login, `device:ID`, `cli:USER` or `system:PART`.

    `district` limits a technician; None means everywhere.
    """

    name: str
    role: ActorRole
    district: str | None = None

    @classmethod
    def device(cls, device: str) -> "Actor":
        """A box that asks for itself."""
        return cls(f"device:{device}", "device")

    @classmethod
    def system(cls, part: str) -> "Actor":
        """A part of this program: `guard`, `upkeep`, `gateway`."""
        return cls(f"system:{part}", "system")

    @classmethod
    def cli(cls, user: str) -> "Actor":
        """Whoever runs `kewang provision` on the server: may do what an administrator may."""
        return cls(f"cli:{user}", "admin")


NOBODY: Final = Actor("nobody", "system")
"""Before anybody logged in."""
