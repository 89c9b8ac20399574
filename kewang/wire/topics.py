"""Every topic string of Kewang: build, parse and filter are inverse functions, and live only here.

>>> build("ambon-m1", "d/env")
'kewang/1/b/ambon-m1/d/env'
>>> parse("kewang/1/b/ambon-m1/d/env")
Topic(device='ambon-m1', channel='d/env')
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from kewang.wire.errors import WireError
from kewang.wire.names import STREAMS, check_device, is_device

ROOT: Final = "kewang/1"
SHARDS: Final = "0123456789abcdef"

STATE: Final = "s"
REPORTED: Final = "r"
RESULT: Final = "x/r"
ACK: Final = "a"
CONFIG: Final = "c"
COMMAND: Final = "x"
PLACEMENT: Final = "p"
DATA: Final = tuple(f"d/{stream}" for stream in STREAMS)

UP: Final = (*DATA, STATE, REPORTED, RESULT)
"""Channels a device may publish."""
DOWN: Final = (ACK, CONFIG, COMMAND)
"""Channels a device may read."""
CHANNELS: Final = (*UP, *DOWN, PLACEMENT)


@dataclass(frozen=True, slots=True)
class Topic:
    """One device's channel. Identity is the topic's device, never an id inside a payload."""

    device: str
    channel: str
    stream: str | None = field(init=False, repr=False)
    """The stream of a data channel, None for the others."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "stream", self.channel[2:] if self.channel.startswith("d/") else None)


@lru_cache(maxsize=65536)
def shard_of(device: str) -> str:
    """First hex digit of the SHA-256 of the device id: which of the 16 shards carries it."""
    return hashlib.sha256(device.encode()).hexdigest()[0]


def build(device: str, channel: str) -> str:
    """The topic of a device's channel. Raises WireError for a bad device id or an unknown channel."""
    if channel not in CHANNELS:
        raise WireError(f"unknown channel {channel!r}")
    return f"{ROOT}/{shard_of(check_device(device))}/{device}/{channel}"


@lru_cache(maxsize=65536)
def parse(topic: str) -> Topic:
    """The inverse of `build`. Raises WireError for anything `build` does not make, a wrong shard included."""
    parts = topic.split("/", 4)
    if len(parts) != 5 or f"{parts[0]}/{parts[1]}" != ROOT:
        raise WireError(f"not a topic of {ROOT}: {topic!r}")
    _, _, shard, device, channel = parts
    if not is_device(device):
        raise WireError(f"topic with a bad device id: {topic!r}")
    if channel not in CHANNELS:
        raise WireError(f"topic with an unknown channel: {topic!r}")
    if shard != shard_of(device):
        raise WireError(f"topic in shard {shard!r}, the device belongs to {shard_of(device)!r}")
    return Topic(device, channel)


def filters(channels: Iterable[str], shards: str = SHARDS) -> list[str]:
    """Subscription filters that match `channels` of every device in `shards`; one filter for all 16 shards, and one
    for all data if all is wanted."""
    if not set(shards) <= set(SHARDS):
        raise WireError(f"shards are hex digits, not {shards!r}")
    levels = ["+"] if set(shards) == set(SHARDS) else sorted(set(shards))
    channels = list(channels)
    all_data = set(DATA) <= set(channels)
    wanted = list(dict.fromkeys("d/+" if all_data and channel in DATA else channel for channel in channels))
    return [f"{ROOT}/{level}/+/{channel}" for level in levels for channel in wanted]


def rights(owner: str, channels: Iterable[str]) -> list[str]:
    """Topics of `channels`, leaf by leaf, for a broker's access list.

    `owner`: a device, `+` for every one, or the broker's word for the name of who is connected (`%u`).
    """
    return [f"{ROOT}/+/{owner}/{channel}" for channel in channels]


def everything_of(device: str) -> list[str]:
    """Filters that match all channels of one device, for who listens to it. Raises WireError for a bad id."""
    return [f"{ROOT}/{shard_of(check_device(device))}/{device}/#"]


def gateway(gateway_id: str) -> str:
    """Topic on which gateway `gateway_id` says which shards it serves."""
    return f"{ROOT}/_gateway/{check_device(gateway_id)}"


GATEWAYS: Final = f"{ROOT}/_gateway/+"
"""Filter for what every gateway says of itself."""
