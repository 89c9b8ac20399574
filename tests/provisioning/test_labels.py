"""Label sheets: what is printed is what a phone reads."""

from __future__ import annotations

from pathlib import Path

import segno
from PIL import Image

from kewang.wire.identity import build_label
from provisioning import labels
from provisioning.labels import Printed
from tests.provisioning.market import Town, fingerprint
from tests.provisioning.office_town import (
    IN_THE_LIST,
    WAITING,
    logged_in,
)


async def test_labels_hold_what_the_phone_reads(office: Town, tmp_path: Path) -> None:
    await logged_in(office, "operator")
    names = [WAITING, "amb-asking", IN_THE_LIST]
    answer = await office.post("/office/labels", {"devices": "\n".join(names), "phone": "+62 911 123", "file": "png"})
    (tmp_path / "sheet.png").write_bytes(answer.content)
    with Image.open(tmp_path / "sheet.png") as page:
        assert page.size == (2480, 3508)
        for at, name in enumerate(names):
            assert squares_on(page, at) == code(build_label("localhost", name, fingerprint(name)))
    answer = await office.post("/office/labels", {"state": "", "file": "pdf"})
    assert answer.content.startswith(b"%PDF")
    assert answer.headers["content-disposition"] == 'attachment; filename="kewang-labels.pdf"'
    for fields, status in (
        ({"devices": "amb-nobody"}, 404),
        ({"state": "retired"}, 404),
        ({"devices": "a b " * 999}, 413),
        ({"phone": "\u202e"}, 400),
    ):
        await office.post("/office/labels", {"file": "pdf", **fields}, status)


def code(address: str) -> list[list[bool]]:
    return [[bool(square) for square in row] for row in segno.make(address, error="q", micro=False).matrix]


def squares_on(page: Image.Image, at: int) -> list[list[bool]]:
    """What is printed as label `at`: found from its black corner on, with white all around it."""
    left, top = labels.place_px(at)
    height = round(labels.CELL_MM[1] / 25.4 * labels.DPI)
    cell = page.convert("1").crop((left + 20, top + 20, left + height + 10, top + height - 20))
    black = cell.point(lambda value: 255 - value).getbbox()
    assert black
    side = black[3] - black[1]
    code_px = cell.crop((black[0], black[1], black[0] + side, black[1] + side))
    scale = next(n for n in range(side) if code_px.getpixel((n, n)) != 0)
    assert min(black[0] + 20, black[1] + 20) >= labels.QUIET * scale
    assert 22 <= side / labels.DPI * 25.4 <= labels.QR_MM
    count = side // scale
    assert count * scale == side
    middle = scale // 2
    return [
        [code_px.getpixel((x * scale + middle, y * scale + middle)) == 0 for x in range(count)] for y in range(count)
    ]


def test_a_label_stays_within_its_own_place() -> None:
    long = Printed("a" * 32, "A" * 26, "\u202e" + "W" * 200)
    full = next(labels.sheets([Printed("abc", "B" * 26)] * 24, "kewang.ambon.go.id"))
    other = next(
        labels.sheets([*[Printed("abc", "B" * 26)] * 10, long, *[Printed("abc", "B" * 26)] * 13], "kewang.ambon.go.id")
    )
    left, top = labels.place_px(10)
    width, height = (round(mm / 25.4 * labels.DPI) for mm in labels.CELL_MM)
    for page in (full, other):
        page.paste(1, (left, top, left + width, top + height))
    assert full.tobytes() == other.tobytes()
