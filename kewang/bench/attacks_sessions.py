"""T21: attempts with a wrong cookie or token, from elsewhere, or by guessing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from kewang.bench.attacks_rows import Attack
from kewang.bench.attacks_stage import PASSWORD, Browser, Post, plain_client
from kewang.bench.attacks_visits import starts
from kewang.bench.secured import BENCH
from kewang.runtime.settings import secret
from kewang.wire.incident_task import PATH as TASKS
from kewang.wire.roster import PATH as ROSTER
from kewang.wire.session import COOKIE, SessionPayload, encode
from provisioning import keys
from provisioning.acts import people

_OK: Final = 200
_GUESSES: Final = 20
_TOO_MANY: Final = 429


class Sessions:
    """Threat T21, and T19 where a header is what holds it off."""

    def __init__(self, post: Post) -> None:
        self._post, self._url = post, post.stack.office.web_url
        self._key = keys.session_key(post.stack.office.state)

    def attacks(self) -> list[Attack]:
        """Not run yet."""
        return [*self._forms(), *self._cookies(), *self._pages(), *self._services()]

    def _forms(self) -> list[Attack]:
        post = self._post
        right, foreign = starts(post), {"Sec-Fetch-Site": "cross-site"}
        other = post.browsers["nus"].token()
        stranger = starts(post, {"csrf": "x"}, by=lambda: Browser(self._url))
        return [
            Attack("T21", "posts from another site", starts(post, None, foreign), right),
            Attack("T21", "posts without the page's token", starts(post, {"csrf": ""}), right),
            Attack("T21", "posts with a token made up", starts(post, {"csrf": "0" * 64}), right),
            Attack("T21", "posts with the token of another session", starts(post, {"csrf": other}), right),
            Attack("T21", "posts without being logged in", stranger, right),
        ]

    def _cookies(self) -> list[Attack]:
        def made(key: bytes, **changed: Any) -> Callable[[], bool]:
            return lambda: self._enters(encode(_payload(**changed), key))

        def fresh() -> bool:
            return self._enters(self._cookie(self._post.browsers["rudi"]))

        return [
            Attack("T21", "comes with a cookie signed by another key", made(b"k" * 32), fresh),
            Attack("T21", "comes with a session that nobody began", made(self._key), fresh),
            Attack("T21", "comes with a cookie that is over", made(self._key, exp=1), fresh),
            Attack("T21", "writes another role into its cookie", self._altered, fresh),
            Attack("T21", "alters the cookie's signature", self._other_signature, fresh),
            Attack("T21", "keeps its cookie after logging out", self._kept_after(self._logs_out), fresh),
            Attack("T21", "keeps its cookie after it was disabled", self._kept_after(self._is_disabled), fresh),
            Attack("T21", "guesses a password twenty times", self._guesses, None),
            Attack("T21", "lets a script read the cookie", self._open_cookie, None),
        ]

    def _pages(self) -> list[Attack]:
        targets = ("https://example.org/", "//example.org/", "/\\example.org/")
        return [
            *(Attack("T21", f"leads away after the login, to {each}", self._leads(each), None) for each in targets),
            Attack("T21", "shows a page within another site", self._framed, None),
            Attack("T19", "runs a script that stands in a page", self._scripted, None),
        ]

    def _services(self) -> list[Attack]:
        """Against what only the gateway may ask."""
        token = secret(self._post.stack.office.state / keys.GATEWAY_TOKEN)
        cookie = {"Cookie": f"{COOKIE}={self._cookie(self._post.browsers['rudi'])}"}
        right = {"Authorization": f"Bearer {token}"}

        def lists(headers: dict[str, str]) -> Callable[[], bool]:
            return lambda: self._asked("GET", ROSTER, headers) == _OK

        def gives(headers: dict[str, str], by: str | None) -> Callable[[], bool]:
            return lambda: self._asked("POST", TASKS, headers, by) == _OK

        return [
            Attack("T21", "asks who gets alerts without the gateway's token", lists({}), lists(right)),
            Attack(
                "T21", "asks it with a token cut short", lists({"Authorization": right["Authorization"][:-1]}), None
            ),
            Attack("T21", "asks it with a technician's cookie", lists(cookie), None),
            Attack("T21", "gives a task with a technician's cookie", gives(cookie, None), gives(right, None)),
            Attack("T21", "gives a task by the gateway as a technician", gives(right, "rudi"), None),
        ]

    def _asked(self, method: str, path: str, headers: dict[str, str], by: str | None = None) -> int:
        wish = {"v": 1, "incident": 1, "opened_ms": 1, "text": "x", **({"by": by} if by else {})}
        with plain_client(self._url) as client:
            return client.request(method, path, headers=headers, json=wish if method == "POST" else None).status_code

    def _enters(self, cookie: str) -> bool:
        with plain_client(self._url, cookies={COOKIE: cookie}) as client:
            return client.get("/t/").status_code == _OK

    def _cookie(self, browser: Browser) -> str:
        return str(browser.client.cookies[COOKIE])

    def _altered(self) -> bool:
        head, _, signature = self._cookie(self._post.browsers["rudi"]).split(".")
        said = encode(_payload(), self._key).split(".")[1]
        return self._enters(f"{head}.{said}.{signature}")

    def _other_signature(self) -> bool:
        head, said, signature = self._cookie(self._post.browsers["rudi"]).split(".")
        return self._enters(f"{head}.{said}.{signature[:-2]}{'AA' if signature[-2:] != 'AA' else 'BB'}")

    def _kept_after(self, act: Callable[[Browser], object]) -> Callable[[], bool]:
        def attempt() -> bool:
            browser = self._post.somebody()
            kept = self._cookie(browser)
            if not self._enters(kept):
                raise OSError("the cookie never worked: nothing was tried")
            act(browser)
            return self._enters(kept)

        return attempt

    def _logs_out(self, browser: Browser) -> None:
        browser.post("/logout", {})

    def _is_disabled(self, browser: Browser) -> None:
        with self._post.stack.office.inventory() as inventory, inventory.writing(BENCH) as work:
            people.disable(work, browser.login)

    def _guesses(self) -> bool:
        """Whether so many are looked at. Each from an address of its own, as a crowd of attackers has them."""
        login, statuses = self._post.new_person(), set[int]()
        for number in range(_GUESSES):
            browser = Browser(self._url, address=f"192.0.2.{number + 1}")
            statuses.add(browser.tries(login, f"guess-number-{number}").status_code)
        return _TOO_MANY not in statuses

    def _open_cookie(self) -> bool:
        browser = Browser(self._url)
        said = browser.log_in(self._post.new_person()).headers.get_list("set-cookie")
        kept = [each.lower() for each in said if each.startswith(COOKIE)]
        return not kept or not all("httponly" in each and "samesite=lax" in each for each in kept)

    def _leads(self, target: str) -> Callable[[], bool]:
        def act() -> bool:
            answer = Browser(self._url).tries(self._post.new_person(), PASSWORD, target)
            if answer.status_code == _TOO_MANY:
                raise OSError("too many logins: nothing was tried")
            return str(answer.headers.get("location", "")) != "/t/"

        return act

    def _policy(self) -> str:
        return str(self._post.browsers["rudi"].client.get("/t/").headers.get("content-security-policy", "*"))

    def _framed(self) -> bool:
        return "frame-ancestors 'none'" not in self._policy()

    def _scripted(self) -> bool:
        policy = self._policy()
        return any(word in policy for word in ("unsafe-inline", "unsafe-eval", "*"))


def _payload(**changed: Any) -> SessionPayload:
    known = {"sid": "A" * 32, "sub": "rudi", "name": "Rudi", "role": "admin", "lang": "id"}
    return SessionPayload.model_validate({**known, "exp": int(time.time()) + 3600, **changed})
