"""The protocol's model: some worlds hold, and each rule is missed in a world that holds with it."""

import json
import subprocess
import sys

import pytest

from kewang.model.__main__ import run
from kewang.model.rules import RULES

TELLING = {
    "acknowledge-after-write": 0,
    "new-run": 1,
    "anchor-first": 12,
    "digit": 13,
    "ignore-lower-rewind": 1,
    "reopen-by-ack-time": 5,
    "lowest-rf": 34,
    "write-counts-at-begin": 33,
    "live-lane": 0,
    "state-again": 0,
    "thin-unsent": 0,
    "mark-first": 3,
    "mark-kept": 6,
    "thinned-is-dropped": 0,
    "undated-counts-both": 0,
    "own-boot": 3,
    "sum-of-thinned": 0,
    "first-date": 6,
    "heartbeats-whole": 1,
    "refused-whole": 0,
}
"""Of each rule a seed of a world that misses it."""


@pytest.mark.parametrize("seed", range(12))
def test_a_world_holds(seed: int) -> None:
    world, faults = run(seed)
    assert faults == []
    assert len(world.journal.made_ms) > 100


def test_every_rule_has_its_world() -> None:
    assert TELLING.keys() == RULES.keys()


@pytest.mark.parametrize("rule", RULES)
def test_without_the_rule_a_world_fails_that_holds_with_it(rule: str) -> None:
    assert run(TELLING[rule], rule, off=True)[1]
    assert run(TELLING[rule], rule)[1] == []


@pytest.mark.parametrize(("asked", "code"), [("--about", 0), ("--without", 0)])
def test_the_command_tells_figures(asked: str, code: int) -> None:
    words = [sys.executable, "-m", "kewang.model", "--seeds", "2", asked, "thinned-is-dropped"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    told = json.loads(done.stdout)
    assert told["seeds"] == 2
    assert told["thinnings"] > 0
    assert told["rows_thinned"] > told["thinnings"]
    assert bool(told["bad"]) == (asked == "--without")
