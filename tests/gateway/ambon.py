"""A city with a place for each site: every state, one site without a position, one far away, a camera with a day."""

from collections.abc import Mapping

from gateway.ports import Refused, SeriesId, Sink, Table, Value
from gateway.quarantine import quarantine_tables
from kewang.wire.cameras import CameraReason, CameraState
from kewang.wire.placement import Place, Placement
from tests.gateway import town
from tests.gateway.town import AIR, BIN, MARKET, RIVER, Box

STEP_MS = 300_000
DAY_MS = 288 * STEP_MS
GAP = (100, 124)
"""Steps of the day without readings: two hours."""

WHERE: Mapping[str, tuple[float, float] | None] = {
    "pasar-mardika": (-3.6929, 128.1844),
    "pasar-batu-merah": (-3.6899, 128.1891),
    "taman-pattimura": (-3.6949, 128.1829),
    "jembatan-galala": (-3.6852, 128.2107),
    "terminal-wayame": (-3.6666, 128.1766),
    "simpang-passo": (-3.6331, 128.2456),
    "pelabuhan-yos-sudarso": (-3.6925, 128.1780),
    "pasar-laha": (-3.7100, 128.0905),
    "pantai-natsepa": (-3.6240, 128.2760),
    "pasar-gudang-arang": (-3.7080, 128.1610),
    "kantor-desa-latuhalat": None,
    "salah-ketik": (3.69, 12.81),
}
BOXES = (
    Box("mardika-01", "pasar-mardika", {"env-1": MARKET}),
    Box("mardika-02", "pasar-mardika", {"env-1": AIR, "bin-1": BIN}),
    Box("batu-merah-01", "pasar-batu-merah", {"env-1": AIR}, silent_for_min=14),
    Box("pattimura-01", "taman-pattimura", {"env-1": AIR}),
    Box("galala-01", "jembatan-galala", {"river-1": RIVER}, clock_synced=0.0),
    Box("wayame-01", "terminal-wayame", {"env-1": AIR}, failing=1.0),
    Box("passo-01", "simpang-passo", {"env-1": AIR}, silent_for_min=33),
    Box("passo-02", "simpang-passo", {"env-1": AIR}, silent_for_min=33),
    Box("yos-01", "pelabuhan-yos-sudarso", {"env-1": AIR}),
    Box("natsepa-01", "pantai-natsepa", {"env-1": AIR}),
    Box("gudang-01", "pasar-gudang-arang", {"env-1": AIR}),
    Box("latuhalat-01", "kantor-desa-latuhalat", {"env-1": AIR}, silent_for_min=20),
    Box("ketik-01", "salah-ketik", {"env-1": AIR}),
    Box("tamu-7c", None, {"env-1": AIR}),
)
MAINTAINED = "natsepa-01"
NEVER = "laha-01"


def placements() -> dict[str, Placement]:
    """Where they are; one was never heard, one is worked on."""
    sites = {box.name: box.site for box in BOXES if box.site} | {NEVER: "pasar-laha"}
    return {name: placed(site, "maintenance" if name == MAINTAINED else "installed") for name, site in sites.items()}


def placed(site: str, life: str = "installed") -> Placement:
    """One placement."""
    at = WHERE[site]
    where = {} if at is None else {"lat": at[0], "lon": at[1]}
    lines = {"uplink": "fo-2", "feeder": "pln-7"}
    return Placement(
        h=(Place.model_validate({"from": 1_700_000_000_000, "site": site, "life": life, **where, **lines}),)
    )


async def settle(sink: Sink, now_ms: int) -> None:
    """Write half an hour of all of it."""
    await town.settle(sink, now_ms, BOXES, every_s=60)


async def a_day(sink: Sink, now_ms: int, device: str = "mardika-01") -> None:
    """A day of a sensor with a gap of two hours and three refused rows, and of a camera that was dark for an hour."""
    from_ms = first_ms(now_ms)
    dates = [from_ms + step * STEP_MS + 60_000 for step in range(287) if not GAP[0] <= step < GAP[1]]
    for source, metrics in (("env-1", MARKET), ("box", town.BOX)):
        stream = "sys" if source == "box" else "env"
        rows: list[tuple[Value, ...]] = [(d, *(town.value(device, source, m, d) for m in metrics)) for d in dates]
        await sink.write([Table(stream, (("device", device), ("source", source)), metrics, rows)])
    series = SeriesId("env", device, "env-1")
    kept = '{"tq":2,"k":["temp_c","rh_pct"],"r":[29.1,140.2]}'
    await sink.write(
        quarantine_tables(
            [Refused(series, from_ms + step * STEP_MS, "range: rh_pct=140.2", kept) for step in (60, 61, 200)]
        )
    )
    await _camera(sink, from_ms, device)


async def _camera(sink: Sink, from_ms: int, device: str) -> None:
    fields = ("camera_state", "camera_reason", "fps", "loss_pct", "activity_pct", "brightness_pct")
    rows: list[tuple[Value, ...]] = []
    for step in range(288):
        dark = 150 <= step < 162
        state, reason = (CameraState.DOWN, CameraReason.BLACK) if dark else (CameraState.OK, CameraReason.NONE)
        if 250 <= step < 256:
            state, reason = CameraState.DEGRADED, CameraReason.LOW_FPS
        told = (
            float(state),
            float(reason),
            12.0 - step % 7 / 10,
            step % 5 / 10,
            step % 60 / 1.0,
            1.0 if dark else 55.0,
        )
        rows.append((from_ms + step * STEP_MS, *told))
    await sink.write([Table("cam", (("device", device), ("source", "cam-1")), fields, rows)])


def first_ms(now_ms: int) -> int:
    """The beginning of the plots' day."""
    return (now_ms // STEP_MS + 1) * STEP_MS - DAY_MS
