"""`kewang` where not every extra is installed: what is missing is told with the extra that brings it, and nothing is
started."""

import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PATHS = "import sys; sys.path += sys.argv.pop(1).split(':')\n"


@pytest.fixture(scope="module")
def of_the_edge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that holds what requirements/edge.txt pins, and no more."""
    lines = (CHECKOUT / "requirements" / "edge.txt").read_text().splitlines()
    pinned = (line.split("==")[0] for line in lines if "==" in line and "win32" not in line)
    return packages(tmp_path_factory.mktemp("packages"), map(distribution, ("kewang", *pinned)))


def packages(folder: Path, wanted: Iterable[Distribution]) -> Path:
    """`folder`, with links to what is `wanted` of this environment."""
    for installed in wanted:
        for top in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
            link = folder / top
            if not top.endswith(".pth") and not link.exists():
                link.symlink_to(str(installed.locate_file(top)))
    return folder


def run(program: str, folder: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`program` with the packages in `folder` and, by -S, without those of this environment."""
    return subprocess.run(
        [sys.executable, "-S", "-c", PATHS + program, f"{folder}:{CHECKOUT}", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "library", "extra"),
    [
        (["demo"], "aiohttp", "demo"),
        (["bench", "chaos"], "prometheus_client", "demo"),
        (["gateway", "run"], "uvicorn", "gateway"),
        (["edge", "camera", "probe", "rtsp://127.0.0.1:1/s"], "av", "camera"),
        (["edge", "check", "-c", "edge.toml"], "numpy", "camera"),
        (["sim", "camera"], "av", "sim"),
    ],
)
def test_what_is_missing_is_told_in_a_sentence(
    of_the_edge: Path, tmp_path: Path, words: list[str], library: str, extra: str
) -> None:
    (tmp_path / "edge.toml").write_text(
        'device = "kotak-1"\n[[sources]]\ndriver = "camera"\nname = "cam-1"\nurl = "rtsp://127.0.0.1/s"\n'
    )
    before = set(tmp_path.iterdir())
    done = run("from kewang.cli import main; main()", of_the_edge, *words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.endswith(f"{library} is not installed here: pip install 'kewang[{extra}]' brings it")
    assert set(tmp_path.iterdir()) == before


def test_without_any_broker_the_extra_is_told_that_brings_one(tmp_path: Path) -> None:
    """Mosquitto does without amqtt, so the demo asks for it only where there is none."""
    folder = tmp_path / "packages"
    folder.mkdir()
    packages(folder, (each for each in distributions() if each.name != "amqtt"))
    program = "from kewang.bench.city import CityPlan, broker_of; broker_of(CityPlan((), broker='amqtt'))"
    done = run(program, folder, cwd=tmp_path)
    assert "MissingExtra: amqtt is not installed here: pip install 'kewang[demo]' brings it" in done.stderr
    assert run(program.replace("amqtt", "mosquitto"), folder, cwd=tmp_path).returncode == 0
