"""The bench of visits: its figures, its bad link, its phone; and that it notices what is broken."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from kewang.bench.bad_link import BadLink, Weather
from kewang.bench.phone import Screens, Visited
from kewang.bench.visit import Run, VisitPlan, judge, measure, quantiles

PAGE = """
<main id="visit" data-visit="v-1">
<section data-step="start" hidden><form data-answers="start" data-local></form></section>
<section data-step="site"><form method="post" action="/t/visit/v-1/site" data-answers="site">
<input type="hidden" name="csrf" value="c"><input type="hidden" name="device" value="amb-1">
<input type="radio" name="site" value="mardika"><input type="radio" name="site" value="gong"></form></section>
<section data-step="mounted" hidden><form action="/t/visit/v-1/mounted" data-photo="mounted"></form></section></main>
"""


def green(first_s: float) -> Run:
    return Run("amb-1", Visited(first_s, first_s + 1, 5, "green", "2026-0001"))


def test_the_page_s_forms_are_read_as_they_are() -> None:
    screens = Screens(PAGE)
    assert (screens.visit, screens.at) == ("v-1", "site")
    assert screens.forms["site"].action == "/t/visit/v-1/site"
    assert screens.forms["site"].fields == {"csrf": "c", "device": "amb-1"}
    assert screens.forms["site"].sites == ["mardika", "gong"]
    assert set(screens.forms) == {"start", "site", "mounted"}


def test_p95_is_the_nearest_rank_and_judged() -> None:
    runs = [green(number) for number in range(1, 21)]
    assert quantiles(runs) == {"p50": 10, "p95": 19}
    assert quantiles([]) == {"p50": None, "p95": None}
    figures = {"first_reading_s": quantiles(runs), "bad_link": quantiles(runs), "taps": 5}
    assert judge(figures, runs, runs) == ["first_reading_s: p95 is 19 s, at most 10 s"]


def test_a_visit_that_is_not_green_fails_the_bench() -> None:
    figures = {"first_reading_s": quantiles([]), "bad_link": quantiles([]), "taps": 13}
    amber = Run("amb-2", Visited(1, 2, 13, "amber", "2026-0002"))
    failed = judge(figures, [Run("amb-1", None, "no way")], [amber])
    assert failed == ["amb-1 is not green: no way", "amb-2 is not green: ", "13 taps, at most 12"]


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that says everything back."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def serve(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            link, _ = server.accept()
            threading.Thread(target=answer, args=(link,), daemon=True).start()


def answer(link: socket.socket) -> None:
    with link, contextlib.suppress(OSError):
        while data := link.recv(1 << 16):
            link.sendall(data)


def said_back(port: int, text: bytes) -> tuple[bytes, float]:
    began_s, got = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", port), 10) as link, contextlib.suppress(OSError):
        link.sendall(text)
        while len(got) < len(text) and (data := link.recv(1 << 16)):
            got += data
    return got, time.monotonic() - began_s


@pytest.fixture
def link(echo: int) -> Iterator[BadLink]:
    made = BadLink(echo, seed=7)
    yield made
    made.close()


def test_a_bad_link_is_late_by_its_round_trip_however_much_it_carries(link: BadLink) -> None:
    link.weather = Weather(0.2)
    text = bytes(range(256)) * 400
    got, took_s = said_back(link.port, text)
    assert got == text
    # The handshake, and there and back: not once for every piece.
    assert 0.4 <= took_s < 2.0


def test_a_bad_link_kills_its_share(link: BadLink) -> None:
    link.weather = Weather(0.0, 1.0)
    with socket.create_connection(("127.0.0.1", link.port), 10) as held, contextlib.suppress(OSError):
        assert held.recv(1) == b""
    assert (link.opened, link.killed) == (1, 1)
    link.weather = Weather()
    assert said_back(link.port, b"again")[0] == b"again"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("sabotage", "told"), [("gateway", "not so within"), ("unlisted", "P-409")])
def test_what_is_broken_is_noticed(sabotage: str, told: str) -> None:
    result = measure(VisitPlan(1, 0, 1, sabotage))
    assert (result["ok"], result["green"]) == (False, 0)
    assert told in result["failed"][0]
