"""Sends boards to a Grafana over its HTTP API: a few calls, each tried again when that may help.

By the API that Grafana 9 to 13 document (/api/health, /api/folders, /api/dashboards, and for alert rules
/api/v1/provisioning); what an answer asks of a person is said in one place.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

Json = dict[str, Any]
TRIES: Final = 4
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 10.0
LIMIT_S: Final = 30.0
OLDEST: Final = 9
"""The oldest Grafana that boards are made for."""
SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
TITLES: Final = {"id": "Kewang (Bahasa Indonesia)", "en": "Kewang (English)"}
_ADVICE: Final = {
    400: "if this board comes from files there, change the files instead: kewang dashboards build",
    401: "the token is refused or has expired: make one of a service account with role Editor for the file",
    403: "this token may not do that: give its service account the role Editor",
    404: "is this Grafana's address, with its path if it has one (https://SERVER/grafana)?",
    409: "a folder of this title is there with another uid: rename or remove it, then push again",
    412: "somebody changed this board there meanwhile, or another one has its title: rename that one, then push again",
}


class Refused(Exception):
    """Grafana will not do it; the text says why and what to do."""


class Unreachable(Exception):
    """No Grafana answers, or not in time; the text says what was tried."""


@dataclass(slots=True)
class Grafana:
    """One Grafana. `pause`: waits so many seconds between two tries."""

    client: httpx.Client
    pause: Callable[[float], None] = time.sleep
    version: str = field(default="", init=False)

    def push(self, boards: Sequence[Json], message: str) -> list[str]:
        """Create or replace the boards, in a folder for each language; where they are. Raises Refused, Unreachable."""
        self._meet()
        for language in sorted({_language(one) for one in boards}):
            self._folder(f"kewang-{language}", TITLES[language])
        return [self._board(one, message) for one in boards]

    def push_rules(self, rules: Json, language: str) -> int:
        """Create or replace the groups of alert rules in the folder of `language`, after `push`; how many rules."""
        folder = f"kewang-{language}"
        for group in rules["groups"]:
            named = [_rule(one, folder, group["name"]) for one in group["rules"]]
            every_s = int(group["interval"][:-1]) * SECONDS[group["interval"][-1]]
            body = {"title": group["name"], "folderUid": folder, "interval": every_s, "rules": named}
            path = f"/api/v1/provisioning/folder/{folder}/rule-groups/{group['name']}"
            self._ask("PUT", path, f"alert rules {group['name']}", body)
        return sum(len(group["rules"]) for group in rules["groups"])

    def _meet(self) -> None:
        """Whether it is a Grafana of an age that loads our boards."""
        told = self._ask("GET", "/api/health", "asking for its version")
        self.version = _plain(str(told.get("version", ""))) if isinstance(told, dict) else ""
        major = self.version.partition(".")[0]
        if not major.isdecimal():
            raise Refused(f"what answers at {self.client.base_url} is no Grafana: {_ADVICE[404]}")
        if int(major) < OLDEST:
            raise Refused(f"this is Grafana {self.version}, the boards need {OLDEST} or newer: upgrade it")

    def _folder(self, uid: str, title: str) -> None:
        if self._ask("GET", f"/api/folders/{uid}", f"looking for folder {uid}", missing=True) is None:
            self._ask("POST", "/api/folders", f"making folder {title!r}", {"uid": uid, "title": title})

    def _board(self, board: Json, message: str) -> str:
        uid, doing = board["uid"], f"board {board['uid']}"
        there = self._ask("GET", f"/api/dashboards/uid/{uid}", doing, missing=True)
        known = (there or {}).get("dashboard", {})
        sent = board | {"id": known.get("id"), "version": known.get("version", 0)}
        body = {"dashboard": sent, "folderUid": f"kewang-{_language(board)}", "overwrite": False, "message": message}
        told = self._ask("POST", "/api/dashboards/db", doing, body)
        return _plain(str(told.get("url", f"/d/{uid}")))

    def _ask(self, method: str, path: str, doing: str, body: Json | None = None, *, missing: bool = False) -> Any:
        """The JSON of a good answer; None for 404 where something may be `missing`."""
        answer = self._answer(method, path, body)
        if missing and answer.status_code == 404:
            return None
        if answer.is_success:
            try:
                return answer.json()
            except ValueError:
                raise Refused(f"{doing}: the answer is no JSON: {_ADVICE[404]}") from None
        raise Refused(f"{doing}: Grafana answered {answer.status_code} {self._said(answer)}; {_advice(answer)}")

    def _answer(self, method: str, path: str, body: Json | None) -> httpx.Response:
        """The first answer that is none of too busy or broken."""
        why = ""
        for attempt in range(TRIES):
            if attempt:
                self.pause(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (attempt - 1)))
            try:
                answer = self.client.request(method, path, json=body)
            except httpx.HTTPError as error:
                why = f"{type(error).__name__}: {error}"
                continue
            if answer.status_code != 429 and answer.status_code < 500:
                return answer
            why = f"{answer.status_code} {self._said(answer)}"
        raise Unreachable(f"{self.client.base_url} after {TRIES} tries: {why}; is Grafana running there?")

    def _said(self, answer: httpx.Response) -> str:
        """Why, in Grafana's words: short, nothing a terminal obeys, and not our token, should somebody echo it."""
        try:
            told = answer.json()
        except ValueError:
            return ""
        words = str(told.get("message", "")) if isinstance(told, dict) else ""
        token = self.client.headers.get("Authorization", "").removeprefix("Bearer ")
        shown = words.replace(token, "TOKEN") if token else words
        return _plain(shown)


def client(url: str, token: str, ca_file: str | None = None) -> httpx.Client:
    """To the Grafana at `url`, as the owner of `token`."""
    import ssl

    context = ssl.create_default_context(cafile=ca_file)
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    return httpx.Client(base_url=url, headers=headers, timeout=LIMIT_S, verify=context, follow_redirects=False)


def _plain(text: str) -> str:
    """Short, and nothing a terminal obeys."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:200]


def _language(board: Json) -> str:
    return str(board["uid"]).rpartition("-")[2]


def _rule(rule: Json, folder: str, group: str) -> Json:
    """A rule of the file as the API wants it: its panel is an annotation there."""
    kept = {name: value for name, value in rule.items() if name not in ("dashboardUid", "panelId")}
    shown = {"__dashboardUid__": rule["dashboardUid"], "__panelId__": str(rule["panelId"])}
    place = {"orgID": 1, "folderUID": folder, "ruleGroup": group}
    return {**kept, **place, "annotations": {**rule["annotations"], **shown}}


def _advice(answer: httpx.Response) -> str:
    if answer.is_redirect:
        return f"it sends us to {answer.headers.get('Location', 'elsewhere')!r}: write that address"
    return _ADVICE.get(answer.status_code, "look at Grafana's log")
