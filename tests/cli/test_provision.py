"""`kewang provision` as a process: a city from nothing, a device through its life, a backup and back."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import kewang, told

ONE, TWO = "amb-cam-one", "amb-cam-two"
Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run(*words, code=0)`: the answer of `kewang provision ... --json`, whose exit code was `code`."""
    config = tmp_path / "provision.toml"
    config.write_text(f'state_folder = "{tmp_path}/state"\n[web]\npublic_url = "https://kewang.ambon.go.id"\n')

    def do(*words: str, code: int = 0) -> Any:
        done = kewang("provision", *words, "--config", str(config), "--json")
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return told(done) if done.stdout else done.stderr

    return do


def import_town(run: Run, folder: Path) -> None:
    (folder / "sites.csv").write_text("id;nama;lintang;bujur\nmardika;Pasar Mardika;-3,69;128,18\npasso;Passo;;\n")
    (folder / "boxes.csv").write_text(f"id,fingerprint,kind\n{ONE},{'A' * 26},camera\n{TWO},{'B' * 26},camera\n")
    assert run("import", "sites", str(folder / "sites.csv"))["imported"] == 2
    assert run("import", "devices", str(folder / "boxes.csv"), "--dry-run")["imported"] == 0
    assert run("import", "devices", str(folder / "boxes.csv"))["imported"] == 2


@pytest.mark.slow
def test_a_city_from_nothing(run: Run, tmp_path: Path) -> None:
    assert "kewang provision init" in run("audit", "verify", code=2)
    made = run("init", "--login", "ada", "--name", "Ada")
    assert len(made["password"]) == 19
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert "set up already" in run("init", code=2)
    import_town(run, tmp_path)
    assert run("approve", ONE, "--site", "mardika")["state"] == "approved"
    assert run("approve", ONE, "--site", "passo", code=1)["kind"] == "taken"
    assert run("move", ONE, "--site", "passo")["site"] == "passo"
    assert run("replace", ONE, TWO, "--reason", "broken")["replaces"] == ONE
    assert run("revoke", TWO, "--reason", "stolen")["state"] == "revoked"
    assert run("retire", TWO)["state"] == "retired"
    assert run("revoke", "nobody-1", "--reason", "x", code=1)["code"] == "P-404"
    rudi = run("people", "add", "rudi", "--name", "Rudi", "--district", "sirimau")
    assert run("people", "password", "rudi")["password"] != rudi["password"]
    run("people", "disable", "rudi")
    assert [(one["login"], one["disabled"]) for one in run("people", "list")["people"]] == [
        ("ada", False),
        ("rudi", True),
    ]
    verdict = run("audit", "verify")
    assert (verdict["ok"], verdict["problem"]) == (True, "")
    acts = [row["act"] for row in run("audit", "list", "--limit", "1000")["rows"]]
    assert acts.count("device.approve") == 1
    assert not any(
        made["password"] in path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()
    )


@pytest.mark.slow
def test_a_city_without_a_broker_is_set_up_and_told_what_is_lacking(tmp_path: Path) -> None:
    config = tmp_path / "provision.toml"
    config.write_text(
        f'state_folder = "{tmp_path}/state"\n[web]\npublic_url = "https://kewang.ambon.go.id"\n'
        f'[guard]\nfolder = "{tmp_path}/broker"\nprogram = "no-such-broker"\n'
    )
    done = kewang("provision", "init", "--config", str(config))
    assert (done.returncode, "Password, shown only now" in done.stdout) == (0, True), done.stderr
    assert f"The broker has no files in {tmp_path}/broker yet: " in done.stderr
    assert "install Mosquitto 2. Then start 'kewang provision serve', which writes them" in done.stderr
    assert not (tmp_path / "broker" / "mosquitto.conf").exists()


def test_without_settings_nothing_is_set_up_unasked() -> None:
    done = kewang("provision", "init")
    assert done.returncode == 2
    assert "set up in /var/lib/kewang/provision" in done.stderr
    assert "--config" in done.stderr


@pytest.mark.slow
def test_files_in_and_out(run: Run, tmp_path: Path) -> None:
    run("init")
    import_town(run, tmp_path)
    (tmp_path / "bad.csv").write_text(f"id,fingerprint\nx-1,{'C' * 26}\nBAD ID,short\n")
    refused = run("import", "devices", str(tmp_path / "bad.csv"), "--language", "id", code=1)
    assert [(one["line"], one["column"]) for one in refused["problems"]] == [(3, "id"), (3, "fingerprint")]
    assert refused["problems"][0]["text"].startswith("baris 3, kolom id: id alat harus")
    assert run("labels", str(tmp_path / "labels.pdf"))["labels"] == 2
    assert (tmp_path / "labels.pdf").read_bytes().startswith(b"%PDF")
    run("export", "inventory", str(tmp_path / "inventory.csv"), "--language", "en")
    with (tmp_path / "inventory.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["device id"] for row in csv.DictReader(file, delimiter=";")] == [ONE, TWO]
    for what in ("work", "audit"):
        run("export", what, str(tmp_path / f"{what}.csv"))
    run("backup", str(tmp_path / "b.tar"))
    (tmp_path / "state").rename(tmp_path / "lost")
    run("restore", str(tmp_path / "b.tar"))
    assert run("audit", "verify")["ok"]
    assert "not empty" in run("restore", str(tmp_path / "b.tar"), code=3)


@pytest.mark.slow
def test_what_is_wrong_on_the_server_is_told(run: Run, tmp_path: Path) -> None:
    run("init")
    with sqlite3.connect(tmp_path / "state" / "inventory.db") as connection:
        connection.execute("UPDATE audit SET actor = 'nobody' WHERE number = 1")
    connection.close()
    assert run("audit", "verify", code=1)["row"] == 1
    (tmp_path / "state").chmod(0o755)
    assert "chmod 700" in run("people", "list", code=2)
    (tmp_path / "state").chmod(0o700)
    with sqlite3.connect(tmp_path / "state" / "inventory.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert "upgrade kewang" in run("people", "list", code=3)
    (tmp_path / "state" / "inventory.db").write_bytes(b"no database at all" * 100)
    assert "inventory" in run("people", "list", code=3)
