"""The budget: never more than people read, nothing lost, nothing closed that was not told; whatever the story."""

import json
import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.incidents.model import Change, Incident, Level, Scope, Severity, What
from gateway.notify.budget import Budget, BudgetRules, Notice

RULES = BudgetRules()
MINUTE_S = 60.0


def change(
    what: What, number: int, severity: Severity = "warning", level: Level = "device", at_s: float = 0.0, **why: str
) -> Change:
    """A change of incident `number`, whose kind is an outage."""
    incident = Incident(number, "outage", Scope(level, f"place-{number}"), severity, at_s, at_s)
    return Change(what, incident, at_s, why)


def until(budget: Budget, now_s: float, to_s: float) -> list[Notice]:
    """What comes by itself up to `to_s`; each look is at the moment the budget names."""
    notices = []
    while budget.next_s <= to_s:
        now_s = max(now_s, budget.next_s)
        came = budget.due(now_s)
        assert came, "next_s named a moment at which nothing was due"
        notices += came
    return notices


def opened(budget: Budget, numbers: range, now_s: float, severity: Severity = "warning") -> list[Notice]:
    return budget.take([change("opened", number, severity) for number in numbers], now_s)


def test_one_incident_is_one_notice_and_one_closing() -> None:
    budget = Budget(RULES)
    (first,) = budget.take([change("opened", 1)], 5.0)
    assert (first.key, first.kind, first.incidents, first.created_s) == ("1-opened", "opened", (1,), 5.0)
    (last,) = budget.take([change("resolved", 1)], 50.0)
    assert (last.key, last.kind) == ("1-resolved", "resolved")
    assert budget.next_s == math.inf
    assert not budget.speaks_of


def test_beyond_seven_the_rest_is_in_a_digest_the_worst_first() -> None:
    budget = Budget(RULES)
    assert [one.kind for one in opened(budget, range(1, 31), 0.0)] == ["opened"] * 7
    budget.take([change("opened", 99, "critical"), change("opened", 98, "critical")], 1.0)
    (digest,) = until(budget, 1.0, 299.0)
    assert digest.kind == "digest"
    assert digest.incidents == (98, 99, *range(8, 31))
    assert digest.severity == "critical"


def test_a_first_critical_kind_takes_the_eighth_place_at_once() -> None:
    budget = Budget(RULES)
    opened(budget, range(1, 20), 0.0)
    (city,) = budget.take([change("opened", 50, "critical", "city"), change("opened", 51, "critical", "site")], 1.0)
    assert (city.kind, city.incidents) == ("opened", (50,))


def test_a_second_of_the_same_kind_takes_no_eighth_place() -> None:
    budget = Budget(RULES)
    budget.take([change("opened", 50, "critical", "city")], 0.0)
    opened(budget, range(1, 20), 0.0)
    back = Budget.restored(json.loads(json.dumps(budget.kept())), RULES, 1.0)
    for each in (budget, back):
        assert each.take([change("opened", 51, "critical", "city")], 1.0) == []


def test_both_ends_of_a_window_belong_to_it() -> None:
    budget = Budget(RULES)
    opened(budget, range(1, 8), 0.0)
    assert opened(budget, range(8, 9), 600.0) == []
    assert budget.next_s == math.nextafter(600.0, math.inf)


def test_updates_of_one_incident_are_ten_minutes_apart_and_carry_the_newest() -> None:
    budget = Budget(RULES)
    budget.take([change("opened", 1)], 0.0)
    assert budget.take([change("worsened", 1)], 30.0) == []
    assert budget.take([change("worsened", 1, "critical")], 90.0) == []
    assert budget.next_s == 600.0
    (update,) = budget.due(600.0)
    assert (update.kind, update.severity, update.key) == ("worsened", "critical", "1-worsened-2")
    assert budget.take([change("worsened", 1)], 700.0) == []
    (again,) = until(budget, 700.0, 1300.0)
    assert again.key == "1-worsened-3"


def test_an_acknowledgement_is_told_at_once_but_not_over_and_over() -> None:
    budget = Budget(RULES)
    assert budget.take([change("acknowledged", 1)], 0.0) == []
    budget.take([change("opened", 1)], 0.0)
    (told,) = budget.take([change("acknowledged", 1)], 20.0)
    assert told.kind == "acknowledged"
    assert budget.take([change("acknowledged", 1)], 25.0) == []
    assert budget.next_s == 620.0


def test_what_is_over_before_its_digest_is_told_as_over_and_not_closed_again() -> None:
    budget = Budget(RULES)
    opened(budget, range(1, 10), 0.0)
    assert budget.take([change("resolved", 8)], 10.0) == []
    (digest,) = until(budget, 10.0, 1000.0)
    assert (set(digest.incidents), digest.over) == ({8, 9}, (8,))
    assert [one.incidents for one in budget.take([change("resolved", 9)], 1000.0)] == [(9,)]


def test_a_child_that_a_parent_absorbed_before_anybody_was_told_is_not_told() -> None:
    budget = Budget(RULES)
    opened(budget, range(1, 10), 0.0)
    budget.take([change("resolved", 8, part_of="40"), change("resolved", 9, part_of="40")], 10.0)
    assert budget.next_s == math.inf


def test_a_child_that_was_told_is_closed_as_part_of_the_larger_one() -> None:
    budget = Budget(RULES)
    opened(budget, range(1, 21), 0.0)
    until(budget, 0.0, 1000.0)
    closings = budget.take([change("resolved", number, part_of="40") for number in range(1, 21)], 1000.0)
    budget = Budget.restored(json.loads(json.dumps(budget.kept())), RULES, 1000.0)
    closings += until(budget, 1000.0, 2000.0)
    assert [one.kind for one in closings] == ["resolved"] * 8
    assert dict(pair for one in closings for pair in one.part_of) == dict.fromkeys(range(1, 21), 40)


def test_a_closing_of_something_never_told_is_silent() -> None:
    budget = Budget(RULES)
    assert budget.take([change("resolved", 7)], 0.0) == []
    assert budget.next_s == math.inf


def test_many_closings_are_gathered() -> None:
    budget = Budget(RULES)
    opened(budget, range(1, 60), 0.0)
    until(budget, 0.0, 3000.0)
    singles = budget.take([change("resolved", number) for number in range(1, 60)], 3000.0)
    assert [one.kind for one in singles] == ["resolved"] * 7
    (rest,) = until(budget, 3000.0, 4000.0)
    assert (rest.kind, len(rest.incidents)) == ("resolved", 52)


def test_worsening_of_what_it_does_not_know_is_an_opening() -> None:
    (notice,) = Budget(RULES).take([change("worsened", 3)], 0.0)
    assert notice.kind == "opened"


def test_keys_of_another_life_of_the_database_differ() -> None:
    one, other = (Budget(RULES, name).take([change("opened", 1)], 0.0)[0].key for name in ("a-", "b-"))
    assert one != other


def test_a_clock_set_back_between_two_runs_holds_nothing_up() -> None:
    budget = Budget(RULES)
    opened(budget, range(1, 9), 1e9)
    back = Budget.restored(json.loads(json.dumps(budget.kept())), RULES, 1000.0)
    assert back.next_s <= 1000.0 + RULES.digest_every_s


def test_ten_thousand_in_a_second_are_all_told_of() -> None:
    budget, heard = Budget(RULES), list[int]()
    for number in range(10_000):
        heard += [n for one in budget.take([change("opened", number)], number / 10_000) for n in one.incidents]
    heard += [n for one in until(budget, 1.0, 1000.0) for n in one.incidents]
    assert sorted(heard) == list(range(10_000))


STORY = st.lists(
    st.tuples(
        st.integers(0, 25),
        st.sampled_from(["opened", "opened", "worsened", "cause", "acknowledged", "resolved", "masked"]),
        st.sampled_from(["info", "warning", "critical"]),
        st.sampled_from(["device", "site", "feeder"]),
        st.sampled_from([0.0, 0.0, 0.5, 20.0, 100.0, 300.0, 600.0, 2000.0]),
    ),
    max_size=120,
)


def told_by(story: list[tuple[int, str, Severity, Level, float]], *, restarts: bool) -> tuple[list[Notice], set[int]]:
    """The notices of a story played to its end, and the incidents that were opened and never masked."""
    budget, now_s, notices = Budget(RULES), 1000.0, list[Notice]()
    current, masked, begun = dict[int, int](), set[int](), set[int]()
    for slot, what, severity, level, pause_s in story:
        notices += until(budget, now_s, now_s + pause_s)
        now_s += pause_s
        if restarts:
            budget = Budget.restored(json.loads(json.dumps(budget.kept())), RULES, now_s)
        if (what == "opened") == (slot in current):
            continue
        number = current.setdefault(slot, len(begun) + 1)
        begun.add(number)
        if what in ("resolved", "masked"):
            del current[slot]
        masked |= {number} if what == "masked" else set()
        why = {"part_of": "1"} if what == "masked" else {}
        notices += budget.take([change("resolved" if why else what, number, severity, level, **why)], now_s)  # type: ignore[arg-type]
    ends = [change("resolved", number) for number in current.values()]
    notices += until(budget, now_s, now_s + 1000.0)
    notices += budget.take(ends, now_s + 1000.0)
    return notices + until(budget, now_s + 1000.0, 1e9), begun - masked


@given(STORY)
def test_never_more_than_ten_in_any_ten_minutes(story: list[tuple[int, str, Severity, Level, float]]) -> None:
    notices, _ = told_by(story, restarts=False)
    for kinds in (("opened", "worsened", "acknowledged", "digest"), ("resolved",)):
        times = sorted(one.created_s for one in notices if one.kind in kinds)
        assert all(
            after - before > RULES.window_s for before, after in zip(times, times[RULES.notices :], strict=False)
        )


@given(STORY)
def test_everything_is_told_once_and_closed_once(story: list[tuple[int, str, Severity, Level, float]]) -> None:
    notices, wanted = told_by(story, restarts=False)
    assert len({one.key for one in notices}) == len(notices)
    heard: Counter[int] = Counter()
    closed: Counter[int] = Counter()
    for notice in notices:
        for number in notice.incidents:
            if notice.kind == "resolved":
                assert heard[number]
                closed[number] += 1
            else:
                assert not closed[number]
                heard[number] += 1
        closed.update(notice.over)
    assert wanted <= heard.keys()
    assert closed == dict.fromkeys(heard, 1)


@given(STORY)
def test_a_restart_at_any_moment_changes_nothing(story: list[tuple[int, str, Severity, Level, float]]) -> None:
    assert told_by(story, restarts=True) == told_by(story, restarts=False)


@given(STORY)
def test_notices_of_one_incident_are_ten_minutes_apart(story: list[tuple[int, str, Severity, Level, float]]) -> None:
    last: dict[int, float] = {}
    for notice in told_by(story, restarts=False)[0]:
        for number in notice.incidents if notice.kind in ("opened", "worsened") else ():
            assert notice.created_s - last.get(number, -math.inf) >= RULES.update_every_s
        last |= dict.fromkeys(notice.incidents, notice.created_s)
