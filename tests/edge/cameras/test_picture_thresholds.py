"""The thresholds' file is read strictly."""

import hashlib
from pathlib import Path

import pytest

from edge.cameras.thresholds import FILE, ThresholdsError, load


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = FILE.read_text()
    assert old in text
    path = tmp_path / "thresholds.toml"
    path.write_text(text.replace(old, new, 1))
    return path


def test_the_shipped_file_is_whole_and_known_by_its_digest() -> None:
    limits = load()
    assert limits.confirm.hard_looks == 3
    assert limits.sha256 == hashlib.sha256(FILE.read_bytes()).hexdigest()


def test_every_threshold_has_a_comment() -> None:
    lines = [line for line in FILE.read_text().splitlines() if "=" in line.split("#")[0]]
    assert [line for line in lines if "#" not in line] == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("hard_looks = 3", "hard_looks = 3.5", "whole number"),
        ("hard_looks = 3", "hard_looks = true", "whole number"),
        ("hard_looks = 3", "hard_locks = 3", "missing: hard_looks"),
        ("hard_looks = 3", "hard_looks = 3\nextra = 1", "not known: extra"),
        ("hard_s = 25.0", "hard_s = nan", "below 0 or no number"),
        ("hard_s = 25.0", "hard_s = -1.0", "below 0 or no number"),
        ("hard_s = 25.0", 'hard_s = "25"', "not a number"),
        ("[soft]", "[sofa]", "missing: soft"),
        ("[soft]", "[soft", "thresholds.toml"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(ThresholdsError, match=told):
        load(changed(tmp_path, old, new))
