"""Where a camera's stream is, and who asks for it; nothing here shows a password."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote, urlsplit

PORTS: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935}
"""The schemes, each with its usual port."""

_PASSWORD_PARAMETER: Final = re.compile(r"(?i)(?:^|[/?&;_])(?:password|passwd|passw|pwd|pass)=(?!\{password\})[^&;/]")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f]")
_SAFE: Final = "/?&=;:@!$'()*+,-._~%{}"


@dataclass(frozen=True, slots=True)
class Address:
    """A stream. `path` begins with "/" and holds the query; `host` of IPv6 is without brackets.

    Some cameras want the login inside the path: there `{user}` and `{password}` stand for it, which only
    `wire_path` and `wire_url` fill in. Those two are secrets; `url` is what logs and people may see.
    """

    scheme: str
    host: str
    port: int
    path: str = "/"
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The address for people and logs: never with credentials."""
        return f"{self.scheme}://{self.place}{self.path}"

    @property
    def place(self) -> str:
        """Host and port as in a URL; the port only if it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS.get(self.scheme) else f"{host}:{self.port}"

    @property
    def wire_path(self) -> str:
        """The path as it is sent. A secret: for the connection only."""
        filled = self.path.replace("{user}", quote(self.user or "", safe=""))
        return filled.replace("{password}", quote(self.password or "", safe=""))

    @property
    def wire_url(self) -> str:
        """The URL as it is sent in a request line. A secret: for the connection only."""
        return f"{self.scheme}://{self.place}{self.wire_path}"


def parse(url: str, user: str | None = None, password: str | None = None) -> Address:
    """The address in `url`. Raises ValueError whose text says what to change and never repeats a secret."""
    scheme, slashes, rest = url.strip().partition("://")
    if not slashes or scheme.lower() not in PORTS:
        known = ", ".join(f"{each}://" for each in PORTS)
        raise ValueError(f"a camera's url begins with one of {known}: write for example rtsp://192.168.1.64/stream2")
    _check_secrets(rest)
    host, port = _host_and_port(rest, PORTS[scheme.lower()])
    start = min((at for at in (rest.find(mark) for mark in "/?") if at >= 0), default=len(rest))
    path = quote(rest[start:], safe=_SAFE)
    if "{password}" in path and not password:
        raise ValueError("the url has {password} in it: give password_file")
    return Address(scheme.lower(), host, port, path if path.startswith("/") else f"/{path}", user, password)


def _check_secrets(rest: str) -> None:
    """Refuse what must not be there. `rest`: the URL behind its scheme."""
    netloc = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in netloc:
        raise ValueError("user and password in the url would be seen in logs: give user and password_file instead")
    if _PASSWORD_PARAMETER.search(unquote(rest)):
        raise ValueError("a password in the url would be seen in logs: write {password} there and give password_file")
    if _UNPRINTABLE.search(rest):
        raise ValueError("the url has a space or an unprintable character: write it as %20 or take it out")
    if "#" in rest:
        raise ValueError("the url has a '#': write it as %23 if it belongs to the path, or take it out")


def _host_and_port(rest: str, usual: int) -> tuple[str, int]:
    """Without naming what was given: a password with a slash in it makes the first half look like host and port."""
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(
            "host or port of the url can't be read: the port is a number from 1 to 65535, and user and password go "
            "into user and password_file"
        ) from None
    if not host:
        raise ValueError("the url names no host: write for example rtsp://192.168.1.64/stream2")
    if port == 0:
        raise ValueError("the url's port is 0: it is a number from 1 to 65535")
    try:
        return (host if host.isascii() else host.encode("idna").decode()), port or usual
    except UnicodeError:
        raise ValueError("the url's host is no host name: give its name or its IP address") from None
