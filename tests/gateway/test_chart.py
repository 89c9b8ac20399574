"""The drawing of the map: no site is forgotten, no mark hides another, no label lies on one."""

from itertools import combinations
from math import dist

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.console.chart import HEIGHT, WIDTH, Chart, Label, asked_box, chart
from gateway.console.sites import BY_KEY, FIRST, SiteNow
from kewang.ui.city import drawing

NEAR = 60.0
where = st.one_of(
    st.none(),
    st.tuples(st.floats(128.05, 128.3), st.floats(-3.8, -3.6)),
    st.tuples(st.floats(-180, 180), st.floats(-90, 90)),
)
cities = st.lists(st.tuples(st.sampled_from(FIRST), where), max_size=60)


def sites(city: list[tuple[str, tuple[float, float] | None]]) -> list[SiteNow]:
    made = [SiteNow(f"site-{n}-{'long' * (n % 9)}", BY_KEY[key], {}, (), at) for n, (key, at) in enumerate(city)]
    return sorted(made, key=lambda site: (site.rank, site.name))


def label_room(label: Label) -> tuple[float, float, float, float]:
    x, y, wide = label.x * WIDTH / 100, label.y * HEIGHT / 100, len(label.text) * 13
    left = {"start": x, "end": x - wide, "middle": x - wide / 2}[label.anchor]
    return left, y - 15, left + wide, y + 15


def apart(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[2] <= other[0] + 1 or other[2] <= one[0] + 1 or one[3] <= other[1] + 1 or other[3] <= one[1] + 1


def shown(drawn: Chart) -> list[str]:
    return [site.name for mark in drawn.marks for site in mark.sites] + [site.name for site in drawn.off]


@settings(max_examples=40)
@given(cities)
def test_every_site_is_in_one_mark_or_beside_the_map(city: list[tuple[str, tuple[float, float] | None]]) -> None:
    given_sites = sites(city)
    drawn = chart(given_sites, drawing())
    assert sorted(shown(drawn)) == sorted(site.name for site in given_sites)
    assert all(0 <= mark.x <= 100 and 0 <= mark.y <= 100 for mark in drawn.marks)
    places = [(mark.x * WIDTH / 100, mark.y * HEIGHT / 100) for mark in drawn.marks]
    assert all(dist(one, other) >= NEAR - 0.2 for one, other in combinations(places, 2))
    labels = [label_room(label) for label in (*(m.label for m in drawn.marks if m.label), *drawn.names)]
    assert all(apart(one, other) for one, other in combinations(labels, 2))
    for x, y in places:
        assert all(apart((x - 9, y - 9, x + 9, y + 9), room) for room in labels)
    for mark in drawn.marks:
        assert mark.worst.rank == min(site.rank for site in mark.sites)
        assert all(mark.closer.has(site.at) for site in mark.sites if site.at)


@given(st.text(max_size=40) | st.tuples(*[st.floats()] * 4).map(lambda four: ",".join(map(str, four))))
def test_any_box_of_an_address_is_one_or_none(text: str) -> None:
    box = asked_box(text)
    if box is not None:
        again = asked_box(str(box))
        assert box.west < box.east
        assert box.south < box.north
        assert again is not None
        assert chart([], drawing(), box).land.startswith("M")


def test_an_empty_city_shows_the_land() -> None:
    drawn = chart([], drawing())
    assert (drawn.marks, drawn.off) == ((), ())
    assert {name.text for name in drawn.names} >= {"Sirimau", "Nusaniwe"}
