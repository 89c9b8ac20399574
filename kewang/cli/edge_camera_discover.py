"""`kewang edge camera discover`: cameras that are there, what they say of themselves, and the settings to paste."""

import asyncio
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kewang.cli.common import FOUND, UNREACHABLE, USAGE, AsJson, check_language, fail, print_json, settings_errors
from kewang.cli.edge_camera_words import problems
from kewang.runtime.clock import kernel_synchronised
from kewang.runtime.settings import secret
from kewang.wire.cameras import FIRST_STEPS, REASON_WORDS, CameraReason

if TYPE_CHECKING:
    from edge.onvif import Endpoint, OnvifFacts, Profile

PasswordFile = Annotated[Path | None, typer.Option(help="File with its password, chmod 600; else it is asked for.")]
Language = Annotated[str, typer.Option("--lang", help="Language of the answer: id or en.")]
MAX_AT_ONCE: Final = 4
_HOST: Final = re.compile(r"([^\s:/@]+|\[[0-9a-fA-F:.%]+\])(?::([0-9]{1,5}))?")
_WORDS: Final = {
    "none": (
        "Tidak ada kamera yang menjawab. Periksa listrik dan jaringannya, nyalakan ONVIF di kamera, atau tulis --host.",
        "No camera answered. Check its power and network, switch ONVIF on in the camera, or name it with --host.",
    ),
    "clock": ("jam {offset:+d} s", "clock {offset:+d} s"),
    "no clock": ("jam tidak diketahui", "clock not known"),
    "no address": ("tanpa alamat aliran", "no stream address"),
    "login": ("berikan --user dan --password-file", "give --user and --password-file"),
    "unsure": (
        "Jam mesin ini sendiri belum sinkron: selisih jam di atas tidak pasti.",
        "The clock of this machine is not synchronised: the clock offsets above are uncertain.",
    ),
    "paste": (
        "Tambahkan ke edge.toml, lalu periksa dengan `kewang edge check --config edge.toml`:",
        "Add this to edge.toml, then check it with `kewang edge check --config edge.toml`:",
    ),
    "password": (
        "# bila kamera meminta sandi: user dan password_file (chmod 600)",
        "# if it wants a login: user and password_file (chmod 600)",
    ),
}
"""Indonesian and English."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A camera that answered, by what it announced (`name`) and what it told when asked."""

    endpoint: "Endpoint"
    name: str
    facts: "OnvifFacts"

    @property
    def model(self) -> str:
        """As people know it."""
        told = " ".join(filter(None, (self.facts.manufacturer, self.facts.model, self.facts.firmware)))
        return told or self.name

    @property
    def streams(self) -> Sequence["Profile"]:
        """Those with an address, the smallest picture first."""
        return [profile for profile in self.facts.profiles if profile.stream_url]


@dataclass(frozen=True, slots=True)
class Asker:
    """As whom the cameras are asked."""

    user: str | None
    password_file: Path | None

    def settings(self, language: str) -> Iterator[str]:
        """Its lines in the settings of a camera. A password that was typed in gets a file to be kept in."""
        if self.user is None:
            yield _word("password", language)
        else:
            yield f"user = {json.dumps(self.user, ensure_ascii=False)}"
            yield f"password_file = {json.dumps(str(self.password_file or 'camera.password'), ensure_ascii=False)}"


def discover(
    host: Annotated[str | None, typer.Option(help="Ask only this camera: HOST or HOST:PORT of its ONVIF.")] = None,
    user: Annotated[str | None, typer.Option(help="User of the cameras; best one that may only watch.")] = None,
    password_file: PasswordFile = None,
    wait_s: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds to wait for answers.")] = 3.0,
    language: Language = "id",
    as_json: AsJson = False,
) -> None:
    """Look for cameras by ONVIF on this machine's networks: model, clock, stream addresses, and the settings to paste.

    The password goes out as a digest only, but to every camera that answers: on a network that others use, name the
    camera with --host. Exit codes: 0 all that answered told their streams; 1 none answered, or one told less; 2 wrong
    words; 3 this machine has no network.

    Examples:

        kewang edge camera discover

        kewang edge camera discover --host 192.168.1.64 --user viewer --password-file camera.password
    """
    check_language(language)
    asker, password = Asker(user, password_file), password_of(user, password_file, language)
    try:
        seen = asyncio.run(_see(_named(host), user, password, wait_s))
    except OSError as error:
        fail(
            f"no network to look on: {error.strerror}: connect this machine, or name the camera with --host",
            UNREACHABLE,
        )
    ok = bool(seen) and all(each.streams for each in seen)
    if as_json:
        print_json({"ok": ok, "cameras": [_as_json(each) for each in seen], "settings": _settings(seen, asker, "en")})
    else:
        typer.echo("\n".join(_told(seen, asker, language)))
    raise typer.Exit(0 if ok else FOUND)


def password_of(user: str | None, password_file: Path | None, language: str) -> str | None:
    """The password of `user`, from its file or typed in by a person; None without one. Wrong words end the program."""
    if password_file and not user:
        fail("--password-file without --user: give both", USAGE)
    if password_file:
        with settings_errors(lambda text: problems(text, language)):
            return secret(password_file)
    if user is None or not sys.stdin.isatty():
        return None
    typed = typer.prompt(f"password of {user}", hide_input=True, default="", show_default=False, err=True)
    return str(typed) or None


def _named(host: str | None) -> tuple[str, int | None] | None:
    """Host and port of `--host`. A wrong one ends the program, without repeating it: it might hold a password."""
    if host is None:
        return None
    match = _HOST.fullmatch(host)
    if not match or int(match[2] or 1) not in range(1, 65_536):
        fail("--host: write a host name or an IP address, and behind a colon the port if it is not 80", USAGE)
    return match[1].strip("[]"), int(match[2]) if match[2] else None


async def _see(
    named: tuple[str, int | None] | None, user: str | None, password: str | None, wait_s: float
) -> list[Seen]:
    """Who answers, each asked once, a few at a time. Raises OSError without a network."""
    from edge.onvif import Found, look

    places = asyncio.Semaphore(MAX_AT_ONCE)

    async def ask(found: Found) -> Seen:
        async with places:
            facts = await look(found.endpoint, user, password, events=False)
        return Seen(found.endpoint, found.name or found.model, facts)

    found = await _found(named, wait_s)
    return list(await asyncio.gather(*(ask(each) for each in found)))


async def _found(named: tuple[str, int | None] | None, wait_s: float) -> Sequence[Any]:
    """Who announces itself. A camera that was named is asked even if it does not."""
    from edge.onvif import Endpoint, Found, discover

    if named is None:
        return await discover(wait_s)
    host, port = named
    if port is not None:
        return [Found(Endpoint(host, port))]
    try:
        return await discover(wait_s, host=host) or [Found(Endpoint(host))]
    except OSError:
        return [Found(Endpoint(host))]


def _told(seen: Sequence[Seen], asker: Asker, language: str) -> Iterator[str]:
    """Lines for people."""
    if not seen:
        yield _word("none", language)
    width = max((len(each.endpoint.address.place) for each in seen), default=0)
    for each in seen:
        yield f"{each.endpoint.address.place:<{width}}  {_about(each, asker, language)}"
        for profile in each.streams:
            size = f"{profile.width}×{profile.height}" if profile.width and profile.height else ""
            yield f"    {profile.name or profile.token:<16} {size:<10} {profile.codec:<5} {profile.stream_url}"
    if any(each.facts.clock_offset_s is not None for each in seen) and not kernel_synchronised():
        yield _word("unsure", language)
    pasted = _settings(seen, asker, language)
    if pasted:
        yield from ("", _word("paste", language), "", pasted)


def _about(camera: Seen, asker: Asker, language: str) -> str:
    facts = camera.facts
    offset_s = facts.clock_offset_s
    clock = _word("no clock", language) if offset_s is None else _word("clock", language).format(offset=round(offset_s))
    parts = [camera.model, clock]
    if facts.reason is not CameraReason.NONE:
        reason = REASON_WORDS[facts.reason][0 if language == "id" else 1]
        needs_login = facts.reason is CameraReason.AUTH and asker.user is None
        step = FIRST_STEPS[facts.reason][0 if language == "id" else 1]
        parts.append(_word("login", language) if needs_login else f"{reason}. {step}")
    elif not camera.streams:
        parts.append(_word("no address", language))
    return ", ".join(filter(None, parts))


def _settings(seen: Sequence[Seen], asker: Asker, language: str) -> str:
    """`[[sources]]` of the pictures whose streams are known; a recorder has several behind one address."""
    taken: set[str] = set()
    return "\n\n".join(
        "\n".join(_source(camera.endpoint, group, asker, taken, language))
        for camera in seen
        for group in _pictures(camera)
    )


def _pictures(camera: Seen) -> list[list["Profile"]]:
    """The streams of each picture, the smallest first."""
    groups: dict[str, list[Profile]] = {}
    for profile in camera.streams:
        groups.setdefault(profile.source, []).append(profile)
    return list(groups.values())


def _source(
    endpoint: "Endpoint", streams: Sequence["Profile"], asker: Asker, taken: set[str], language: str
) -> Iterator[str]:
    from edge.onvif import DEVICE_PATH

    small, large = streams[0].stream_url, streams[-1].stream_url
    is_usual = (endpoint.port, endpoint.path, endpoint.tls) == (80, DEVICE_PATH, False)
    yield "[[sources]]"
    yield 'driver = "camera"'
    yield f"name = {json.dumps(_name(endpoint, taken))}"
    yield f"url = {json.dumps(small)}"
    if large != small:
        yield f"main_url = {json.dumps(large)}"
    yield "onvif = true" if is_usual else f"onvif_url = {json.dumps(endpoint.address.url)}"
    yield from asker.settings(language)


def _name(endpoint: "Endpoint", taken: set[str]) -> str:
    """A name for the source, from the end of its address: `cam-64`; a second one there `cam-64-2`."""
    end = re.sub(r"[^a-z0-9]+", "-", endpoint.host.lower().rpartition(".")[2] or endpoint.host.lower()).strip("-")
    start = f"cam-{end[:20]}"
    name = next(each for each in (start, *(f"{start}-{n}" for n in range(2, len(taken) + 3))) if each not in taken)
    taken.add(name)
    return name


def _as_json(camera: Seen) -> dict[str, Any]:
    facts = camera.facts
    streams = [
        {
            "profile": each.token,
            "name": each.name,
            "codec": each.codec,
            "width": each.width,
            "height": each.height,
            "url": each.stream_url,
            "snapshot_url": each.snapshot_url,
        }
        for each in facts.profiles
    ]
    told = {name: getattr(facts, name) for name in ("clock_offset_s", "manufacturer", "model", "firmware", "serial")}
    reason = {"reason": facts.reason.name.lower(), "detail": facts.detail}
    return {"address": camera.endpoint.address.url, "announced": camera.name, **reason, **told, "streams": streams}


def _word(key: str, language: str) -> str:
    indonesian, english = _WORDS[key]
    return indonesian if language == "id" else english
