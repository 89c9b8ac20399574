"""Every rule is needed: without it the same tests fail, within a bounded number of examples."""

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import Line
from tests.stateful.rules_off import RULES, RuleOff
from tests.stateful.world import Setup

EXAMPLES = 500

search = settings(
    max_examples=EXAMPLES,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def line(rule: RuleOff) -> type[Line]:
    class Arranged(Line):
        faults = frozenset(rule.faults.split())

        def arranged(self, setup: Setup) -> Setup:
            return rule.arranged(setup)

    return Arranged if rule.seed is None else seed(rule.seed)(Arranged)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_without_the_rule_the_oracles_notice(rule: RuleOff) -> None:
    with pytest.raises(AssertionError, match=rule.noticed):
        run_state_machine_as_test(line(rule), settings=search)


ARRANGED = {name: rule.kept() for name, rule in RULES.items() if rule.fixed}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("rule", ARRANGED.values(), ids=ARRANGED.keys())
def test_with_the_rule_the_same_arrangement_holds(rule: RuleOff) -> None:
    run_state_machine_as_test(line(rule), settings=settings(search, max_examples=12))
