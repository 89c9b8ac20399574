"""The architecture as a failing test: imports, sizes, and that the checks themselves catch what they are for."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGES = ("kewang", "edge", "gateway", "firmware_sim", "provisioning", "dashboards")
MODULE_LIMIT_LINES = 400


def lint_imports(checkout: Path) -> subprocess.CompletedProcess[str]:
    """import-linter over the packages in `checkout`, without a cache, with that folder first on its path."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=checkout,
        env={"PYTHONPATH": str(checkout), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages that a test may spoil, if it removes again what it added."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copy(CHECKOUT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(CHECKOUT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_the_import_contracts_hold() -> None:
    done = lint_imports(CHECKOUT)
    assert done.returncode == 0, done.stdout + done.stderr


# One violation for each contract: where, what it says, and the beginning of the contract it must break.
VIOLATIONS = [
    ("edge", "import gateway", "The five folders never import each other"),
    ("firmware_sim", "import edge", "The five folders never import each other"),
    ("gateway", "import kewang.bench", "Only the command line and the bench know everybody"),
    ("kewang.wire", "import time", "kewang.wire imports none of ours"),
    ("kewang.wire", "import kewang.runtime", "kewang.wire imports none of ours"),
    ("kewang.ui", "import kewang.wire", "kewang.ui imports none of ours"),
    ("kewang.runtime", "import sqlite3", "kewang.runtime imports none of ours"),
    ("kewang.runtime", "import kewang.wire", "kewang.runtime imports none of ours"),
    ("edge", "import kewang.ui", "The edge shows no page"),
    ("edge", "import fastapi", "The edge shows no page"),
    ("gateway", "import aiomqtt", "The MQTT library only at the seams"),
    ("kewang.cli", "from paho.mqtt import client", "The MQTT library only at the seams"),
    ("gateway", "import influxdb_client", "The InfluxDB 2 client only in its sink"),
]


@pytest.mark.parametrize(("package", "line", "contract"), VIOLATIONS, ids=lambda value: str(value)[:32])
def test_a_violation_is_caught(copy: Path, package: str, line: str, contract: str) -> None:
    spoiled = copy / package.replace(".", "/") / "spoiled_by_test.py"
    spoiled.write_text(line + "\n")
    try:
        done = lint_imports(copy)
    finally:
        spoiled.unlink()
    broken = [text for text in done.stdout.splitlines() if text.endswith(" BROKEN")]
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(text.startswith(contract) for text in broken), done.stdout
    assert f"{package}.spoiled_by_test" in done.stdout


def test_what_a_contract_allows_is_allowed(copy: Path) -> None:
    """The seams that may know the MQTT library are let through, so a rule that forbids everything would fail here."""
    seam = copy / "kewang" / "bench" / "spoiled_by_test.py"
    seam.write_text("import aiomqtt\nimport edge\nimport gateway\n")
    try:
        done = lint_imports(copy)
    finally:
        seam.unlink()
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_is_short_enough_to_be_read() -> None:
    sources = [path for folder in (*PACKAGES, "tests") for path in (CHECKOUT / folder).rglob("*.py")]
    lengths = {str(path.relative_to(CHECKOUT)): len(path.read_text().splitlines()) for path in sources}
    assert lengths
    assert {path: lines for path, lines in lengths.items() if lines > MODULE_LIMIT_LINES} == {}


def test_the_installed_entry_points_are_those_of_pyproject() -> None:
    """A driver or command added to pyproject.toml is found only after `make venv`; this says so if it was forgotten."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    wanted = project["entry-points"] | {"console_scripts": project["scripts"]}
    installed = {
        group: {point.name: point.value for point in entry_points(group=group) if point.value in points.values()}
        for group, points in wanted.items()
    }
    assert installed == wanted, "Run: make venv"


def test_the_requirements_name_no_address_and_hash_everything() -> None:
    for path in (CHECKOUT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text
        assert "--index-url" not in text
        pinned = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert pinned
        assert all("==" in line and line.endswith("\\") for line in pinned), path


def test_no_server_package_is_pinned_for_the_edge() -> None:
    text = (CHECKOUT / "requirements" / "edge.txt").read_text()
    pinned = {line.split("==")[0] for line in text.splitlines() if "==" in line}
    assert "aiomqtt" in pinned
    assert pinned.isdisjoint({"aiohttp", "amqtt", "fastapi", "influxdb-client", "numpy", "starlette", "uvicorn"})
