"""WS-Discovery of simulated cameras: answers to probes that are sent to everybody or to this machine."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree

GROUP: Final = "239.255.255.250"
PORT: Final = 3702
_ADDRESSING: Final = "{http://schemas.xmlsoap.org/ws/2004/08/addressing}"


@asynccontextmanager
async def answering(
    addresses: Sequence[str], *, model: str = "KW-200", host: str = "127.0.0.1", port: int = PORT
) -> AsyncIterator[int]:
    """Announce the device services at `addresses` to whoever probes on the network of `host`; yields the port."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Responder(addresses, model), sock=_socket(host, port))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.abort()


def _socket(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("", port))
    membership = socket.inet_aton(GROUP) + socket.inet_aton(host)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    return made


class _Responder(asyncio.DatagramProtocol):
    """One answer for each camera. Only the older type is known, as with most cameras in the field."""

    def __init__(self, addresses: Sequence[str], model: str) -> None:
        self._addresses = addresses
        self._model = model
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            probe = ElementTree.fromstring(data)
        except ElementTree.ParseError:
            return
        types = "".join(each.text or "" for each in probe.iter() if each.tag.endswith("}Types"))
        if self._transport and (not types or "NetworkVideoTransmitter" in types):
            related = next((each.text or "" for each in probe.iter(f"{_ADDRESSING}MessageID")), "")
            for address in self._addresses:
                self._transport.sendto(self._match(address, related).encode(), addr)

    def _match(self, address: str, related: str) -> str:
        return _MATCH.format(
            related=related, device=uuid5(NAMESPACE_URL, address), address=address, model=quote(self._model)
        )


_MATCH: Final = (
    '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl">'
    "<s:Header><wsa:RelatesTo>{related}</wsa:RelatesTo><wsa:Action>"
    "http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</wsa:Action></s:Header><s:Body><d:ProbeMatches>"
    "<d:ProbeMatch><wsa:EndpointReference><wsa:Address>urn:uuid:{device}</wsa:Address></wsa:EndpointReference>"
    "<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/type/video_encoder"
    " onvif://www.onvif.org/name/{model} onvif://www.onvif.org/hardware/{model}</d:Scopes>"
    "<d:XAddrs>{address}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches>"
    "</s:Body></s:Envelope>"
)
