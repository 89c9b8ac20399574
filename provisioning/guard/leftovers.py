"""What a box that is refused for good has left in the broker: cleared, so that nobody takes it for alive."""

from collections.abc import Iterable

from kewang.runtime.broker import BrokerSettings
from kewang.wire import topics
from provisioning.broker import connected
from provisioning.guard.acl import CLEARED

CLIENT = "provisioning-clear"


async def clear(broker: BrokerSettings, devices: Iterable[str]) -> None:
    """Clear the retained messages of `devices`: state, reported, configuration and what should never be retained.

    Raises OSError when the broker can't be reached.
    """
    async with connected(broker, CLIENT) as client:
        for device in devices:
            for channel in CLEARED:
                await client.publish(topics.build(device, channel), b"", qos=1, retain=True)
