"""The recorded conversations: valid, and said again they get the same answers from the gateway and from the edge."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from docs.generate import CONTRACT
from edge.commands import Commands, Memory
from edge.delivery import Delivery
from edge.outbox import SqliteOutbox
from edge.ports import Arguments, Draft
from gateway.pipeline import Pipeline
from gateway.ports import Table
from gateway.sqlite_sink import SqliteStore
from kewang.bench.conversations import STORIES, UNREADABLE
from kewang.wire import topics
from kewang.wire.ack import Ack, decode_ack
from kewang.wire.batch import Batch, decode
from kewang.wire.command import Result, decode_command
from kewang.wire.contract.conversation import Conversation, Event, Said, read
from kewang.wire.contract.judge import findings
from kewang.wire.contract.kinds import kind_of
from kewang.wire.state import State
from kewang.wire.timers import Timers
from tests.fake_outbox import ManualClock
from tests.fakes import ScriptedSubscription
from tests.virtual_time import WALL_MS, LoopClock, ends, in_virtual_time, until

FOLDER = CONTRACT / "conversations"
NAMES = [story.name for story in STORIES]
AGAIN = {"resend", "rewind"}
"""Conversations in which a batch is sent again."""


def conversation(name: str) -> Conversation:
    return read((FOLDER / f"{name}.jsonl").read_text())


def channel(said: Said) -> str:
    return topics.parse(said.topic).channel


def acks(entries: list[Said | Event]) -> list[Ack]:
    return [decode_ack(said.payload) for said in entries if isinstance(said, Said) and channel(said) == topics.ACK]


def test_every_story_is_recorded() -> None:
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_message_is_valid(name: str) -> None:
    text = (FOLDER / f"{name}.jsonl").read_text()
    assert read(text).text() == text
    faults = [each for each in findings(text) if each.fault]
    assert len(faults) == (name == "unreadable"), faults
    for said in read(text).messages:
        kind = kind_of(said.topic)
        schema = json.loads((CONTRACT / f"{kind.name}.schema.json").read_text())
        judge = jsonschema_rs.Draft202012Validator(schema)
        assert judge.is_valid(said.line()["payload"]) == (said.payload != UNREADABLE), said


def spoilt(**changes: Any) -> str:
    """A conversation whose second batch of the sensor differs in `changes`."""
    lines = [json.loads(line) for line in (FOLDER / "first-contact.jsonl").read_text().splitlines()]
    (_, line) = [line for line in lines if line.get("topic", "").endswith("/d/env")][:2]
    body = line["payload"] | changes.pop("payload", {})
    line |= Said(0, line["topic"], json.dumps(body).encode(), retain=False).line() | changes
    return "\n".join(json.dumps(line) for line in lines)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (spoilt(payload={"v": 2}), "unknown version v=2"),
        (spoilt(payload={"q": 1}), "a name has one content"),
        (spoilt(retain=True), "with the retain flag: publish it the other way"),
        (spoilt(qos=0), "QoS 0: publish it with QoS 1"),
        (spoilt(topic="kewang/1/0/kali-1/d/env"), "the device belongs to 'e'"),
        (spoilt(topic="kewang/1/e/kali-1/r"), "it is reserved"),
        (spoilt(payload={"q": 77}), "which the device has not sent"),
        (spoilt(base64="!"), "base64: "),
        (spoilt(base64="e30="), "payload and base64 are not the same message"),
        (spoilt(ms="soon"), "ms must be there, int"),
        ("{}", "neither a message"),
        ("", "was anything recorded?"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    assert any(told in each.text for each in findings(text) if each.fault), findings(text)


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"k": ["temp"], "r": [[0, 1]]}, "'temp' is no metric of env"),
        ({"k": ["temp_c"], "r": [[0, 1, 2]]}, "row 0 has 2 values for 1 metrics"),
        ({"k": ["temp_c"], "r": [[0, 290]]}, "temp_c=290 is not in its range"),
        ({"k": ["temp_c"], "r": [[0, "29"]]}, "temp_c='29' is not in its range"),
    ],
)
def test_rows_for_quarantine_are_noted(payload: dict[str, Any], told: str) -> None:
    assert any(told in each.text for each in findings(spoilt(payload=payload)) if not each.fault)


@dataclass
class Replay:
    """A gateway that hears the device's side of a conversation, and the store it writes to."""

    store: SqliteStore
    clock: LoopClock
    timers: Timers

    async def life(self, entries: list[Said | Event]) -> None:
        """One life of the gateway, by `entries`: it tells what the recorded one told, when it has heard as much."""
        ear, stopping = ScriptedSubscription(), asyncio.Event()
        pipeline = Pipeline("gw-city", ear, self.store, self.clock, timers=self.timers)
        task = asyncio.create_task(pipeline.run(stopping), name="pipeline")
        await until(lambda: ear.connected)
        recorded = acks(entries)
        heard = 0
        for entry in (each for each in entries if isinstance(each, Said)):
            if channel(entry) == topics.ACK:
                wanted = recorded[heard]
                heard += 1
                await until(lambda wanted=wanted: any(covers(ack, wanted) for ack in said(ear)[-1:]))  # type: ignore[misc]
                await self._rewind(pipeline, recorded[heard : heard + 1], wanted)
            else:
                ear.feed(entry.topic, entry.payload)
        await until(lambda: not recorded or facts(said(ear)[-1]) == facts(recorded[-1]))
        stopping.set()
        await ends(task)
        assert {ack.g for ack in said(ear)} <= {"gw-city"}
        assert all(ack.cr and ack.gt for ack in said(ear))

    async def _rewind(self, pipeline: Pipeline, following: list[Ack], now: Ack) -> None:
        """Before the first ack that tells of a rewind, it is written into the database, and the gateway has read it."""
        for ack in following:
            if ack.rw > now.rw:
                await self.write_rewind(ack)
                await until(lambda ack=ack: pipeline.acks.rewind == ack.rw)  # type: ignore[misc]

    async def write_rewind(self, ack: Ack) -> None:
        await self.store.write([Table("rewind", (), ("rw", "rf"), [(ack.rw * 1000, ack.rw, ack.rf)])])


def said(ear: ScriptedSubscription) -> list[Ack]:
    return [decode_ack(payload) for topic, payload, _ in ear.published if topic.endswith("/a")]


def numbers(ack: Ack) -> set[tuple[str, int]]:
    return {(run, number) for run, first, last in ack.ok for number in range(first, last + 1)}


def facts(ack: Ack) -> Any:
    """All that an ack tells but times: `re` is whom it answers, of which the run is told."""
    return ack.rw, ack.rf, numbers(ack), ack.nk, ack.bad, ack.re and ack.re[0]


def covers(ack: Ack, recorded: Ack) -> bool:
    """Whether it tells at least as much."""
    more = numbers(ack) >= numbers(recorded), set(ack.nk) >= set(recorded.nk), set(ack.bad) >= set(recorded.bad)
    return ack.rw == recorded.rw and all(more)


@pytest.mark.parametrize("name", NAMES)
def test_the_gateway_answers_as_it_was_recorded(name: str, tmp_path: Path) -> None:
    told = conversation(name)
    assert acks(list(told.entries))

    @in_virtual_time
    async def replayed() -> None:
        clock = LoopClock(asyncio.get_running_loop())
        clock.offset_ms = told.head["began_ms"] + told.entries[-1].ms - WALL_MS
        store = SqliteStore(tmp_path / "kewang.db", now_ms=clock.wall_ms)
        replay = Replay(store, clock, Timers().faster(told.head["faster"]))
        await replay.write_rewind(acks(list(told.entries))[0])
        for life in lives(told):
            await replay.life(life)
        await store.close()

    replayed()


def lives(told: Conversation) -> Iterator[list[Said | Event]]:
    """The conversation, cut where the gateway was killed."""
    life: list[Said | Event] = []
    for entry in told.entries:
        if isinstance(entry, Event) and entry.more.get("gateway") == "killed":
            yield life
            life = []
        life.append(entry)
    yield life


class Box:
    """The real outbox and the real sending side, which commit what the recorded device sent."""

    def __init__(self, folder: Path, told: Conversation, *, synchronised: bool) -> None:
        timers = Timers().faster(told.head["faster"])
        self.clock = ManualClock(mono_ms=5000, wall_ms=told.head["began_ms"], synchronised=synchronised)
        self.outbox = SqliteOutbox(folder / "outbox.db", 10_000_000, "boot", timers=timers)
        self.delivery = Delivery(self.outbox, self.clock, timers, random.Random(1))
        births = [State.decode(each.payload) for each in told.messages if channel(each) == topics.STATE]
        self.theirs = births[0].bt
        self.batches: dict[int, Batch] = {}
        for each in told.messages:
            if channel(each) in topics.DATA and each.payload != UNREADABLE:
                self.batches.setdefault(decode(each.payload).number, decode(each.payload))
        self.committed, self.sent = 0, Counter[int]()

    def heard(self, payload: bytes) -> None:
        """An ack, as if it were for us."""
        self.delivery.tick()
        assert self.delivery.take(payload.replace(self.theirs.encode(), self.outbox.run.encode()), False) is not None

    def says(self, entry: Said) -> None:
        """The recorded device said this: have committed as much, and send what is due."""
        if channel(entry) == topics.STATE:
            self.clock.now_ms = max(self.clock.now_ms, 5000 + (State.decode(entry.payload).up or 0))
        if channel(entry) not in topics.DATA or entry.payload == UNREADABLE:
            return
        batch = decode(entry.payload)
        self.clock.now_ms = max(self.clock.now_ms, 5000 + batch.up_ms)
        while self.committed < batch.number:
            self.commit()
        self.sent.update(each.entry.number for each in self.delivery.due())

    def commit(self) -> None:
        self.committed += 1
        self.delivery.tick()
        batch = self.batches[self.committed]
        stream = "sys" if batch.source == "box" else "cam" if batch.source == "cam-1" else "env"
        rows = tuple((self.clock.now_ms, tuple(row[1:])) for row in batch.rows)
        (entry,) = self.delivery.commit([Draft(stream, batch.source, tuple(batch.metrics), rows)])
        assert entry.number == self.committed


@pytest.mark.parametrize("name", NAMES)
def test_the_edge_obeys_as_it_was_recorded(name: str, tmp_path: Path) -> None:
    told = conversation(name)
    box = Box(tmp_path, told, synchronised=name != "undated")
    hears, named = True, set[int]()
    for entry in told.entries:
        if isinstance(entry, Event):
            hears = {"silent": False, "up": True}.get(entry.more.get("line", ""), hears)
        elif channel(entry) == topics.ACK and hears:
            rewind = box.outbox.rewind
            box.heard(entry.payload)
            ack = decode_ack(entry.payload)
            named = (set() if ack.rw > rewind > 0 else named) | {number for _, number in numbers(ack)}
            assert box.delivery.dated
        else:
            box.says(entry)
    assert named
    assert box.outbox.status().open_batches == box.committed - len(named)
    assert (max(box.sent.values()) > 1) == (name in AGAIN)
    assert box.outbox.rewind == acks(list(told.entries))[-1].rw
    box.outbox.close()


class Camera:
    """A source that does as it is told."""

    name = "cam-1"

    def __init__(self) -> None:
        self.did: list[str] = []

    async def command(self, name: str, args: Arguments) -> str:
        self.did.append(name)
        return "view accepted: it is the new reference"


async def test_the_edge_does_a_recorded_command_once(tmp_path: Path) -> None:
    told, camera = conversation("command"), Camera()
    commands = Commands([camera], Memory(tmp_path / "commands.json"))
    answers, recorded = [], []
    for entry in told.messages:
        if channel(entry) == topics.COMMAND:
            answers.append(await commands.answer(decode_command(entry.payload), told.head["began_ms"] + entry.ms))
        elif channel(entry) == topics.RESULT:
            recorded.append(Result.decode(entry.payload))
    assert answers == recorded
    assert [result.ok for result in answers] == [True, True, False]
    assert camera.did == ["accept_view"]
