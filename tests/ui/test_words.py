"""Both languages are complete: every text a template or module shows has its Indonesian words, and no word is idle."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from jinja2 import Environment

from kewang.ui.words import LANGUAGES, LOCALE, as_language, read_po, words

CHECKOUT = Path(__file__).resolve().parents[2]
SHOWN = ("kewang", "gateway", "provisioning", "dashboards")
CALLS = {"_": 1, "gettext": 1, "ngettext": 2}
CALLED = re.compile(r"\b(_|n?gettext)\(")
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def in_templates() -> Iterator[str]:
    """Texts of all templates; a plural is its forms joined by NUL, as in a catalogue."""
    extractor = Environment(extensions=["jinja2.ext.i18n"])
    for folder in SHOWN:
        for template in (CHECKOUT / folder).rglob("templates/*.*"):
            for _, _, text in extractor.extract_translations(template.read_text()):  # type: ignore[attr-defined]
                yield text if isinstance(text, str) else "\0".join(part for part in text if part)


def in_modules() -> Iterator[str]:
    """Texts given to `_`, `gettext` or `ngettext` in Python."""
    for module in (file for folder in SHOWN for file in (CHECKOUT / folder).rglob("*.py")):
        if CALLED.search(text := module.read_text()):
            for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
                name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                texts = call.args[: CALLS.get(name, 0)]
                if texts and all(isinstance(text, ast.Constant) for text in texts):
                    yield "\0".join(str(text.value) for text in texts if isinstance(text, ast.Constant))


@cache
def used() -> frozenset[str]:
    """All texts that somebody may read: found when the first test asks, for every worker imports this module."""
    return frozenset({*in_templates(), *in_modules()})


INDONESIAN = read_po(LOCALE / "id.po")


def test_texts_are_found_in_both_places() -> None:
    assert used() >= {"Live page", "in maintenance", "%(num)s device\0%(num)s devices"}


def test_every_text_has_indonesian_words() -> None:
    assert sorted(text for text in used() if not INDONESIAN.get(text)) == []


def test_no_words_are_idle() -> None:
    assert sorted(set(INDONESIAN) - used() - {""}) == []


def test_both_languages_fill_in_the_same_names() -> None:
    assert [text for text in sorted(used()) if names(INDONESIAN.get(text, "")) != names(text)] == []


def names(text: str) -> set[str]:
    """What is filled in."""
    return set(PLACEHOLDER.findall(text))


def test_compiled_words_are_those_of_the_catalogue() -> None:
    for text, translated in INDONESIAN.items():
        if text and "\0" not in text:
            assert words("id").gettext(text) == translated


def test_plurals() -> None:
    one, many = "%(num)s device", "%(num)s devices"
    assert [words("en").ngettext(one, many, n) % {"num": n} for n in (0, 1, 2)] == [
        "0 devices",
        "1 device",
        "2 devices",
    ]
    assert [words("id").ngettext(one, many, n) % {"num": n} for n in (1, 2)] == ["1 alat", "2 alat"]


def test_a_catalogue_with_quotes_lines_and_plurals_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x.po"
    file.write_text(
        '# note\nmsgid "say \\"a\\""\nmsgstr ""\n"bilang "\n"\\"a\\"\\n"\n\n'
        'msgid "one"\nmsgid_plural "many"\nmsgstr[0] "satu"\nmsgstr[1] "banyak"\n'
    )
    assert read_po(file) == {'say "a"': 'bilang "a"\n', "one\0many": "satu\0banyak"}


def test_languages() -> None:
    assert LANGUAGES == ("id", "en")
    assert [as_language(text) for text in ("id", "en", "de", "", None)] == ["id", "en", None, None, None]


def test_a_device_has_one_name_in_indonesian() -> None:
    """`alat`, on every page and in every notice; `perangkat keras` and `perangkat lunak` are other things."""
    for text in (LOCALE / "id.po", CHECKOUT / "docs" / "words.id.po", *(CHECKOUT / "docs" / "id").glob("*.md")):
        assert re.findall(r"\bperangkat(?! keras| lunak)\b.*", text.read_text(), re.IGNORECASE) == [], text
