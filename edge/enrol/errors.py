"""What may go wrong between box and office, by what to do next."""


class Unreachable(Exception):
    """The office can't be reached or is not the office; try again later. The text says what to look at."""


class Refusing(Exception):
    """The office said no: `code` and the sentence. `retry_s`: when it wants to be asked again."""

    def __init__(self, code: str, text: str, retry_s: float | None = None) -> None:
        super().__init__(f"{text} ({code})")
        self.code, self.text, self.retry_s = code, text, retry_s


class Unusable(Exception):
    """A bundle or an answer that must not be taken; the text says why and what to do next."""
