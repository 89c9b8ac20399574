"""From what is known to HTML: our templates in both languages, with the filters they use."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from kewang.ui import figures, pages
from kewang.ui.words import Language, words
from provisioning.web import office_words
from provisioning.web.flow import LEAVING, LEAVING_OF_CAMERAS
from provisioning.web.options import WebOptions
from provisioning.web.phrases import KIND_WORDS, RESULT_WORDS, STATE_WORDS, VISIT_WORDS, reason_words

TEMPLATES = Path(__file__).parent / "templates"


class Renderer:
    """Templates by language; everything in them is escaped."""

    def __init__(self, options: WebOptions) -> None:
        self._options = options
        self._of = cache(self._environment)

    def html(self, name: str, language: Language, known: dict[str, Any]) -> str:
        """The template `name` with `known`."""
        return self._of(language).get_template(f"{name}.html").render(known)

    def _environment(self, language: Language) -> Environment:
        made = pages.environment(TEMPLATES, language, {})
        say, zone = words(language).gettext, self._options.zone
        tables = {
            "state": STATE_WORDS,
            "kind": KIND_WORDS,
            "visit_kind": VISIT_WORDS,
            "result": RESULT_WORDS,
            **office_words.TABLES,
        }
        for filter_name, table in tables.items():
            made.filters[filter_name] = _worded(table, say)
        made.filters["moment"] = lambda date_ms, now_ms: figures.moment(date_ms, now_ms, zone)
        made.filters["decimal"] = lambda value, decimals: figures.number(value, decimals, language)
        made.filters["reason"] = lambda reason: reason_words(reason, say)
        made.filters["say"] = lambda text: say(text) if text else ""
        made.filters["day"] = lambda date_ms: figures.day(date_ms, zone)
        made.filters["code"] = lambda device: device.upper()
        made.globals |= {"options": self._options, "leaving": LEAVING, "of_cameras": LEAVING_OF_CAMERAS}
        return made


def _worded(table: dict[str, str], say: Any) -> Any:
    """A filter: the word for a key of `table`, translated; the key itself if it has none."""
    return lambda key: say(table[key]) if key in table else key
