"""Label sheets: A4 pages of QR codes with cut marks, as PDF or PNG, drawn once and pixel by pixel at 300 dpi."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import segno
from PIL import Image, ImageDraw, ImageFont

from kewang.wire.errors import printable
from kewang.wire.identity import build_label, build_typed

DPI: Final = 300
A4_MM: Final = (210.0, 297.0)
COLUMNS: Final = 3
ROWS: Final = 8
MARGIN_MM: Final = (9.0, 12.0)
CELL_MM: Final = ((A4_MM[0] - 2 * MARGIN_MM[0]) / COLUMNS, (A4_MM[1] - 2 * MARGIN_MM[1]) / ROWS)
QR_MM: Final = 25.0
"""The side of the code, at most: its squares are whole pixels. Phones read it from half a metre."""
QUIET: Final = 4
"""White squares around a code; readers need them."""
LIMIT: Final = 2000
"""Labels of one call."""
NOTE_CHARACTERS: Final = 24
_MARK_MM: Final = 2.5
_GAP_MM: Final = 1.5
_SMALLEST_PX: Final = 24


@dataclass(frozen=True)
class Printed:
    """One label: device id, fingerprint, and a line below (the city's telephone, say)."""

    device: str
    fingerprint: str
    note: str = ""


def sheets(labels: Sequence[Printed], host: str) -> Iterator[Image.Image]:
    """The pages one by one, black on white: a page takes 9 MB while it is drawn. Raises ValueError for too many
    labels, WireError for a host or id that can't be on one."""
    if len(labels) > LIMIT:
        raise ValueError(f"at most {LIMIT} labels at a time")
    for at in range(0, len(labels), COLUMNS * ROWS):
        yield _page(labels[at : at + COLUMNS * ROWS], host)


def pdf(labels: Sequence[Printed], host: str) -> bytes:
    """All pages as one file. Raises as `sheets`, and ValueError without labels."""
    file = io.BytesIO()
    for at, page in enumerate(_some(labels, host)):
        file.seek(0)
        page.save(file, "PDF", resolution=DPI, append=at > 0, title="Kewang")
    return file.getvalue()


def png(page: Image.Image) -> bytes:
    """A page as a picture that knows its size."""
    file = io.BytesIO()
    page.save(file, "PNG", dpi=(DPI, DPI))
    return file.getvalue()


def write_sheets(labels: Sequence[Printed], host: str, path: Path) -> list[Path]:
    """Write a `.pdf` of all pages, or a `.png` for each (`name-2.png`...); the files. Raises ValueError, OSError."""
    if path.suffix.lower() == ".pdf":
        path.write_bytes(pdf(labels, host))
        return [path]
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: name a file that ends in .pdf or .png")
    files = []
    for at, page in enumerate(_some(labels, host)):
        files.append(path if at == 0 else path.with_stem(f"{path.stem}-{at + 1}"))
        files[-1].write_bytes(png(page))
    return files


def place_px(at: int) -> tuple[int, int]:
    """Left upper corner of the label number `at` of a page, in pixels."""
    row, column = divmod(at, COLUMNS)
    return _px(MARGIN_MM[0] + column * CELL_MM[0]), _px(MARGIN_MM[1] + row * CELL_MM[1])


def code_of(label: Printed, host: str) -> tuple[list[list[bool]], int, int]:
    """The code of a label: its squares by row (True: black, without the white around), pixels of one, and how far its
    corner is from the label's, in pixels."""
    made = segno.make(build_label(host, label.device, label.fingerprint), error="q", micro=False)
    squares = [[bool(square) for square in row] for row in made.matrix]
    scale = _px(QR_MM) // len(squares)
    return squares, scale, (_px(CELL_MM[1]) - scale * len(squares)) // 2


def _some(labels: Sequence[Printed], host: str) -> Iterator[Image.Image]:
    if not labels:
        raise ValueError("no labels: name devices that are in the list")
    return sheets(labels, host)


def _page(labels: Sequence[Printed], host: str) -> Image.Image:
    page = Image.new("1", (_px(A4_MM[0]), _px(A4_MM[1])), 1)
    for at, label in enumerate(labels):
        page.paste(_label(label, host), place_px(at))
    _mark(ImageDraw.Draw(page), -(-len(labels) // COLUMNS))
    return page


def _mark(draw: ImageDraw.ImageDraw, rows: int) -> None:
    """A small cross at every corner of a label: where to cut."""
    arm = _px(_MARK_MM / 2)
    for row in range(rows + 1):
        for column in range(COLUMNS + 1):
            x, y = _px(MARGIN_MM[0] + column * CELL_MM[0]), _px(MARGIN_MM[1] + row * CELL_MM[1])
            draw.line((x - arm, y, x + arm, y), fill=0)
            draw.line((x, y - arm, x, y + arm), fill=0)


def _label(label: Printed, host: str) -> Image.Image:
    """One label as a picture of its own: whatever stands on it can't reach its neighbours."""
    found = Image.new("1", (_px(CELL_MM[0]), _px(CELL_MM[1])), 1)
    squares, scale, corner = code_of(label, host)
    draw = ImageDraw.Draw(found)
    for y, row in enumerate(squares):
        for x, black in enumerate(row):
            if black:
                left, top = corner + x * scale, corner + y * scale
                draw.rectangle((left, top, left + scale - 1, top + scale - 1), fill=0)
    left = corner + (len(squares) + QUIET) * scale
    _write(draw, label, left, found.width - left - _px(_GAP_MM), found.height)
    return found


def _write(draw: ImageDraw.ImageDraw, label: Printed, left: int, width: int, height: int) -> None:
    """Id, the characters to type and the note, each as large as the room allows, in the middle of the height."""
    code = build_typed(label.device, label.fingerprint).split()[-1]
    lines = [(part, 46) for part in folded(label.device.upper())]
    lines += [(f"{code[:4]} {code[4:]}", 64), (printable(label.note.strip(), NOTE_CHARACTERS), 34)]
    fonts = [(text, _fitting(text, size, width)) for text, size in lines if text]
    gap = _px(_GAP_MM)
    tall = [font.size for _, font in fonts]
    top = (height - round(sum(tall)) - gap * (len(tall) - 1)) // 2
    for text, font in fonts:
        draw.text((left, top), text, fill=0, font=font)
        top += round(font.size) + gap


def folded(name: str, width: int = 14) -> list[str]:
    """`name` in lines of at most `width` characters, broken behind a `-` where there is one."""
    lines = []
    while len(name) > width:
        at = name.rfind("-", 0, width) + 1 or width
        lines.append(name[:at])
        name = name[at:]
    return [*lines, name]


def _fitting(text: str, size: int, width: int) -> ImageFont.FreeTypeFont:
    """The font at `size` pixels, or smaller until `text` is no wider than `width`."""
    while True:
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont)
        if font.getlength(text) <= width or size <= _SMALLEST_PX:
            return font
        size -= 2


def _px(mm: float) -> int:
    return round(mm / 25.4 * DPI)
