"""Attempts against the web app: other people's sessions and forms, other districts, injections, pictures."""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
from PIL import Image

from kewang.bench.attacks_rows import Attack
from kewang.bench.attacks_stage import BENCH, DISTRICT, FIELD, SITE, Browser, Post, folder_of
from kewang.bench.cpu import MB, peak_rss_bytes
from kewang.wire.session import COOKIE, SessionPayload, encode
from provisioning import keys
from provisioning.acts import devices, people, sites, visits
from provisioning.inventory import Actor, Device, Inventory, Photo, Site, Visit, Work
from provisioning.refusals import Refused
from provisioning.web.uploads import stored

_ROOM_MB: Final = 150
"""Decoding one photo takes up to 60 MB, and the allocator keeps some."""
_DAY_MS: Final = 86_400_000
_OK, _SEE_OTHER = 200, 303
HOSTILE: Final = {
    "SQL": "' or 1=1--",
    "a script": "<script>alert(1)</script>",
    "an attribute": '" onmouseover="alert(1)',
    "line protocol": "x\nadmin v=1",
    "InfluxQL": "'); drop measurement env--",
    "a path": "../../etc/passwd",
    "turned writing": "\u202egpj.exe",
    "NUL": "a\0b",
    "a formula": "=HYPERLINK(1)",
    "10,000 characters": "A" * 10_000,
}


def attacks(post: Post) -> list[Attack]:
    """Threats T2, T3, T14 to T16, T19, T21, T22, T27 and T5 for photos, as far as the web app is concerned."""
    return [
        *_visits(post),
        *_sessions(post),
        *_districts(post),
        *_injections(post),
        *_photos(post),
        *_pictures(post),
    ]


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


def _starts(
    post: Post,
    fields: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    by: Callable[[], Browser] | None = None,
) -> Callable[[], bool]:
    """Whether a first step with these `fields` or `headers` gets a device approved."""

    def act() -> bool:
        step = begun(post, **(fields or {}))
        answer = (by() if by else post.browsers["rudi"]).post(step.path, step.fields, headers)
        if answer.status_code >= 500:
            raise OSError(f"the web app answers {answer.status_code}")
        return post.state(step.box) != "new" or post.count(Visit, Visit.id == step.visit) > 0

    return act


def _visits(post: Post) -> list[Attack]:
    right = _starts(post)

    def other_label() -> bool:
        mine, theirs = post.box(), post.box()
        page = post.browsers["rudi"].client.get(f"/d/{theirs.device}/{mine.key.fingerprint}")
        return page.status_code == _OK and "data-answers" in page.text

    def own_label() -> bool:
        box = post.box()
        return "data-answers" in post.browsers["rudi"].client.get(f"/d/{box.device}/{box.key.fingerprint}").text

    def replayed(**changed: str) -> Callable[[], bool]:
        def act() -> bool:
            step, browser = begun(post), post.browsers["rudi"]
            headers = {"Accept": "application/json"}
            first = browser.post(step.path, step.fields, headers)
            if first.status_code != _OK:
                raise OSError(f"the first one was refused ({first.status_code}): nothing was replayed")
            again = [browser.post(step.path, step.fields | changed, headers) for _ in range(10)]
            once = post.acts("device.approve", step.box) == 1 and post.acts("visit.start", step.box) == 1
            if changed:
                return not once or any(each.status_code < 400 for each in again)
            return not once or any(each.content != first.content for each in again)

        return act

    def of_others() -> bool:
        step = begun(post)
        post.browsers["rudi"].post(step.path, step.fields)
        post.person(other := post.name("p"), "technician", DISTRICT)
        theirs = Browser(post.stack.office.web_url)
        theirs.log_in(other)
        seen = theirs.client.get(f"/t/visit/{step.visit}").status_code == _OK
        request = {"request": str(uuid.uuid4()), "at_ms": "0", "reason": "broken"}
        left = theirs.post(f"/t/visit/{step.visit}/leave", request).status_code < 400
        return seen or left

    def without_readings() -> bool:
        step, browser = begun(post), post.browsers["rudi"]
        browser.post(step.path, step.fields)
        request = {"request": str(uuid.uuid4()), "at_ms": "0"}
        answer = browser.post(f"/t/visit/{step.visit}/readings", request)
        return answer.status_code < 400 or post.state(step.box) == "installed"

    wrong = {"fingerprint": "A" * 26}
    return [
        Attack("T2", "opens a device by the label of another", other_label, own_label),
        Attack("T2", "approves a device without its fingerprint", _starts(post, wrong), right),
        Attack("T2", "approves it by three characters of it", _starts(post, {"fingerprint": "AAA"}), right),
        Attack("T3", "replays an approval ten times", replayed(), right),
        Attack("T3", "replays an approval for another site", replayed(site="amahusu"), right),
        Attack("T22", "goes on with the visit of somebody else", of_others, right),
        Attack("T22", "calls a device green before anything is stored", without_readings, right),
    ]


def _sessions(post: Post) -> list[Attack]:
    """T21: the cookie, and forms from elsewhere."""
    right, url = _starts(post), post.stack.office.web_url
    key = keys.session_key(post.stack.office.state)

    def enters(cookie: str) -> bool:
        client = httpx.Client(base_url=url, cookies={COOKIE: cookie}, trust_env=False)
        with client:
            return client.get("/t/").status_code == _OK

    def cookie(login: str = "rudi") -> str:
        return str(post.browsers[login].client.cookies[COOKIE])

    def payload(**changed: Any) -> SessionPayload:
        known = {"sid": "A" * 32, "sub": "rudi", "name": "Rudi", "role": "admin", "lang": "id"}
        return SessionPayload.model_validate({**known, "exp": int(time.time()) + 3600, **changed})

    def altered() -> bool:
        head, said, signature = cookie().split(".")
        other = encode(payload(), b"k" * 32).split(".")[1]
        return enters(f"{head}.{other}.{signature}") or enters(f"{head}.{said}.{signature[:-2]}AA")

    def after(act: Callable[[Work, str], object]) -> Callable[[], bool]:
        def attempt() -> bool:
            post.person(login := post.name("p"), "technician", DISTRICT)
            browser = Browser(url)
            browser.log_in(login)
            kept = str(browser.client.cookies[COOKIE])
            if not enters(kept):
                raise OSError("the cookie never worked: nothing was tried")
            with post.stack.office.inventory() as inventory, inventory.writing(BENCH) as work:
                act(work, login)
            return enters(kept)

        return attempt

    def after_logout() -> bool:
        post.person(login := post.name("p"), "technician", DISTRICT)
        browser = Browser(url)
        browser.log_in(login)
        kept = str(browser.client.cookies[COOKIE])
        browser.post("/logout", {})
        return enters(kept)

    def guesses() -> bool:
        post.person(login := post.name("p"), "technician", DISTRICT)
        browser = Browser(url)
        for number in range(20):
            try:
                browser.log_in(login, f"guess-number-{number}")
            except ValueError as error:
                if "429" in str(error):
                    return False
        return True

    def leads(target: str) -> Callable[[], bool]:
        def act() -> bool:
            browser = Browser(url)
            page = browser.client.get("/login").text
            token = page.split('name="csrf" value="')[1].split('"')[0]
            fields = {"login": "rudi", "password": "ikan-bakar-colo-colo", "csrf": token, "next": target}
            answer = browser.client.post("/login", data=fields)
            if answer.status_code == 429:
                raise OSError("too many logins: nothing was tried")
            return not answer.headers.get("location", "/t/").startswith("/t/")

        return act

    def flags() -> bool:
        browser = Browser(url)
        said = browser.log_in("rudi").headers.get_list("set-cookie")
        kept = [each.lower() for each in said if each.startswith(COOKIE)]
        return not kept or not all("httponly" in each and "samesite=lax" in each for each in kept)

    def framed() -> bool:
        headers = post.browsers["rudi"].client.get("/t/").headers
        return "frame-ancestors 'none'" not in headers.get("content-security-policy", "")

    def in_script() -> bool:
        policy = post.browsers["rudi"].client.get("/t/").headers.get("content-security-policy", "unsafe-inline")
        return "unsafe-inline" in policy or "unsafe-eval" in policy or "*" in policy

    foreign = {"Sec-Fetch-Site": "cross-site"}
    fresh = lambda: enters(cookie())  # noqa: E731
    return [
        Attack("T21", "posts from another site", _starts(post, None, foreign), right),
        Attack("T21", "posts without the page's token", _starts(post, {"csrf": ""}), right),
        Attack("T21", "posts with the token of somebody else", _starts(post, {"csrf": "0" * 64}), right),
        Attack("T21", "posts with the token of another session", lambda: _with_token_of(post, "nus")(), right),
        Attack("T21", "posts without being logged in", _starts(post, {"csrf": "x"}, by=lambda: Browser(url)), right),
        Attack("T21", "comes with a cookie signed by another key", lambda: enters(encode(payload(), b"k" * 32)), fresh),
        Attack("T21", "comes with a session that nobody began", lambda: enters(encode(payload(), key)), fresh),
        Attack("T21", "comes with a cookie that is over", lambda: enters(encode(payload(exp=1), key)), fresh),
        Attack("T21", "alters the cookie", altered, fresh),
        Attack("T21", "keeps its cookie after logging out", after_logout, fresh),
        Attack("T21", "keeps its cookie after it was disabled", after(lambda w, who: people.disable(w, who)), fresh),
        Attack("T21", "guesses a password twenty times", guesses, None),
        Attack("T21", "lets a script read the cookie", flags, None),
        Attack("T21", "shows a page within another site", framed, None),
        Attack("T19", "runs a script that stands in a page", in_script, None),
        *(
            Attack("T21", f"leads away after the login, to {target}", leads(target), None)
            for target in ("https://example.org/", "//example.org/", "/\\example.org/")
        ),
    ]


def _with_token_of(post: Post, login: str) -> Callable[[], bool]:
    return _starts(post, {"csrf": post.browsers[login].token()})


def _refused(inventory: Inventory, actor: Actor, act: Callable[[Work], object]) -> bool:
    """Whether `actor` may do it after all."""
    try:
        with inventory.writing(actor) as work:
            act(work)
    except Refused:
        return False
    return True


def _districts(post: Post) -> list[Attack]:
    """T22: a technician who does more than a technician may."""

    def by(actor: Actor, act: Callable[[Work, str], object]) -> Callable[[], bool]:
        def attempt() -> bool:
            device = post.enrolled().device
            with post.stack.office.inventory() as inventory:
                return _refused(inventory, actor, lambda work: act(work, device))

        return attempt

    def too_many() -> bool:
        post.person(login := post.name("p"), "technician", DISTRICT)
        actor, names = Actor(login, "technician", DISTRICT), [post.box().device for _ in range(31)]
        with post.stack.office.inventory() as inventory:
            done = [_refused(inventory, actor, lambda work, n=name: devices.approve(work, n, SITE)) for name in names]
        if not all(done[:30]):
            raise OSError(f"only {sum(done)} were approved: nothing was tried")
        return done[30]

    def named(device: str) -> sites.NewSite:
        return sites.NewSite(device, "Kios")

    operator = Actor("ina", "operator")
    acts: dict[str, Callable[[Work, str], object]] = {
        "revokes a device": lambda work, device: devices.revoke(work, device, "mine"),
        "quarantines a device": lambda work, device: devices.quarantine(work, device, "mine"),
        "accepts a device without a visit": lambda work, device: devices.accept(work, device, reason="mine"),
        "makes a site": lambda work, device: sites.put(work, named(device)),
    }
    more = Attack(
        "T22",
        "lets somebody in, being an operator",
        by(operator, lambda work, device: people.add(work, people.NewPerson(device, "X", "admin"))),
        by(BENCH, lambda work, device: people.add(work, people.NewPerson(device, "X", "admin"))),
    )
    far = _starts(post, {"site": "amahusu"})
    near = _starts(post, {"site": "amahusu"}, by=lambda: post.browsers["nus"])
    return [
        *(
            Attack("T22", f"{what}, being a technician", by(FIELD, act), by(operator, act))
            for what, act in acts.items()
        ),
        more,
        Attack("T22", "approves a 31st device within an hour", too_many, _starts(post)),
        Attack("T22", "approves for a site of another district", far, near),
    ]


def _injections(post: Post) -> list[Attack]:
    """T14, T15, T19, T20: hostile text in every field that is read."""
    right = _starts(post)

    def logs_in(text: str) -> Callable[[], bool]:
        def act() -> bool:
            browser = Browser(post.stack.office.web_url)
            try:
                browser.log_in(text, text)
            except ValueError as error:
                return "500" in str(error)
            return True

        return act

    def stays(text: str) -> Callable[[], bool]:
        """Whether the text in any field of the first step changes anything, or comes back as it is."""

        def act() -> bool:
            before = post.count(Device), post.count(Site), post.count(Visit)
            for name in ("device", "fingerprint", "kind", "site", "request"):
                step = begun(post, **{name: text})
                answer = post.browsers["rudi"].post(step.path, step.fields)
                if answer.status_code < 400 or answer.status_code >= 500 or _echoes(answer.text, text):
                    raise ValueError(f"{name}: {answer.status_code}")
            after = post.count(Device) - 5, post.count(Site), post.count(Visit)
            return before != after

        return act

    def opens(text: str) -> Callable[[], bool]:
        def act() -> bool:
            url = httpx.URL("/d/").copy_with(raw_path=b"/d/" + _quoted(text) + b"/" + _quoted(text))
            answer = post.browsers["rudi"].client.get(url)
            return answer.status_code < 400 or answer.status_code >= 500 or _echoes(answer.text, text)

        return act

    def shown() -> bool:
        """A name that means something to a browser, in the list of the sites."""
        name = HOSTILE["a script"]
        with post.stack.office.inventory() as inventory, inventory.writing(BENCH) as work:
            sites.put(work, sites.NewSite("kios", name, -3.69, 128.18, district=DISTRICT))
        box = post.box()
        page = post.browsers["rudi"].client.get(f"/d/{box.device}/{box.key.fingerprint}").text
        if "&lt;script&gt;alert(1)" not in page:
            raise OSError("the name is not shown: nothing was tried")
        return name in page

    return [
        *(Attack("T15", f"logs in as {what}", logs_in(text), None) for what, text in HOSTILE.items()),
        *(
            Attack("T14", f"sends {what} in every field of a form", stays(text), right)
            for what, text in HOSTILE.items()
        ),
        *(Attack("T19", f"opens a label that is {what}", opens(text), right) for what, text in HOSTILE.items()),
        Attack("T19", "is a site whose name is a script", shown, None),
    ]


def _echoes(page: str, text: str) -> bool:
    return any(sign in text for sign in '<>"') and text in page


def _quoted(text: str) -> bytes:
    return "".join(f"%{byte:02x}" for byte in text[:2000].encode()).encode()


def _photos(post: Post) -> list[Attack]:
    """T5 and T27: what is no photo, or more than one."""

    def sends(photo: bytes) -> Callable[[], bool]:
        def act() -> bool:
            before, peak_mb = post.count(Photo), peak_rss_bytes(post.stack.office.program) / MB
            status = _photograph(post, photo)
            grown = peak_rss_bytes(post.stack.office.program) / MB - peak_mb
            if grown > _ROOM_MB:
                raise ValueError(f"{grown:.0f} MB more memory")
            return not 400 <= status < 500 or post.count(Photo) != before

        return act

    def right() -> bool:
        return _photograph(post, _jpeg()) < 400

    def keeps_place() -> bool:
        exif = Image.Exif()
        exif.get_ifd(0x8825)[1] = "S"
        exif[0x010F] = "PhoneMaker"
        before = set(folder_of(post.stack).glob("[0-9a-f]*"))
        if _photograph(post, _jpeg(exif)) >= 400:
            raise OSError("the photo was refused: nothing was tried")
        new = set(folder_of(post.stack).glob("[0-9a-f]*")) - before
        return any(b"Exif" in each.read_bytes() or b"PhoneMaker" in each.read_bytes() for each in new)

    bombs = {
        "a picture of 400 million pixels": _png(20_000),
        "50 MB": b"\xff\xd8\xff" + bytes(50_000_000),
        "a page": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "an archive": b"PK\x03\x04" + bytes(1000),
        "half a picture": _jpeg()[:200],
        "a GIF": b"GIF89a" + bytes(200),
    }
    return [
        *(Attack("T5", f"sends {what} as a photo", sends(bomb), right) for what, bomb in bombs.items()),
        Attack("T27", "finds in a photo where its owner stood", keeps_place, right),
    ]


def _photograph(post: Post, photo: bytes) -> int:
    """Status of a photo in a plain form of a right visit."""
    step, browser = begun(post), post.browsers["ina"]
    browser.post(step.path, step.fields)
    fields = {"request": str(uuid.uuid4())}
    return browser.post(f"/t/visit/{step.visit}/mounted", fields, files={"photo": ("p.jpg", photo)}).status_code


def _jpeg(exif: Image.Exif | None = None) -> bytes:
    kept = io.BytesIO()
    Image.effect_noise((640, 480), 50).convert("RGB").save(kept, "JPEG", exif=exif or Image.Exif())
    return kept.getvalue()


def _png(side_px: int) -> bytes:
    kept = io.BytesIO()
    Image.new("1", (side_px, side_px)).save(kept, "PNG")
    return kept.getvalue()


def _pictures(post: Post) -> list[Attack]:
    """T16 and T27: files that are not pictures, and pictures that are not for everybody, or no longer there."""

    def picture(*, expired: bool = False) -> str:
        """A thumbnail that a box has shown; its hash."""
        device = post.enrolled().device
        made = _jpeg()
        name = stored(post.stack.office.state, made)
        with post.stack.office.inventory() as inventory, inventory.writing(Actor.device(device)) as work:
            until_ms = work.now_ms + (-1 if expired else 7 * _DAY_MS)
            visits.add_photo(work, device, visits.Picture(name, "thumbnail", work.now_ms, None, until_ms))
        return str(name)

    def gets(path: Callable[[], str], *, logged_in: bool = True) -> Callable[[], bool]:
        def act() -> bool:
            url = httpx.URL("/").copy_with(raw_path=path().encode())
            with httpx.Client(base_url=post.stack.office.web_url, trust_env=False) as nobody:
                answer = (post.browsers["rudi"].client if logged_in else nobody).get(url)
            if answer.status_code >= 500:
                raise OSError(f"the web app answers {answer.status_code}")
            return answer.status_code == _OK

        return act

    right = gets(lambda: f"/t/picture/{picture()}")
    static = gets(lambda: "/t/static/field.css")
    ways = (
        "..%2f..%2finventory.db",
        "%2e%2e%2fsession.key",
        "..%5c..%5csession.key",
        "%00",
        "%2fetc%2fpasswd",
        "A" * 300,
    )
    return [
        *(
            Attack("T16", f"asks for the picture {way[:30]}", gets(lambda w=way: f"/t/picture/{w}"), right)
            for way in ways
        ),
        *(
            Attack("T16", f"asks for the file {way}", gets(lambda w=way: w), static)
            for way in ("/t/static/..%2f..%2f..%2fsettings.py", "/ui/%2e%2e/%2e%2e/words.py", "/t/static//etc/passwd")
        ),
        Attack(
            "T27",
            "looks at a picture without logging in",
            gets(lambda: f"/t/picture/{picture()}", logged_in=False),
            right,
        ),
        Attack(
            "T27", "looks at a picture after its seven days", gets(lambda: f"/t/picture/{picture(expired=True)}"), right
        ),
    ]
