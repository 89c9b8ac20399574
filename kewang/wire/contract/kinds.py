"""Every kind of message: who says it on which channel, how MQTT carries it, and what reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from kewang.wire import topics
from kewang.wire.ack import MAX_ACK_BYTES, Ack, decode_ack
from kewang.wire.batch import MAX_MESSAGE_BYTES, decode
from kewang.wire.command import MAX_COMMAND_BYTES, Command, Result, decode_command
from kewang.wire.errors import WireError
from kewang.wire.models import Message
from kewang.wire.placement import Placement
from kewang.wire.state import GatewayState, State

Sender = Literal["device", "gateway", "provisioning"]

GATEWAY: Final = "_gateway"
"""Stands for the channel of what a gateway says of itself, which has a topic of its own."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of message. QoS is 1 for all of them."""

    name: str
    channels: tuple[str, ...]
    sender: Sender
    retain: bool
    about: str
    decode: Callable[[bytes], object] | None
    """Raises WireError; None for a kind that v1 only keeps a channel for."""
    model: type[Message] | None = None
    limit_bytes: int = MAX_MESSAGE_BYTES

    @property
    def reserved(self) -> bool:
        """Whether v1 has the channel, and nothing is sent or obeyed on it yet."""
        return self.decode is None


KINDS: Final = (
    Kind(
        "batch",
        topics.DATA,
        "device",
        False,
        "Readings of one source; the unit of acknowledgement. A `sys` batch of source `box` is the heartbeat. "
        "JSON, or zlib of it (first byte 0x78).",
        decode,
    ),
    Kind(
        "state",
        (topics.STATE,),
        "device",
        True,
        "Birth after every connect, deliberate end, and the will.",
        State.decode,
        State,
    ),
    Kind(
        "reported",
        (topics.REPORTED,),
        "device",
        True,
        "Reserved: the version of the configuration in use. Nothing is sent here in v1.",
        None,
    ),
    Kind("result", (topics.RESULT,), "device", False, "What became of a command.", Result.decode, Result),
    Kind(
        "ack",
        (topics.ACK,),
        "gateway",
        False,
        "What is stored, how much may be on its way, from when to send again, what time it is. A retained one is none.",
        decode_ack,
        Ack,
        MAX_ACK_BYTES,
    ),
    Kind(
        "desired",
        (topics.CONFIG,),
        "provisioning",
        True,
        "Reserved: the configuration that is wanted. A device ignores whatever comes here in v1.",
        None,
    ),
    Kind(
        "command",
        (topics.COMMAND,),
        "provisioning",
        False,
        "Something to do, once. A retained one is no command.",
        decode_command,
        Command,
        MAX_COMMAND_BYTES,
    ),
    Kind(
        "placement",
        (topics.PLACEMENT,),
        "provisioning",
        True,
        "Where a device is and was. For gateways: a device neither needs it nor may read it.",
        Placement.decode,
        Placement,
    ),
    Kind(
        "gateway-state",
        (GATEWAY,),
        "gateway",
        True,
        "Which shards a gateway serves, and its will. No device waits for it.",
        GatewayState.decode,
        GatewayState,
    ),
)
_BY_CHANNEL: Final = {channel: kind for kind in KINDS for channel in kind.channels}


def kind_of(topic: str) -> Kind:
    """The kind that travels on `topic`. Raises WireError for a topic that is none of ours."""
    if topic.startswith(f"{topics.ROOT}/{GATEWAY}/"):
        topics.gateway(topic.rpartition("/")[2])
        return _BY_CHANNEL[GATEWAY]
    return _BY_CHANNEL[topics.parse(topic).channel]


def read(kind: Kind, payload: bytes) -> None:
    """Pass over a payload that is well. Raises WireError for one that whoever hears it would refuse."""
    if len(payload) > kind.limit_bytes:
        raise WireError(f"{kind.name} of {len(payload)} bytes, the limit is {kind.limit_bytes}")
    if kind.decode is not None and (payload or not kind.retain):
        kind.decode(payload)
