"""Label sheets: A4 pages of QR codes, as PDF or PNG."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import segno
from PIL import Image, ImageDraw, ImageFont

from kewang.wire.identity import build_label, build_typed

DPI: Final = 300
_A4_MM: Final = (210.0, 297.0)
_COLUMNS: Final = 3
_ROWS: Final = 8
_MARGIN_MM: Final = (9.0, 12.0)
_QR_MM: Final = 25.0
"""The side of the code with its quiet zone; phones read it from half a metre."""
LIMIT: Final = 2000
"""Labels of one call."""


@dataclass(frozen=True)
class Printed:
    """One label: device id, fingerprint, and a line below (the city's telephone, say)."""

    device: str
    fingerprint: str
    note: str = ""


def sheets(labels: Sequence[Printed], host: str) -> list[Image.Image]:
    """The pages, black on white. Raises WireError for a host or id that can't be on one; ValueError for too many."""
    if len(labels) > LIMIT:
        raise ValueError(f"at most {LIMIT} labels at a time")
    on_a_page = _COLUMNS * _ROWS
    return [_page(labels[at : at + on_a_page], host) for at in range(0, len(labels), on_a_page)]


def write_sheets(labels: Sequence[Printed], host: str, path: Path) -> list[Path]:
    """Write a `.pdf` of all pages, or a `.png` for each (`name-2.png`...); the files. Raises ValueError, OSError."""
    pages = sheets(labels, host)
    if not pages:
        raise ValueError("no labels: name devices that are in the list")
    if path.suffix.lower() == ".pdf":
        pages[0].save(path, save_all=True, append_images=pages[1:], resolution=DPI)
        return [path]
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: name a file that ends in .pdf or .png")
    files = [path if at == 0 else path.with_stem(f"{path.stem}-{at + 1}") for at in range(len(pages))]
    for file, page in zip(files, pages, strict=True):
        page.save(file, dpi=(DPI, DPI))
    return files


def _page(labels: Iterable[Printed], host: str) -> Image.Image:
    page = Image.new("1", (_px(_A4_MM[0]), _px(_A4_MM[1])), 1)
    cell = ((_A4_MM[0] - 2 * _MARGIN_MM[0]) / _COLUMNS, (_A4_MM[1] - 2 * _MARGIN_MM[1]) / _ROWS)
    for at, label in enumerate(labels):
        row, column = divmod(at, _COLUMNS)
        left, top = _MARGIN_MM[0] + column * cell[0], _MARGIN_MM[1] + row * cell[1]
        _draw(page, label, host, (_px(left), _px(top)))
    return page


def _draw(page: Image.Image, label: Printed, host: str, corner: tuple[int, int]) -> None:
    page.paste(_qr(build_label(host, label.device, label.fingerprint)), corner)
    draw = ImageDraw.Draw(page)
    code = build_typed(label.device, label.fingerprint).split()[-1]
    left, top = corner[0] + _px(_QR_MM + 1), corner[1] + _px(2)
    name = label.device.upper()
    lines = [(part, 36) for part in _folded(name, 14)] + [(f"{code[:4]} {code[4:]}", 52), (label.note[:24], 30)]
    for text, size in lines:
        draw.text((left, top), text, fill=0, font=ImageFont.load_default(size))
        top += round(size * 1.35)


def _qr(address: str) -> Image.Image:
    code = segno.make(address, error="q", micro=False)
    scale = max(1, _px(_QR_MM) // code.symbol_size()[0])
    written = io.BytesIO()
    code.save(written, kind="png", scale=scale)
    return Image.open(written).convert("1")


def _folded(text: str, width: int) -> list[str]:
    return [text[at : at + width] for at in range(0, len(text), width)]


def _px(mm: float) -> int:
    return round(mm / 25.4 * DPI)
