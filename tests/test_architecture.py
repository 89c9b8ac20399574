"""The architecture as a failing test: who imports whom, how long a module is, and that the checks catch violations."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGES = ("kewang", "edge", "gateway", "firmware_sim", "provisioning", "dashboards")
MODULE_LIMIT_LINES = 400


def lint_imports(checkout: Path) -> subprocess.CompletedProcess[str]:
    """import-linter over the packages in `checkout`, without a cache, with that folder first on its path."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=checkout,
        env={"PYTHONPATH": str(checkout), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the packages that a test may spoil."""
    return copied(tmp_path)


def copied(folder: Path) -> Path:
    """The packages and their contracts once more, in `folder`."""
    shutil.copy(CHECKOUT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(CHECKOUT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def spoil(path: Path, lines: str) -> None:
    """Put `lines` at the end of the file at `path`, which may be a new one."""
    with path.open("a") as file:
        file.write(f"\n{lines}\n")


def test_the_import_contracts_hold() -> None:
    done = lint_imports(CHECKOUT)
    assert done.returncode == 0, done.stdout + done.stderr


# For each contract: a file, new unless its name says otherwise, a line in it, and how the contract it breaks begins.
VIOLATIONS = [
    ("edge/spoiled.py", "import gateway", "The five folders never import each other"),
    ("firmware_sim/spoiled.py", "import edge", "The five folders never import each other"),
    ("gateway/spoiled.py", "import kewang.bench", "Only the command line and the bench know everybody"),
    ("kewang/wire/spoiled.py", "import time", "kewang.wire imports none of ours"),
    ("kewang/wire/spoiled.py", "import kewang.runtime", "kewang.wire imports none of ours"),
    ("kewang/ui/spoiled.py", "import kewang.wire", "kewang.ui imports none of ours"),
    ("kewang/runtime/spoiled.py", "import sqlite3", "kewang.runtime imports none of ours"),
    ("kewang/runtime/spoiled.py", "import kewang.wire", "kewang.runtime imports none of ours"),
    ("kewang/web/spoiled.py", "import kewang.wire", "kewang.web is for servers only"),
    ("edge/spoiled.py", "import kewang.ui", "The edge shows no page"),
    ("edge/spoiled.py", "import cryptography", "Keys and certificates only in provisioning"),
    ("edge/spoiled.py", "import fastapi", "The edge shows no page"),
    ("gateway/spoiled.py", "import aiomqtt", "The MQTT library only at the seams"),
    ("kewang/cli/spoiled.py", "from paho.mqtt import client", "The MQTT library only at the seams"),
    ("gateway/spoiled.py", "import av", "Pictures only where cameras are"),
    ("gateway/spoiled.py", "import influxdb_client", "The InfluxDB 2 client only in its sink"),
    ("gateway/pipeline.py", "import sqlite3", "The pages know the seams"),
    ("edge/agent.py", "import edge.uplink", "The pages know the seams"),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is said of each contract, by its name, when every violation is there at once."""
    folder = copied(tmp_path_factory.mktemp("checkout"))
    for path, line, _ in VIOLATIONS:
        spoil(folder / path, line)
    done = lint_imports(folder)
    assert done.returncode == 1, done.stdout + done.stderr
    _, broken = done.stdout.split("Broken contracts")
    _, *parts = re.split(r"\n(?=[^\n]+\n-{10,}\n)", broken)
    return {part.partition("\n")[0]: part for part in parts}


@pytest.mark.parametrize(
    ("path", "line", "contract"), VIOLATIONS, ids=[f"{path}: {line}" for path, line, _ in VIOLATIONS]
)
def test_a_violation_is_caught(told: dict[str, str], path: str, line: str, contract: str) -> None:
    importer, imported = path.removesuffix(".py").replace("/", "."), line.split()[1]
    if imported.partition(".")[0] not in PACKAGES:
        imported = imported.partition(".")[0]
    (said,) = [said for name, said in told.items() if name.startswith(contract)]
    assert f"- {importer} -> {imported} (l." in " ".join(said.split()), said


def test_every_contract_has_a_violation() -> None:
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    for each in contracts:
        assert any(each["name"].startswith(contract) for _, _, contract in VIOLATIONS), each["name"]


def test_what_a_contract_allows_is_allowed(copy: Path) -> None:
    """The seams that may know the MQTT library are let through: a rule that forbids everything would fail here."""
    spoil(copy / "kewang/bench/spoiled.py", "import aiomqtt\nimport edge\nimport gateway")
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_is_short_enough_to_be_read() -> None:
    sources = [path for folder in (*PACKAGES, "tests") for path in (CHECKOUT / folder).rglob("*.py")]
    lengths = {str(path.relative_to(CHECKOUT)): len(path.read_text().splitlines()) for path in sources}
    assert lengths
    assert {path: lines for path, lines in lengths.items() if lines > MODULE_LIMIT_LINES} == {}
