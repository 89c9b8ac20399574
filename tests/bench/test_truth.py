"""The truth can tell every fate of a reading from every other: each test breaks one thing and is told which."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_sim.journal import Given, Journal
from kewang.bench.stored import Held, StoredPoint
from kewang.bench.truth import Ending, Evidence, Truth, compare

BOARD = ("mardika-1", "env-1")
T0_MS = 1_785_000_000_000
SECOND_MS = 1000


def given(number: int, temp_c: float = 29.1) -> Given:
    return Given(number, T0_MS + number * SECOND_MS, {"temp_c": temp_c, "rh_pct": None})


def point(number: int, temp_c: float = 29.1, **changed: object) -> StoredPoint:
    tags = (("device", BOARD[0]), ("source", BOARD[1]))
    made = StoredPoint(*BOARD, number, T0_MS + number * SECOND_MS, {"temp_c": temp_c, "rh_pct": None}, tags)
    return replace(made, **changed)  # type: ignore[arg-type]


def held(number: int, *, opened: bool) -> Held:
    return Held(BOARD[1], number, "4f1e0c9a77d2", opened, refused=False)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Ten readings, the fifth of them impossible."""
    path = tmp_path / "journal.jsonl"
    with Journal(path) as file:
        for number in range(1, 11):
            file.write(given(number, 91.0 if number == 5 else 29.1))
    return path


def all_but(*missing: int) -> list[StoredPoint]:
    there = [n for n in range(1, 11) if n not in missing and n != 5]
    refused = [] if 5 in missing else [point(5, 91.0, reason="range: temp_c=91.0")]
    return [point(number) for number in there] + refused


def truth(journal: Path, points: list[StoredPoint], **more: object) -> Truth:
    evidence = Evidence({BOARD: journal}, points, {}, flush_s=2.0)
    return compare(replace(evidence, **more))[BOARD]  # type: ignore[arg-type]


def counts(found: Truth) -> dict[str, int]:
    return {name: value for name, value in found.figures().items() if value}


def test_all_there(journal: Path) -> None:
    assert counts(truth(journal, all_but())) == {"readings_produced": 10, "readings_stored": 9, "quarantined": 1}


def test_a_missing_reading_is_lost_and_named(journal: Path) -> None:
    found = truth(journal, all_but(3))
    assert (found.lost, found.produced) == (1, 10)
    assert found.examples == [f"lost: mardika-1/env-1 3: given out at {T0_MS + 3000}"]


def test_a_committed_reading_is_in_the_outbox_or_lost(journal: Path) -> None:
    assert counts(truth(journal, all_but(3), held={BOARD[0]: [held(3, opened=True)]}))["in_outbox"] == 1
    assert truth(journal, all_but(3), held={BOARD[0]: [held(3, opened=False)]}).lost == 1


def test_declared_drops_explain_as_many_as_they_say(journal: Path) -> None:
    found = truth(journal, all_but(2, 3, 4), dropped={BOARD: 2})
    assert (found.dropped_declared, found.lost, found.produced) == (2, 1, 10)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"temp_c": 29.2}, "another value"),
        ({"reason": "range: temp_c=29.1"}, "in quarantine for no reason"),
    ],
)
def test_a_reading_that_is_not_as_given_is_wrong(journal: Path, change: dict[str, object], why: str) -> None:
    changed = point(3, **change)  # type: ignore[arg-type]
    assert truth(journal, [*all_but(3), changed]).wrong == 1, why


def test_an_impossible_value_among_the_readings_is_wrong(journal: Path) -> None:
    assert truth(journal, [*all_but(5), point(5, 91.0)]).wrong == 1


def test_what_nobody_gave_out_is_wrong(journal: Path) -> None:
    assert truth(journal, [*all_but(), point(11)]).wrong == 1
    stranger = compare(Evidence({BOARD: journal}, [*all_but(), point(1, device="nobody")], {}))
    assert stranger["nobody", "env-1"].wrong == 1


def test_the_same_reading_at_two_dates_or_in_two_series_is_a_duplicate(journal: Path) -> None:
    assert truth(journal, [*all_but(), point(3, date_ms=T0_MS)]).duplicates == 1
    tagged = point(3, tags=(*point(3).tags, ("try", "2")))
    assert truth(journal, [*all_but(), tagged]).duplicates == 1


@pytest.mark.parametrize(("off_ms", "wrong"), [(-14_000, 0), (4_000, 0), (-16_000, 1), (6_000, 1)])
def test_the_date_counts_where_the_clock_was_never_wrong(journal: Path, off_ms: int, wrong: int) -> None:
    moved = [*all_but(3), point(3, date_ms=T0_MS + 3 * SECOND_MS + off_ms)]
    assert truth(journal, moved, well_dated=frozenset({BOARD[0]})).wrong == wrong
    assert truth(journal, moved).wrong == 0


def test_refused_first_and_stored_later_at_its_own_date_is_stored_once(journal: Path) -> None:
    found = truth(journal, [*all_but(), point(3, reason="date: ahead of the gateway's clock")])
    assert counts(found) == {"readings_produced": 10, "readings_stored": 9, "quarantined": 1}


class TestUnflushed:
    """A killed agent may lose what it read within the flush time before; nothing else."""

    def killed(self, after_number: float) -> Ending:
        at_ms = T0_MS + int(after_number * SECOND_MS)
        return Ending(BOARD[0], at_ms, at_ms, killed=True)

    def test_the_last_readings_before_the_kill(self, journal: Path) -> None:
        found = truth(journal, all_but(9, 10), endings=[self.killed(10.2)])
        assert (found.unflushed, found.lost, found.produced) == (2, 0, 8)

    def test_not_what_is_older_than_the_flush_time(self, journal: Path) -> None:
        found = truth(journal, all_but(7, 8, 9, 10), endings=[self.killed(10.6)])
        assert (found.unflushed, found.lost) == (2, 2)

    def test_not_before_a_row_of_the_same_run_that_was_committed(self, journal: Path) -> None:
        assert truth(journal, all_but(9), endings=[self.killed(10.2)]).lost == 1

    def test_not_when_it_was_committed_itself(self, journal: Path) -> None:
        marked = {BOARD[0]: [held(10, opened=False)]}
        assert truth(journal, all_but(10), endings=[self.killed(10.2)], held=marked).lost == 1

    def test_not_what_the_agent_had_said_that_it_has_committed(self, journal: Path) -> None:
        found = truth(journal, all_but(9, 10), endings=[replace(self.killed(10.2), told=9)])
        assert (found.unflushed, found.lost) == (1, 1)

    def test_not_of_another_device(self, journal: Path) -> None:
        other = replace(self.killed(10.2), device="pattimura-1")
        assert truth(journal, all_but(10), endings=[other]).lost == 1

    def test_a_stopped_agent_commits_first(self, journal: Path) -> None:
        stopped = replace(self.killed(10.2), killed=False)
        found = truth(journal, all_but(9, 10), endings=[stopped])
        assert (found.unflushed, found.lost) == (1, 1)


def test_what_only_a_destroyed_outbox_held_is_excused_by_number(journal: Path) -> None:
    found = truth(journal, all_but(3, 4), excused={BOARD: {3}})
    assert (found.excused, found.lost) == (1, 1)


def test_a_line_cut_off_by_a_kill_was_never_given_out(journal: Path) -> None:
    with journal.open("a") as file:
        file.write(json.dumps({"n": 11, "t": T0_MS, "v": {}})[:-3])
    assert truth(journal, all_but()).lost == 0
