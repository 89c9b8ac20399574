"""A backup is whole or it is none: cut off, damaged, of a database that is not there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway import backup
from gateway.backup import BackupFailed
from gateway.settings import GatewaySettings
from tests.cli.commands import kewang, told


def made(into: Path, content: str = "readings") -> None:
    with backup.made(into) as folder:
        (folder / "a").mkdir()
        (folder / "a" / "file").write_text(content)
        (folder / "a" / "link").symlink_to("file")


def spoil(folder: Path) -> None:
    (folder / "a" / "file").write_text("Readings")


def lose(folder: Path) -> None:
    (folder / "a" / "file").unlink()


def turn(folder: Path) -> None:
    (folder / "a" / "link").unlink()
    (folder / "a" / "link").symlink_to("/etc/passwd")


def unfinish(folder: Path) -> None:
    (folder / backup.MANIFEST).unlink()


def cut(folder: Path) -> None:
    manifest = folder / backup.MANIFEST
    manifest.write_text(manifest.read_text()[:-20])


def age(folder: Path) -> None:
    manifest = folder / backup.MANIFEST
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 0'))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (spoil, "a/file and 0 more"),
        (lose, "a/file and 0 more"),
        (turn, "a/link and 0 more"),
        (unfinish, "not finished"),
        (cut, "can't be read"),
        (age, "another version"),
    ],
)
def test_what_is_not_whole_is_found_out(tmp_path: Path, harm: Callable[[Path], None], said: str) -> None:
    made(tmp_path / "server")
    assert set(backup.check(tmp_path / "server")["files"]) == {"a/file", "a/link", backup.BEGAN}
    harm(tmp_path / "server")
    with pytest.raises(BackupFailed, match=said):
        backup.check(tmp_path / "server")


def test_one_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    into = tmp_path / "server"
    made(into)
    with pytest.raises(BackupFailed, match="disk full"), backup.made(into) as folder:
        (folder / "half").write_text("")
        raise OSError("disk full")
    assert backup.check(into)["files"].keys() >= {"a/file"}
    with pytest.raises(BackupFailed, match="not finished"):
        backup.check(tmp_path / "server.new")
    made(into, "newer")
    backup.check(into)
    assert [path.name for path in tmp_path.iterdir()] == ["server"]
    assert into.stat().st_mode & 0o077 == 0


def test_one_that_ended_between_its_renames_leaves_the_one_before(tmp_path: Path) -> None:
    into = tmp_path / "server"
    made(into)
    into.rename(tmp_path / "server.old")
    with pytest.raises(BackupFailed, match="disk full"), backup.made(into):
        raise OSError("disk full")
    assert backup.check(into)["files"].keys() >= {"a/file"}


def test_a_folder_is_kept_below_the_backup_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "secret").write_text("")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with backup.made(tmp_path / "server") as folder:
        backup.save_folder(Path("../here/../../", tmp_path.name, "etc"), folder)
        with pytest.raises(BackupFailed, match="the backup itself"):
            backup.save_folder(tmp_path, folder)
    kept = (tmp_path / "etc" / "secret").relative_to("/").as_posix()
    assert backup.check(tmp_path / "server")["files"].keys() == {f"also/{kept}", backup.BEGAN}


def test_a_folder_that_is_no_backup_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("")
    with pytest.raises(BackupFailed, match="no backup of ours"):
        made(tmp_path)
    assert (tmp_path / "precious").exists()


def test_databases_are_copied_while_somebody_writes(tmp_path: Path) -> None:
    folder, into = tmp_path / "gateway", tmp_path / "server"
    folder.mkdir()
    files = [tmp_path / "kewang.db", folder / "gateway.db", folder / "incidents.db"]
    for file in files:
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=wal")
            db.execute("CREATE TABLE t (n)")
    settings = GatewaySettings.model_validate(
        {"store": {"url": f"sqlite:///{files[0]}"}, "incidents": {"folder": str(folder)}}
    )
    with closing(sqlite3.connect(files[0], isolation_level=None)) as writer:
        writer.execute("INSERT INTO t VALUES (1)")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t VALUES (2)")
        with backup.made(into) as new:
            backup.save_database(settings, new)
            backup.save_incidents(settings, new)
        writer.execute("COMMIT")
    with closing(sqlite3.connect(into / "database" / "kewang.db")) as copy:
        assert copy.execute("SELECT n FROM t").fetchall() == [(1,)]
    assert {"gateway/gateway.db", "gateway/incidents.db"} <= backup.check(into)["files"].keys()


def test_a_command_that_can_not_keep_all_keeps_nothing_and_says_why(tmp_path: Path) -> None:
    config, into = tmp_path / "gateway.toml", tmp_path / "server"
    config.write_text(f'[store]\nurl = "sqlite:///{tmp_path}/none.db"\n')
    missing = kewang("backup", "make", str(into), "--config", str(config))
    assert (missing.returncode, into.exists()) == (3, False)
    assert "none.db" in missing.stderr
    config.write_text('[store]\nurl = "influx2+http://127.0.0.1:1/ambon/kewang"\n')
    second = kewang("backup", "make", str(into), "--config", str(config))
    assert (second.returncode, into.exists()) == (3, False)
    assert "--without-database" in second.stderr
    also = ("--also", str(tmp_path / "etc"))
    no_folder = kewang("backup", "make", str(into), "--config", str(config), "--without-database", *also)
    assert (no_folder.returncode, into.exists()) == (3, False)
    (tmp_path / "etc").mkdir()
    done = kewang("backup", "make", str(into), "--config", str(config), "--without-database", *also, "--json")
    assert told(done)["ok"], done.stderr
    (into / backup.BEGAN).unlink()
    damaged = kewang("backup", "check", str(into), "--json")
    assert (damaged.returncode, told(damaged)["ok"]) == (1, False)
