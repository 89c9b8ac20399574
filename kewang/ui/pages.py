"""Templates and files that every web app of ours shares: the base page, the style sheet, htmx."""

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Final
from urllib.parse import urlencode

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket

from kewang.ui.states import SYMBOLS
from kewang.ui.words import Language, words

TEMPLATES: Final = Path(__file__).parent / "templates"
STATIC: Final = Path(__file__).parent / "static"

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Headers of every answer: nothing from elsewhere, no inline script or style, in nobody's frame."""


class _Compiled(BytecodeCache):
    """Templates that were compiled, by their place and content: an app that is made anew compiles none again."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code:
            self._codes[bucket.key, bucket.checksum] = bucket.code


@cache
def _compiled(language: Language) -> _Compiled:
    """Each language has its own: the word of a constant (`{{ "weak-link"|reason }}`) is found while compiling."""
    return _Compiled()


def environment(folder: Path, language: Language, filters: dict[str, Callable[..., str]]) -> Environment:
    """Templates of `folder` and ours, in `language`; everything is escaped, an undefined name is an error."""
    made = Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        bytecode_cache=_compiled(language),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(filters)
    made.globals |= {"language": language, "symbol": SYMBOLS}
    # The method the extension adds has no stub.
    made.install_gettext_translations(words(language), newstyle=True)  # type: ignore[attr-defined]
    return made


def in_language(query: Iterable[tuple[str, str]], language: Language) -> str:
    """The address of the same page as it is looked at, in `language`. `query`: names and values of its own address."""
    said = [(name, value) for name, value in query if name not in ("lang", "drawn")]
    return f"?{urlencode([*said, ('lang', language)])}"
