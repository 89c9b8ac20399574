"""Attempts at the visit: other people's labels and visits, replays, more than a technician may."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from kewang.bench.attacks_rows import Attack
from kewang.bench.attacks_stage import FIELD, OFFICE, Browser, Post
from kewang.bench.secured import BENCH
from kewang.bench.stack import DISTRICT, SITE
from provisioning.acts import devices, people, sites
from provisioning.inventory import Actor, Visit, Work
from provisioning.refusals import Refused

_OK: Final = 200
_REPLAYS: Final = 10
_AN_HOUR: Final = 30


@dataclass
class Begun:
    """A visit that is not begun yet: its fields, as the form of the site has them."""

    box: str
    visit: str
    fields: dict[str, str]

    @property
    def path(self) -> str:
        """Where the first step is posted."""
        return f"/t/visit/{self.visit}/site"


def begun(post: Post, **other: str) -> Begun:
    """A fresh box, and what a right phone would post for it."""
    box = post.box()
    label = {"device": box.device, "fingerprint": box.key.fingerprint}
    fields = {"kind": "install", "old": "", "site": SITE, "lat": "-3.69", "lon": "128.18", "accuracy_m": "9"}
    request = {"request": str(uuid.uuid4()), "at_ms": str(time.time_ns() // 1_000_000)}
    return Begun(box.device, str(uuid.uuid4()), fields | label | request | other)


def starts(
    post: Post,
    fields: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    by: Callable[[], Browser] | None = None,
) -> Callable[[], bool]:
    """Whether a first step with these `fields` or `headers` gets a device approved.

    By an operator, unless `by` says who: a technician would be refused after the 30th of an hour, whatever it is.
    """

    def act() -> bool:
        step = begun(post, **(fields or {}))
        answer = (by() if by else post.browsers["ina"]).post(step.path, step.fields, headers)
        if answer.status_code >= 500:
            raise OSError(f"the web app answers {answer.status_code}")
        return post.state(step.box) != "new" or post.count(Visit, Visit.id == step.visit) > 0

    return act


def opens(post: Post, device: str, fingerprint: str) -> bool:
    """Whether a label leads to the first screen of a visit."""
    page = post.browsers["ina"].client.get(f"/d/{device}/{fingerprint}")
    return page.status_code == _OK and "data-answers" in page.text


def opens_own(post: Post) -> bool:
    """The same for a right label."""
    box = post.box()
    return opens(post, box.device, box.key.fingerprint)


class Visits:
    """Threats T2, T3 and T22 at the web app."""

    def __init__(self, post: Post) -> None:
        self._post, self._browser = post, post.browsers["ina"]

    def attacks(self) -> list[Attack]:
        """Not run yet."""
        post = self._post
        right, wrong = starts(post), {"fingerprint": "A" * 26}
        rudi, nus = (lambda: post.browsers["rudi"]), (lambda: post.browsers["nus"])
        far, near = starts(post, {"site": "amahusu"}, by=rudi), starts(post, {"site": "amahusu"}, by=nus)
        return [
            Attack("T2", "opens a device by the label of another", self._other_label, self._own_label),
            Attack("T2", "approves a device without its fingerprint", starts(post, wrong), right),
            Attack("T2", "approves it by three characters of it", starts(post, {"fingerprint": "AAA"}), right),
            Attack("T3", "replays an approval ten times", self._replayed(), right),
            Attack("T3", "replays an approval for another site", self._replayed(site="amahusu"), right),
            Attack("T22", "goes on with the visit of somebody else", self._of_others, right),
            Attack("T22", "calls a device green before anything is stored", self._without_readings, right),
            Attack("T22", "approves for a site of another district", far, near),
            Attack("T22", "approves a 31st device within an hour", self._too_many, right),
            *self._rights(),
        ]

    def _other_label(self) -> bool:
        mine, theirs = self._post.box(), self._post.box()
        return opens(self._post, theirs.device, mine.key.fingerprint)

    def _own_label(self) -> bool:
        return opens_own(self._post)

    def _replayed(self, **changed: str) -> Callable[[], bool]:
        """Whether the same answer again, or another one under its number, is done again or told differently."""
        post, headers = self._post, {"Accept": "application/json"}

        def act() -> bool:
            step = begun(post)
            first = self._browser.post(step.path, step.fields, headers)
            if first.status_code != _OK:
                raise OSError(f"the first one was refused ({first.status_code}): nothing was replayed")
            again = [self._browser.post(step.path, step.fields | changed, headers) for _ in range(_REPLAYS)]
            once = (post.acts("device.approve", step.box), post.acts("visit.start", step.box)) == (1, 1)
            if changed:
                return not once or any(each.status_code < 400 for each in again)
            return not once or any(each.content != first.content for each in again)

        return act

    def _of_others(self) -> bool:
        step = begun(self._post)
        self._browser.post(step.path, step.fields)
        theirs = self._post.somebody()
        seen = theirs.client.get(f"/t/visit/{step.visit}").status_code == _OK
        left = theirs.post(f"/t/visit/{step.visit}/leave", numbered(reason="broken")).status_code < 400
        return seen or left

    def _without_readings(self) -> bool:
        step = begun(self._post)
        self._browser.post(step.path, step.fields)
        answer = self._browser.post(f"/t/visit/{step.visit}/readings", numbered())
        return answer.status_code < 400 or self._post.state(step.box) == "installed"

    def _too_many(self) -> bool:
        actor = Actor(self._post.new_person(), "technician", DISTRICT)
        names = [self._post.box().device for _ in range(_AN_HOUR + 1)]
        done = [self._may(actor, partial(devices.approve, device=name, site=SITE)) for name in names]
        if not all(done[:_AN_HOUR]):
            raise OSError(f"only {sum(done)} were approved: nothing was tried")
        return done[_AN_HOUR]

    def _rights(self) -> list[Attack]:
        """What is not for a technician, or not for an operator."""

        def by(actor: Actor, act: Callable[[Work, str], object]) -> Callable[[], bool]:
            def attempt() -> bool:
                device = self._post.enrolled().device
                return self._may(actor, lambda work: act(work, device))

            return attempt

        listed: list[tuple[str, Actor, Actor, Callable[[Work, str], object]]] = [
            ("revokes a device", FIELD, OFFICE, lambda work, it: devices.revoke(work, it, "mine")),
            ("quarantines a device", FIELD, OFFICE, lambda work, it: devices.quarantine(work, it, "mine")),
            ("accepts without a visit", FIELD, OFFICE, lambda work, it: devices.accept(work, it, reason="mine")),
            ("makes a site", FIELD, OFFICE, lambda work, it: sites.put(work, sites.NewSite(it, "Kios"))),
            ("lets somebody in", OFFICE, BENCH, lambda work, it: people.add(work, people.NewPerson(it, "X", "admin"))),
        ]
        return [
            Attack("T22", f"{what}, being {actor.role}", by(actor, act), by(better, act))
            for what, actor, better, act in listed
        ]

    def _may(self, actor: Actor, act: Callable[[Work], object]) -> bool:
        """Whether `actor` may do it."""
        with self._post.stack.office.inventory() as inventory:
            try:
                with inventory.writing(actor) as work:
                    act(work)
            except Refused:
                return False
            return True


def numbered(**fields: str) -> dict[str, str]:
    """The fields of a step, with a number of its own."""
    return {"request": str(uuid.uuid4()), "at_ms": str(time.time_ns() // 1_000_000), **fields}
