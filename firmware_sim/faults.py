"""Faults of a simulated board: planned in seconds since its start, drawn from a seed, or switched by a control file."""

import json
import random
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final


class Fault(StrEnum):
    """What a board does wrong while the fault lasts."""

    NONE = "none"
    NO_ANSWER = "no_answer"
    EXCEPTION = "exception"
    SHORT = "short"
    """The answer breaks off."""
    GARBLED = "garbled"
    """The answer contradicts itself about its length."""
    NAN = "nan"
    STUCK = "stuck"
    OUT_OF_RANGE = "out_of_range"
    RESET = "reset"
    """The connection closes instead of an answer; the running number goes on."""
    WORD_ORDER = "word_order"


SILENT: Final = frozenset({Fault.NO_ANSWER, Fault.EXCEPTION, Fault.SHORT, Fault.GARBLED, Fault.RESET})
"""Faults under which no value is given out."""


@dataclass(frozen=True, slots=True)
class Spell:
    """A fault from `start_s` (seconds since the board's start) on, for `length_s`."""

    fault: Fault
    start_s: float
    length_s: float

    def holds(self, at_s: float) -> bool:
        """Whether it lasts at `at_s`."""
        return self.start_s <= at_s < self.start_s + self.length_s


class Faults:
    """The faults of one board: a plan, and a control file that overrules it while it names a fault.

    The control file is JSON, `{"fault": "stuck"}`; an absent file, `{}` or `{"fault": null}` leaves it to the plan.
    """

    def __init__(self, plan: tuple[Spell, ...] = (), control: Path | None = None) -> None:
        self._plan = plan
        self._control = control
        self._seen: tuple[int, int] | None = None
        self._switched: Fault | None = None

    def at(self, at_s: float) -> Fault:
        """The fault `at_s` seconds after the board's start."""
        switched = self._read_control()
        if switched is not None:
            return switched
        return next((spell.fault for spell in self._plan if spell.holds(at_s)), Fault.NONE)

    def _read_control(self) -> Fault | None:
        if self._control is None:
            return None
        try:
            status = self._control.stat()
            if (status.st_mtime_ns, status.st_ino) != self._seen:
                self._switched = _fault_in(self._control)
                self._seen = (status.st_mtime_ns, status.st_ino)
        except FileNotFoundError:
            self._switched = self._seen = None
        return self._switched


def switch(control: Path, fault: str | None) -> None:
    """Write a control file; None leaves the board (or camera) to its plan. The file is replaced, never half written."""
    fresh = control.with_name(control.name + ".new")
    fresh.write_text(json.dumps({"fault": fault}))
    fresh.replace(control)


def parse_plan(text: str, seed: int) -> tuple[Spell, ...]:
    """The plan in `text`: `none`, `random`, or spells `fault@start+length` in seconds, separated by commas.

    Raises ValueError naming the bad spell and the faults there are.
    """
    if text in ("", "none"):
        return ()
    if text == "random":
        return _drawn(seed)
    return tuple(_spell(part) for part in text.split(","))


def _spell(text: str) -> Spell:
    try:
        name, _, times = text.partition("@")
        start, _, length = times.partition("+")
        return Spell(Fault(name.strip()), float(start), float(length))
    except ValueError:
        known = ", ".join(Fault)
        raise ValueError(f"fault {text!r} is not fault@start+length, e.g. stuck@30+10; faults are {known}") from None


def _drawn(seed: int, days: float = 7.0) -> tuple[Spell, ...]:
    """A week with a fault of 5 to 60 s every few minutes."""
    rng = random.Random(f"faults-{seed}")
    kinds = [fault for fault in Fault if fault is not Fault.NONE]
    spells, at_s = [], 0.0
    while at_s < days * 86_400:
        at_s += rng.uniform(30, 600)
        spells.append(Spell(rng.choice(kinds), at_s, rng.uniform(5, 60)))
        at_s += spells[-1].length_s
    return tuple(spells)


def _fault_in(control: Path) -> Fault | None:
    """The fault a control file names; a file with nonsense changes nothing for the worse: it names none."""
    try:
        named = json.loads(control.read_text()).get("fault")
        return None if named is None else Fault(named)
    except (ValueError, AttributeError):
        return None
