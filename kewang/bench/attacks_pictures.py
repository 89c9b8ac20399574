"""T5, T16 and T27: what is no photo, files that are no pictures, and pictures that are not for everybody."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

import httpx
from PIL import Image
from sqlalchemy import or_

from kewang.bench.attacks_rows import Attack
from kewang.bench.attacks_stage import OFFICE, Post, folder_of, plain_client, sealed
from kewang.bench.attacks_visits import begun, numbered
from kewang.bench.cpu import MB, peak_rss_bytes
from kewang.bench.provisioned import now_ms
from provisioning.acts import sources, visits
from provisioning.inventory import Actor, Photo
from provisioning.pictures import stored

_OK: Final = 200
_ROOM_MB: Final = 150
"""Decoding one photo takes up to 60 MB, and the allocator keeps some."""
_DAY_MS: Final = 86_400_000
_WAYS: Final = ("..%2f..%2finventory.db", "%2e%2e%2fsession.key", "..%5cseal.key", "%00", "%2fetc%2fpasswd", "A" * 300)
_FILES: Final = ("/t/static/..%2f..%2f..%2fsettings.py", "/ui/%2e%2e/%2e%2e/words.py", "/t/static//etc/passwd")


class Pictures:
    """Threats T5, T16 and T27."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def attacks(self) -> list[Attack]:
        """Not run yet."""
        right = self._gets(lambda: f"/t/picture/{self._picture()}")
        static = self._gets(lambda: "/t/static/field.css")
        nobody = self._gets(lambda: f"/t/picture/{self._picture()}", logged_in=False)
        late = self._gets(lambda: f"/t/picture/{self._picture(expired=True)}")
        bombs = list(_bombs().items())
        return [
            *(Attack("T16", f"asks for picture {way[:30]}", self._path(f"/t/picture/{way}"), right) for way in _WAYS),
            *(Attack("T16", f"asks for the file {way}", self._path(way), static) for way in _FILES),
            Attack("T27", "looks at a picture without logging in", nobody, right),
            Attack("T27", "looks at a picture after its seven days", late, right),
            Attack("T27", "finds in a photo where its owner stood", self._keeps_place, self._right),
            *(Attack("T5", f"sends {what} as a photo", self._sends(it), self._right) for what, it in bombs),
            *(Attack("T5", f"shows {what} as a thumbnail", self._shows(it), self._shown) for what, it in bombs),
        ]

    def _sends(self, photo: bytes) -> Callable[[], bool]:
        return lambda: self._harms(lambda: self._photograph(photo))

    def _shows(self, photo: bytes) -> Callable[[], bool]:
        return lambda: self._harms(lambda: self._show(photo))

    def _shown(self) -> bool:
        return self._show(_jpeg(size=(160, 90))) < 400

    def _show(self, photo: bytes) -> int:
        """Status of a thumbnail by a box with a good certificate, of a camera that it has."""
        box, path = self._post.enrolled(), "/v1/thumbnail/cam-1"
        with self._post.stack.office.inventory() as inventory, inventory.writing(OFFICE) as work:
            sources.put(work, box.device, sources.NewSource("cam-1", "camera", {"url": "rtsp://192.0.2.9/"}, {}))
        return self._post.say("POST", path, photo, sealed(box, "POST", path, photo)).status

    def _harms(self, send: Callable[[], int]) -> bool:
        program = self._post.stack.office.program
        before, peak_mb = self._kept(), peak_rss_bytes(program) / MB
        status = send()
        grown_mb = peak_rss_bytes(program) / MB - peak_mb
        if grown_mb > _ROOM_MB:
            raise ValueError(f"{grown_mb:.0f} MB more memory")
        if status >= 500:
            raise OSError(f"the office answers {status}")
        return status < 400 or self._kept() != before or not program.is_running

    def _kept(self) -> int:
        """Pictures that can be seen; the office removes others in its own time."""
        return self._post.count(Photo, or_(Photo.expires_ms.is_(None), Photo.expires_ms > now_ms()))

    def _right(self) -> bool:
        return self._photograph(_jpeg()) < 400

    def _keeps_place(self) -> bool:
        exif = Image.Exif()
        exif.get_ifd(0x8825)[1] = "S"
        exif[0x010F] = "PhoneMaker"
        before = set(folder_of(self._post.stack).glob("[0-9a-f]*"))
        if self._photograph(_jpeg(exif)) >= 400:
            raise OSError("the photo was refused: nothing was tried")
        new = set(folder_of(self._post.stack).glob("[0-9a-f]*")) - before
        return not new or any(b"Exif" in each.read_bytes() or b"PhoneMaker" in each.read_bytes() for each in new)

    def _photograph(self, photo: bytes) -> int:
        """Status of a photo in a plain form of a right visit."""
        step, browser = begun(self._post), self._post.browsers["ina"]
        browser.post(step.path, step.fields)
        path, files = f"/t/visit/{step.visit}/mounted", {"photo": ("p.jpg", photo)}
        return browser.post(path, numbered(), files=files).status_code

    def _picture(self, *, expired: bool = False) -> str:
        """A thumbnail that a box has shown; its hash."""
        device, folder = self._post.enrolled().device, self._post.stack.office.state
        name = stored(folder, _jpeg())
        with self._post.stack.office.inventory() as inventory, inventory.writing(Actor.device(device)) as work:
            until_ms = work.now_ms + (-1 if expired else 7 * _DAY_MS)
            visits.add_photo(work, device, visits.Picture(name, "thumbnail", work.now_ms, None, until_ms))
        return name

    def _path(self, path: str) -> Callable[[], bool]:
        return self._gets(lambda: path)

    def _gets(self, path: Callable[[], str], *, logged_in: bool = True) -> Callable[[], bool]:
        def act() -> bool:
            url = httpx.URL("/").copy_with(raw_path=path().encode())
            with plain_client(self._post.stack.office.web_url) as nobody:
                answer = (self._post.browsers["rudi"].client if logged_in else nobody).get(url)
            if answer.status_code >= 500:
                raise OSError(f"the web app answers {answer.status_code}")
            return answer.status_code == _OK

        return act


def _bombs() -> dict[str, bytes]:
    return {
        "a picture of 400 million pixels": _png(20_000),
        "50 MB": b"\xff\xd8\xff" + bytes(50_000_000),
        "a page": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "an archive": b"PK\x03\x04" + bytes(1000),
        "half a picture": _jpeg()[:200],
        "a GIF": b"GIF89a" + bytes(200),
    }


def _jpeg(exif: Image.Exif | None = None, size: tuple[int, int] = (640, 480)) -> bytes:
    """A picture that nobody has seen before."""
    kept = io.BytesIO()
    Image.effect_noise(size, 50).convert("RGB").save(kept, "JPEG", exif=exif or Image.Exif())
    return kept.getvalue()


def _png(side_px: int) -> bytes:
    kept = io.BytesIO()
    Image.new("1", (side_px, side_px)).save(kept, "PNG")
    return kept.getvalue()
