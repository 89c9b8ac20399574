"""A server that answers with bytes of the test's choice, whatever they are."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from edge.onvif import Endpoint

Script = Callable[[int], bytes]
"""What request number N gets."""


@asynccontextmanager
async def answering(
    script: Script,
    *,
    holds: bool = False,
    heard: list[bytes] | None = None,
    by_name: Callable[[str], bytes] | None = None,
) -> AsyncIterator[Endpoint]:
    """Serve `script`, or what `by_name` says to the operation asked for. `holds`: the connection stays open after it;
    `heard`: the requests are kept there."""
    asked = 0
    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"</s:Envelope>")
            if heard is not None:
                heard.append(request)
            operation = re.search(rb"<s:Body><\w+:(\w+)", request)
            writer.write(by_name(operation[1].decode()) if by_name and operation else script(asked - 1))
            await writer.drain()
            if holds:
                await ended.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield Endpoint("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        ended.set()
        server.close()
        await server.wait_closed()


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def soap(inside: str) -> bytes:
    """An HTTP answer with a SOAP body."""
    envelope = f'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body>{inside}</e:Body></e:Envelope>'
    return http(envelope.encode())
