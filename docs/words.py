"""Texts of the generated parts of the pages, in one language."""

import json
from pathlib import Path
from typing import Final

from kewang.ui.words import Language, read_po

WORDS: Final = Path(__file__).resolve().parent / "words.id.po"


class Untranslated(Exception):
    """Texts have no Indonesian in `docs/words.id.po`; the message holds the lines to fill in there."""


class Words:
    """Texts in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.known = {} if language == "en" else read_po(WORDS)
        self.used: dict[str, None] = {}

    def __call__(self, text: str) -> str:
        """`text` in this language; itself if nobody has translated it."""
        self.used[text] = None
        return self.known.get(text, text)

    def check(self) -> None:
        """Raise Untranslated if a text that was used has no translation."""
        missing = [text for text in self.used if not self.known.get(text)] if self.language != "en" else []
        if missing:
            entries = (f'msgid {json.dumps(text, ensure_ascii=False)}\nmsgstr ""' for text in missing)
            raise Untranslated(f"{WORDS} lacks:\n\n" + "\n\n".join(entries))
