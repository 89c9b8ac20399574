"""T12: a box with a good certificate sends far more than any agent does; the others must not notice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.enrol.box import Box
from kewang.bench.attacks_rows import Attack
from kewang.bench.attacks_stage import Post
from kewang.bench.process import wait_for
from kewang.bench.provisioned import HOST, now_ms
from kewang.wire import topics
from kewang.wire.batch import Batch, encode
from provisioning.guard.client import Client, Door, context

QUARANTINED_S: Final = 10.0
_LIMIT_S: Final = 60.0
_BYSTANDER_S: Final = 0.1
_AT_ONCE: Final = 400
"""Messages on their way at a time: the socket stays full, our memory does not fill."""


def attacks(post: Post) -> list[Attack]:
    """Not run yet."""
    return [Attack("T12", "floods the broker with good credentials", _floods(post), _speaks(post))]


def _speaks(post: Post) -> Callable[[], bool]:
    """Whether a box that behaves is let in and its word stored."""

    def act() -> bool:
        box = post.enrolled()
        with Client(_door(post, box), box.device) as client:
            client.publish(_topic(box), _batch(1))
        wait_for(lambda: post.stack.database.count(device=box.device) == 1, _LIMIT_S)
        return True

    return act


def _floods(post: Post) -> Callable[[], bool]:
    """Whether it goes on for more than 10 s, or another box loses a reading."""

    def act() -> bool:
        flooder, bystander = post.enrolled(), post.enrolled()
        ended, sent = threading.Event(), list[int]()
        quiet = threading.Thread(target=_behaves, args=(post, bystander, ended, sent), name="bystander")
        quiet.start()
        try:
            took_s = _quarantined_after(post, flooder)
        finally:
            ended.set()
            quiet.join()
        if not sent:
            raise OSError("the other box said nothing: nothing was tried")
        try:
            wait_for(lambda: post.stack.database.count(device=bystander.device) == len(sent), _LIMIT_S)
        except TimeoutError:
            stored = post.stack.database.count(device=bystander.device)
            raise ValueError(f"the other box lost {len(sent) - stored} of {len(sent)} readings") from None
        if took_s > QUARANTINED_S:
            raise ValueError(f"quarantined after {took_s:.1f} s")
        return False

    return act


def _behaves(post: Post, box: Box, ended: threading.Event, sent: list[int]) -> None:
    with Client(_door(post, box), box.device, limit_s=_LIMIT_S) as client:
        while not ended.wait(_BYSTANDER_S):
            number = len(sent) + 1
            if client.publish(_topic(box), _batch(number)):
                sent.append(number)


def _quarantined_after(post: Post, box: Box) -> float:
    """Seconds from the first message to the quarantine. Raises TimeoutError."""
    client = paho.Client(CallbackAPIVersion.VERSION2, box.device, protocol=paho.MQTTv5, reconnect_on_failure=False)
    door = _door(post, box)
    assert door.tls is not None
    client.tls_set_context(door.tls)
    client.connect(door.host, door.port)
    began_s, topic, payload = time.monotonic(), _topic(box), _batch(1)
    looking = threading.Event()
    found: list[float] = []
    looker = threading.Thread(target=_look, args=(post, box.device, began_s, found, looking), name="looker")
    looker.start()
    client.loop_start()
    try:
        while not found and time.monotonic() - began_s < _LIMIT_S:
            last = [client.publish(topic, payload) for _ in range(_AT_ONCE)][-1]
            wait_for(lambda last=last: bool(found) or last.is_published() or not client.is_connected(), _LIMIT_S)  # type: ignore[misc]
    finally:
        client.loop_stop()
        looking.set()
        looker.join()
    if not found:
        raise TimeoutError(f"not quarantined within {_LIMIT_S:g} s")
    return found[0]


def _look(post: Post, device: str, began_s: float, found: list[float], ended: threading.Event) -> None:
    """When the inventory calls it quarantined; the guard keeps it out within a second of that."""
    while not ended.wait(_BYSTANDER_S):
        if post.state(device) == "quarantined":
            found.append(time.monotonic() - began_s)
            return


def _door(post: Post, box: Box) -> Door:
    root = (post.stack.office.state / "ca" / "service-root.pem").read_bytes()
    port = post.stack.office.rules.devices.port
    return Door(HOST, port, context(root, box.folder / "chain.pem", box.folder / "key.pem"))


def _topic(box: Box) -> str:
    return topics.build(box.device, "d/env")


def _batch(number: int) -> bytes:
    return encode(Batch("4f1e0c9a77d2", number, "env-1", 2, now_ms(), ["temp_c"], [(0, 29.5)]))
