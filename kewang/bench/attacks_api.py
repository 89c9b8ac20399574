"""Attempts against the device API: other people's labels, replays, forged signatures and times, bombs."""

from __future__ import annotations

import json
import secrets
import zlib
from collections.abc import Callable

from edge.enrol.box import Box
from edge.enrol.errors import Unusable
from edge.enrol.keys import BoxKey, Office
from kewang.bench.attacks_rows import Attack
from kewang.bench.attacks_stage import Post, sealed, tried
from kewang.bench.cpu import MB, peak_rss_bytes
from kewang.bench.provisioned import now_ms
from kewang.bench.secured import BENCH
from kewang.wire.enrolment import DATE_HEADER, DEVICE_HEADER, Enrol, Renew, Time, time_text
from kewang.wire.errors import WireError
from provisioning.acts import devices
from provisioning.authority.making import DAY_MS

_CONFIG = "/v1/config"
_REPLAYS = 100
_ROOM_MB = 30
_OK = 200
_ACCEPTED = 202
_MINUTE_MS = 60_000


def attacks(post: Post) -> list[Attack]:
    """Threats T2, T3, T5, T8 (a revoked box) and T11, as far as the device API is concerned."""
    return [*_labels(post), *_replays(post), *_signatures(post), *_times(post), *_bombs(post)]


def _asks(post: Post, device: str, key: BoxKey) -> int:
    """Status of an enrolment of `device` with `key`."""
    asked = Enrol(device=device, csr=key.request(device), boot="4f1e0c9a-77d2-4f1e-8c9a-77d24f1e0c9a", fw="1")
    return post.say("POST", "/v1/enrol", asked.encode()).status


def _labels(post: Post) -> list[Attack]:
    """Who has photographed a label knows an id and a fingerprint, and has another key."""

    def with_own_key(*, approved: bool) -> Callable[[], bool]:
        def act() -> bool:
            box = post.box(approved=approved)
            return _asks(post, box.device, BoxKey.new()) < 400 or post.state(box.device) != "new"

        return act

    def right_key() -> bool:
        box = post.box()
        return _asks(post, box.device, box.key) == _ACCEPTED and post.state(box.device) == "pending"

    def as_other() -> bool:
        mine, theirs = post.enrolled(), post.box(approved=True)
        return _asks(post, theirs.device, mine.key) < 400 or post.certificates(theirs.device) > 0

    def own_key_twice() -> bool:
        mine = post.enrolled()
        return _asks(post, mine.device, BoxKey.new()) < 400 or post.certificates(mine.device) != 1

    def unlisted() -> bool:
        box = post.box(listed=False)
        return _asks(post, box.device, box.key) < 400 or post.state(box.device) != ""

    return [
        Attack("T2", "enrols by a photographed label with its own key", with_own_key(approved=False), right_key),
        Attack("T2", "enrols so as a box that is approved already", with_own_key(approved=True), right_key),
        Attack("T2", "enrols as another box, with the key of its own", as_other, right_key),
        Attack("T2", "asks anew with another key as a box that is active", own_key_twice, right_key),
        Attack("T2", "enrols as a box that is on no list", unlisted, right_key),
    ]


def _replays(post: Post) -> list[Attack]:
    def enrolments() -> bool:
        box = post.box(approved=True)
        asked = Enrol(device=box.device, csr=box.key.request(box.device), boot=secrets.token_hex(8), fw="1").encode()
        answers = [post.say("POST", "/v1/enrol", asked) for _ in range(_REPLAYS)]
        given = {answer.body for answer in answers if answer.status == _OK}
        if not given:
            raise OSError("no answer: nothing was tried")
        one = (len(given), post.certificates(box.device), post.acts("device.certificate", box.device)) == (1, 1, 1)
        return not one or {answer.status for answer in answers} - {_OK, 429} != set()

    def once() -> bool:
        return post.certificates(post.enrolled().device) == 1

    def signed() -> bool:
        box = post.enrolled()
        headers = sealed(box, "GET", _CONFIG)
        if post.say("GET", _CONFIG, headers=headers).status != _OK:
            raise OSError("the first one was refused: nothing was replayed")
        return post.say("GET", _CONFIG, headers=headers).status < 400

    def renewals() -> bool:
        box = post.enrolled()
        key = BoxKey.new()
        body = Renew(csr=key.request(box.device)).encode()
        headers = sealed(box, "POST", "/v1/renew", body)
        first = post.say("POST", "/v1/renew", body, headers).status
        if first != _OK:
            raise OSError(f"the renewal was refused ({first}): nothing was replayed")
        return post.say("POST", "/v1/renew", body, headers).status < 400 or post.certificates(box.device) != 2

    return [
        Attack("T3", f"replays an enrolment {_REPLAYS} times", enrolments, once),
        Attack("T3", "replays a signed request", signed, _right(post)),
        Attack("T3", "replays a renewal", renewals, _right(post)),
    ]


def _right(post: Post) -> Callable[[], bool]:
    def act() -> bool:
        box = post.enrolled()
        return post.say("GET", _CONFIG, headers=sealed(box, "GET", _CONFIG)).status == _OK

    return act


def _signatures(post: Post) -> list[Attack]:
    def config(change: Callable[[Box, dict[str, str]], dict[str, str]]) -> Callable[[], bool]:
        def act() -> bool:
            box = post.enrolled()
            return post.say("GET", _CONFIG, headers=change(box, sealed(box, "GET", _CONFIG))).status < 400

        return act

    def dated(away_ms: int) -> Callable[[], bool]:
        return config(lambda box, _: sealed(box, "GET", _CONFIG, date_ms=max(0, now_ms() + away_ms)))

    def of_other(box: Box, headers: dict[str, str]) -> dict[str, str]:
        return sealed(post.enrolled(), "GET", _CONFIG) | {DEVICE_HEADER: box.device}

    def redated(_: Box, headers: dict[str, str]) -> dict[str, str]:
        return headers | {DATE_HEADER: str(int(headers[DATE_HEADER]) + 1)}

    def altered() -> bool:
        box = post.enrolled()
        honest = Renew(csr=box.key.request(box.device)).encode()
        mine = Renew(csr=BoxKey.new().request(box.device)).encode()
        status = post.say("POST", "/v1/renew", mine, sealed(box, "POST", "/v1/renew", honest)).status
        return status < 400 or post.certificates(box.device) != 1

    def revoked(method: str, path: str) -> Callable[[], bool]:
        def act() -> bool:
            box = post.enrolled()
            with post.stack.office.inventory() as inventory, inventory.writing(BENCH) as work:
                devices.revoke(work, box.device, "stolen")
            body = Renew(csr=BoxKey.new().request(box.device)).encode() if method == "POST" else b""
            return post.say(method, path, body, sealed(box, method, path, body)).status < 400

        return act

    right = _right(post)
    return [
        Attack("T8", "asks for sources without a signature", config(lambda box, _: {DEVICE_HEADER: box.device}), right),
        Attack("T8", "signs with the key of another box", config(of_other), right),
        Attack("T8", "gives a signed request another date", config(redated), right),
        Attack("T8", "signs another path", config(lambda box, _: sealed(box, "GET", "/v1/other")), right),
        Attack("T8", "puts another key into a signed renewal", altered, right),
        Attack("T8", "signs with a date of ten minutes ago", dated(-10 * _MINUTE_MS), right),
        Attack("T8", "signs with a date in ten minutes", dated(10 * _MINUTE_MS), right),
        Attack("T11", "signs with a date of 1970", dated(-2 * now_ms()), right),
        Attack("T11", "signs with a date of 2060", dated(34 * 365 * DAY_MS), right),
        Attack("T8", "asks for sources after it was revoked", revoked("GET", _CONFIG), right),
        Attack("T8", "renews after it was revoked", revoked("POST", "/v1/renew"), right),
    ]


def _times(post: Post) -> list[Attack]:
    """Somebody between box and office who wants the box to believe another time."""
    root = (post.stack.office.state / "ca" / "service-root.pem").read_bytes()
    nonce = "0123456789abcdef"

    def told() -> Time:
        return Time.decode(post.say("GET", f"/v1/time?nonce={nonce}").body)

    def believes(change: Callable[[Time], Time], asked: str = nonce) -> Callable[[], bool]:
        def act() -> bool:
            said = change(told())
            try:
                Office(root).check(said.chain, time_text(asked, said.unix_ms), said.sig, said.unix_ms)
            except (Unusable, WireError):
                return False
            return True

        return act

    def by_box(said: Time) -> Time:
        box = post.enrolled()
        chain = (box.folder / "chain.pem").read_text()
        return said.model_copy(update={"chain": chain, "sig": box.key.sign(time_text(nonce, said.unix_ms))})

    def other_office() -> bool:
        box = post.enrolled()
        device_root = (post.stack.office.state / "ca" / "device-root.pem").read_bytes()

        def ask() -> None:
            with post.talk(box, device_root):
                pass

        return tried(ask)

    def own_office() -> bool:
        box = post.enrolled()
        with post.talk(box) as office:
            return abs(office.now_ms() - now_ms()) < _MINUTE_MS

    right = believes(lambda said: said)
    year = 365 * DAY_MS
    return [
        Attack("T11", "alters the signed time by a year", believes(lambda s: _later(s, -year)), right),
        Attack("T11", "alters the signed time by a millisecond", believes(lambda s: _later(s, 1)), right),
        Attack("T11", "replays the time that another request was told", believes(lambda s: s, "f" * 16), right),
        Attack("T11", "signs a time with the certificate of a box", believes(by_box), right),
        Attack("T11", "plays the office with another root", other_office, own_office),
    ]


def _later(said: Time, more_ms: int) -> Time:
    return said.model_copy(update={"unix_ms": said.unix_ms + more_ms})


def _bombs(post: Post) -> list[Attack]:
    enrol = json.dumps({"v": 1, "device": "amb-box-bomb", "csr": "X", "boot": "b", "fw": "1"}).encode()
    bombs = {
        "5 MB": b'{"v":1,"csr":"' + b"A" * 5_000_000 + b'"}',
        "60,000 opening brackets": b"[" * 60_000,
        "a number of 20,000 digits": b'{"v":' + b"9" * 20_000 + b"}",
        "NaN": enrol.replace(b"1,", b"NaN,", 1),
        "the same key twice": enrol.replace(b'"v": 1', b'"v": 1, "v": 1'),
        "what is not UTF-8": enrol.replace(b"bomb", b"\xff\xfe"),
        "zeros packed by gzip": zlib.compress(bytes(5_000_000)),
    }

    def sends(bomb: bytes) -> Callable[[], bool]:
        def act() -> bool:
            peak_mb = peak_rss_bytes(post.stack.office.program) / MB
            status = post.say("POST", "/v1/enrol", bomb).status
            grown = peak_rss_bytes(post.stack.office.program) / MB - peak_mb > _ROOM_MB
            return not 400 <= status < 500 or grown or not post.stack.office.program.is_running

        return act

    return [Attack("T5", f"sends the device API {name}", sends(bomb), _right(post)) for name, bomb in bombs.items()]
