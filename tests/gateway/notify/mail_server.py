"""A mail server on loopback that speaks SMTP with STARTTLS and AUTH, and refuses where it is told to."""

import asyncio
import base64
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from tests.gateway.notify.listening import listening


@dataclass
class MailServer:
    """`plan`: `WORD ANSWER`: how the next such command is answered (`RCPT 550 no such user`), once each; `ANSWER` may
    be `hang`, `reset`, `drip` (a line and another, for ever), `drop` (a byte and another) or `flood` (without a pause).
    `END` is the dot after the text, there also `mute`: taken, and cut before the answer."""

    tls: ssl.SSLContext | None = None
    login: tuple[str, str] | None = None
    plan: deque[str] = field(default_factory=deque)
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._say(writer, "BANNER", "220 mail.example")
            while line := await reader.readline():
                await self._command(line.decode().strip(), reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _command(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        word, _, rest = line.partition(" ")
        self.asked.append(word.upper())
        match word.upper():
            case "EHLO":
                await self._say(writer, "EHLO", self._offers(encrypted=bool(writer.get_extra_info("sslcontext"))))
            case "STARTTLS":
                await self._say(writer, "STARTTLS", "220 go on")
                assert self.tls is not None
                if self.plan and self.plan[0].startswith("TLS "):
                    await self._say(writer, "TLS", "")
                await writer.start_tls(self.tls)
            case "AUTH":
                given = tuple(base64.b64decode(rest.split()[1]).decode().split("\0")[1:])
                await self._say(writer, "AUTH", "235 welcome" if given == self.login else "535 who are you")
            case "RCPT":
                self.recipients.append(rest)
                await self._say(writer, "RCPT", "250 yes")
            case "DATA":
                if await self._say(writer, "DATA", "354 go on"):
                    await self._take(reader, writer)
            case "QUIT":
                await self._say(writer, "QUIT", "221 bye")
            case _:
                await self._say(writer, word.upper(), "250 yes")

    def _offers(self, *, encrypted: bool) -> str:
        tls = ["250-STARTTLS"] if self.tls and not encrypted else []
        login = ["250-AUTH PLAIN"] if self.login else []
        return "\r\n".join(["250-mail.example", *tls, *login, "250 8BITMIME"])

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        text = await reader.readuntil(b"\r\n.\r\n")
        if not self.plan or not self.plan[0].startswith("END") or self.plan[0] == "END mute":
            self.mails.append(message_from_bytes(text[:-3], policy=default))
        await self._say(writer, "END", "250 queued as Q1")

    async def _say(self, writer: asyncio.StreamWriter, word: str, answer: str) -> bool:
        """Whether it was said as it should be."""
        planned = self.plan[0].partition(" ")[2] if self.plan and self.plan[0].partition(" ")[0] == word else ""
        if planned:
            self.plan.popleft()
        if planned == "hang":
            await asyncio.Event().wait()
        if planned in ("reset", "mute"):
            writer.transport.abort()
            raise ConnectionResetError
        while planned in ("drip", "drop", "flood"):
            writer.write({"drip": b"220-wait\r\n", "drop": b"2"}.get(planned, b"220-" + b"a" * 4000 + b"\r\n"))
            await writer.drain()
            await asyncio.sleep(0 if planned == "flood" else 0.05)
        writer.write(f"{planned or answer}\r\n".encode())
        await writer.drain()
        return not planned


@asynccontextmanager
async def mail_server(
    tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None
) -> AsyncIterator[MailServer]:
    """One that listens on a free port of loopback."""
    one = MailServer(tls, login)
    async with listening(one.serve) as one.port:
        yield one
