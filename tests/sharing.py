"""How the workers of pytest-xdist share the tests: each takes the next one, and some modules stay in one piece."""

from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER: Final = frozenset(
    {
        "tests/bench/test_alerts_preview.py",
        "tests/bench/test_attacks.py",
        "tests/bench/test_attacks_broker.py",
        "tests/cli/test_edge_camera.py",
        "tests/dashboards/test_questions.py",
        "tests/system/test_camera_line.py",
        "tests/system/test_camera_secrets.py",
        "tests/system/test_secured_line.py",
        "tests/system/test_secured_walk.py",
        "tests/test_architecture.py",
    }
)
"""Modules whose tests share what is dear to make, or must not run beside each other: one worker, one after the other.

Not by `xdist_group`: pytest-xdist 3.8 writes a group into an attribute that pytest 9 no longer reads.
"""


def scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Hands out what `scope` says belongs together, in the order of the collection but for the large ones."""
    made = LoadScopeScheduling(config, log)
    made._split_scope = scope
    return made


def scope(nodeid: str) -> str:
    """What is handed to one worker in one piece: a module of `TOGETHER`, else the test alone."""
    module, _, _ = nodeid.partition("::")
    return module if module in TOGETHER else nodeid
