"""The example conversations of the contract: real agent, real gateway, real broker, each hurt in one way and recorded.

Only what the agent would never say is said in its place: the message that can't be read.

    python -m kewang.bench.conversations docs/dev/contract/conversations [NAME...]
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from paho.mqtt.publish import single

from firmware_sim.faults import Fault
from kewang.bench.city import CAMERA, City, CityPlan, Device
from kewang.bench.link import Line
from kewang.bench.process import PartFailed, wait_for
from kewang.bench.programs import HOST
from kewang.bench.record import Recorder
from kewang.runtime.broker import BrokerSettings
from kewang.wire import topics
from kewang.wire.ack import Ack, decode_ack
from kewang.wire.batch import Batch, decode
from kewang.wire.command import ACCEPT_VIEW, Command
from kewang.wire.contract.conversation import Said
from kewang.wire.errors import WireError
from provisioning.commands import new_command, send

DEVICE: Final = "kali-1"
FASTER: Final = 10.0
_LIMIT_S: Final = 60.0
_PATIENCE: Final = 6
"""A story that needs a message at the right moment is begun again so often."""
UNREADABLE: Final = b'{"v":2,"bt":"4f1e0c9a77d2","q":1,"rw":0,"up":1,"src":"env-1","t0":1785000000000,"k":[],"r":[]}'


class Stage:
    """A city of one device, and who writes down what is said in it."""

    def __init__(self, city: City, recorder: Recorder) -> None:
        self.city, self.recorder = city, recorder
        self.broker = BrokerSettings(host=HOST, port=city.broker.port)

    def of(self, channel: str) -> list[Said]:
        """What was said on one channel of the device."""
        return [said for said in self.recorder.messages if said.topic == topics.build(DEVICE, channel)]

    def batches(self, source: str = "env-1") -> list[Batch]:
        """The batches of a source, resent ones too."""
        found = []
        for said in (each for channel in topics.DATA for each in self.of(channel)):
            with suppress(WireError):
                found.append(decode(said.payload))
        return [batch for batch in found if batch.source == source]

    def acks(self) -> list[Ack]:
        return [decode_ack(said.payload) for said in self.of(topics.ACK)]

    def is_named(self, batch: Batch) -> bool:
        """Whether the newest ack names it."""
        newest = self.acks()[-1] if self.acks() else Ack()
        return any(run == batch.run and first <= batch.number <= last for run, first, last in newest.ok)

    def until_named(self, count: int) -> None:
        """Until so many batches of the sensor were sent, and the newest of them is named."""
        wait_for(lambda: len(self.batches()) >= count and self.is_named(self.batches()[-1]), _LIMIT_S)

    def stop(self) -> None:
        """The agent ends as it should."""
        self.recorder.event("the device is stopped")
        self.city.edges[DEVICE].stop()


def first_contact(stage: Stage) -> None:
    stage.until_named(2)


def resend(stage: Stage) -> None:
    city, links = stage.city, stage.city.links
    assert links
    stage.until_named(1)
    sent = len(stage.batches())
    wait_for(lambda: len(stage.batches()) > sent, _LIMIT_S)
    links.switch(DEVICE, Line.HALF_OPEN)
    lost = stage.batches()[-1]
    stage.recorder.event("the line falls silent: what the gateway says from now on is lost", line="silent")
    wait_for(lambda: stage.is_named(lost), _LIMIT_S)
    stage.recorder.event("the gateway is killed, with all it remembers", gateway="killed")
    city.gateway.kill9()
    links.switch(DEVICE, Line.CUT)
    city.gateway.start()
    stage.recorder.event("a gateway starts", gateway="started")
    wait_for(lambda: city.gateway.get("/ready") is not None, _LIMIT_S)
    links.switch(DEVICE, Line.UP)
    stage.recorder.event("the line is back", line="up")
    wait_for(lambda: sum(each.number == lost.number for each in stage.batches()) > 1, 2.0 * _LIMIT_S / FASTER)
    wait_for(lambda: stage.is_named(lost), _LIMIT_S)


def quarantine(stage: Stage) -> None:
    stage.until_named(1)
    stage.recorder.event("the sensor gives an impossible value")
    stage.city.boards.switch(0, Fault.OUT_OF_RANGE)
    wait_for(lambda: any(ack.nk for ack in stage.acks()), _LIMIT_S)
    stage.city.boards.switch(0, None)
    stage.recorder.event("the sensor is well again")


def unreadable(stage: Stage) -> None:
    stage.until_named(1)
    stage.recorder.event("the next message on d/env is one that a faulty program sent in the device's place")
    single(topics.build(DEVICE, "d/env"), UNREADABLE, qos=1, hostname=HOST, port=stage.broker.port)
    wait_for(lambda: any(ack.bad for ack in stage.acks()), _LIMIT_S)


def rewind(stage: Stage) -> None:
    stage.until_named(2)
    first = stage.batches()[0]
    stage.recorder.event("an hour of the database is lost: kewang rewind --from an hour ago")
    moment = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    config = str(stage.city.gateway.write_config())
    command = [sys.executable, "-m", "kewang", "rewind", "--config", config, "--from", moment]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S)
    if done.returncode:
        raise PartFailed(f"kewang rewind failed:\n{done.stderr}")
    wait_for(lambda: any(each.number == first.number and each.rewind > first.rewind for each in again(stage)), _LIMIT_S)
    wait_for(lambda: stage.is_named(first) and stage.acks()[-1].rw > first.rewind, _LIMIT_S)


def again(stage: Stage) -> list[Batch]:
    """Batches of the sensor beyond the first, resent ones among them."""
    return stage.batches()[1:]


def undated(stage: Stage) -> None:
    stage.until_named(1)


def command(stage: Stage) -> None:
    wait_for(lambda: bool(stage.batches(CAMERA)) and stage.is_named(stage.batches(CAMERA)[-1]), 2 * _LIMIT_S)
    told = new_command(ACCEPT_VIEW, {"source": CAMERA, "clean": False}, 60)
    _send(stage, told)
    stage.recorder.event("the same command comes again: it is answered again, and not done again")
    _send(stage, told)
    stage.recorder.event("a command comes too late")
    late = new_command(ACCEPT_VIEW, {"source": CAMERA, "clean": False}, -30)
    _send(stage, late)


def _send(stage: Stage, told: Command) -> None:
    if asyncio.run(send(stage.broker, DEVICE, told, wait_s=_LIMIT_S)) is None:
        raise PartFailed(f"no answer to {told.name}")


@dataclass(frozen=True, slots=True)
class Story:
    """One conversation. `about`: what it shows, for people."""

    name: str
    about: str
    play: Callable[[Stage], None]
    clock: str = "trusted"
    camera: bool = False


STORIES: Final = (
    Story("first-contact", "A device connects, is given credit, sends, is acknowledged, says good-bye.", first_contact),
    Story("resend", "An ack is lost, and the gateway with its memory: the batch goes again under its name.", resend),
    Story("quarantine", "A row with an impossible value: its batch is named, and labelled.", quarantine),
    Story("unreadable", "What can't be read as a batch is told by its CRC-32.", unreadable),
    Story("rewind", "The database lost an hour: the device sends again what was acknowledged since.", rewind),
    Story(
        "undated",
        "A device without a date takes the gateway's time, and only then sends.",
        undated,
        "untrusted",
    ),
    Story("command", "A command is done once, answered again, and refused when it comes late.", command, camera=True),
)


def record(story: Story) -> str:
    """The conversation's file. Raises MissingPart, PartFailed, TimeoutError."""
    for left in reversed(range(_PATIENCE)):
        try:
            return _record(story)
        except TimeoutError:
            if not left:
                raise
    raise AssertionError


def _record(story: Story) -> str:
    recorder = Recorder({"conversation": story.name, "about": story.about, "device": DEVICE, "faster": FASTER})
    with _stage(story, recorder) as stage:
        story.play(stage)
        stage.stop()
        wait_for(lambda: b'"bye"' in stage.of(topics.STATE)[-1].payload, _LIMIT_S)
    return recorder.conversation().text()


@contextmanager
def _stage(story: Story, recorder: Recorder) -> Iterator[Stage]:
    device = Device(DEVICE, "river", clock=story.clock, camera=story.camera)
    city = City(CityPlan((device,), faster=FASTER, interval_s=0.5, flush_s=1.0, linked=True, broker="mosquitto"))
    try:
        city.broker.start()
        stage = Stage(city, recorder)
        with recorder.listening(stage.broker, topics.everything_of(DEVICE)):
            city.start()
            yield stage
    finally:
        city.close()


def write(folder: Path, names: Sequence[str], say: Callable[[str], None]) -> None:
    """Record the stories of these names (all, if none is named) into `folder`."""
    for story in (each for each in STORIES if not names or each.name in names):
        began_s = time.monotonic()
        text = record(story)
        (folder / f"{story.name}.jsonl").write_text(text)
        say(f"{story.name}: {len(text.splitlines()) - 1} lines in {time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2:], print)
