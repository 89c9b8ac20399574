"""Rules about readings: `rules.toml` beside this module, and what a file of one's own changes in it."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from gateway.incidents.model import Severity
from kewang.runtime.settings import Settings, SettingsError
from kewang.wire.catalogue import BY_NAME

FILE: Final = Path(__file__).with_name("rules.toml")
RESERVED: Final = frozenset({"outage", "unstable", "self", "sources", "two-boxes", "maintenance", "canary"})
"""Kinds of incidents that no rule may be called."""


class Rule(Settings):
    """One rule. The limits are in the metric's unit."""

    name: str = Field(pattern=r"^[a-z0-9-]{1,32}$", description="Name of the rule: the kind of its incidents.")
    metric: str = Field(description="Metric of the catalogue.")
    when: Literal["above", "below", "codes"] = Field("above", description="Which side of the limit is bad.")
    from_: float | None = Field(None, alias="from", allow_inf_nan=False, description="It begins here.")
    clear: float | None = Field(None, allow_inf_nan=False, description="It ends here.")
    critical_from: float | None = Field(None, allow_inf_nan=False, description="From here it is critical.")
    codes: tuple[int, ...] = Field((), description="Codes of an enumeration that are bad.")
    hold_s: float = Field(ge=0, le=86_400, description="It lasts so long before it is told (s).")
    per: Literal["source", "site"] = Field("source", description="One incident a source, or one a site.")
    severity: Severity = Field("warning", description="How bad it is.")
    id: str = Field(min_length=1, max_length=80, description="What it is, in Indonesian.")
    en: str = Field(min_length=1, max_length=80, description="What it is, in English.")
    off: bool = Field(False, description="The rule is switched off.")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        """Refuse what could never begin or never end; the text says which and what to do."""
        if self.name in RESERVED:
            raise ValueError(f"{self.name!r} is taken: call the rule otherwise")
        if self.metric not in BY_NAME:
            raise ValueError(f"unknown metric {self.metric!r}: take one of `kewang/wire/catalogue.py`")
        if self.when == "codes":
            self._sound_codes()
        else:
            self._sound_limits()
        return self

    def _sound_codes(self) -> None:
        known = [code for code, *_ in BY_NAME[self.metric].codes]
        if not self.codes or not set(self.codes) <= set(known):
            raise ValueError(f"codes: give some of {known}")
        if not self.from_ is self.clear is self.critical_from is None:
            raise ValueError("from, clear and critical_from don't go with codes: leave them out")

    def _sound_limits(self) -> None:
        metric = BY_NAME[self.metric]
        if self.codes:
            raise ValueError('codes need when = "codes"')
        if self.from_ is None or self.clear is None:
            raise ValueError("from and clear are needed")
        limits = [self.clear, self.from_, *([] if self.critical_from is None else [self.critical_from])]
        if self.when == "below":
            limits = [-limit for limit in limits]
        if limits != sorted(limits):
            raise ValueError(f"limits the wrong way round: {self.when} needs clear, from, critical_from in order")
        if not metric.low <= self.from_ <= metric.high:
            raise ValueError(f"from: {self.metric} is never outside {metric.low:g} to {metric.high:g} {metric.unit}")

    def bad(self, value: float) -> bool:
        """Whether it begins, or goes on, at this value."""
        if self.when == "codes":
            return value in self.codes
        return self._beyond(value, self.from_)

    def clear_at(self, value: float) -> bool:
        """Whether it ends at this value."""
        if self.when == "codes":
            return value not in self.codes
        if self.clear is None or self.bad(value):
            return False
        return value >= self.clear if self.when == "below" else value <= self.clear

    def severity_at(self, value: float) -> Severity:
        """How bad this value is."""
        return "critical" if self._beyond(value, self.critical_from) else self.severity

    def worse(self, value: float, than: float) -> bool:
        """Whether `value` is worse than another."""
        return value < than if self.when == "below" else value > than

    def _beyond(self, value: float, limit: float | None) -> bool:
        if limit is None:
            return False
        return value <= limit if self.when == "below" else value >= limit


def load_rules(path: Path | None = None) -> tuple[Rule, ...]:
    """The shipped rules with what the file at `path` changes. Raises SettingsError, one problem a line."""
    tables = _tables(FILE)
    if path is not None:
        for name, changed in _tables(path).items():
            tables[name] = {**tables.get(name, {}), **changed}
    problems: list[str] = []
    rules = [_rule(name, table, problems) for name, table in tables.items()]
    if problems:
        raise SettingsError("\n".join(f"{path or FILE}: {problem}" for problem in problems))
    return tuple(rule for rule in rules if rule is not None and not rule.off)


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}: give the path of a file of rules") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None
    if wrong := sorted(name for name, table in found.items() if not isinstance(table, dict)):
        raise SettingsError(f"{path}: {wrong[0]}: write a rule as [name] with its keys below")
    return found


def _rule(name: str, table: Mapping[str, Any], problems: list[str]) -> Rule | None:
    try:
        return Rule.model_validate({**table, "name": name})
    except ValidationError as error:
        for problem in error.errors():
            where = ".".join(str(part) for part in (name, *problem["loc"]))
            problems.append(f"[{where}]: {problem['msg'].removeprefix('Value error, ')}")
        return None
