"""Attempts with a good certificate: what a box says and hears beyond its own leaves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from kewang.bench.attacks_rows import Attack, Stage
from kewang.wire import topics
from provisioning.guard.client import Client, Door, Refused, Will

_DATA = "d/env"
_FLOOD = 2000
_BIG_BYTES = 5_000_000
_OVER_BYTES = 75_000


def attacks(stage: Stage) -> list[Attack]:
    """Threats T1, T5 (size), T6, T7 and retained floods."""
    return [*_spoofing(stage), *_listening(stage), *_taking_over(stage), *_sizes(stage), *_retained(stage)]


def _spoofing(stage: Stage) -> list[Attack]:
    victim = {channel: stage.own(stage.b, channel) for channel in topics.CHANNELS}
    own = {channel: stage.own(stage.a, channel) for channel in topics.CHANNELS}
    foreign = [
        Attack(
            "T1",
            f"publishes on another box's {channel}",
            _says(stage, victim[channel]),
            _says(stage, own[channel]),
        )
        for channel in (_DATA, topics.STATE, topics.REPORTED, topics.RESULT)
    ]
    down = [
        Attack("T1", f"forges {channel} to another box", _forges(stage, channel), _tells(stage, channel, by))
        for channel, by in ((topics.ACK, "gateway"), (topics.COMMAND, "provisioning"), (topics.CONFIG, "provisioning"))
    ]
    return [
        *foreign,
        *down,
        Attack("T1", "writes its own placement", _says(stage, own[topics.PLACEMENT]), _places(stage)),
        Attack(
            "T1", "leaves a will on another box's state", _wills(stage, victim[topics.STATE]), _wills(stage, own["s"])
        ),
        Attack("T1", "says it is a gateway", _says(stage, topics.gateway("gw1")), _gateway_says(stage)),
        Attack("T1", "publishes below its own leaves", _says(stage, f"{own['s']}/more"), _says(stage, own["s"])),
    ]


def _says(stage: Stage, topic: str) -> Callable[[], bool]:
    """Whether A's word on `topic` is taken, or arrives."""

    def act() -> bool:
        taken: list[bool] = []

        def publish() -> None:
            with stage.broker.box(stage.a) as box:
                taken.append(box.publish(topic, b"said"))

        return bool(stage.hears([topic], publish)) or taken == [True]

    return act


def _forges(stage: Stage, channel: str) -> Callable[[], bool]:
    """Whether a word from A on B's `channel` arrives at B."""
    return lambda: _arrives_at_b(stage, channel, lambda: stage.broker.box(stage.a))


def _tells(stage: Stage, channel: str, by: str) -> Callable[[], bool]:
    return lambda: _arrives_at_b(stage, channel, lambda: stage.broker.service(by, f"{by}-tells"))


def _arrives_at_b(stage: Stage, channel: str, who: Callable[[], Client]) -> bool:
    topic, fence = stage.own(stage.b, channel), (stage.own(stage.b, topics.COMMAND), b"fence")
    with stage.broker.box(stage.b) as victim:
        victim.subscribe(topic, fence[0])
        with who() as sender:
            sender.publish(topic, b"told")
        with stage.broker.service("provisioning", "provisioning-fence") as provisioning:
            provisioning.publish(*fence)
        victim.wait(lambda: fence in victim.received)
        return (topic, b"told") in victim.received


def _places(stage: Stage) -> Callable[[], bool]:
    def act() -> bool:
        with stage.broker.service("provisioning", "provisioning-places") as provisioning:
            return provisioning.publish(stage.own(stage.a, topics.PLACEMENT), b"")

    return act


def _gateway_says(stage: Stage) -> Callable[[], bool]:
    def act() -> bool:
        with stage.broker.service("gateway", "gw1") as gateway:
            return gateway.publish(topics.gateway("gw1"), b"", retain=True)

    return act


def _wills(stage: Stage, topic: str) -> Callable[[], bool]:
    """Whether the will of A on `topic` is said when A's cable is cut."""

    def die() -> None:
        with stage.broker.box(stage.a, will=Will(topic, b"dead")) as box:
            box.drop()
        with stage.broker.box(stage.a):  # the broker closes the old connection before this one is let in
            pass

    return lambda: (topic, b"dead") in stage.hears([topic], die)


def _listening(stage: Stage) -> list[Attack]:
    """Subscriptions that are granted, and must stay silent while others speak."""
    foreign = stage.own(stage.b, topics.COMMAND)
    filters = ["#", "+/+/+/+/+", "kewang/1/+/+/s", "$share/x/kewang/#", "$SYS/#", foreign, stage.own(stage.b, "p")]

    def listen(filter_: str) -> Callable[[], bool]:
        def act() -> bool:
            with stage.broker.box(stage.a) as ear:
                ear.subscribe(filter_)
                return bool(stage.hears_box(ear, lambda: _everybody_speaks(stage)))

        return act

    def own() -> bool:
        with stage.broker.box(stage.a) as ear:
            said = (stage.own(stage.a, topics.ACK), b"for you")
            ear.subscribe(said[0])
            return said in stage.hears_box(ear, lambda: _gateway_tells(stage, *said))

    return [Attack("T6", f"subscribes to {each}", listen(each), own) for each in filters]


def _everybody_speaks(stage: Stage) -> None:
    with stage.broker.box(stage.b) as box:
        box.publish(stage.own(stage.b), b"state")
        box.publish(stage.own(stage.b, _DATA), b"data")
    with stage.broker.service("provisioning", "provisioning-speaks") as provisioning:
        provisioning.publish(stage.own(stage.b, topics.COMMAND), b"command")


def _gateway_tells(stage: Stage, topic: str, payload: bytes) -> None:
    with stage.broker.service("gateway", "gateway-tells") as gateway:
        gateway.publish(topic, payload)


def _taking_over(stage: Stage) -> list[Attack]:
    def take() -> bool:
        with stage.broker.box(stage.b) as victim:
            with stage.broker.box(stage.a, client_id=stage.b.name):
                pass
            return not victim.publish(stage.own(stage.b), b"still here")

    def same_name() -> bool:
        # A clone with the same certificate does throw it out: above it is the name that is refused.
        with stage.broker.box(stage.b) as victim:
            with stage.broker.box(stage.b):
                pass
            with suppress(Refused):
                victim.wait(lambda: not victim.is_connected)
            return not victim.is_connected

    def kick(password: str | None) -> Callable[[], bool]:
        def act() -> bool:
            door = Door("127.0.0.1", stage.broker.settings.kick_port, username="kick", password=password)
            with Client(door, "canary-good"):
                return True

        return act

    secret = (stage.broker.guard.memory.folder / "kick.password").read_text()
    return [
        Attack("T7", "takes another box's client id", take, same_name),
        Attack("T7", "cuts others off by the loopback listener, without its password", kick("guess"), kick(secret)),
    ]


def _sizes(stage: Stage) -> list[Attack]:
    def publish(size: int) -> Callable[[], bool]:
        return _says_bytes(stage, b"x" * size)

    return [
        Attack("T5", "publishes 5 MB", publish(_BIG_BYTES), publish(60_000)),
        Attack("T5", "publishes 75 kB", publish(_OVER_BYTES), publish(65_536)),
    ]


def _says_bytes(stage: Stage, payload: bytes) -> Callable[[], bool]:
    topic = stage.own(stage.a, _DATA)

    def publish() -> None:
        with stage.broker.box(stage.a) as box:
            box.publish(topic, payload)

    return lambda: (topic, payload) in stage.hears([topic], publish)


def _retained(stage: Stage) -> list[Attack]:
    """The broker's memory, filled with topics that are kept for ever."""
    base = stage.own(stage.a)

    def flood() -> bool:
        with stage.broker.box(stage.a) as box:
            taken = [box.publish(f"{base}/{number}", b"kept", retain=True) for number in range(_FLOOD)]
            return any(taken)

    def kept() -> bool:
        with stage.broker.box(stage.a) as box:
            taken = box.publish(base, b"kept", retain=True)
        served = (base, b"kept") in stage.hears([base], lambda: None) or _serves(stage, base)
        with stage.broker.box(stage.a) as box:
            box.publish(base, b"", retain=True)
        return taken and served

    return [Attack("T12", f"leaves {_FLOOD} retained topics", flood, kept)]


def _serves(stage: Stage, topic: str) -> bool:
    """Whether the broker serves something retained on `topic`."""
    with stage.broker.service("gateway", "gateway-late") as ear:
        ear.subscribe(topic)
        ear.wait(lambda: bool(ear.received))
        return True
