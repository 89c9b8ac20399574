"""XML of strangers: read with limits, without document types, so that no entity can be declared and expanded."""

import re
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from edge.net.errors import CameraError
from kewang.wire.cameras import CameraReason

MAX_DEPTH: Final = 40
MAX_ELEMENTS: Final = 8_000
_SPACE: Final = re.compile(r"\s+")


def parse(body: bytes) -> Element:
    """The document in `body`; tags are `{namespace}name`. Raises CameraError (PROTOCOL or TOO_LARGE)."""
    reader = _Reader()
    try:
        reader.expat.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise CameraError(CameraReason.PROTOCOL, "the answer is not XML") from None
    return reader.builder.close()


class _Reader:
    """expat into a tree. Its own handlers, because ElementTree's parser expands what a document declares."""

    def __init__(self) -> None:
        self.builder = TreeBuilder()
        self._depth = self._elements = 0
        self.expat = expat.ParserCreate(namespace_separator="}")
        self.expat.buffer_text = True
        self.expat.StartDoctypeDeclHandler = self._on_doctype
        self.expat.StartElementHandler = self._on_start
        self.expat.EndElementHandler = self._on_end
        self.expat.CharacterDataHandler = self.builder.data

    def _on_doctype(self, *_: object) -> None:
        raise CameraError(CameraReason.PROTOCOL, "the answer declares a document type, which is refused")

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise CameraError(CameraReason.TOO_LARGE, "the answer has too many elements or is nested too deep")
        self.builder.start(_braced(name), {_braced(key): value for key, value in attributes.items()})

    def _on_end(self, name: str) -> None:
        self._depth -= 1
        self.builder.end(_braced(name))


def _braced(name: str) -> str:
    return f"{{{name}" if "}" in name else name


def local(element: Element) -> str:
    """Its name without the namespace. Cameras get namespaces wrong; the names are enough to go by."""
    return str(element.tag).rpartition("}")[2]


def children(element: Element | None, name: str) -> Iterator[Element]:
    """The direct children called `name`."""
    return (child for child in (element if element is not None else ()) if local(child) == name)


def child(element: Element | None, *path: str) -> Element | None:
    """The first one down this path of names, if it is there."""
    for name in path:
        element = next(children(element, name), None)
    return element


def find(element: Element, *names: str) -> Element | None:
    """The first descendant called by one of `names`, at any depth."""
    return next((each for each in element.iter() if local(each) in names), None)


def text(element: Element | None, *path: str, limit: int = 200) -> str:
    """What stands there, for people: one line, printable, at most `limit` characters; empty if nothing does."""
    found = child(element, *path)
    return clean("" if found is None else found.text or "", limit)


def clean(given: str, limit: int = 200) -> str:
    """`given` fit for a terminal: a camera's name could hold control characters."""
    line = _SPACE.sub(" ", given[: 4 * limit]).strip()
    return "".join(each for each in line if each.isprintable())[:limit]


def number(element: Element | None, *path: str) -> int | None:
    """The whole number there, if there is one of at most nine digits."""
    digits = text(element, *path)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
