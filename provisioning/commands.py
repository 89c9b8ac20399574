"""Commands to devices, from people: published on `x`, repeated until the device answers on `x/r`."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterable
from contextlib import suppress
from typing import Any, Final

from kewang.runtime.broker import BrokerSettings
from kewang.wire import topics
from kewang.wire.command import Arguments, Command, Result
from kewang.wire.errors import WireError
from provisioning.broker import connected

REPEAT_S: Final = 5.0
"""A command is said again after this: a device that was not there a moment ago has not heard it, and does it once."""


def new_command(name: str, args: Arguments, expires_s: float) -> Command:
    """A command with an id of its own. Raises ValueError for what can't travel."""
    return Command(id=secrets.token_hex(8), exp=int((time.time() + expires_s) * 1000), name=name, args=args)


async def send(
    broker: BrokerSettings, device: str, command: Command, *, wait_s: float, repeat_s: float = REPEAT_S
) -> Result | None:
    """What `device` answers; None if it says nothing for `wait_s`.

    Raises OSError when the broker can't be reached or goes away, WireError for what is no device id.
    """
    ask, answer = topics.build(device, topics.COMMAND), topics.build(device, topics.RESULT)
    until_s = time.monotonic() + wait_s
    async with connected(broker, f"command-{command.id}") as client:
        await client.subscribe(answer, qos=1)
        while (left_s := until_s - time.monotonic()) > 0:
            await client.publish(ask, command.encode(), qos=1)
            with suppress(TimeoutError):
                async with asyncio.timeout(min(repeat_s, left_s)):
                    return await _result(client.messages, command.id)
    return None


async def _result(messages: AsyncIterable[Any], command: str) -> Result:
    """The result of `command`, of all that comes."""
    async for message in messages:
        with suppress(WireError):
            result = Result.decode(_bytes(message.payload))
            if result.id == command and not message.retain:
                return result
    raise OSError("the broker closed the connection: send the command again")


def _bytes(payload: Any) -> bytes:
    return payload if isinstance(payload, bytes) else b""
