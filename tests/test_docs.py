"""The pages say what the code does: settings, commands, topics, links, and both languages alike."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import docs.generate as generate
import docs.settings_tables as settings_tables
import kewang.cli
from docs.words import Untranslated, Words
from edge.enrolment_settings import EnrolmentSettings
from edge.settings import EdgeSettings
from edge.sources.registers import Register
from gateway.settings import GatewaySettings
from kewang.ui.words import LOCALE, read_po
from kewang.wire.catalogue import METRICS
from kewang.wire.placement import Place
from provisioning.settings import ProvisionSettings
from tests.docs_examples.pages import (
    CHECKOUT,
    DOCS,
    EXAMPLES,
    LANGUAGES,
    Fence,
    anchors,
    committed_texts,
    fences_of,
    headings,
    links,
    pages,
    prose,
    tables,
)

MAX_PICTURE_BYTES = 250_000
HOSTS = {
    *("127.0.0.1", "192.168.1.64", "keepachangelog.com", "semver.org", "SERVER", "HOST"),
    *("localhost", "USER@HOST", "PENGGUNA@HOST", "kewang@127.0.0.1"),
    *("json-schema.org", "api.telegram.org", "graph.facebook.com", "www.openstreetmap.org", "www.w3.org"),
}
"""Hosts that a page may name."""


MODELS: dict[str, type[BaseModel]] = {
    "edge": EdgeSettings,
    "gateway": GatewaySettings,
    "provision": ProvisionSettings,
}


def test_generated_pages_are_up_to_date() -> None:
    stale = [str(page.relative_to(CHECKOUT)) for page in generate.outdated()]
    assert not stale, "Run: .venv/bin/python docs/generate.py"


def test_a_description_without_indonesian_is_an_error() -> None:
    words = Words("id")
    words("Settings file (TOML).")
    words.check()
    words("nobody has said this")
    with pytest.raises(Untranslated, match='msgid "nobody has said this"'):
        words.check()


def test_no_indonesian_text_is_left_over() -> None:
    words = Words("id")
    generate.blocks(words)
    assert words.known.keys() - {""} == words.used.keys()


def documented(language: str, page: str) -> dict[str, set[str]]:
    """Heading -> code in the first cells of the tables below it."""
    found: dict[str, set[str]] = {}
    for heading, rows in tables(DOCS / language / page):
        found.setdefault(heading, set()).update(name for row in rows for name in re.findall(r"`([^`]+)`", row[0]))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("program", ["edge", "gateway", "provision"])
def test_every_setting_is_documented(language: str, program: str) -> None:
    model = MODELS[program]
    shown = documented(language, "configure.md")
    for key in settings_tables.settings_keys(model):
        *section, name = key.split(".")
        if name == "sources":
            continue
        heading = f"`[{'.'.join(section)}]`" if section else f"{program}.toml"
        assert name in shown[heading], key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_of_drivers_maps_and_placements_is_documented(language: str) -> None:
    shown = documented(language, "configure.md")
    assert {"box", "modbus-tcp"} <= generate.source_models().keys()
    for name, model in generate.source_models().items():
        assert settings_tables.keys(model) == shown[f'`[[sources]] driver = "{name}"`']
    assert Register.model_fields.keys() == shown["`[[registers]]`"]
    places = next(rows for heading, rows in shown.items() if heading in ("Placements", "Penempatan"))
    assert {field.alias or name for name, field in Place.model_fields.items()} == places


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_metric_is_documented(language: str) -> None:
    shown = documented(language, "metrics.md")
    for metric in METRICS:
        assert metric.name in shown[f"`{metric.stream}`"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_cameras_tells_how_every_metric_is_measured(language: str) -> None:
    heading, rows = next(
        (heading, rows)
        for heading, rows in tables(DOCS / language / "cameras.md")
        if any("`camera_state`" in row[0] for row in rows)
    )
    told = [name for row in rows for name in re.findall(r"`([^`]+)`", row[0])]
    assert sorted(told) == sorted(metric.name for metric in METRICS if metric.stream == "cam"), heading
    assert all(len(row) == 3 and all(row) for row in rows)


def test_every_command_and_option_is_documented() -> None:
    shown = documented("en", "commands.md")
    titles = {text for _, text in headings(DOCS / "en" / "commands.md")}
    commands = generate.programs()
    assert {name.split()[0] for name in commands} == set(kewang.cli._PROGRAMS)
    for name, command in commands.items():
        assert f"`kewang {name}`" in titles
        options = {spelled for parameter in command.params for spelled in parameter.opts if spelled.startswith("--")}
        assert options - {"--help"} <= shown.get(f"`kewang {name}`", set()), name


def calls(page: Path) -> list[list[str]]:
    """Every call of `kewang` in a page's shell fences and in code between its words, as words."""
    lines = [line for fence in fences_of(page) if fence.kind.startswith("sh") for line in fence.text.splitlines()]
    lines += re.findall(r"`([^`]+)`", prose(page))
    found = (re.match(r"(?:sudo -u kewang )?(?:\S*/)?kewang (.+)", line.partition(" #")[0]) for line in lines)
    return [match[1].split() for match in found if match]


@pytest.mark.parametrize(
    "page", [page for page in pages() if calls(page)], ids=lambda page: str(page.relative_to(CHECKOUT))
)
def test_commands_in_a_page_exist_with_their_options(page: Path) -> None:
    commands = generate.programs()
    for words in calls(page):
        name = next((name for name in (" ".join(words[:3]), " ".join(words[:2]), words[0]) if name in commands), None)
        own = takewhile(lambda word: word != "--", words)
        given = {re.split("=", word)[0] for word in own if re.match("--?[a-z]", word)}
        if name is None:
            assert words[0] in {*kewang.cli._PROGRAMS, "PROGRAM", "--help", "--version"}, words
            assert len(words) == 1 or words[1:] == ["--help"] or re.match(r"\W|\.\.\.", words[1]), words
        else:
            known = {spelled for each in commands[name].params for spelled in (*each.opts, *each.secondary_opts)}
            assert given <= known | {"--help"}, words


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        if re.match(r"[a-z]+://", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_page_can_be_reached() -> None:
    reached, waiting = set[Path](), [CHECKOUT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page.suffix == ".md" and page not in reached:
            reached.add(page)
            found = (
                (page.parent / target.partition("#")[0]).resolve() for target in links(page) if "://" not in target
            )
            waiting += [file for file in found if file.is_file()]
    assert set(pages()) - reached - {DOCS / "README.md"} == set()


def test_both_languages_have_the_same_pages() -> None:
    english, indonesian = ({page.name for page in (DOCS / language).iterdir()} for language in LANGUAGES)
    assert english == indonesian


@pytest.mark.parametrize("name", sorted(page.name for page in (DOCS / "en").glob("*.md")))
def test_both_languages_have_the_same_shape(name: str) -> None:
    english, indonesian = (shape(DOCS / language / name) for language in LANGUAGES)
    assert english == indonesian


@pytest.mark.parametrize("name", ["office.md", "technician.md"])
def test_words_of_the_web_app_are_quoted_as_it_says_them(name: str) -> None:
    """What is bold stands on a button or in a heading: in English, and in the same place in Indonesian."""
    english, indonesian = (
        [" ".join(bold.split()) for bold in re.findall(r"\*\*(.+?)\*\*", prose(DOCS / language / name), re.DOTALL)]
        for language in ("en", "id")
    )
    catalogue = read_po(LOCALE / "id.po")
    assert [text for text in english if text not in catalogue] == []
    assert [catalogue[text] for text in english] == indonesian


def shape(page: Path) -> dict[str, Any]:
    """What must be alike in both languages: headings' levels, tables' lengths, what is in the fences."""
    skipped = tuple(f"`kewang {name}" for name in generate.FOR_DEVELOPERS)
    kept = [(level, text) for level, text in headings(page) if not text.startswith(skipped)]
    return {
        "headings": [level for level, _ in kept],
        "rows": [len(rows) for heading, rows in tables(page) if not heading.startswith(skipped)],
        "fences": [commands_of(fence) for fence in fences_of(page) if not about_developers(fence)],
    }


def about_developers(fence: Fence) -> bool:
    return fence.text.startswith(tuple(f"kewang {name}" for name in generate.FOR_DEVELOPERS))


def commands_of(fence: Fence) -> list[str]:
    """The fence without comments and without words that stand for something of the reader's."""
    return [re.sub(r"\b[A-Z]{3,}[A-Z-]*\b", "…", line.partition("#")[0]).rstrip() for line in fence.text.splitlines()]


def test_no_page_names_a_foreign_host_or_a_path_of_this_machine() -> None:
    # The pages themselves say: clone it into /opt.
    own = ["/root/", "/home/", "/tmp/"] + [str(CHECKOUT)] * (not CHECKOUT.is_relative_to("/opt"))
    for path in committed_texts():
        text = path.read_text()
        hosts = {host.rstrip(".,") for host in re.findall(r"[a-z0-9]+://([^/:\s`'\")]*)", text)} - {""}
        assert hosts <= HOSTS, path
        assert not [part for part in own if part in text], path


def test_pictures_are_small_and_used() -> None:
    pictures = set((DOCS / "img").iterdir())
    shown = {(page.parent / target).resolve() for page in pages() for target in links(page)}
    assert pictures <= shown | {DOCS / "img" / "live-page.png"}
    assert all(path.stat().st_size <= MAX_PICTURE_BYTES for path in pictures)
    assert (
        "docs/img/live-page.png" in links(CHECKOUT / "README.md")
        or "docs/img/live-page.png" in (CHECKOUT / "README.md").read_text()
    )


def test_contributing_tells_what_every_folder_of_tests_is_for() -> None:
    told = set(re.findall(r"`tests/([a-z_]+)`", (CHECKOUT / "CONTRIBUTING.md").read_text()))
    assert {path.parent.name for path in (CHECKOUT / "tests").glob("*/test_*.py")} == told


def test_decisions_are_numbered_listed_and_complete() -> None:
    folder = DOCS / "decisions"
    written = sorted(path.name for path in folder.glob("0*.md"))
    numbers = [int(name[:4]) for name in written]
    # Several people write at once, each with a number given beforehand: one may come before its neighbour.
    assert len(set(numbers)) == len(numbers)
    assert links(folder / "README.md") == written
    for name in written:
        assert [text for level, text in headings(folder / name) if level == 2] == [
            "Context",
            "Decision",
            "Consequences",
        ]


LIBRARIES = {
    *("paho-mqtt", "aiomqtt", "influxdb-client", "pydantic", "numpy", "grafana-api", "pytest"),
    *("sqlalchemy", "fastapi", "cryptography", "segno"),
}


def test_the_readme_says_where_each_library_is_used() -> None:
    (rows,) = [rows for heading, rows in tables(CHECKOUT / "README.md") if heading == "Which library is used where"]
    named = {row[0].split()[0].rstrip(","): row for row in rows}
    assert named.keys() == LIBRARIES
    for library, (_, where, since) in named.items():
        modules = [CHECKOUT / target for target in re.findall(r"\]\(([^)]+\.py)\)", where)]
        imported = {module.name: imports(module, library) for module in modules}
        assert all(imported.values()), f"{library}: {imported}"
        assert modules or since in ("later", "never") or library == "pytest"


def imports(module: Path, library: str) -> bool:
    name = {"paho-mqtt": "paho", "influxdb-client": "influxdb_client"}.get(library, library)
    return re.search(rf"^\s*(import|from) {name}\b", module.read_text(), re.MULTILINE) is not None


def test_headings_and_fences_are_well_formed() -> None:
    for page in pages():
        levels = [level for level, _ in headings(page)]
        assert levels[:1] == [1], page
        assert levels.count(1) == 1, page
        assert all(after <= before + 1 for before, after in pairwise(levels)), page
        assert "```" not in prose(page), page


COMMENTED = {
    "edge": {
        *("broker.tls.cert_file", "broker.tls.key_file", "outbox.flush_s", "outbox.flush_rows"),
        *("power.source", "power.metric", "power.levels"),
    },
    "gateway": {
        *("broker.tls.cert_file", "broker.tls.key_file"),
        *("console.service_token_file", "console.session_key_file", "console.login_url"),
        *("incidents.rules", "incidents.notify"),
    },
    "provision": {
        *("inventory.url", "inventory.password_file", "broker.username", "broker.password_file"),
        *("broker.tls.ca_file", "broker.tls.cert_file", "broker.tls.key_file"),
        *("guard.user", "guard.pid_file", "gateway.token_file", "gateway.copies_folder"),
    },
}
"""Keys that an example shows in a comment."""


@pytest.mark.parametrize("program", MODELS)
def test_examples_name_every_key(program: str) -> None:
    text = EXAMPLES.joinpath(f"{program}.toml").read_text()
    values = tomllib.loads(text)
    named = set(settings_tables.settings_keys(MODELS[program])) - ENROLLED.keys()
    assert {key for key in named if not has(values, key.split("."))} == COMMENTED[program]
    assert all(f"# {key.rpartition('.')[2]} = " in text for key in COMMENTED[program])


ENROLLED = {f"enrolment.{name}": name for name in EnrolmentSettings.model_fields}


def test_the_examples_of_boxes_name_every_key_of_theirs() -> None:
    enrolled = tomllib.loads(EXAMPLES.joinpath("edge-enrolled.toml").read_text())
    assert enrolled["enrolment"].keys() == set(ENROLLED.values())
    boxes = [tomllib.loads(EXAMPLES.joinpath(f"{name}.toml").read_text()) for name in ("edge", "sensors")]
    for name, driver in generate.source_models().items():
        given = {key for box in boxes for source in box["sources"] if source["driver"] == name for key in source}
        assert given == settings_tables.keys(driver)


def has(values: Any, keys: Sequence[str]) -> bool:
    return not keys or (isinstance(values, dict) and keys[0] in values and has(values[keys[0]], keys[1:]))
