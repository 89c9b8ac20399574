"""A world: one device, gateways, a database; faults by a seed, then calm."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from kewang.model.box import Box, Habits
from kewang.model.database import Database, Journal
from kewang.model.gateway import Conditions, Gateway
from kewang.model.kernel import Disk, Events
from kewang.model.network import Broker, Weather
from kewang.model.rules import Rule

KINDS: Final = (
    *("edge", "power", "flicker", "recreate", "twin", "link", "outage", "tease", "broker"),
    *("gateway", "second", "shard", "choke", "rule", "database", "backup", "restore"),
)


@dataclass(frozen=True)
class Calm:
    """The part of a world in which nothing is wrong: new readings must be stored at once between these times."""

    live_from_ms: int
    live_to_ms: int


class World(Events):
    """Everything in it."""

    def __init__(self, seed: int, about: Rule | None = None, without: frozenset[str] = frozenset()) -> None:
        """`about`: only the faults of this rule, and its habits."""
        super().__init__()
        rng, self._about = random.Random(seed), about
        self.rng = rng
        self.journal = Journal()
        self.weather = Weather(rng, rng.choice([0, 0.02, 0.3]), rng.choice([0, 0.1]), rng.choice([0, 0.2]))
        self.database = Database(self, self.weather, rng, self.journal, rng.choice([0, 0.1, 0.4]))
        self.conditions = Conditions(without, rng.choice([5, 30]))
        self.habits = Habits(
            without,
            rng,
            budget=rng.choice([25, 80, 80, 10_000, 10_000]),
            synchronised=rng.choice([0, 0.5, 1]),
            wrong_clocks=rng.random() < 0.3,
            lying=rng.random() < 0.3,
            refused=rng.choice([0, 0.05]),
        )
        for name, value in about.sure.items() if about else ():
            setattr(self.habits if hasattr(self.habits, name) else self.conditions, name, value)
        self.broker = Broker(self, self.weather)
        self.gateways: list[Gateway] = []
        self.boxes = [Box(self, self.broker, self.journal, self.habits, Disk())]
        self.boxes[0].power_on()
        self._add_gateway()

    def live(self) -> Calm:
        """Faults, then calm until everything should be stored."""
        rng, begins_ms = self.rng, self.now_ms
        kinds = self._about.faults.split() if self._about else rng.sample(KINDS, rng.randint(2, 7))
        kinds += ["backup"] if "restore" in kinds else []
        ends_ms = rng.randint(300_000, 1_500_000) * (3 if {"outage", "tease"} & {*kinds} else 1)
        for _ in range(rng.randint(4, 20)):
            self.at(rng.randint(1000, ends_ms), getattr(self, f"_{rng.choice(kinds)}"))
        self.run_until(begins_ms + ends_ms)
        self._end_faults()
        self.run_until(self.now_ms + 70_000)
        self._end_faults()
        calm_ms, backlog = self.now_ms, sum(len(box.outbox.open_ones()) for box in self.boxes)
        self.run_until(calm_ms + 400_000 + 3000 * backlog)
        calm = Calm(calm_ms + 150_000, self.now_ms - 20_000)
        self.habits.sampling = False
        self.run_until(self.now_ms + (2_560_000 if self.journal.twin else 1_060_000))
        self.habits.beating = False
        self.run_until(self.now_ms + (400_000 if self.journal.twin else 120_000))
        return calm

    def _end_faults(self) -> None:
        self.weather.calm = self.habits.calm = True
        self.conditions.choked, self.database.down = False, 0
        self.broker.start()
        while len(living := self._living()) > 2:
            living[0].die()
        self._have_a_gateway()
        for box in self.boxes:
            box.power_on()
            box.mend_link()

    def _living(self) -> list[Gateway]:
        return [gateway for gateway in self.gateways if gateway.alive]

    def _add_gateway(self) -> None:
        self.gateways.append(Gateway(self, self.broker, self.database, self.conditions))

    def _have_a_gateway(self) -> None:
        if not self._living():
            self._add_gateway()

    # Faults of a box

    def _edge(self) -> None:
        box = self.rng.choice(self.boxes)
        box.stop(power=False)
        self.at(self.rng.randint(100, 60_000), box.start)

    def _power(self) -> None:
        self._cut(self.rng.choice(self.boxes), self.rng.randint(1000, 200_000))

    def _flicker(self) -> None:
        """Cuts in a row: a boot lasts for moments."""
        box, after_ms = self.rng.choice(self.boxes), 0
        for _ in range(self.rng.randint(2, 5)):
            self._later(after_ms, self._cut, box, down_ms := self.rng.randint(1000, 20_000))
            after_ms += down_ms + self.rng.randint(500, 30_000)

    def _cut(self, box: Box, down_ms: int) -> None:
        box.stop(power=True)
        self.at(down_ms, box.power_on)

    def _later(self, delay_ms: int, what: Callable[..., object], *given: Any) -> None:
        """Unless it is calm by then."""
        self.at(delay_ms, lambda: self.weather.calm or what(*given))

    def _recreate(self) -> None:
        """A new card."""
        box = self.rng.choice(self.boxes)
        box.stop(power=False)
        self.journal.recreated = True
        self.journal.thrown_away.update(row.reading for batch in box.disk.batches.values() for row in batch.rows)
        box.disk = Disk()
        self.at(2000, box.power_on)

    def _twin(self) -> None:
        """A clone of the card in a second box, beside the first."""
        box = self.boxes[0]
        if self.journal.twin or not all(batch.dated for batch in box.disk.batches.values()):
            return
        self.journal.twin = True
        self.boxes.append(Box(self, self.broker, self.journal, self.habits, box.disk.clone(), phase_ms=501))
        self.boxes[1].power_on()

    def _tease(self) -> None:
        """After an outage the link is there for moments, then the power goes, and the link for long."""
        box, after_ms = self.rng.choice(self.boxes), self.rng.randint(300_000, 1_200_000)
        box.cut_link()
        self.at(after_ms, box.mend_link)
        self._later(after_ms + self.rng.randint(2000, 20_000), self._cut, box, 1000)
        self._later(after_ms + 20_000, self._cut_link, self.rng.randint(600_000, 1_800_000))

    # Faults on the way

    def _link(self) -> None:
        self._cut_link(self.rng.randint(2000, self.rng.choice([20_000, 900_000])))

    def _outage(self) -> None:
        self._cut_link(self.rng.randint(600_000, 3_600_000))

    def _cut_link(self, for_ms: int) -> None:
        box = self.rng.choice(self.boxes)
        box.cut_link()
        self.at(for_ms, box.mend_link)

    def _broker(self) -> None:
        self.broker.crash(self.rng.randint(500, 60_000), self.rng.choice(["keep", "none", "old"]))

    # Faults of gateways and the database

    def _gateway(self) -> None:
        for gateway in self._living()[:1]:
            gateway.die()
        self.at(self.rng.randint(0, 120_000), self._have_a_gateway)

    def _second(self) -> None:
        if len(self._living()) < 2:
            self._add_gateway()

    def _shard(self) -> None:
        """The shard moves to another gateway, with a gap or an overlap."""
        self.at(self.rng.randint(0, 20_000), self._add_gateway)
        for gateway in self._living():
            self.at(self.rng.randint(0, 20_000), gateway.die)

    def _choke(self) -> None:
        """No credit."""
        self.conditions.choked = True
        self.at(self.rng.randint(60_000, 600_000), lambda: setattr(self.conditions, "choked", False))

    def _rule(self) -> None:
        self.conditions.rule_mended = not self.conditions.rule_mended

    def _database(self) -> None:
        self.database.down += 1
        self.at(self.rng.randint(1000, 300_000), lambda: setattr(self.database, "down", max(0, self.database.down - 1)))

    def _backup(self) -> None:
        self.database.back_up()

    def _restore(self) -> None:
        """A rewind is written before gateways write."""
        if not self.database.up:
            return
        self.database.rewind(self.database.restore())
