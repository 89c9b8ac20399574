"""What is installed where: pinned requirements, the wheel, and the edge with nothing but its own packages."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGES = ("kewang", "edge", "gateway", "firmware_sim", "provisioning", "dashboards")
SERVER_ONLY = {"aiohttp", "amqtt", "fastapi", "influxdb-client", "starlette", "uvicorn"}

# Imports every module below the named packages while the named top-level modules can't be found.
IMPORT_WITHOUT = """
import importlib, pkgutil, sys

absent, packages, left_out = (set(filter(None, each.split(","))) for each in sys.argv[1:])

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not installed with this extra", name=name)

sys.meta_path.insert(0, Absent())
for package in packages:
    root = importlib.import_module(package)
    for module in pkgutil.walk_packages(root.__path__, package + "."):
        if not any(module.name.startswith(f"{each}.") for each in left_out):
            importlib.import_module(module.name)
            print(module.name)
"""
BEYOND = {"edge": "edge.cameras,edge.enrol", "camera": "edge.enrol", "enrol": "edge.cameras"}
"""What of the edge an extra leaves out: the packages whose modules need more than it installs."""


def pinned(extra: str) -> set[str]:
    """Names of the distributions that requirements/<extra>.txt holds."""
    lines = (CHECKOUT / "requirements" / f"{extra}.txt").read_text().splitlines()
    return {line.split("==")[0] for line in lines if "==" in line}


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return name.lower().replace("_", "-")


def test_the_installed_entry_points_are_those_of_pyproject() -> None:
    """A command added to pyproject.toml is found only after `make venv`; this says so if it was forgotten."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    wanted = project.get("entry-points", {}) | {"console_scripts": project["scripts"]}
    installed = {
        group: {point.name: point.value for point in entry_points(group=group) if point.value in points.values()}
        for group, points in wanted.items()
    }
    assert installed == wanted, "Run: make venv"


def test_the_requirements_name_no_address_and_hash_everything() -> None:
    for path in (CHECKOUT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text
        assert "index-url" not in text
        pinned = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert pinned
        assert all("==" in line and line.endswith("\\") for line in pinned), path


@pytest.mark.parametrize("extra", BEYOND)
def test_no_server_package_is_pinned_for_the_edge(extra: str) -> None:
    assert {"aiomqtt", "pymodbus", "psutil"} <= pinned(extra)
    assert pinned(extra).isdisjoint(SERVER_ONLY)
    assert ("numpy" in pinned(extra)) == (extra == "camera")
    assert ("cryptography" in pinned(extra)) == (extra == "enrol")


@pytest.mark.parametrize("extra", BEYOND)
def test_the_edge_imports_with_nothing_but_its_own_packages(extra: str) -> None:
    installed = packages_distributions()
    here = {normal(name) for name in pinned(extra)} | {"kewang"}
    absent = {module for module, names in installed.items() if here.isdisjoint(map(normal, names))}
    assert {"fastapi", "influxdb_client"} <= absent
    packages = "kewang.wire,kewang.runtime,edge"
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT, ",".join(sorted(absent)), packages, BEYOND[extra]],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "edge.agent" in done.stdout.split()


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, CHECKOUT],
        check=True,
        capture_output=True,
        timeout=200,
    )
    (wheel,) = tmp_path.glob("kewang-*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "-z", *PACKAGES], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    assert {path for path in tracked if path} - inside == set()
    assert any(path.endswith("licenses/LICENSE") for path in inside)
    assert not any(path.startswith(("tests/", "docs/", "deploy/")) for path in inside)
