"""An incident becomes a technician's task: wished of the office, told in the timeline, followed to its end."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from pydantic import ValidationError

from gateway.incidents.model import Assigned, Incident
from gateway.incidents.watch import Watch
from gateway.notify.office import Office, TaskRefused
from gateway.notify.texts import Surroundings, Texts
from gateway.steady import Steady
from kewang.ui.words import DEFAULT, LANGUAGES, words
from kewang.wire.incident_task import Given, Wish
from kewang.wire.roster import Technician

_TEXT_CHARACTERS: Final = 500


def _(text: str) -> str:
    """Marks a text for the catalogue; it is translated when it is shown."""
    return text


class Assigning:
    """`around`: what texts know besides the incidents, now. Runs in the event loop."""

    def __init__(
        self, watch: Watch, steady: Steady, office: Office, texts: Texts, around: Callable[[], Surroundings]
    ) -> None:
        self._watch, self._steady = watch, steady
        self._office, self._texts, self._around = office, texts, around

    def technicians(self) -> tuple[Technician, ...]:
        """Whom an incident can be given to, as far as the office has told."""
        return self._office.roster.technicians if self._office.roster else ()

    async def assign(self, number: int, to: str | None, login: str | None, by: str) -> Given:
        """Give open incident `number` to the technician `to` (None: whoever takes it); again gives the same task.

        `login`: of who wishes it (None: a program), `by`: the name. Raises TaskRefused; RetryLater, Misconfigured or
        WireError if the office gives no answer: then nothing was done, or the same wish finds what was.
        """
        incident = self._watch.open.get(number)
        if incident is None:
            raise refused(_("This incident is over."))
        given = await self._office.assign(self._wish(incident, to, login))
        if (open_ := self._watch.open.get(number)) is not None and _is_new(open_, given):
            assigned = Assigned(given.task, given.name, by, self._steady.now_s(), given.state)
            self._watch.assign(number, assigned, self._steady.now_s())
        return given

    async def follow(self) -> None:
        """See what became of the tasks of open incidents. Raises as the office does."""
        waiting = {
            (one.number, one.assigned.task): one for one in self._watch.open.values() if one.assigned and _waits(one)
        }
        for task in (await self._office.tasks()).tasks if waiting else ():
            ours = waiting.get((task.incident, task.task))
            if ours is None or ours.assigned is None or _opened_ms(ours) != task.opened_ms:
                continue  # numbers alone begin anew with a lost database
            if task.state != ours.assigned.state:
                changed = replace(ours.assigned, state=task.state, to=task.name)
                self._watch.progress(ours.number, changed, task.note, self._steady.now_s())

    def _wish(self, incident: Incident, to: str | None, login: str | None) -> Wish:
        language = next((one.language for one in self.technicians() if one.login == to), DEFAULT)
        facts = self._texts.facts(incident, self._around(), language)
        device, _slash, source = incident.scope.name.partition("/")
        wish = {
            "incident": incident.number,
            "opened_ms": _opened_ms(incident),
            "text": _text(facts, incident.number),
            "link": facts["link"] if len(facts["link"]) <= 300 and facts["link"].isascii() else "",
            "device": device if incident.scope.level in ("device", "source") else None,
            "source": source or None,
            "to": to,
            "by": login,
        }
        try:
            return Wish.model_validate(wish)
        except ValidationError:
            raise refused(_("There is no such technician.")) from None


def _opened_ms(incident: Incident) -> int:
    return round(incident.opened_s * 1000)


def _waits(incident: Incident) -> bool:
    return incident.assigned is not None and incident.assigned.state != "done"


def _is_new(incident: Incident, given: Given) -> bool:
    known = incident.assigned
    return known is None or (known.task, known.to) != (given.task, given.name)


def refused(text: str) -> TaskRefused:
    """Why nothing was done, in every language. `text`: of the catalogue."""
    return TaskRefused({language: words(language).gettext(text) for language in LANGUAGES})


def _text(facts: Mapping[str, str], number: int) -> str:
    """What is the matter, where, and the first step."""
    where = "" if facts["where"] == "-" or facts["where"] in facts["title"] else facts["where"]
    lines = (f"{facts['title']} (#{number})", where, facts["step"])
    return "\n".join(" ".join(line.split()) for line in lines if line)[:_TEXT_CHARACTERS]
