"""What the demo says in the terminal, in the language of who watches."""

from rich.console import Console
from rich.text import Text

from kewang.ui.words import Language, words


def _(text: str) -> str:
    """Marks a text for the catalogue; it is translated when it is said."""
    return text


class Says:
    """Says a text with its names filled in: `says(_("%(who)s is back"), who="mardika-1")`."""

    def __init__(self, console: Console, language: Language) -> None:
        self.console, self.language, self._words = console, language, words(language)

    def __call__(self, text: str, style: str = "", **known: object) -> None:
        self.console.print(Text(self.filled(text, **known), style))

    def filled(self, text: str, **known: object) -> str:
        """The same, not said yet."""
        return self._words.gettext(text) % known

    def ngettext(self, one: str, many: str, num: int) -> str:
        """A number with its noun."""
        return self._words.ngettext(one, many, num) % {"num": num}
