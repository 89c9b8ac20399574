"""Names that no box may have: the programs behind the services' listener, and who tries the broker."""

from typing import Final

GATEWAY: Final = "gateway"
PROVISIONING: Final = "provisioning"
BROKER: Final = "broker"
KICK: Final = "kick"

GOOD: Final = "canary-good"
"""A box that may do what every box may."""
DENIED: Final = "canary-denied"
"""A box with a good certificate that the access list refuses."""
REVOKED: Final = "canary-revoked"
"""A box that only the revocation list refuses."""
OTHER: Final = "canary-other"
"""Has topics, but no certificate: in its name nobody may speak."""
BOXES: Final = (GOOD, DENIED, REVOKED)

WATCH: Final = "kewang-guard"
"""The service that listens to the canaries."""
NOBODY: Final = "kewang-nobody"
"""A service with a good certificate and no rights."""
CANCELLED: Final = "kewang-cancelled"
"""A service whose certificate is revoked."""
SERVICES: Final = (WATCH, NOBODY, CANCELLED)

OURS: Final = (BROKER, GATEWAY, PROVISIONING, *BOXES, *SERVICES)
"""Whose certificates must not end."""


def fresh(nonce: str) -> str:
    """The box that exists for one change alone: its topic passes only where that change has been read."""
    return f"canary-{nonce}"
