"""E-mail: Python's own SMTP client in threads of its own, and what a mail server's answers mean."""

import asyncio
import hashlib
import smtplib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Final

from gateway.notify.message import Message, Unclear
from gateway.notify.smtp import Smtp
from gateway.ports import Misconfigured, Poison, RetryLater

_GREYLISTED_S: Final = 60.0
"""A server that says 'later' to a recipient wants to see patience."""
Trouble = RetryLater | Misconfigured | Poison


class Mail:
    """One mail server. `recipient` of a message: a mail address."""

    def __init__(
        self,
        host: str,
        port: int,
        security: str,
        sender: str,
        login: tuple[str, str] | None = None,
        ca_file: Path | None = None,
        limit_s: float = 15.0,
    ) -> None:
        self._host, self._port, self._security, self._sender = host, port, security, sender
        self._login, self._limit_s = login, limit_s
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._pool = ThreadPoolExecutor(2, "mail")

    async def send(self, message: Message) -> str:
        """See Channel. The Message-ID is made of the key: a mail server or reader may know it again."""
        talk = _Talk()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._send, talk, message)
        except asyncio.CancelledError:
            talk.cut()
            raise

    async def close(self) -> None:
        """Wait for nobody: what still talks has a limit."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _send(self, talk: "_Talk", message: Message) -> str:
        try:
            content = written(message, self._sender)
            with closing(self._server(talk)) as server:
                server.greeted(self._port)
                if self._security == "starttls":
                    server.starttls(context=self._tls)
                if self._login is not None:
                    server.login(*self._login)
                receipt = talk.handed_over(server, self._sender, message.recipient, content)
                with suppress(smtplib.SMTPException, OSError):
                    server.quit()
                return receipt
        except smtplib.SMTPException as error:
            raise self._refusal(error, talk) from None
        except ssl.SSLCertVerificationError as error:
            raise Misconfigured(f"{self._name}: {error.verify_message}: mend ca_file or host") from None
        except (OSError, EOFError) as error:
            kind = Unclear if talk.sending else RetryLater
            raise kind(f"{self._name} gave no answer: {type(error).__name__}", 0.0) from None
        except ValueError as error:
            raise Poison(f"no mail can be made of {message.key}: {type(error).__name__}") from None

    def _server(self, talk: "_Talk") -> Smtp:
        return Smtp(self._host, self._limit_s, self._tls if self._security == "tls" else None, talk.wired)

    def _refusal(self, error: smtplib.SMTPException, talk: "_Talk") -> Trouble:
        """What an SMTP error asks of us. Servers' own words go on: they know no password but what we say to them."""
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return Misconfigured(f"{self._name}: {error}: mend security or username")
        if not isinstance(error, smtplib.SMTPResponseException):
            kind = Unclear if talk.sending else RetryLater
            return kind(f"{self._name}: {type(error).__name__}", 0.0)
        code, said = error.smtp_code, self._scrubbed(error.smtp_error)
        text = f"{self._name} answered {code}: {said}"
        if not 500 <= code < 600:
            return RetryLater(text, _GREYLISTED_S if talk.recipient and code in (450, 451) else 0.0)
        if talk.recipient:
            return Poison(text)
        return Misconfigured(f"{text}: mend sender, username or password")

    @property
    def _name(self) -> str:
        return f"mail server {self._host}"

    def _scrubbed(self, said: bytes | str) -> str:
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        for secret in self._login or ():
            text = text.replace(secret, "***")
        return " ".join(text.split())[:300]


class _Talk:
    """How far one conversation came: `recipient`: sender and login were taken; `sending`: the text is on its way."""

    def __init__(self) -> None:
        self.recipient = self.sending = self._over = False
        self._wire: socket.socket | None = None

    def wired(self, wire: socket.socket) -> None:
        """Note which connection is to be cut when time is up."""
        self._wire = wire
        if self._over:
            self.cut()

    def cut(self) -> None:
        """End it from another thread."""
        self._over = True
        if self._wire is not None:
            with suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)

    def handed_over(self, server: smtplib.SMTP, sender: str, recipient: str, content: bytes) -> str:
        """The server's last word. Raises smtplib's errors."""
        server.ehlo_or_helo_if_needed()
        _accepted(*server.mail(sender))
        self.recipient = True
        _accepted(*server.rcpt(recipient))
        self.sending = True
        code, said = server.data(content)
        self.sending = False
        _accepted(code, said)
        return said.decode(errors="replace")


def _accepted(code: int, said: bytes) -> None:
    if not 200 <= code < 300:
        raise smtplib.SMTPResponseException(code, said)


def written(message: Message, sender: str) -> bytes:
    """The mail. Raises ValueError if an address is none."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, message.recipient, " ".join(message.subject.split())
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.created_s, UTC))
    domain = sender.rpartition("@")[2]
    mail["Message-ID"] = f"<{_digest(message.key, message.recipient)}@{domain}>"
    if message.about:
        mail["References"] = f"<{_digest('incident', message.about)}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    return mail.as_bytes()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
