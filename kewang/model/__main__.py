"""`python -m kewang.model --seeds 2000`: figures as JSON.

Ends with 1 where a fault was found; with `--without RULE`, where none was.
"""

import argparse
import json
import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial

from kewang.model.oracles import faults_of
from kewang.model.rules import RULES
from kewang.model.world import World

PROCESSES = 2


@dataclass
class Figures:
    """Of the worlds of some seeds."""

    seeds: int = 0
    rows: int = 0
    thinnings: int = 0
    rows_thinned: int = 0
    rows_dropped: int = 0
    bad: int = 0
    """Worlds with a fault."""
    faults: dict[str, int] = field(default_factory=dict)
    """Worlds by the number of the rule that was broken."""
    first: dict[str, str] = field(default_factory=dict)

    def add(self, seed: int, world: World, found: list[str]) -> None:
        """One more world."""
        journal = world.journal
        self.seeds, self.bad = self.seeds + 1, self.bad + bool(found)
        self.rows += len(journal.made_ms) + len(journal.rows)
        self.thinnings += journal.thinnings
        self.rows_thinned += journal.thinned_rows
        self.rows_dropped += len(journal.dropped)
        self.faults = dict(Counter(self.faults) + Counter({fault[:2] for fault in found}))
        for fault in found:
            self.first.setdefault(fault[:2], f"seed {seed}: {fault}")

    def join(self, other: "Figures") -> None:
        """Those of other seeds too."""
        for name in ("seeds", "rows", "thinnings", "rows_thinned", "rows_dropped", "bad"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.faults = dict(Counter(self.faults) + Counter(other.faults))
        self.first = other.first | self.first


def run(seed: int, about: str = "", *, off: bool = False) -> tuple[World, list[str]]:
    """The world of a seed, and its faults. `about`: only what matters to a rule happens; `off`: without that rule."""
    world = World(seed, RULES.get(about), frozenset([about] if off else []))
    calm = world.live()
    return world, faults_of(world, calm)


def _figures(about: str, off: bool, seeds: Iterable[int]) -> Figures:
    figures = Figures()
    for seed in seeds:
        figures.add(seed, *run(seed, about, off=off))
    return figures


def _parts(first: int, seeds: int, size: int = 25) -> Iterator[range]:
    for start in range(first, first + seeds, size):
        yield range(start, min(start + size, first + seeds))


def measure(first: int, seeds: int, about: str = "", *, off: bool = False) -> Figures:
    """Figures of `seeds` worlds from `first` on, by two processes. `about`, `off`: of `run`."""
    figures = Figures()
    with multiprocessing.Pool(PROCESSES) as pool:
        for part in pool.imap(partial(_figures, about, off), _parts(first, seeds)):
            figures.join(part)
    return figures


def main() -> int:
    """The command."""
    rules = "\n".join(f"  {name:24}{rule.what}" for name, rule in RULES.items())
    parser = argparse.ArgumentParser(
        prog="python -m kewang.model",
        description="The protocol in a seeded event simulation.",
        epilog=f"rules:\n{rules}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=200, help="how many worlds (200)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    rule = parser.add_mutually_exclusive_group()
    rule.add_argument("--without", choices=RULES, metavar="RULE", help="switch a rule off: this must find a fault")
    rule.add_argument("--about", choices=RULES, metavar="RULE", help="the same worlds with the rule: no fault")
    given = parser.parse_args()
    off = given.without is not None
    figures = measure(given.first, given.seeds, given.without or given.about or "", off=off)
    print(json.dumps({"without": given.without, "about": given.about, **asdict(figures)}, indent=1))
    return int(bool(figures.bad) != off)


if __name__ == "__main__":
    raise SystemExit(main())
