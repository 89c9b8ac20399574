"""Templates and files that every web app of ours shares: the base page, the style sheet, htmx."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

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


def environment(folder: Path, language: Language, filters: dict[str, Callable[..., str]]) -> Environment:
    """Templates of `folder` and ours, in `language`; everything is escaped, an undefined name is an error."""
    made = Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(filters)
    made.globals["language"] = language
    # The method the extension adds has no stub.
    made.install_gettext_translations(words(language), newstyle=True)  # type: ignore[attr-defined]
    return made
