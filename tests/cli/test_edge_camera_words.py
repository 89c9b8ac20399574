"""Whoever reads Indonesian gets every sentence of ours in it; what others wrote is quoted."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kewang.cli.edge_camera_words import CATALOGUE, problems, said
from kewang.ui.words import read_po
from tests.cli.commands import kewang

CHECKOUT = Path(__file__).resolve().parents[2]
SPEAKING = (
    *("edge/net/*.py", "edge/rtsp/*.py", "edge/sources/settings.py", "kewang/runtime/settings.py"),
    *(f"edge/cameras/{name}.py" for name in ("decode", "http", "libav", "look", "multipart", "settings")),
)
"""Whose sentences `kewang edge camera` passes on to people."""
SILENT = {"Field", "compile", "gaierror", "removeprefix"}
"""Calls whose texts nobody is told: descriptions have their page, patterns are none, what is cut off is nobody's, an
unknown name is told anew."""
ENDING = "; did you mean {}?"
"""Of an unknown key, if one is near."""
WORDS = re.compile(r"[a-z']+ [a-z']+")
WIRE = re.compile(r"[A-Z]+/|\d{3} ")
"""How a text for a camera begins."""
INDONESIAN = {english: text for english, text in read_po(CATALOGUE).items() if english}
CAMERA = 'device = "kotak-1"\n[[sources]]\ndriver = "camera"\nname = "cam-1"\n'


def sentence(node: ast.expr) -> str | None:
    """The text in `node`, with {} for what is filled in."""
    if isinstance(node, ast.JoinedStr):
        parts = (str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        return "".join(parts).replace("{}{}", "{}")
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def spoken(node: ast.AST) -> Iterator[str]:
    """The sentences in a module, without docstrings."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in SILENT:
        return
    text = sentence(node) if isinstance(node, ast.expr) else None
    if text is None:
        for inner in ast.iter_child_nodes(node):
            yield from spoken(inner)
    elif WORDS.search(text) and not WIRE.match(text) and text != ENDING:
        yield text


SPOKEN = {
    text for pattern in SPEAKING for file in CHECKOUT.glob(pattern) for text in spoken(ast.parse(file.read_text()))
}


def test_every_sentence_of_the_edge_has_its_indonesian() -> None:
    assert "the camera ended its stream" in SPOKEN
    assert "nothing listens on port {}: check the port here and in the camera's settings" in SPOKEN
    assert sorted(SPOKEN - INDONESIAN.keys()) == []


def test_no_sentence_is_idle_and_both_have_the_same_holes() -> None:
    pydantics = {text for text in INDONESIAN if text.startswith(("Input should be", "Field required"))}
    elsewhere = {f"unknown key {{}}{ENDING}", "{}: not TOML: {}", "{}; the name of a source needs --config"}
    assert sorted(INDONESIAN.keys() - SPOKEN - pydantics - elsewhere) == []
    assert [text for text in INDONESIAN if text.count("{}") != INDONESIAN[text].count("{}")] == []


@pytest.mark.parametrize(
    ("english", "indonesian"),
    [
        ("no packet for 3.1 s", "tidak ada paket selama 3.1 s"),
        ("the camera ended its stream while it sent", "kamera mengakhiri alirannya ketika sedang mengirim"),
        (
            "the camera sends an unreadable codec; known are H264, H265 and JPEG",
            "kamera mengirim kodek yang tidak terbaca; yang dikenal H264, H265 dan JPEG",
        ),
        ("the camera answered 500 to PLAY", "kamera menjawab 500 atas PLAY"),
        ("Lens cover is closed", "“Lens cover is closed”"),
        ("", ""),
    ],
)
def test_ours_is_translated_and_foreign_is_quoted(english: str, indonesian: str) -> None:
    assert said(english, "id") == indonesian
    assert said(english, "en") == english


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("", "sources (no. 1, cam-1).url: kunci ini wajib ada"),
        ('url = "rtsp://127.0.0.1/s"\ntimeout_s = 31', "sources (no. 1, cam-1).timeout_s: harus 30 atau kurang"),
        ('url = "rtsp://127.0.0.1/s"\ntimeout_s = 0', "sources (no. 1, cam-1).timeout_s: harus lebih dari 0"),
        ('url = "rtsp://127.0.0.1/s"\nreach_s = 0', "sources (no. 1, cam-1).reach_s: harus 0.2 atau lebih"),
        ('url = "rtsp://127.0.0.1/s"\nreach_s = []', "sources (no. 1, cam-1).reach_s: harus berupa angka"),
        ('url = "rtsp://127.0.0.1/s"\nptz = []', "sources (no. 1, cam-1).ptz: harus true atau false"),
        ("url = 5", "sources (no. 1, cam-1).url: harus berupa teks dalam tanda kutip"),
        ('url = "rtsp://127.0.0.1/s"\nkind = "film"', "sources (no. 1, cam-1).kind: harus 'auto', 'rtsp',"),
        (
            'url = "rtsp://127.0.0.1/s"\nkind = "mjpeg"',
            'sources (no. 1, cam-1): kind = "mjpeg" tidak cocok dengan rtsp://: hapus kind',
        ),
        (
            'url = "rtsp://a:Rahasia7@127.0.0.1/s"',
            "sources (no. 1, cam-1).url: user dan sandi di dalam url akan terlihat di log",
        ),
        (
            'url = "rtsp://127.0.0.1/s"\nusr = "a"',
            "sources (no. 1, cam-1): kunci 'usr' tidak dikenal; maksudnya 'user'?",
        ),
        (
            'url = "rtsp://127.0.0.1/s"\nzones = [[[0, 0]]]',
            "sources (no. 1, cam-1).zones (no. 1): “Tuple should have at least 3 items",
        ),
        ('url = "rtsp://127.0.0.1/s', "bukan TOML: "),
    ],
)
def test_a_technician_reads_what_is_wrong_with_the_settings(tmp_path: Path, settings: str, told: str) -> None:
    file = tmp_path / "edge.toml"
    file.write_text(CAMERA + settings)
    done = kewang("edge", "camera", "probe", "cam-1", "--config", str(file))
    assert done.returncode == 2
    assert done.stderr.startswith(f"kewang: {file}: ")
    assert told in done.stderr
    assert "Rahasia7" not in done.stderr


def test_english_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "edge.toml"
    file.write_text(CAMERA)
    done = kewang("edge", "camera", "probe", "cam-1", "--config", str(file), "--lang", "en")
    assert "sources (no. 1, cam-1).url: Field required" in done.stderr


def test_several_problems_are_each_translated() -> None:
    text = "/etc/a: b.toml: sources (no. 1, cam-1).url: Field required\n/etc/a: b.toml: device: no such: thing"
    assert problems(text, "id").splitlines()[0] == "/etc/a: b.toml: sources (no. 1, cam-1).url: kunci ini wajib ada"


def test_a_cameras_own_words_reach_a_person_in_their_language() -> None:
    done = kewang("edge", "camera", "probe", "rtsp://127.0.0.1:1/stream")
    assert "tidak ada yang menjawab di port 1: periksa port di sini" in done.stdout
    assert "nothing listens" not in done.stdout
