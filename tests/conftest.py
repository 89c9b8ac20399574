"""What holds for every test: no asyncio task and no child process outlives it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psutil
import pytest
from hypothesis import settings

from tests import sharing

_LEAVING_S = 5.0

pytest_plugins = ["tests.parts"]

# A busy machine makes a slow test, not a wrong one.
settings.register_profile("kewang", deadline=None)
settings.load_profile("kewang")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """How several workers share the tests."""
    return sharing.scheduler(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Several workers begin with the slow tests, so that none of these is left to run alone at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a child process, or an asyncio task, running. Set up first, so it looks last."""
    if request.node.get_closest_marker("asyncio"):
        request.getfixturevalue("no_task_left_behind")
    before = set(psutil.Process().children(recursive=True))
    yield
    left = _that_stay([child for child in psutil.Process().children(recursive=True) if child not in before])
    if left:
        described = [_describe(child) for child in left]
        psutil.wait_procs([child for child in left if _killed(child)], timeout=5)
        pytest.fail("left running: " + "; ".join(described))


@pytest.fixture
async def no_task_left_behind() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        pytest.fail("left running: " + "; ".join(sorted(repr(task) for task in left)))


def _that_stay(children: list[psutil.Process]) -> list[psutil.Process]:
    """Those of ours at once; a server's own children, one for each connection that was closed, may take a moment."""
    ours: list[psutil.Process] = []
    others: list[psutil.Process] = []
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            (ours if child.ppid() == os.getpid() else others).append(child)
    return ours + psutil.wait_procs(others, timeout=_LEAVING_S)[1]


def _describe(child: psutil.Process) -> str:
    try:
        return f"{child.pid} ({child.status()}) {' '.join(child.cmdline())}"
    except psutil.NoSuchProcess:
        return f"{child.pid} (just ended, but was not waited for)"


def _killed(child: psutil.Process) -> bool:
    try:
        child.kill()
    except psutil.NoSuchProcess:
        return False
    return True
