"""The scorer of `kewang bench alerts` on notices made by hand: each figure can go wrong."""

from typing import Any

import pytest

from kewang.bench.alerts_city import City, Device, Site
from kewang.bench.alerts_figures import figures_of, most_within, percentile, shortfalls, tally_of
from kewang.bench.alerts_score import Kind, Notice, Part, Score, Told, score
from kewang.bench.alerts_truth import Outage

SITES = {
    "pasar": Site("pasar", "wired", "pln-1", "fo-1", on_battery=False),
    "taman": Site("taman", "cellular", "pln-1", "bts-1", on_battery=False),
}
BOXES = {
    name: Device(name, site, SITES[site].link, 0.0)
    for name, site in {"p1": "pasar", "p2": "pasar", "p3": "pasar", "t1": "taman"}.items()
}
CITY = City(BOXES, SITES)
PASAR = frozenset({"p1", "p2", "p3"})


def outage(
    number: int, level: str, name: str, start_s: float, end_s: float, *devices: str, why: str = "power"
) -> Outage:
    return Outage(number, level, name, why, start_s, end_s, dict.fromkeys(devices, (start_s, end_s)), 240.0)


def site_dark(start_s: float = 1_000.0, end_s: float = 4_000.0) -> Outage:
    return outage(0, "site", "pasar", start_s, end_s, *sorted(PASAR))


def part(number: int, level: str = "site", name: str = "pasar", devices: frozenset[str] = PASAR, **more: Any) -> Part:
    return Part(number, level, name, devices, **more)


def alone(number: int, device: str) -> Part:
    return part(number, "device", device, frozenset({device}))


def sent(at_s: float, kind: Kind, *parts: Part) -> Notice:
    return Notice(at_s, kind, parts)


def judged(outages: list[Outage], *notices: Notice, causes: dict[int, str | None] | None = None) -> Score:
    return score(CITY, outages, Told(notices, causes or {}))


def figures(outages: list[Outage], *notices: Notice, causes: dict[int, str | None] | None = None) -> dict[str, Any]:
    return figures_of([tally_of(CITY, judged(outages, *notices, causes=causes))])


def fates(outages: list[Outage], *notices: Notice) -> list[str]:
    return [verdict.fate for verdict in judged(outages, *notices).verdicts]


RIGHT = (sent(1_090.0, "opened", part(1)), sent(4_100.0, "resolved", part(1)))


def test_one_right_notice_for_one_outage_is_what_is_wanted() -> None:
    found = figures([site_dark()], *RIGHT, causes={1: "power"})
    assert found["fates"] == {"direct": 1}
    assert found["ttd_s"]["site"] == {"p50": 90.0, "p95": 90.0, "max": 90.0, "n": 1}
    names = ("missed", "false_share", "notices_per_incident", "closings_per_incident", "cause_accuracy", "worst_10min")
    assert [found[name] for name in names] == [0, 0, 1, 1, 1, 1]
    assert [text for text in shortfalls(found, 4) if not text.startswith("ttd_s")] == []


def test_silence_is_a_miss() -> None:
    found = figures([site_dark()])
    assert (found["missed"], found["false_share"], found["cause_accuracy"]) == (1, None, None)
    failed = [text.partition(":")[0] for text in shortfalls(found, 4)]
    assert failed[:3] == ["missed", "false_share", "notices_per_incident"]


def test_too_short_an_outage_need_not_be_told_but_may_be() -> None:
    short = site_dark(end_s=1_200.0)
    assert fates([short]) == ["untold"]
    found = figures([short], *RIGHT)
    assert (found["incidents"], found["missed"], found["false_share"], found["short_share"]) == (0, 0, 0, 1)


def test_a_notice_about_nothing_is_false() -> None:
    found = figures([site_dark()], *RIGHT, sent(9_000.0, "opened", alone(2, "t1")))
    assert found["false_share"] == 0.5
    assert "false_share: 0.5, must be below 0.01" in shortfalls(found, 4)


def test_a_notice_before_the_outage_is_false_and_the_outage_is_missed() -> None:
    found = figures([site_dark()], sent(990.0, "opened", part(1)))
    assert (found["missed"], found["false_share"], found["unclosed"]) == (1, 1, 1)


def test_long_after_the_end_it_is_no_notice_of_the_outage() -> None:
    assert fates([site_dark()], sent(4_299.0, "opened", part(1))) == ["direct"]
    assert fates([site_dark()], sent(4_301.0, "opened", part(1))) == ["missed"]


def test_a_message_for_each_device_is_too_many() -> None:
    found = figures([site_dark()], *(sent(1_090.0, "opened", alone(number, name)) for number, name in enumerate(PASAR)))
    assert (found["notices_per_incident"], found["cause_accuracy"], found["worst_10min"]) == (3, 0, 3)


def test_a_digest_is_one_notice_about_several() -> None:
    others = [site_dark(), outage(1, "device", "t1", 1_000.0, 4_000.0, "t1")]
    digest = sent(1_200.0, "digest", part(1), Part(2, "device", "t1", frozenset({"t1"}), over=True))
    found = figures(others, digest)
    assert (found["fates"], found["notices"], found["notices_per_incident"]) == ({"direct": 2}, 1, 0.5)
    assert (found["unclosed"], found["closings_per_incident"]) == (1, 0.5)  # what was told as over is closed


def test_the_right_place_counts_and_the_right_reason() -> None:
    wrong_place = figures([site_dark()], sent(1_090.0, "opened", part(1, "feeder", "pln-1")), causes={1: "power"})
    assert (wrong_place["place_accuracy"], wrong_place["cause_accuracy"]) == (0, 0)
    wrong_why = figures([site_dark()], *RIGHT, causes={1: "link"})
    assert (wrong_why["place_accuracy"], wrong_why["why_accuracy"], wrong_why["cause_accuracy"]) == (1, 0, 0)
    never_said = figures([site_dark()], *RIGHT)
    assert never_said["why_accuracy"] == 0


def test_a_site_of_one_box_is_that_box() -> None:
    dark = outage(0, "site", "taman", 1_000.0, 4_000.0, "t1")
    assert figures([dark], sent(1_100.0, "opened", alone(1, "t1")), causes={1: "power"})["cause_accuracy"] == 1


def test_a_device_inside_a_site_that_was_told_is_masked_not_missed() -> None:
    inside = outage(1, "device", "p1", 2_000.0, 3_000.0, "p1")
    assert fates([site_dark(), inside], *RIGHT) == ["direct", "masked"]
    assert fates([site_dark(), inside]) == ["missed", "missed"]


def test_what_outlives_the_larger_one_is_missed_unless_the_closing_lists_it() -> None:
    longer = outage(1, "device", "p1", 2_000.0, 9_000.0, "p1")
    assert fates([site_dark(), longer], *RIGHT) == ["direct", "missed"]
    listing = sent(4_100.0, "resolved", part(1, stragglers=frozenset({"p1"})))
    assert fates([site_dark(), longer], RIGHT[0], listing) == ["direct", "straggled"]


def test_a_box_that_lived_on_in_a_dark_site_and_then_fails_is_masked_by_the_site() -> None:
    partly = outage(0, "site", "pasar", 1_000.0, 4_000.0, "p1", "p2")
    inside = outage(1, "device", "p3", 2_000.0, 3_000.0, "p3")
    assert fates([partly, inside], *RIGHT) == ["direct", "masked"]
    named_alone = (sent(1_090.0, "opened", alone(1, "p1")), sent(4_100.0, "resolved", alone(1, "p1")))
    assert fates([partly, inside], *named_alone) == ["direct", "missed"]


def test_who_was_listed_as_not_back_is_known_to_be_down_whatever_keeps_it_down() -> None:
    late = Outage(0, "site", "pasar", "power", 1_000, 4_000, {"p1": (1_000, 5_000), "p2": (1_000, 4_000)}, 240)
    again = outage(1, "device", "p1", 4_500.0, 9_000.0, "p1")
    listing = sent(4_300.0, "resolved", part(1, stragglers=frozenset({"p1"})))
    assert fates([late, again], RIGHT[0], listing) == ["direct", "straggled"]
    later = outage(1, "device", "p1", 5_500.0, 9_000.0, "p1")  # it was back in between
    assert fates([late, later], RIGHT[0], listing) == ["direct", "missed"]


def test_one_straggler_is_not_the_whole_site() -> None:
    feeder = outage(0, "feeder", "pln-1", 1_000.0, 4_000.0, *BOXES)
    longer = outage(1, "site", "pasar", 2_000.0, 9_000.0, *sorted(PASAR))
    whole = part(1, "feeder", "pln-1", frozenset(BOXES))

    def listing(*stragglers: str) -> Notice:
        return sent(4_300.0, "resolved", part(1, "feeder", "pln-1", frozenset(BOXES), stragglers=frozenset(stragglers)))

    assert fates([feeder, longer], sent(1_090.0, "opened", whole), listing("p1")) == ["direct", "missed"]
    assert fates([feeder, longer], sent(1_090.0, "opened", whole), listing("p1", "p2")) == ["direct", "straggled"]


def test_what_stays_open_under_its_name_goes_on() -> None:
    longer = outage(1, "device", "p1", 2_000.0, 9_000.0, "p1")
    late = sent(9_100.0, "resolved", part(1))
    assert fates([site_dark(), longer], RIGHT[0], late) == ["direct", "masked"]
    fresh = outage(
        1, "device", "p1", 8_000.0, 9_000.0, "p1"
    )  # long after it was back: an incident left open hides it not
    assert fates([site_dark(), fresh], RIGHT[0], late) == ["direct", "missed"]


def test_what_was_told_by_mistake_just_before_and_stays_open_is_known() -> None:
    early = sent(700.0, "opened", part(1))
    assert fates([site_dark()], early, sent(4_100.0, "resolved", part(1))) == ["continued"]
    assert fates([site_dark()], early, sent(3_900.0, "resolved", part(1))) == ["missed"]
    too_early = sent(390.0, "opened", part(1))
    assert fates([site_dark()], too_early, sent(4_100.0, "resolved", part(1))) == ["missed"]


def test_a_larger_notice_covers_a_device_that_was_silent_just_before() -> None:
    before = outage(1, "device", "p1", 950.0, 3_000.0, "p1")
    verdicts = judged([site_dark(), before], *RIGHT).verdicts
    assert [(verdict.fate, verdict.told_s) for verdict in verdicts] == [("direct", 1_090.0), ("covered", 1_090.0)]


def test_every_notice_has_its_closing_and_every_closing_its_notice() -> None:
    found = figures([site_dark()], RIGHT[0], sent(4_100.0, "resolved", part(7)))
    assert (found["unclosed"], found["closed_unopened"]) == (1, 1)
    assert {"unclosed: 1, must be 0", "closed_unopened: 1, must be 0"} <= {*shortfalls(found, 4)}


def test_what_was_opened_is_not_opened_again() -> None:
    found = figures([site_dark()], RIGHT[0], sent(1_800.0, "opened", part(1)), RIGHT[1])
    assert (found["opened_twice"], found["notices_per_incident"]) == (1, 2)
    assert "opened_twice: 1, must be 0" in shortfalls(found, 4)


def test_ourselves() -> None:
    broker = outage(0, "gateway", "", 1_000.0, 1_400.0, why="broker")
    told = sent(1_060.0, "opened", part(1, "gateway", "", frozenset()))
    found = figures([broker], told)
    assert (found["fates"], found["cause_accuracy"], found["ttd_s"]["site"]["n"]) == ({"direct": 1}, 1, 0)
    named = figures([broker], sent(1_060.0, "opened", part(1, "gateway", "loop", frozenset())))
    assert named["cause_accuracy"] == 1
    wrong = figures([broker], sent(1_060.0, "opened", part(1, "city", "", PASAR)))
    assert (wrong["missed"], wrong["false_share"]) == (1, 1)


def test_a_flapping_device_gives_no_time_to_detection() -> None:
    flapping = outage(0, "device", "p1", 1_000.0, 9_000.0, "p1", why="flapping")
    found = figures([flapping], sent(3_000.0, "opened", alone(1, "p1")))
    assert (found["fates"], found["ttd_s"]["wired"]["n"], found["cause_accuracy"]) == ({"direct": 1}, 0, 1)


def test_a_dark_city_is_compressed_as_its_notices_say() -> None:
    dark = outage(0, "city", "", 1_000.0, 4_000.0, *BOXES)
    whole = part(1, "city", "", frozenset(BOXES))
    assert figures([dark], sent(1_100.0, "opened", whole))["compression"] == 4
    assert figures([dark], sent(1_100.0, "opened", whole), sent(1_800.0, "worsened", whole))["compression"] == 2
    none = figures([dark])
    assert none["compression"] == 0
    assert "compression: 0.0, must be at least 500" in shortfalls(none, 1_000)
    assert not [text for text in shortfalls(none, 100) if text.startswith("compression")]


def test_too_late_is_told() -> None:
    found = figures([site_dark()], sent(1_200.0, "opened", part(1)))
    assert "ttd_s site p95: 200.0, must be at most 125" in shortfalls(found, 4)
    found = figures([outage(0, "device", "t1", 1_000.0, 4_000.0, "t1")], sent(1_180.0, "opened", alone(1, "t1")))
    assert found["ttd_s"]["cellular"]["p50"] == 180
    assert "ttd_s cellular p50: 180.0, must be at most 175" in shortfalls(found, 4)


def test_cases_tell_what_happened_when() -> None:
    cases = tally_of(CITY, judged([site_dark()], sent(1_200.0, "opened", alone(1, "p1")))).cases
    assert [case.partition(":")[0] for case in cases] == ["wrong place", "late"]
    assert "1000 to 4000 s (back 4000): site pasar, power, 3 devices; told at 1200 s as device p1" in cases[0]
    assert tally_of(CITY, judged([site_dark()])).cases[0].startswith("missed: 1000 to 4000 s")
    assert tally_of(CITY, judged([], RIGHT[0])).cases == ["false: 1090 s: site pasar (3 devices, incident 1)"]


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.95, 4), (0.0, 1), (1.0, 4)])
def test_percentiles_are_values_that_were_seen(share: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == value
    assert percentile([], share) is None


def test_the_worst_window_may_lie_anywhere() -> None:
    assert most_within([0, 100, 650, 700, 701, 1_250], 600) == 4
    assert most_within([], 600) == 0
