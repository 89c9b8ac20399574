"""A connection to the broker for what provisioning says; the one place of it that makes one."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiomqtt

from kewang.runtime.broker import BrokerSettings

logging.getLogger("aiomqtt").setLevel(logging.CRITICAL)


@asynccontextmanager
async def connected(broker: BrokerSettings, client_id: str) -> AsyncGenerator[aiomqtt.Client, None]:
    """A client that is connected. Raises OSError with the next step, also from inside the context."""
    client = aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.username,
        password=broker.password(),
        identifier=client_id,
        keepalive=30,
        clean_session=True,
        tls_context=broker.tls_context(),
    )
    try:
        async with client:
            yield client
    except aiomqtt.MqttError as error:
        raise OSError(f"broker {broker.host}:{broker.port}: {error}: is it running, may we log in?") from error
