"""What `kewang edge camera` found, in words: the table for people, one line of a watch, the lines beside a picture."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from kewang.cli.edge_camera_words import said
from kewang.wire.cameras import FIRST_STEPS, REASON_WORDS, STATE_WORDS, CameraReason, CameraState
from kewang.wire.catalogue import METRICS, Metric

if TYPE_CHECKING:
    from edge.cameras.probe import Found, Target

SIGNS: Final = {CameraState.OK: "○", CameraState.DEGRADED: "▲", CameraState.DOWN: "■", CameraState.UNKNOWN: "◇"}
COLOURS: Final = {
    CameraState.OK: typer.colors.GREEN,
    CameraState.DEGRADED: typer.colors.YELLOW,
    CameraState.DOWN: typer.colors.RED,
    CameraState.UNKNOWN: None,
}
_WORDS: Final = {
    "state": ("keadaan", "state"),
    "because": ("alasan", "reason"),
    "seen": ("terlihat", "seen"),
    "first": ("langkah pertama", "first step"),
    "suspected": ("diduga, belum pasti", "suspected, not confirmed"),
    "going on": ("masih dilihat, paling lama {left:.0f} s lagi", "looking on, for {left:.0f} s at most"),
    "looking": ("sedang dilihat", "looking"),
    "changed": ("berubah", "changed"),
    "plain": ("tanpa tepi: tak dapat dinilai", "no edges: can't be judged"),
    "burnt": ("silau", "burnt out"),
    "saved": ("gambar", "picture"),
    "none": ("tidak ada gambar untuk disimpan", "there is no picture to save"),
}
_ON_PICTURE: Final = ("fps", "bitrate_kbps", "loss_pct", "brightness_pct", "clipped_pct", "noise_luma", "change_luma")
_SHOWN_LIVE: Final = ("fps", "bitrate_kbps", "loss_pct", "first_keyframe_ms", "brightness_pct", "sharpness_ratio")


def word(name: str, language: str) -> str:
    """A word of these answers."""
    return _WORDS[name][language != "id"]


def table(found: "Found", target: "Target", saved: Path | None, language: str) -> Iterator[str]:
    """The answer for people, line by line: what was measured, then what it means, for a small screen shows the end."""
    for metric in METRICS:
        measured = found.metrics.get(metric.name)
        if metric.stream == "cam" and metric.name not in ("camera_state", "camera_reason") and measured is not None:
            yield f"  {metric.meaning(language):<40} {value(metric, measured, language)}"
    english, verdict = language != "id", found.verdict
    state = f"{SIGNS[verdict.state]} {STATE_WORDS[verdict.state][english]}"
    yield typer.style(target.address.url, bold=True)
    yield _row("state", typer.style(state, fg=COLOURS[verdict.state], bold=True), language)
    yield _row("because", REASON_WORDS[verdict.reason][english], language)
    if saved:
        yield _row("saved", str(saved), language)
    for name, text in remarks(found, language):
        yield _row(name, typer.style(text, fg=typer.colors.YELLOW) if name == "suspected" else text, language)


def remarks(found: "Found", language: str) -> Iterator[tuple[str, str]]:
    """Word and text: what was seen, what is suspected, and what to do first about it and about what is certain."""
    english, reason, suspected = language != "id", found.verdict.reason, found.suspected
    if found.detail:
        yield "seen", said(found.detail, language)
    if reason in FIRST_STEPS and not (reason is CameraReason.LEARNING and suspected in FIRST_STEPS):
        yield "first", FIRST_STEPS[reason][english]
    if suspected is not CameraReason.NONE:
        yield "suspected", REASON_WORDS[suspected][english]
    if suspected in FIRST_STEPS:
        yield "first", FIRST_STEPS[suspected][english]


def _row(name: str, value: str, language: str) -> str:
    return f"{word(name, language):<32} {value}"


def value(metric: Metric, measured: float, language: str) -> str:
    """With its unit, or the word for a code; numbers end in the same column."""
    coded = metric.word(measured, language)
    return f"{coded:>12}" if coded else f"{measured:>12.{metric.decimals}f} {metric.unit}".rstrip()


def as_json(found: "Found", target: "Target", saved: Path | None) -> dict[str, Any]:
    """The answer for programs; null for what was not measured."""
    verdict, suspected = found.verdict, found.suspected
    metrics = {metric.name: found.metrics.get(metric.name) for metric in METRICS if metric.stream == "cam"}
    return {
        "ok": verdict.state is CameraState.OK and suspected is CameraReason.NONE,
        "url": target.address.url,
        "state": verdict.state.name.lower(),
        "reason": verdict.reason.name.lower(),
        "suspected": None if suspected is CameraReason.NONE else suspected.name.lower(),
        "detail": found.detail,
        "codec": found.transport.codec,
        "width": found.now.width if found.now else None,
        "height": found.now.height if found.now else None,
        "metrics": {name: None if value is None else round(value, 4) for name, value in metrics.items()},
        "picture": str(saved) if saved else None,
    }


def beside_picture(found: "Found", target: "Target", language: str) -> Iterator[str]:
    """Lines for the margin of the saved picture."""
    english, verdict, now = language != "id", found.verdict, found.now
    yield target.address.url
    yield f"{STATE_WORDS[verdict.state][english]}: {REASON_WORDS[verdict.reason][english]}"
    if found.suspected is not CameraReason.NONE:
        yield f"{word('suspected', language)}: {REASON_WORDS[found.suspected][english]}"
    if now:
        yield f"{found.transport.codec} {now.width} x {now.height}"
    for metric in METRICS:
        if metric.name in _ON_PICTURE and metric.name in found.metrics:
            yield f"{metric.meaning(language)}: {value(metric, found.metrics[metric.name], language).strip()}"


def line(found: "Found", language: str) -> str:
    """One look on one line."""
    verdict, english = found.verdict, language != "id"
    state = typer.style(f"{SIGNS[verdict.state]} {STATE_WORDS[verdict.state][english]:<16}", fg=COLOURS[verdict.state])
    values = [
        f"{metric.meaning(language)} {value(metric, found.metrics[metric.name], language).strip()}"
        for metric in METRICS
        if metric.name in _SHOWN_LIVE and metric.name in found.metrics
    ]
    suspected = found.suspected is not CameraReason.NONE
    doubt = f"{word('suspected', language)}: {REASON_WORDS[found.suspected][english]}" if suspected else ""
    told = "; ".join(filter(None, [REASON_WORDS[verdict.reason][english], doubt, said(found.detail, language)]))
    return f"{time.strftime('%H:%M:%S')} {state} {told:<28} {', '.join(values)}"


def going_on(suspected: CameraReason, left_s: float, language: str) -> str:
    """Why the look takes longer than usual."""
    doubt = f"{word('suspected', language)}: {REASON_WORDS[suspected][language != 'id']}; "
    return (doubt if suspected is not CameraReason.NONE else "") + word("going on", language).format(left=left_s)
