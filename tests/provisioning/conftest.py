"""An inventory of its own for each test, on SQLite and on PostgreSQL, with a clock that the test turns.

A town takes a moment to build (every password is hashed), so it is built once for each engine and copied.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from sqlalchemy import make_url

from kewang.bench.office import OfficeHouse
from kewang.bench.parts import Postgres
from provisioning.acts import passwords
from provisioning.inventory import Inventory, open_inventory
from provisioning.keys import make_keys
from tests.provisioning import market as market_town
from tests.provisioning.boxes import QUICK, Field, ShiftedClock
from tests.provisioning.databases import Databases
from tests.provisioning.device_api import Raw
from tests.provisioning.market import Town as Market
from tests.provisioning.office_town import office_town
from tests.provisioning.town import Clock, Town, build_town


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Passwords cost a hundredth of what they cost outside of tests; `test_people` looks at the real cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One cluster for all tests of this process."""
    with Postgres(tmp_path_factory.mktemp("postgres")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def databases(postgres: Postgres) -> Iterator[Databases]:
    made = Databases(postgres)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def inventory_url(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[str]:
    """Address of an empty database: what runs on this fixture runs on both engines."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/state/inventory.db"
        return
    with databases.one() as url:
        yield url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inventory(inventory_url: str, tmp_path: Path, clock: Clock) -> Iterator[Inventory]:
    """An open, empty inventory with its keys in place."""
    found = open_inventory(inventory_url, tmp_path / "state", clock)
    make_keys(found.folder)
    yield found
    found.close()


@pytest.fixture(scope="session")
def built_towns(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Path, str]]]:
    """State folder and database name of a town that is ready, for each engine."""
    with ExitStack() as stack:
        made = {}
        for engine in ("sqlite", "postgresql"):
            folder = tmp_path_factory.mktemp(f"town-{engine}") / "state"
            url = f"sqlite:///{folder}/inventory.db" if engine == "sqlite" else stack.enter_context(databases.one())
            inventory = open_inventory(url, folder, clock := Clock())
            make_keys(folder)
            build_town(inventory, clock)
            inventory.close()
            made[engine] = (folder, str(make_url(url).database))
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def town(
    request: pytest.FixtureRequest,
    built_towns: dict[str, tuple[Path, str]],
    databases: Databases,
    tmp_path: Path,
) -> Iterator[Town]:
    """Two districts with sites and people, and boxes in the list; on both engines."""
    folder, database = built_towns[request.param]
    shutil.copytree(folder, tmp_path / "town")
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path}/town/inventory.db"
        if request.param == "postgresql":
            url = stack.enter_context(databases.one(database))
        clock = Clock()
        clock.tick()
        inventory = open_inventory(url, tmp_path / "town", clock)
        stack.callback(inventory.close)
        yield Town(inventory, clock)


@pytest.fixture
def sqlite_town(built_towns: dict[str, tuple[Path, str]], tmp_path: Path) -> Iterator[Callable[[], Town]]:
    """Opens the same town on SQLite as often as it is called: for tests about files."""
    shutil.copytree(built_towns["sqlite"][0], tmp_path / "town")
    clock = Clock()
    clock.tick()
    with ExitStack() as stack:

        def opened() -> Town:
            inventory = open_inventory(f"sqlite:///{tmp_path}/town/inventory.db", tmp_path / "town", clock)
            stack.callback(inventory.close)
            return Town(inventory, clock)

        yield opened


@pytest_asyncio.fixture
async def office(tmp_path: Path) -> AsyncIterator[Market]:
    """The web app being served, with something of everything that the office's pages show."""
    async with office_town(tmp_path) as found:
        yield found


@pytest.fixture
def house(tmp_path: Path, clock: ShiftedClock) -> Iterator[OfficeHouse]:
    """The device API, served. The module says what `clock` it goes by."""
    with OfficeHouse(tmp_path / "office", clock_ms=clock, rates=QUICK) as made:
        yield made


@pytest.fixture
def box(house: OfficeHouse, tmp_path: Path) -> Field:
    """A box of that office."""
    return Field(house, tmp_path / "box")


@pytest.fixture
def raw(house: OfficeHouse) -> Raw:
    """Requests to that office as anybody may write them."""
    return Raw(house)


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[market_town.Town]:
    """The web app of a small town, served."""
    async with market_town.town(tmp_path) as opened:
        yield opened
