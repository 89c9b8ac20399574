"""What the edge says of a camera in whole sentences, in the reader's language.

The edge speaks English, as its log does; the catalogue holds its sentences with `{}` for what it fills in. What is no
sentence of ours is quoted as it came.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

from kewang.ui.words import read_po

CATALOGUE: Final = Path(__file__).parent / "locale" / "camera.id.po"
_HOLE: Final = "{}"


def said(text: str, language: str) -> str:
    """A sentence of the edge in `language`."""
    if language != "id" or not text:
        return text
    known = _indonesian(text)
    return f"“{text}”" if known is None else known


def problems(text: str, language: str) -> str:
    """Problems of settings, one a line, each behind its file and key."""
    return "\n".join(_problem(line) for line in text.splitlines()) if language == "id" else text


def _problem(line: str) -> str:
    """What stands behind the file and the key is the sentence; a path may hold a colon, too."""
    parts = line.split(": ")
    for number in range(len(parts)):
        known = _indonesian(": ".join(parts[number:]))
        if known is not None:
            return ": ".join([*parts[:number], known])
    return ": ".join([*parts[:2], said(": ".join(parts[2:]), "id")]) if len(parts) > 2 else said(line, "id")


def _indonesian(text: str) -> str | None:
    """None for what is no sentence of ours. What is filled into one may be a sentence itself."""
    for pattern, template in _sentences():
        if match := pattern.fullmatch(text):
            filled = [_indonesian(each) or each for each in match.groups()]
            pieces = template.split(_HOLE)
            return pieces[0] + "".join(value + piece for value, piece in zip(filled, pieces[1:], strict=True))
    return None


@cache
def _sentences() -> tuple[tuple[re.Pattern[str], str], ...]:
    """What an English sentence looks like, with its Indonesian; those that say most come first."""
    known = [(english, indonesian) for english, indonesian in read_po(CATALOGUE).items() if english]
    known.sort(key=lambda pair: len(pair[0].replace(_HOLE, "")), reverse=True)
    return tuple((re.compile("(.*?)".join(map(re.escape, pair[0].split(_HOLE)))), pair[1]) for pair in known)
