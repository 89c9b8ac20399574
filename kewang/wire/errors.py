"""The one error of this package."""


class WireError(ValueError):
    """A message, topic or name that breaks the protocol; the text says which rule.

    The text is safe to show and to store: at most 200 printable ASCII characters.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(printable(reason, 200))


def printable(text: str, limit: int) -> str:
    """`text` as at most `limit` printable ASCII characters, everything else escaped."""
    return "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode() for c in text[:limit])[:limit]
