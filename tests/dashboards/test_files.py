"""The files for Grafana: they parse, hold no secret, and are written whole."""

import json
import re
from pathlib import Path

import pytest
import yaml

from dashboards import look
from dashboards.alerts import rules
from dashboards.boards import BOARDS
from dashboards.files import built, data_source, write
from dashboards.lint import _colours, panels
from dashboards.voice import Voice
from dashboards.yaml_text import yaml_text
from tests.cli.commands import kewang, told
from tests.docs_examples.pages import DOCS

VOICES = [Voice("id"), Voice("en")]
HOSTILE = {"a": ["- b: c", "#", "'", '"', "\n", "yes", "~", "1e3", "x: y"], "b": [], "c": {}, "d": [[1], [None, True]]}


def test_yaml_comes_back_as_it_was() -> None:
    for value in (HOSTILE, data_source(), rules(VOICES[0])):
        assert yaml.safe_load(yaml_text(value, "a head\nof two lines")) == value


def test_everything_parses() -> None:
    made = built(VOICES)
    assert len([name for name in made if name.startswith("boards/")]) == 12
    for name, content in made.items():
        if name.endswith((".json", ".geojson")):
            assert json.loads(content)
        elif name.endswith(".yaml"):
            assert yaml.safe_load(content)["apiVersion"] == 1
    assert str(made["grafana.env"]).endswith("GF_USERS_DEFAULT_LANGUAGE=id-ID\n")
    assert made["maps/empty.png"][:4] == b"\x89PNG"


def test_no_file_holds_a_secret() -> None:
    source = yaml.safe_load(str(built(VOICES)["provisioning/datasources/kewang.yaml"]))["datasources"][0]
    assert source["secureJsonData"] == {"password": "$__file{/run/secrets/kewang-influx}"}
    assert source["uid"] == "kewang"


def test_the_map_says_whose_drawing_it_is() -> None:
    city = json.loads(built(VOICES)["maps/city.geojson"])
    assert "Own coarse drawing" in city["source"]
    assert sum(one["geometry"]["type"] == "Point" for one in city["features"]) == 5


def test_an_older_build_leaves_nothing_behind(tmp_path: Path) -> None:
    old, theirs = (tmp_path / "boards" / "id" / name for name in ("kewang-old-id.json", "their-own.json"))
    old.parent.mkdir(parents=True)
    old.write_text("{}")
    theirs.write_text("{}")
    paths = write(tmp_path, built(VOICES))
    assert all(path.exists() for path in paths)
    assert not old.exists()
    assert theirs.exists()
    assert list(tmp_path.rglob("*.part")) == []


def test_build_writes_them(tmp_path: Path) -> None:
    done = kewang("dashboards", "build", "--out", str(tmp_path / "new"), "--lang", "en", "--json")
    assert done.returncode == 0, done.stderr
    assert "boards/id/kewang-wall-id.json" in told(done)["files"]
    assert "en-US" in (tmp_path / "new" / "grafana.env").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--zone", "Mars/Olympus"], 2, "is no time zone"),
        (["--console", "javascript:alert(1)"], 2, "is no address"),
        (["--out", "/proc/kewang"], 3, "choose a folder that this user may write"),
    ],
)
def test_build_says_what_is_wrong(tmp_path: Path, words: list[str], code: int, said: str) -> None:
    done = kewang("dashboards", "build", "--out", str(tmp_path), *words)
    assert done.returncode == code
    assert said in done.stderr


SECTIONS = {
    "en": ["The wall", "Cameras", "Environment", "Network and power", "Device", "Platform and alarm quality"],
    "id": ["Dinding", "Kamera", "Lingkungan", "Jaringan dan listrik", "Alat", "Platform dan mutu alarm"],
}
LINES_ONLY = {"timeseries"}
"""Their colour is a limit drawn as a line."""


@pytest.mark.parametrize("language", ["en", "id"])
def test_the_page_says_what_each_panel_that_turns_yellow_or_red_asks_for(language: str) -> None:
    page = (DOCS / language / "boards.md").read_text()
    missing = []
    for section, make in zip(SECTIONS[language], BOARDS.values(), strict=True):
        told = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
        for one in panels(make(Voice(language))):  # type: ignore[arg-type]
            asks = {look.WARN, look.ALARM} & {*_colours(one["fieldConfig"])}
            name = re.split(r"[:(]", one["title"].lstrip("▲■◇● "))[0].strip()
            if asks and one["type"] not in LINES_ONLY and name.lower() not in told.lower():
                missing.append(f"{section}: {name}")
    assert missing == []
