"""The acts of a story, done to a city: each target in a thread of its own, so that nobody waits for another's start."""

import asyncio
import contextlib
import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

import psutil

from gateway.rewinds import add_rewind
from gateway.stores import open_store
from kewang.bench.acts import LINES, REBUILDS, TRAITS, Act, Kind
from kewang.bench.city import City
from kewang.bench.cpu import family_of
from kewang.bench.houses import Backup
from kewang.bench.link import Line
from kewang.bench.process import Part, PartFailed, wait_for
from kewang.bench.stored import outbox_newest

_BACKUP_AT: Final = 0.6
"""The backup is made when this share of the time before its restore is over."""
_WORTH_KEEPING: Final = 20
"""Readings that a backup waits for, at most `_BACKUP_WAITS_S`."""
_BACKUP_WAITS_S: Final = 3.0
_READINGS_AGAIN_S: Final = 20.0
_COMMAND_LIMIT_S: Final = 30.0


class Havoc:
    """Does `acts` to `city`. `kills` and `done` count them; `problems`: what went wrong that nobody had asked for."""

    def __init__(self, city: City, acts: Sequence[Act]) -> None:
        self.city, self.acts = city, acts
        self.kills: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.problems: list[str] = []
        self._backup: Backup | None = None
        self._gateway = threading.Lock()
        """Held by who starts and ends the gateway: its own thread, or the one that restores the database."""

    def run(self, seconds: float) -> None:
        """The whole story; returns when every part is well again."""
        began_s = time.monotonic()
        steps: list[tuple[float, str, Callable[[], None]]] = []
        for act in self.acts:
            steps.append((act.at_s, act.target, _bound(self._begin, act)))
            steps.append((act.at_s + act.length_s, act.target, _bound(self._end, act)))
        steps += [(at_s, "store", self._make_backup) for at_s in backup_times(self.acts)]
        threads: dict[str, ThreadPoolExecutor] = defaultdict(lambda: ThreadPoolExecutor(1, "havoc"))
        futures: list[Future[None]] = []
        for at_s, target, step in sorted(steps, key=lambda step: step[0]):
            time.sleep(max(0.0, began_s + at_s - time.monotonic()))
            futures.append(threads[target].submit(step))
        for thread in threads.values():
            thread.shutdown()
        time.sleep(max(0.0, began_s + seconds - time.monotonic()))
        self.problems += [repr(problem) for future in futures if (problem := future.exception())]
        self._mend()

    def _mend(self) -> None:
        """Whatever a failed step left undone."""
        city = self.city
        city.house.mend()
        for name in city.edges:
            if city.links:
                city.links.switch(name, Line.UP)
        for part in city.parts():
            part.thaw()
            if not part.is_running:
                self.problems.append(f"{_name(part)} was not running at the end:\n{part.log_tail()}")
                part.start()

    def _make_backup(self) -> None:
        """None of an empty database: it may have been wiped just before, and nobody could write into it since."""
        with contextlib.suppress(TimeoutError):
            wait_for(lambda: self.city.database.count() >= _WORTH_KEEPING, _BACKUP_WAITS_S)
        if self.city.database.count() > 0:
            self._backup = self.city.house.backup(self.city.folder / "backup")

    def _begin(self, act: Act) -> None:
        self.done[act.kind] += 1
        if TRAITS[act.kind].kills:
            self.kills[TRAITS[act.kind].kills] += 1
        match TRAITS[act.kind].target:
            case "edge":
                self._note_crash(act.target, self.city.edges[act.target])
                self._begin_edge(act, self.city.edges[act.target].pid)
            case "store":
                self._begin_store(act)
            case _:
                part = self.city.broker if act.target == "broker" else self.city.gateway
                with self._gateway:
                    self._note_crash(act.target, part)
                    _take_down(part, act)

    def _end(self, act: Act) -> None:
        match TRAITS[act.kind].target:
            case "edge":
                self._end_edge(act)
            case "store":
                self._end_store(act)
            case _:
                part = self.city.broker if act.target == "broker" else self.city.gateway
                with self._gateway:
                    part.thaw()
                    part.start()

    def _note_crash(self, name: str, part: Part) -> None:
        """Nobody ended it, and yet it is gone: a finding, whatever the figures say."""
        if not part.is_running:
            self.problems.append(f"{name} ended by itself:\n{part.log_tail()}")
            part.start()

    def _begin_edge(self, act: Act, pid: int | None) -> None:
        city, name = self.city, act.target
        match act.kind:
            case Kind.EDGE_FREEZE:
                city.edges[name].freeze()
            case Kind.DISK_FULL if pid is not None:
                city.disks[name].fill(pid)
            case kind if city.links and kind in LINES:
                city.links.switch(name, LINES[kind])
            case kind:
                city.end_edge(name, kill=act.kill if kind is Kind.EDGE_CLOCK else kind is not Kind.EDGE_STOP)
                if kind is Kind.EDGE_WIPE:
                    city.destroy_outbox(name)

    def _end_edge(self, act: Act) -> None:
        city, edge = self.city, self.city.edges[act.target]
        if act.kind is Kind.DISK_FULL:
            city.disks[act.target].free(edge.pid)
            self._wait_for_commits(act.target)
        elif act.kind is Kind.EDGE_FREEZE:
            edge.thaw()
        elif city.links and act.kind in LINES:
            city.links.switch(act.target, Line.UP)
        else:
            edge.wall_offset_ms = act.offset_ms if act.kind is Kind.EDGE_CLOCK else edge.wall_offset_ms
            edge.start()

    def _wait_for_commits(self, name: str) -> None:
        """Until what was read meanwhile is committed: only then does a kill cost no more than usual."""
        given = self.city.last_given(name)
        wait_for(lambda: outbox_newest(self.city.edges[name].outbox) >= given, _READINGS_AGAIN_S)

    def _begin_store(self, act: Act) -> None:
        house = self.city.house
        match act.kind:
            case Kind.STORE_KILL:
                house.kill()
            case Kind.STORE_STALL:
                house.stall()
            case Kind.STORE_WIPE:
                house.wipe()
            case _:
                self._gateway.acquire()
                self.city.gateway.kill9()
                house.kill()

    def _end_store(self, act: Act) -> None:
        if act.kind not in REBUILDS:
            self.city.house.mend()
        elif act.kind is Kind.STORE_RESTORE:
            try:
                self._restore(act)
            finally:
                self._gateway.release()

    def _restore(self, act: Act) -> None:
        """As the handbook says: gateway stopped, backup restored, rewind written, gateway started."""
        city = self.city
        try:
            if self._backup is None:
                city.house.wipe()
            else:
                city.house.restore(self._backup)
                if act.exact:
                    asyncio.run(_rewind_from(city.house.url, self._backup.taken_ms))
                else:
                    _run_rewind(city, self._backup.taken_ms)
                self.done["restored"] += 1
        finally:
            city.gateway.start()


def backup_times(acts: Sequence[Act]) -> list[float]:
    """When to make the backup for the first restore, while the database is well; empty if nothing is restored."""
    restore = next((act for act in acts if act.kind is Kind.STORE_RESTORE), None)
    if restore is None:
        return []
    at_s = restore.at_s * _BACKUP_AT
    ends_s = (act.at_s + act.length_s for act in acts if act.target == "store" and act.at_s <= at_s)
    return [max(at_s, *ends_s, 0.0)]


async def _rewind_from(url: str, since_ms: int) -> None:
    store = open_store(url)
    try:
        await add_rewind(store, time.time_ns() // 1_000_000, since_ms)
    finally:
        await store.close()


def _run_rewind(city: City, taken_ms: int) -> None:
    """`kewang rewind --from T`, as a person would."""
    moment = datetime.fromtimestamp(taken_ms / 1000, UTC).isoformat()
    config = str(city.gateway.write_config())
    command = [sys.executable, "-m", "kewang", "rewind", "--config", config, "--from", moment]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_COMMAND_LIMIT_S)
    if done.returncode:
        raise PartFailed(f"kewang rewind failed:\n{done.stderr}")


def _take_down(part: Part, act: Act) -> None:
    match act.kind:
        case Kind.BROKER_FREEZE | Kind.GATEWAY_FREEZE:
            part.freeze()
        case Kind.BROKER_STOP | Kind.GATEWAY_STOP:
            part.stop()
        case Kind.INGEST_KILL:
            _kill_one(part)
        case kind:
            part.kill9()
            if kind in (Kind.BROKER_WIPE, Kind.GATEWAY_WIPE):
                part.wipe()


def _kill_one(part: Part) -> None:
    """One of the processes that a part has started, if there is one just now."""
    with contextlib.suppress(psutil.NoSuchProcess):
        if part.pid is not None and (others := family_of(part.pid)[1:]):
            random.choice(others).kill()


def _bound(step: Callable[[Act], None], act: Act) -> Callable[[], None]:
    return lambda: step(act)


def _name(part: Part) -> str:
    return str(getattr(part, "device", part.name))
