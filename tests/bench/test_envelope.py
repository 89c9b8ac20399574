"""What a measuring command shows to people."""

import re
from typing import Any

import pytest
import typer

from kewang.bench.envelope import emit, envelope
from kewang.bench.field import _figures
from kewang.bench.field_truth import Dates


def shown(figures: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The words for people on 80 columns, white space as one blank."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(typer.Exit):
        emit(envelope("bench field", seed=1, parts=[], started_s=0.0, figures=figures), False)
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 80
    return re.sub(r"\s+", " ", told)


def test_no_name_of_a_figure_is_cut_off(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    stories = [_figures(name, Dates()) for name in ("no-time", "carton")]
    told = shown({"stories": stories, "short": [{"a": 1, "b": 2}]}, capsys, monkeypatch)
    for story in stories:
        assert f"story {story['story']}, right 0, " in told
    assert all(told.count(f"{name} ") == 2 for name in ("told_ahead", "told_behind", "behind_ms", "ahead_ms"))
    assert re.search(r"┃ a ┃ b ┃", told)


def test_names_of_what_is_not_stored_are_explained(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = shown({"unflushed": 6, "excused": 0}, capsys, monkeypatch)
    assert "unflushed 6 (in an agent's memory when it was ended) excused 0 ok" in told
