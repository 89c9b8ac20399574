"""`kewang bench attacks`: what it makes of its rows; the office's half refuses everything, a spoilt one does not.

The flood has a limit in seconds: `kewang bench attacks` has it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kewang.bench import attacks_api, attacks_audit
from kewang.bench.attacks import FEWEST, NOT_RUN, judge, told
from kewang.bench.attacks_forms import Forms
from kewang.bench.attacks_pictures import Pictures
from kewang.bench.attacks_rows import Attack, Row
from kewang.bench.attacks_sessions import Sessions
from kewang.bench.attacks_stage import Post
from kewang.bench.attacks_visits import Visits
from kewang.bench.stack import SecuredStack

GOOD = Row("T2", "one", refused=True, control_passed=True)
BARE = Row("T21", "two", refused=True, control_passed=None)


def test_rows_are_counted_by_threat_and_controls_only_where_there_are_some() -> None:
    figures = told([BARE, GOOD, GOOD])
    counted = [figures[name] for name in ("rows", "attempts", "refused", "controls", "controls_passed")]
    assert counted == [2, 3, 3, 2, 2]
    assert [row["threat"] for row in figures["by_row"]] == ["T2", "T2", "T21"]
    assert {row["threat"] for row in figures["not_run"]} == set(NOT_RUN)


def test_one_success_one_broken_control_and_too_few_are_told() -> None:
    wrong = Row("T3", "replays", refused=False, control_passed=True, detail="twice")
    broken = Row("T3", "asks", refused=True, control_passed=False)
    assert judge([GOOD, wrong, broken], whole=False) == [
        "T3 replays: not refused twice",
        "T3 asks: its control fails ",
    ]
    assert judge([GOOD] * FEWEST, whole=True) == []
    assert judge([GOOD], whole=True) == [f"1 attempts, at least {FEWEST}"]


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    with SecuredStack(tmp_path_factory.mktemp("attacks")) as stack:
        yield Post.set(stack)


def all_fail(attacks: list[Attack]) -> None:
    rows = [attack.run() for attack in attacks]
    assert [row for row in rows if not row.refused or row.control_passed is False] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", ["api", "visits", "sessions", "forms", "pictures", "audit"])
def test_the_office_refuses_all(post: Post, part: str) -> None:
    made = {
        "api": lambda: attacks_api.attacks(post),
        "visits": lambda: Visits(post).attacks(),
        "sessions": lambda: Sessions(post).attacks(),
        "forms": lambda: Forms(post).attacks(),
        "pictures": lambda: Pictures(post).attacks(),
        "audit": lambda: attacks_audit.attacks(post),
    }
    all_fail(made[part]())
