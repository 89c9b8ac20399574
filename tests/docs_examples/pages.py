"""The pages as data: headings, links, fences, generated tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
EXAMPLES = DOCS / "examples"
LANGUAGES = ("en", "id")

_FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Fence:
    """A block of code; `kind` is what follows the backticks: `sh run`, `toml edge`, `json batch`."""

    page: Path
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(CHECKOUT)}: {self.text.strip().splitlines()[0]}"


def pages() -> list[Path]:
    """Every page of ours."""
    return sorted([*CHECKOUT.glob("*.md"), *DOCS.rglob("*.md")])


def committed_texts() -> list[Path]:
    """Every text file below docs, and the pages at the top."""
    return sorted({*pages(), *(path for path in DOCS.rglob("*") if path.is_file() and path.suffix not in _NO_TEXT)})


_NO_TEXT = {".png", ".pyc"}


def fences(*kinds: str) -> list[Fence]:
    """All fences of these kinds; a kind without a second word matches every such fence."""
    return [
        fence
        for page in pages()
        for fence in fences_of(page)
        if fence.kind in kinds or fence.kind.split()[:1] == [*kinds]
    ]


def fences_of(page: Path, heading: str = "") -> list[Fence]:
    """The fences of one page, or of its section below `## heading`, without the indentation they have in a list."""
    text = page.read_text()
    if heading:
        text = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = _FENCE.findall(text)
    return [
        Fence(page, kind.strip(), re.sub(f"^{indent}", "", text, flags=re.MULTILINE)) for indent, kind, text in found
    ]


def prose(page: Path) -> str:
    """The page without its fences."""
    return _FENCE.sub("", page.read_text())


def headings(page: Path) -> list[tuple[int, str]]:
    """(level, text) of each heading."""
    found = re.findall(r"^(#+) (.+)$", prose(page), re.MULTILINE)
    return [(len(marks), text) for marks, text in found]


def anchors(page: Path) -> set[str]:
    """Names that a link into the page may end with, as the usual hosts make them from headings."""
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for _, text in headings(page)}


def links(page: Path) -> list[str]:
    """Targets of the page's links and pictures."""
    return _LINK.findall(prose(page))


def tables(page: Path) -> Iterator[tuple[str, list[list[str]]]]:
    """(heading above it, rows of cells) of each table, without its head."""
    heading, rows = "", list[list[str]]()
    for line in [*prose(page).splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif rows:
            yield heading, rows[2:]
            rows = []
        if line.startswith("#"):
            heading = line.lstrip("#").strip()


def messages(kind: str) -> list[bytes]:
    """The JSON messages of this kind in protocol.md; some fences hold one a line."""
    texts = [fence.text for fence in fences_of(DOCS / "dev" / "protocol.md") if fence.kind == f"json {kind}"]
    found = []
    for text in texts:
        try:
            json.loads(text)
            found.append(text.encode())
        except ValueError:
            found += [line.encode() for line in text.splitlines()]
    return found
