"""Proof on a running broker: those who may, can; those who may not, can't. Two fences make "nothing came" certain."""

import secrets
import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from kewang.wire import topics
from provisioning.guard import names
from provisioning.guard.client import NOT_AUTHORIZED, Client, Door, Refused, context
from provisioning.guard.conf import Place
from provisioning.guard.kick import kick
from provisioning.guard.ports import Issuer

_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}
_WATCHED: Final = (names.GOOD, names.DENIED, names.OTHER)


@dataclass(frozen=True, slots=True)
class Doors:
    """How to reach the three listeners of one broker."""

    devices: tuple[str, int]
    services: tuple[str, int]
    kick: Door
    root_pem: bytes
    identities: dict[str, tuple[Path, Path]]
    limit_s: float

    @classmethod
    def of(cls, place: Place, issuer: Issuer, kick_password: str, limit_s: float) -> "Doors":
        """Those of the broker at `place`. Raises what the issuer raises."""
        own = {name: issuer.service(name) for name in (*names.BOXES, *names.SERVICES)}
        return cls(
            (_ANYWHERE.get(place.devices.host, place.devices.host), place.devices.port),
            (_ANYWHERE.get(place.services.host, place.services.host), place.services.port),
            Door("127.0.0.1", place.kick_port, username=names.KICK, password=kick_password),
            issuer.service_root,
            {name: (each.certificate, each.key) for name, each in own.items()},
            limit_s,
        )

    def client(self, name: str) -> Client:
        """A client with the certificate of `name`, at the listener for its kind."""
        host, port = self.devices if name in names.BOXES else self.services
        certificate, key = self.identities[name]
        tls = _context(self.root_pem, certificate, key, certificate.stat().st_mtime_ns)
        return Client(Door(host, port, tls), name, limit_s=self.limit_s)


@lru_cache(maxsize=32)
def _context(root_pem: bytes, certificate: Path, key: Path, _written_ns: int) -> ssl.SSLContext:
    """Reading keys is a good part of a proof's time, so it is done once for each certificate."""
    return context(root_pem, certificate, key)


def prove(doors: Doors, nonce: str) -> list[str]:
    """What is not as it must be; one sentence each. `nonce`: that of the change that should be in force."""
    problems: list[str] = []
    try:
        with doors.client(names.WATCH) as watch, doors.client(names.GOOD) as good:
            watch.subscribe(*(topics.build(name, topics.RESULT) for name in _WATCHED))
            good.subscribe("#", *(topics.build(name, topics.COMMAND) for name in (names.GOOD, names.OTHER)))
            problems += _is_read(watch, good, nonce) + _foreign(doors, good)
            problems += _fenced(watch, good)
            problems += _kicked(doors, good)
    except (Refused, TimeoutError, OSError) as error:
        problems.append(f"who may connect can't work: {type(error).__name__}: {error}")
    return problems + [problem for name in (names.REVOKED, names.CANCELLED) for problem in _enters(doors, name)]


def is_read(doors: Doors, nonce: str) -> bool:
    """Whether the broker has read the files of the change `nonce`, both access lists. Raises Refused, OSError."""
    with doors.client(names.WATCH) as watch, doors.client(names.GOOD) as good:
        return not _is_read(watch, good, nonce)


def answers(doors: Doors) -> bool:
    """Whether a broker listens there at all."""
    try:
        with doors.client(names.WATCH):
            return True
    except (Refused, TimeoutError):
        return True
    except OSError:
        return False


def _is_read(watch: Client, good: Client, nonce: str) -> list[str]:
    fresh = names.fresh(nonce)
    problems = []
    if not watch.publish(topics.build(fresh, topics.COMMAND), b"fresh"):
        problems.append("the broker has not read the services' access list of this change")
    if not good.publish(topics.build(fresh, topics.RESULT), b"fresh"):
        problems.append("the broker has not read the boxes' access list of this change")
    return problems


def _foreign(doors: Doors, good: Client) -> list[str]:
    """What must be refused: a box in another's name, a box that is denied, a service without rights."""
    attempts = [("a box may speak in another's name", good, topics.build(names.OTHER, topics.RESULT))]
    with doors.client(names.DENIED) as denied, doors.client(names.NOBODY) as nobody:
        attempts += [
            ("a box that is refused may speak", denied, topics.build(names.DENIED, topics.RESULT)),
            ("a service without rights may speak", nobody, topics.build(names.GOOD, topics.COMMAND)),
        ]
        return [what for what, who, topic in attempts if who.published(topic, b"foreign") != NOT_AUTHORIZED]


def _fenced(watch: Client, good: Client) -> list[str]:
    """Own words go both ways, and when they have come, nothing foreign has come before them."""
    token = secrets.token_bytes(8)
    up, down = topics.build(names.GOOD, topics.RESULT), topics.build(names.GOOD, topics.COMMAND)
    problems = []
    watch.publish(topics.build(names.OTHER, topics.COMMAND), b"foreign")
    if not watch.publish(down, token):
        problems.append("a service may not say what it must")
    if not good.publish(up, token):
        problems.append("a box may not say what it must")
    for who, client, fence in (("services", watch, (up, token)), ("box", good, (down, token))):
        client.wait(lambda client=client, fence=fence: fence in client.received)  # type: ignore[misc]
        foreign = sorted({topic for topic, _ in client.received if (topic, _) != fence})
        problems += [f"the {who} heard what nobody may say or hear: {topic}" for topic in foreign]
    return problems


def _kicked(doors: Doors, good: Client) -> list[str]:
    kick(doors.kick, [names.GOOD], doors.limit_s)
    try:
        good.wait(lambda: not good.is_connected)
    except Refused:
        return []
    except TimeoutError:
        return ["a box can't be cut off"]
    return []


def _enters(doors: Doors, name: str) -> list[str]:
    try:
        with doors.client(name):
            return [f"{name}, whose certificate is revoked, is let in"]
    except (Refused, OSError):
        return []
