"""`kewang bench cameras` at a tiny size, and how it fails: a blind judge, and one that cries wolf."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from edge.cameras.facts import Transport, Verdict
from edge.cameras.health import Assessment, CameraHealth
from edge.cameras.picture import Picture
from edge.cameras.thresholds import load
from firmware_sim.cameras.scenes import PictureFault, painted
from kewang.bench.cameras import SCENES, CamerasPlan, measure, plan_of, production
from kewang.bench.cameras_drive import Camera, Judge, Sample, Zones
from kewang.bench.cameras_figures import family_figures, shortfalls
from kewang.bench.cameras_life import CameraResult, Case, alarms, cases, told_of
from kewang.bench.cameras_pictures import Album
from kewang.bench.cameras_plan import Event, Fault, LinkFault, Weight
from kewang.bench.cameras_score import calm_days
from kewang.wire.cameras import CameraReason, CameraState

NOON_S = 43_200.0
FAULTS: tuple[Fault, ...] = (PictureFault.BLACK, LinkFault.SILENT, LinkFault.UNREACHABLE)
EVENTS = [Event(fault, NOON_S + 300 + 1200 * n, NOON_S + 540 + 1200 * n, 1) for n, fault in enumerate(FAULTS)]
UNTIL_S = 47_000.0
KEYS = {
    *("camera_days", "hard_recall", "soft_recall", "slow_recall", "typed_recall", "false_alarms_per_camera_day"),
    *("latency_p95_s", "latency_max_s", "cpu_ms_per_sample", "thresholds_sha256", "test_seeds", "by_fault"),
    *("baseline", "second_family"),
}


def blind(zones: Zones) -> Judge:
    """Production's judgement with thresholds that nothing ever reaches."""
    limits = load()
    never = replace(limits.confirm, hard_looks=10**9, soft_looks=10**9, transport_looks=10**9)
    return CameraHealth(replace(limits, confirm=never), zones)


class Asleep:
    """Sees nothing at all, and costs nothing."""

    def __init__(self, zones: Zones) -> None:
        self.looks = 0

    def reached(self, transport: Transport, now_s: float) -> Assessment:
        return self._said()

    def saw(
        self,
        transport: Transport,
        picture: Picture | None,
        now_s: float,
        *,
        fingerprint: int | None = None,
        corrupt: bool = False,
    ) -> Assessment:
        self.looks += 1
        return self._said()

    def accept(self, clean: bool) -> str:
        return ""

    def _said(self) -> Assessment:
        return Assessment(Verdict(CameraState.OK, CameraReason.NONE, False), {})


class Wolf(Asleep):
    """Cries every fifth time."""

    def _said(self) -> Assessment:
        if self.looks % 5:
            return super()._said()
        return Assessment(Verdict(CameraState.DEGRADED, CameraReason.NOISY, False), {})


def watched(judge: Judge) -> tuple[CameraResult, list[Sample]]:
    """An hour of one camera with three faults, judged by `judge`."""
    camera = Camera(judge, painted(5), 5, now_s=NOON_S)
    samples = list(camera.samples(UNTIL_S, EVENTS))
    told = told_of(alarms(samples), EVENTS)
    result = CameraResult("painted", 5, 1, calm_days(NOON_S, UNTIL_S, EVENTS), told, costs=camera.costs)
    result.cases = cases(result, samples, told.found, told.false_alarms)
    return result, samples


def test_production_tells_the_three_faults_apart_in_time() -> None:
    result, samples = watched(production(load(), []))
    assert [one.event.fault for one in result.ours.found if one.in_time and one.typed] == [*FAULTS]
    assert not result.ours.false_alarms
    figures = family_figures([result])
    assert (figures["hard_recall"], figures["typed_recall"], figures["false_alarms"]) == (1.0, 1.0, {})
    assert figures["cpu_ms_per_sample"] > 0
    assert not [text for text in shortfalls(figures) if text.startswith(("hard", "typed", "false", "latency"))]
    gaps = [after.time_s - before.time_s for before, after in itertools.pairwise(samples)]
    assert max(gaps) <= 25


def test_a_blind_judge_is_found_out() -> None:
    figures = family_figures([watched(blind([]))[0]])
    assert figures["hard_recall"] == 0
    assert {"hard_recall: 0, must be at least 1", "typed_recall: 0, must be at least 0.85"} <= {*shortfalls(figures)}


def test_a_judge_that_cries_wolf_is_found_out() -> None:
    figures = family_figures([watched(Wolf([]))[0]])
    assert figures["false_alarms_per_camera_day"] > 10
    assert {*figures["false_alarms"]} <= {"NOISY", "NOISY stuck"}
    assert any(text.startswith("false_alarms_per_camera_day") for text in shortfalls(figures))


def test_a_miss_is_told_and_painted_with_its_numbers(tmp_path: Path) -> None:
    said: list[str] = []
    album = Album(SCENES, tmp_path, said.append)
    for case in watched(blind([]))[0].cases:
        album.keep(case)
    assert len(said) == len(FAULTS)
    assert said[0].startswith("painted 5 day 0 12:08:36: black missed; day, meanwhile")
    assert "camera_state=" in said[0]
    files = sorted(file.name for file in tmp_path.iterdir())
    assert files[0] == "black-missed-painted-5-day-0-120836.png"
    with Image.open(tmp_path / files[0]) as picture:
        assert picture.width == 640
        assert ImageStat.Stat(picture.crop((0, 0, 640, 360))).mean[0] < 40


@pytest.mark.slow
def test_the_whole_bench_is_not_ok_with_a_judge_that_sleeps() -> None:
    said: list[str] = []
    shown: list[Case] = []
    plan = CamerasPlan({"painted": 1}, weights=(Weight.HARD,), jobs=1, make_judge=Asleep, warm_days=1)
    result = measure(plan, said.append, shown.append)
    assert not result["ok"]
    assert {*result} >= KEYS
    assert (result["camera_days"], result["hard_recall"], result["false_alarms_per_camera_day"]) == (1, 0, 0)
    assert [row["events"] for row in result["by_fault"]] == [1] * 6
    assert result["baseline"]["k1"]["hard_recall"] > 0
    assert result["thresholds_sha256"] == load().sha256
    assert len(shown) == 6
    assert len(said) == 1
    assert {"second_family: not measured", "wire: not measured"} <= {*result["failed"]}


def test_the_command_refuses_what_it_cannot_run() -> None:
    with pytest.raises(ValueError, match="painted, filmed or both"):
        plan_of(family="drawn")
    with pytest.raises(ValueError, match="hard, soft, slow"):
        plan_of(only="hard,bad")


def test_as_many_days_as_promised() -> None:
    assert sum(plan_of().days.values()) >= 20
    assert sum(plan_of(full=True).days.values()) >= 100
    assert plan_of().wire is not None
    assert plan_of(days=2).wire is None
