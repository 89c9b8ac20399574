"""Words for people: gettext catalogues in `locale/`, one per language. English is the language of the sources.

The `.po` files are the only form that is kept; they are compiled in memory at first use.
"""

import gettext
import io
import re
import struct
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

Language = Literal["id", "en"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
DEFAULT: Final[Language] = "id"
LOCALE: Final = Path(__file__).parent / "locale"

_ENTRY = re.compile(r'^(msgid|msgid_plural|msgstr(?:\[\d\])?) ((?:"(?:[^"\\]|\\.)*"\s*)+)', re.MULTILINE)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


@cache
def words(language: Language) -> gettext.NullTranslations:
    """The words of `language`: `.gettext(text)` and `.ngettext(one, many, n)`; an unknown text comes back itself."""
    if language == "en":
        return gettext.NullTranslations()
    return gettext.GNUTranslations(io.BytesIO(_compiled(read_po(LOCALE / f"{language}.po"))))


def as_language(text: str | None) -> Language | None:
    """`text` if it is a language we speak, else None."""
    return next((language for language in LANGUAGES if language == text), None)


def read_po(file: Path) -> dict[str, str]:
    """msgid -> msgstr of a catalogue, as a compiled one holds them: plural forms joined by NUL; "" is the header."""
    found: dict[str, str] = {}
    msgid = ""
    for keyword, quoted in _ENTRY.findall(file.read_text(encoding="utf-8")):
        text = "".join(_unescaped(part) for part in _QUOTED.findall(quoted))
        if keyword == "msgid":
            msgid = text
        elif keyword == "msgid_plural":
            msgid += "\0" + text
        else:
            found[msgid] = f"{found[msgid]}\0{text}" if msgid in found else text
    return found


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), text)


def _compiled(messages: dict[str, str]) -> bytes:
    """A GNU .mo file of `messages`: header, table of ids, table of texts (each: length, offset), then the bytes."""
    pairs = sorted((msgid.encode(), text.encode()) for msgid, text in messages.items() if text)
    count, header_bytes = len(pairs), 28
    start = header_bytes + 16 * count
    blob, tables = bytearray(), ([], [])  # type: tuple[bytearray, tuple[list[int], list[int]]]
    for column, table in enumerate(tables):
        for pair in pairs:
            table += [len(pair[column]), start + len(blob)]
            blob += pair[column] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, count, header_bytes, header_bytes + 8 * count, 0, 0)
    return head + struct.pack(f"<{4 * count}I", *tables[0], *tables[1]) + bytes(blob)
