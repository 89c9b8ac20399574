"""Rules about readings: the shipped ones are sound, a file of one's own changes some, nonsense is refused clearly."""

from pathlib import Path

import pytest

from gateway.incidents.rules import load_rules
from kewang.runtime.settings import SettingsError
from kewang.wire.catalogue import BY_NAME


def test_the_shipped_rules_are_about_metrics_of_the_catalogue_and_speak_both_languages() -> None:
    rules = load_rules()
    assert {rule.metric for rule in rules} <= BY_NAME.keys()
    assert all(rule.id and rule.en and rule.id != rule.en for rule in rules)
    assert {"pm25", "ammonia", "heat", "water-level", "bin-full", "disk-full", "box-hot", "clock"} <= {
        rule.name for rule in rules
    }


def test_a_file_of_one_s_own_changes_adds_and_switches_off(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(
        "[water-level]\nfrom = 80.0\nclear = 60.0\n[heat]\noff = true\n"
        '[noise]\nmetric = "noise_dba"\nfrom = 85.0\nclear = 80.0\nhold_s = 60.0\nid = "Bising"\nen = "Noise"\n'
    )
    rules = {rule.name: rule for rule in load_rules(file)}
    assert (rules["water-level"].from_, rules["water-level"].hold_s) == (80.0, 120.0)
    assert "heat" not in rules
    assert rules["noise"].severity_at(90.0) == "warning"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[heat]\nmetric = "temperature"', "unknown metric 'temperature'"),
        ("[heat]\nfrom = 30.0\nclear = 34.0", "wrong way round"),
        ('[heat]\nwhen = "below"', "wrong way round"),
        ("[heat]\ncritical_from = 20.0", "wrong way round"),
        ("[heat]\nfrom = 90.0\ncritical_from = 95.0", "never outside"),
        ("[heat]\nfrom = nan", "finite"),
        ("[heat]\nhold = 5", "hold"),
        ("[heat]\ncodes = [1]", 'when = "codes"'),
        ("[clock]\ncodes = [7]", "give some of [0, 1]"),
        ("[camera-lost]\nclear = 1.0", "leave them out"),
        ('[outage]\nmetric = "temp_c"\nfrom = 1.0\nclear = 0.0\nhold_s = 1.0\nid = "a"\nen = "b"', "is taken"),
        ("heat = 3", "write a rule as [name]"),
        ("[heat", "not TOML"),
    ],
)
def test_nonsense_is_refused_with_its_name(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        load_rules(file)
    assert said in str(refused.value)
    assert str(file) in str(refused.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="give the path"):
        load_rules(tmp_path / "none.toml")
