"""The six boards."""

from collections.abc import Callable, Sequence
from typing import Final

from dashboards.boards import cameras, device, environment, network, platform, wall
from dashboards.builder import Json
from dashboards.voice import Voice

BOARDS: Final[dict[str, Callable[[Voice], Json]]] = {
    "wall": wall.board,
    "cameras": cameras.board,
    "environment": environment.board,
    "network": network.board,
    "device": device.board,
    "platform": platform.board,
}
"""By name, in the order in which people meet them."""


def all_boards(voices: Sequence[Voice]) -> list[Json]:
    """Every board in every language."""
    return [make(voice) for voice in voices for make in BOARDS.values()]
