"""What the pages beside the live page need of the console's templates and languages."""

from typing import Any, Protocol

from fastapi import Request, Response

from gateway.console.live import Overview
from kewang.ui.pages import in_language
from kewang.ui.words import Language


class Pages(Protocol):
    """The console's templates and languages."""

    def html(self, name: str, request: Request, known: dict[str, Any], status: int = 200) -> Response:
        """The template `name` in the reader's language."""

    def language(self, request: Request) -> Language:
        """The reader's."""


def of_overview(overview: Overview, request: Request, pages: Pages) -> dict[str, Any]:
    """What a page made from one overview knows: the overview, and the address under which it asks again."""
    here = in_language(request.query_params.multi_items(), pages.language(request))
    return {"overview": overview, "here_now": request.url.path + here}
