"""What the pages tell of outages is so: the examples load, the runbook has a heading for every kind, numbers fit."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import docs.generate as generate
import docs.settings_tables as settings_tables
from gateway.incidents.engine_rules import EngineRules
from gateway.incidents.hearing import PresenceRules
from gateway.incidents.rules import RESERVED, Rule, load_rules
from gateway.notify.budget import BudgetRules
from gateway.notify.channels import channels
from gateway.notify.contacts import RecipientSettings
from gateway.notify.phrases import OURSELVES
from gateway.notify.routes import NotifySettings, QuietSettings, RouteSettings, read_notify_settings
from tests.docs_examples.pages import DOCS, EXAMPLES, LANGUAGES, anchors, tables

OUTAGES = ("source", "device", "site", "uplink", "feeder", "city")
OTHERS = {
    *("sources-device", "unstable-device", "two-boxes-device", "self-gateway", "maintenance-device", "canary-device"),
}
WORKS = {"maintenance-site", "maintenance-uplink", "maintenance-feeder"}
CHANGED = EXAMPLES / "rules.toml"
COMMENTED = {"templates", "ca_file", "url_file"}
"""Keys that the example of notices shows in a comment, or in another channel."""


def test_the_example_of_notices_loads_with_its_secrets(tmp_path: Path) -> None:
    text = EXAMPLES.joinpath("notify.toml").read_text()
    for name in re.findall(r'^\w+_file = "/etc/kewang/([^"]+)"', text, re.MULTILINE):
        (tmp_path / name).write_text("json://127.0.0.1/{recipient}\n")
        (tmp_path / name).chmod(0o600)
    file = tmp_path / "notify.toml"
    file.write_text(text.replace("/etc/kewang/", f"{tmp_path}/"))
    settings = read_notify_settings(file)
    assert {one.kind for one in settings.channels.values()} == set(generate.channel_models())
    assert channels(settings.channels).keys() == settings.channels.keys()
    assert {name for route in settings.routes for name in route.to} == settings.recipients.keys()
    assert {name for route in settings.routes for name in route.by} == settings.channels.keys()


def test_the_example_of_notices_names_every_key_with_its_default() -> None:
    text = EXAMPLES.joinpath("notify.toml").read_text()
    values = tomllib.loads(text)
    parts: list[tuple[dict[str, Any], type[BaseModel]]] = [
        *(
            (values[name], settings_tables.section(NotifySettings.model_fields[name].annotation) or NotifySettings)
            for name in ("links", "office", "budget", "escalation", "delivery")
        ),
        *((one, generate.channel_models()[one["kind"]]) for one in values["channels"].values()),
        (values["recipients"]["shift"], RecipientSettings),
        (values["routes"][0], RouteSettings),
        (values["quiet"][0], QuietSettings),
        (values, NotifySettings),
    ]
    for given, model in parts:
        assert model.model_fields.keys() - given.keys() <= COMMENTED, model
    assert all(f"# {name} = " in text for name in COMMENTED)
    for name in ("budget", "delivery"):
        assert read_notify_settings(EXAMPLES / "notify.toml").model_dump()[name] == NotifySettings().model_dump()[name]


def test_the_example_of_rules_changes_adds_and_switches_off() -> None:
    shipped, changed = ({rule.name: rule for rule in load_rules(file)} for file in (None, CHANGED))
    assert shipped.keys() - changed.keys() == {"bin-full"}
    assert changed.keys() - shipped.keys() == {"noise", "supply-low", "camera-dirty"}
    assert changed["water-level"] != shipped["water-level"]
    assert {rule.when for rule in changed.values()} == {"above", "below", "codes"}
    given = {key for table in tomllib.loads(CHANGED.read_text()).values() for key in table}
    assert given | {"name"} == {field.alias or name for name, field in Rule.model_fields.items()}


def headings_needed() -> set[str]:
    """`{kind}-{level}` of every incident there may be."""
    rules = load_rules()
    wide = {f"{rule.name}-city" for rule in rules if rule.per == "site"}
    others = OTHERS | WORKS | {f"self-{name}-gateway" for name in OURSELVES}
    return {f"outage-{level}" for level in OUTAGES} | others | {f"{rule.name}-{rule.per}" for rule in rules} | wide


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notice_of_every_kind_finds_its_heading(language: str) -> None:
    page = DOCS / language / "runbook.md"
    found = anchors(page) | set(re.findall(r'<a id="([^"]+)">', page.read_text()))
    assert headings_needed() - found == set()
    assert {name.removesuffix("-device").removesuffix("-gateway") for name in OTHERS} | {"outage"} == RESERVED
    assert (
        "#{kind}-{level}"
        in NotifySettings.model_validate(tomllib.loads(EXAMPLES.joinpath("notify.toml").read_text())).links.runbook
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_on_the_page_are_those_of_the_code(language: str) -> None:
    presence, engine, budget = PresenceRules(), EngineRules(), BudgetRules()
    page = DOCS / language / "outages.md"
    found = list(tables(page))
    when = next(rows for _, rows in found if len(rows[0]) == 4 and any("105" in row[1] for row in rows))
    numbers = [[float(number) for number in re.findall(r"\d+", row[1])][:1] for row in when[:3]]
    limits = [presence.limit_s("wired"), presence.limit_s("cellular"), engine.group_silence_s]
    assert numbers == [[limit] for limit in limits]
    holds = [engine.wired_hold_s, engine.cellular_hold_s, engine.hold_s, engine.wired_hold_s, engine.own_hold_s]
    assert [float(re.findall(r"\d+", row[2])[0]) for row in when] == holds
    for row, limit, hold in zip(when[:3], limits, holds, strict=False):
        minutes, seconds = map(int, re.findall(r"\d+", row[3]))
        assert abs(60 * minutes + seconds - limit - hold) < 5, row
    text = page.read_text()
    for told_of in (
        f"{presence.source_min_s:.0f}",
        f"{engine.site_share:.0%}".replace("%", " %"),
        f"{engine.parent_share:.0%}".replace("%", " %"),
        f"{engine.city_share:.0%}".replace("%", " %"),
        f"{engine.return_s:.0f}",
    ):
        assert told_of in text, told_of
    few = next(rows for _, rows in found if rows[0][1] == str(budget.notices))
    told = [[int(number) for number in re.findall(r"\d+", row[1])] for row in few]
    every = [budget.digest_every_s / 60, budget.gather_s]
    assert told[:4] == [
        [budget.notices],
        [budget.single, budget.first_critical],
        every,
        [round(budget.update_every_s / 60)],
    ]
