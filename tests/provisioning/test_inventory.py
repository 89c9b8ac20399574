"""Opening the inventory: its tables on both databases, two writers at once, full disks, files of others."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

from kewang.runtime.settings import SettingsError
from provisioning.acts import devices
from provisioning.inventory import Base, Inventory, InventoryError, open_inventory
from provisioning.inventory.migrations.statements import statements
from provisioning.inventory.verify import verify
from provisioning.keys import make_keys, seal_key, session_key, write_secret
from provisioning.refusals import Refused
from provisioning.settings import ProvisionSettings, read_settings
from tests.provisioning.databases import Databases
from tests.provisioning.town import OPI, RUDI, SITI, Clock, Town, box

ONE = "amb-cam-one"


def described(url: str) -> dict[str, object]:
    """Tables with their columns, keys, indexes and constraints, as the database itself tells them."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            look = inspect(connection)
            tables = sorted(set(look.get_table_names()) - {"alembic_version"})
            return {
                table: {
                    "columns": [
                        (c["name"], str(c["type"]), c["nullable"], c["default"]) for c in look.get_columns(table)
                    ],
                    "key": look.get_pk_constraint(table),
                    "foreign": sorted(map(str, look.get_foreign_keys(table))),
                    "unique": sorted(map(str, look.get_unique_constraints(table))),
                    "checks": sorted(map(str, look.get_check_constraints(table))),
                    "indexes": sorted(map(str, look.get_indexes(table))),
                }
                for table in tables
            }
    finally:
        engine.dispose()


def test_tables_made_by_versions_are_those_of_the_code(
    inventory_url: str, databases: Databases, tmp_path: Path
) -> None:
    open_inventory(inventory_url, tmp_path / "state").close()
    open_inventory(inventory_url, tmp_path / "state").close()  # again: nothing to do
    with databases.one() as empty:
        fresh = f"sqlite:///{tmp_path}/fresh.db" if inventory_url.startswith("sqlite") else empty
        engine = create_engine(fresh)
        Base.metadata.create_all(engine)
        engine.dispose()
        made = described(inventory_url)
        assert made == described(fresh)
    assert set(made) == set(Base.metadata.tables)
    assert len(list(statements("sqlite"))) == len(list(statements("postgresql")))


def test_a_newer_inventory_is_refused(inventory: Inventory) -> None:
    with inventory.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    url = inventory.engine.url.render_as_string(hide_password=False)
    with pytest.raises(InventoryError, match="9999 is newer than this program: upgrade kewang") as caught:
        open_inventory(url, inventory.folder)
    assert inventory.engine.url.password is None or inventory.engine.url.password not in str(caught.value)


def test_tables_of_another_program_are_left_alone(inventory_url: str, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    engine = create_engine(inventory_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (x INTEGER)"))
    engine.dispose()
    with pytest.raises(InventoryError, match="another program's tables"):
        open_inventory(inventory_url, tmp_path / "state")


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "mysql://x/y", "sqlite://", "postgresql+psycopg://u:geheim@127.0.0.1:1/x", "sqlite:////proc/x/y"],
)
def test_addresses_that_lead_nowhere(url: str, tmp_path: Path) -> None:
    with pytest.raises(InventoryError) as caught:
        open_inventory(url, tmp_path / "state")
    assert "geheim" not in str(caught.value)


def test_the_database_itself_refuses_what_breaks_a_grammar(town: Town) -> None:
    for statement in (
        "UPDATE device SET id = 'Not An Id' WHERE id = 'amb-cam-one'",
        "UPDATE device SET state = 'flying' WHERE id = 'amb-cam-one'",
        "UPDATE device SET lat = 91 WHERE id = 'amb-cam-one'",
        "UPDATE device SET fingerprint = 'abc' WHERE id = 'amb-cam-one'",
        "UPDATE device SET site = 'nowhere' WHERE id = 'amb-cam-one'",
        "UPDATE person SET role = 'root' WHERE login = 'rudi'",
        "UPDATE person SET login = 'a b' WHERE login = 'rudi'",
        "INSERT INTO audit SELECT * FROM audit WHERE number = 1",
    ):
        with pytest.raises(IntegrityError), town.inventory.engine.begin() as connection:
            connection.execute(text(statement))


def test_of_two_technicians_at_once_one_wins_and_the_other_is_told(town: Town) -> None:
    at_once = threading.Barrier(2)

    def approve(site: str, who: int) -> object:
        at_once.wait()
        try:
            with town.inventory.writing((RUDI, SITI)[who]) as work:
                return devices.approve(work, ONE, site).placed_by
        except Refused as refused:
            return refused

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(approve, ("mardika", "batumerah"), (0, 1)))
    [winner] = [result for result in results if isinstance(result, str)]
    [told] = [result for result in results if isinstance(result, Refused)]
    assert (told.kind, told.values["by"]) == ("taken", winner.title())
    assert verify(town.inventory).ok


def test_many_writers_leave_one_chain(town: Town) -> None:
    def write(number: int) -> None:
        for part in range(5):
            with town.inventory.writing(OPI) as work:
                devices.add(work, box(f"amb-par-{number}x{part}"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    verdict = verify(town.inventory)
    assert verdict.ok
    assert verdict.rows == 12 + 20


_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from provisioning.acts import devices
from provisioning.inventory import Actor, open_inventory
from provisioning.inventory.verify import verify
from provisioning.refusals import Refused

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
inventory = open_inventory(f"sqlite:///{folder}/inventory.db", folder)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
kept, code = 0, ""
for number in range(400):
    try:
        with inventory.writing(Actor("opi", "operator")) as work:
            devices.describe(work, "amb-cam-one", note=f"{number} " + "x" * 490)
        kept += 1
    except Refused as refused:
        code = refused.code + " " + refused.said("id")
        break
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(code)
with inventory.reading() as rows:
    from provisioning.inventory import Device
    print(rows.get(Device, "amb-cam-one").note.split()[0] == str(kept - 1), kept > 10)
with inventory.writing(Actor("opi", "operator")) as work:
    devices.describe(work, "amb-cam-one", note="room again")
print(verify(inventory))
"""


def test_a_full_disk_is_a_refusal_and_nothing_is_half_done(sqlite_town: Callable[[], Town]) -> None:
    folder = sqlite_town().inventory.folder
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(folder)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    code, rest, verdict = done.stdout.splitlines()
    assert code.startswith("P-507 Server tidak dapat menulis")
    assert rest == "True True"
    assert verdict.startswith("Verdict(ok=True")


def test_a_folder_that_can_not_be_written_is_a_refusal(town: Town) -> None:
    head = town.inventory.folder / "audit.new"
    head.mkdir()  # the head of the log can't be written: the act must not be kept without it
    with pytest.raises(Refused, match="P-507"), town.inventory.writing(OPI) as work:
        devices.add(work, box("amb-cam-lost"))
    head.rmdir()
    with pytest.raises(Refused, match="P-404"), town.inventory.writing(RUDI) as work:
        devices.approve(work, "amb-cam-lost", "mardika")
    assert verify(town.inventory).ok


def test_keys_are_made_once_for_us_alone(tmp_path: Path) -> None:
    assert make_keys(tmp_path) == ["session.key", "seal.key", "gateway.token"]
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600] * 3
    before = session_key(tmp_path)
    (tmp_path / "seal.key").unlink()
    (tmp_path / "seal.key.new").write_text("half writ")  # a power cut while it was made
    assert make_keys(tmp_path) == ["seal.key"]
    assert (session_key(tmp_path), len(seal_key(tmp_path))) == (before, 44)
    assert not write_secret(tmp_path / "seal.key", b"other")


def test_keys_that_are_damaged_missing_or_open_to_others(tmp_path: Path) -> None:
    make_keys(tmp_path)
    (tmp_path / "session.key").chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        session_key(tmp_path)
    (tmp_path / "session.key").chmod(0o600)
    for content in ("", "short", "!" * 44, "AAAA"):
        (tmp_path / "session.key").write_text(content)
        with pytest.raises(SettingsError, match=r"session\.key"):
            session_key(tmp_path)
    (tmp_path / "session.key").unlink()
    with pytest.raises(SettingsError, match=r"session\.key"):
        session_key(tmp_path)


def test_the_file_of_the_inventory_is_for_us_alone(tmp_path: Path) -> None:
    open_inventory(f"sqlite:///{tmp_path}/state/inventory.db", tmp_path / "state", Clock()).close()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "inventory.db").stat().st_mode & 0o777 == 0o600


def test_settings(tmp_path: Path) -> None:
    file, secret = tmp_path / "provision.toml", tmp_path / "pw"
    secret.write_text("p@ss/word\n")
    secret.chmod(0o600)
    file.write_text(
        f'city = "amb"\nstate_folder = "{tmp_path}/state"\n'
        f'[inventory]\nurl = "postgresql+psycopg://kewang@db/kewang"\npassword_file = "{secret}"\n'
    )
    settings = read_settings(file)
    assert settings.inventory_url() == "postgresql+psycopg://kewang:p%40ss%2Fword@db/kewang"
    assert "p@ss" not in repr(settings)
    assert ProvisionSettings().inventory_url() == "sqlite:////var/lib/kewang/provisioning/inventory.db"
    for text_, why in (
        ('city = "Ambon!"', "city"),
        ("colour = 1", "unknown key"),
        ('[web]\ntime_zone = "WIT"', "time zone"),
    ):
        file.write_text(text_)
        with pytest.raises(SettingsError, match=why):
            read_settings(file)
