"""Which incidents somebody looks for, as SQL over the chronicle's rows. Pure."""

from dataclasses import dataclass
from typing import Final, Literal

State = Literal["", "open", "over"]
_NAMES: Final = """
json_extract(facts, '$.scope.name') || ' ' || json_extract(facts, '$.sites') || ' '
|| coalesce(json_extract(facts, '$.acknowledged.by'), '') || ' #' || number
"""
_SAID: Final = "coalesce(json_extract(why, '$.by'), '') || ' ' || coalesce(json_extract(why, '$.note'), '')"
_SPACED: Final = "instr(replace(lower({what}), '-', ' '), ?) > 0"


@dataclass(frozen=True, slots=True)
class Query:
    """ "" is any. `text`: a part of a name, of a device, of who has it, or of a note; `#17` is a number."""

    state: State = ""
    kind: str = ""
    level: str = ""
    site: str = ""
    text: str = ""

    def where(self) -> tuple[str, list[str]]:
        """The condition and its values."""
        parts: list[tuple[str, list[str]]] = []
        if self.state:
            parts.append((f"ended_s IS {'' if self.state == 'open' else 'NOT '}NULL", []))
        if self.kind:
            parts.append(("json_extract(facts, '$.kind') = ?", [self.kind]))
        if self.level:
            parts.append(("json_extract(facts, '$.scope.level') = ?", [self.level]))
        if self.site:
            below = "? IN (SELECT value FROM json_each(facts, '$.sites'))"
            itself = "(json_extract(facts, '$.scope.level') = 'site' AND json_extract(facts, '$.scope.name') = ?)"
            parts.append((f"({below} OR {itself})", [self.site, self.site]))
        if self.text:
            parts.append(self._text())
        return " AND ".join(sql for sql, _ in parts) or "TRUE", [value for _, some in parts for value in some]

    def _text(self) -> tuple[str, list[str]]:
        device = f"EXISTS (SELECT 1 FROM json_each(facts, '$.devices') AS each WHERE {_SPACED.format(what='each.key')})"
        said = _SPACED.format(what=_SAID)
        note = f"EXISTS (SELECT 1 FROM change WHERE change.number = incident.number AND {said})"
        wanted = self.text.lower().replace("-", " ")
        return f"({_SPACED.format(what=_NAMES)} OR {device} OR {note})", [wanted] * 3
