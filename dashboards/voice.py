"""In which language a board speaks, and of which city."""

from dataclasses import dataclass

from kewang.ui.words import Language, words


@dataclass(frozen=True, slots=True)
class Voice:
    """Called with an English text, gives it in `language`. `zone`: the city's. `console`: address of its live page."""

    language: Language
    zone: str = "Asia/Jayapura"
    console: str = "http://localhost:8080"

    def __call__(self, text: str) -> str:
        return words(self.language).gettext(text)

    def uid(self, board: str) -> str:
        """The uid of a board in this language."""
        return f"kewang-{board}-{self.language}"
