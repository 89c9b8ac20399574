"""The whole line, from the outbox to the database, under every fault that the protocol's model knows."""

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import Line

EXAMPLES = int(os.environ.get("KEWANG_STATEFUL_EXAMPLES", "60"))
"""More for a long look: KEWANG_STATEFUL_EXAMPLES=5000."""

under_fire = settings(
    max_examples=EXAMPLES, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.slow
@pytest.mark.timeout(1800 + 10 * EXAMPLES)
def test_the_line_loses_nothing_whatever_happens() -> None:
    run_state_machine_as_test(Line, settings=under_fire)
