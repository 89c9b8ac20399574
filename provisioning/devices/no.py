"""What the device API says no to, as an answer with a code and a sentence in both languages."""

from typing import Final

from kewang.ui.words import words
from kewang.wire.enrolment import REASONS, Code, Refusal, Words
from provisioning.refusals import Refused


class No(Exception):
    """A request that is refused. `retry_s`: when to come again, for a `Retry-After`."""

    def __init__(self, code: Code, why: str = "", retry_s: float | None = None) -> None:
        """`why`: for our own log, never for the answer."""
        super().__init__(f"{code}: {why}" if why else str(code))
        self.code, self.retry_s = code, retry_s

    @property
    def status(self) -> int:
        """Of HTTP."""
        return REASONS[self.code].status

    def answer(self) -> bytes:
        """The body."""
        return Refusal(code=self.code, text=Words(en=self.said("en"), id=self.said("id"))).encode()

    def said(self, language: str) -> str:
        """What is refused and what to do, in `id` or `en`."""
        return words(language).gettext(REASONS[self.code].text)


_KINDS: Final = {
    "unknown-device": Code.UNKNOWN,
    "blocked": Code.BLOCKED,
    "key": Code.KEY,
    "disk": Code.UNABLE,
}
"""What acts refuse, in the words that boxes know."""


def of_refused(refused: Refused) -> tuple[int, bytes]:
    """HTTP status and body for what an act refused: its code holds the status."""
    if refused.kind in _KINDS:
        no = No(_KINDS[refused.kind])
        return no.status, no.answer()
    text = Words(en=refused.said("en"), id=refused.said("id"))
    return int(refused.code.removeprefix("P-")), Refusal(code=refused.code, text=text).encode()
