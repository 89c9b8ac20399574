"""What provisioning says no to: one exception with a code, a sentence and a next step in the reader's language.

The codes are those on the technician's screen and in the device API: P-400 wrong input, P-401 not logged in, P-403 not
allowed, P-404 unknown, P-409 the world is different from what you think, P-413 too big, P-429 too often, P-507 disk.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from kewang.ui.words import Language, words
from kewang.wire.errors import printable

FORMAT: Final = "%d/%m/%Y %H:%M"


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


class Refused(Exception):
    """An act that may not be done, and has not been. `kind` names the reason for programs, `code` for people.

    `values` fill the sentence and the next step: a key that ends in `_ms` holds Unix ms, one that ends in `_word` a
    text that is itself translated. `audited`: whether the refusal leaves a row in the audit log.
    """

    def __init__(
        self, code: str, kind: str, text: str, next_step: str = "", *, audited: bool = True, **values: Any
    ) -> None:
        super().__init__(f"{code} {kind}")
        self.code, self.kind, self.audited = code, kind, audited
        self.text, self.next_step = text, next_step
        self.values: Mapping[str, Any] = values

    def said(self, language: Language, zone: tzinfo = UTC) -> str:
        """The sentence and the next step."""
        return " ".join(self._filled(text, language, zone) for text in (self.text, self.next_step) if text)

    def parts(self, language: Language, zone: tzinfo = UTC) -> tuple[str, str]:
        """The sentence; the next step, "" if there is none."""
        return self._filled(self.text, language, zone), self._filled(self.next_step, language, zone)

    def __str__(self) -> str:
        return f"{self.said('en')} ({self.code})"

    def _filled(self, text: str, language: Language, zone: tzinfo) -> str:
        known = words(language)
        if not text:
            return ""
        values = {key: _value(key, value, known.gettext, zone) for key, value in self.values.items()}
        return known.gettext(text) % values


def _value(key: str, value: Any, translated: Any, zone: tzinfo) -> Any:
    if key.endswith("_ms") and isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, zone).strftime(FORMAT)
    return translated(value) if key.endswith("_word") and value else value


def unknown_device(device: str) -> Refused:
    """P-404: the device is not in the inventory."""
    return Refused(
        "P-404",
        "unknown-device",
        _("The device %(device)s is not in the list."),
        _("Take a photo of the label and send it to the office."),
        audited=False,
        device=printable(device, 32),
    )


def unknown(what_word: str, name: object) -> Refused:
    """P-404: something else is not in the inventory."""
    return Refused(
        "P-404",
        "unknown",
        _("There is no %(what_word)s %(name)s."),
        _("Check the name, then try again."),
        audited=False,
        what_word=what_word,
        name=printable(str(name), 64),
    )


def label_mismatch(device: str) -> Refused:
    """P-409: the label's fingerprint is not the inventory's."""
    return Refused(
        "P-409",
        "label",
        _("The label does not belong to %(device)s. Do not install it."),
        _("Call your supervisor."),
        device=device,
    )


def taken(device: str, state_word: str, site: str, by: str, since_ms: int) -> Refused:
    """P-409: somebody else has the device. `values` hold `site`, `by` and `since_ms` for a page of its own."""
    return Refused(
        "P-409",
        "taken",
        _("%(device)s is already %(state_word)s at %(site)s, by %(by)s, since %(since_ms)s."),
        _("Move it, replace it, or leave it."),
        device=device,
        state_word=state_word,
        site=site,
        by=by,
        since_ms=since_ms,
    )


def wrong_state(device: str, state_word: str, act_word: str) -> Refused:
    """P-409: this move does not begin in this state."""
    return Refused(
        "P-409",
        "state",
        _("%(device)s is %(state_word)s: it can't be %(act_word)s."),
        _("Look at the device's page, then decide."),
        device=device,
        state_word=state_word,
        act_word=act_word,
    )


def blocked(device: str, state_word: str) -> Refused:
    """P-403: the device was revoked, retired or quarantined."""
    return Refused(
        "P-403",
        "blocked",
        _("%(device)s is %(state_word)s and may not be used."),
        _("Keep it and call the office."),
        device=device,
        state_word=state_word,
    )


def not_allowed(act: str) -> Refused:
    """P-403: the person's role does not have this right."""
    return Refused(
        "P-403", "role", _("Your role may not do this (%(act)s)."), _("Ask an operator or the administrator."), act=act
    )


def other_district(district: str | None) -> Refused:
    """P-403: a technician outside of the own district."""
    return Refused(
        "P-403",
        "district",
        _("This is in the district %(district)s, which is not yours."),
        _("Check the site, or call the office."),
        district=district or "-",
    )


def too_often(limit: int) -> Refused:
    """P-429: more approvals in an hour than a person can install."""
    return Refused(
        "P-429",
        "too-often",
        _("More than %(limit)s approvals within an hour."),
        _("Wait a little, or call the office."),
        limit=limit,
    )


def bad_input(field_word: str, why: str, **values: Any) -> Refused:
    """P-400: a field that can't be taken. `why` is a text of the catalogue with names of `values` in it."""
    return Refused("P-400", "input", why, field_word=field_word, **values)


def answered_differently(request: str) -> Refused:
    """P-409: a request's id came again with another content."""
    return Refused(
        "P-409",
        "request",
        _("The request %(request)s was already used for something else."),
        _("Reload the page and do it again."),
        request=request,
    )


def no_room(what: str) -> Refused:
    """P-507: the disk is full, or can't be written."""
    return Refused(
        "P-507",
        "disk",
        _("The server could not write: %(what)s. Nothing was changed."),
        _("Tell the administrator: free the disk, then try again."),
        audited=False,
        what=what,
    )


def key_trouble(what: str) -> Refused:
    """P-507: a key file is missing, damaged or readable by others."""
    return Refused(
        "P-507",
        "key",
        _("A key of the server can't be used: %(what)s. Nothing was changed."),
        _("Tell the administrator."),
        what=what,
    )
