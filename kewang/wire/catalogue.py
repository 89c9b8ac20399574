"""The metric catalogue: what may be measured, in which unit, within which range, and what it means.

The gateway quarantines a row with a metric that is not here or a value outside its range; boards and pages take
units, decimals and words from here.
"""

from dataclasses import dataclass
from typing import Final

from kewang.wire.errors import WireError


@dataclass(frozen=True, slots=True)
class Metric:
    """One measured quantity. `low` and `high` are the values that are still believed, both included."""

    name: str
    stream: str
    unit: str
    low: float
    high: float
    decimals: int
    meaning_id: str
    meaning_en: str
    codes: tuple[tuple[int, str, str], ...] = ()
    """For enumerations: (code, Indonesian word, English word)."""

    def meaning(self, language: str) -> str:
        """What it is, in `id` or `en`."""
        return self.meaning_id if language == "id" else self.meaning_en

    def word(self, value: float, language: str) -> str | None:
        """The word for an enumeration's code; None for numbers and unknown codes."""
        return next((words[language != "id"] for code, *words in self.codes if code == value), None)


_YES_NO = ((0, "tidak", "no"), (1, "ya", "yes"))
_LINKS = ((0, "tidak ada", "none"), (1, "kabel", "wired"), (2, "seluler", "cellular"), (3, "Wi-Fi", "Wi-Fi"))
_CAMERA_STATES = ((0, "tidak diketahui", "unknown"), (1, "baik", "ok"), (2, "menurun", "degraded"), (3, "mati", "down"))
_EVENTS = (
    (1, "agen mulai", "agent started"),
    (2, "agen berhenti", "agent stopped"),
    (3, "jam dikoreksi", "clock corrected"),
    (4, "kotak antre rusak, disisihkan", "outbox damaged, set aside"),
    (5, "disk kotak penuh", "disk of the box full"),
    (6, "sumber gagal", "source failed"),
    (7, "sumber pulih", "source recovered"),
)

METRICS: Final = (
    Metric("temp_c", "env", "°C", -10, 60, 1, "Suhu udara", "Air temperature"),
    Metric("rh_pct", "env", "%", 0, 100, 1, "Kelembapan udara", "Relative humidity"),
    Metric("pressure_hpa", "env", "hPa", 850, 1100, 1, "Tekanan udara", "Air pressure"),
    Metric("pm1_ugm3", "env", "µg/m³", 0, 2000, 1, "Partikel PM1", "Particulate matter PM1"),
    Metric("pm25_ugm3", "env", "µg/m³", 0, 2000, 1, "Partikel PM2,5", "Particulate matter PM2.5"),
    Metric("pm10_ugm3", "env", "µg/m³", 0, 5000, 1, "Partikel PM10", "Particulate matter PM10"),
    Metric("noise_dba", "env", "dB(A)", 20, 140, 1, "Kebisingan", "Noise level"),
    Metric("nh3_ppm", "env", "ppm", 0, 500, 2, "Amonia", "Ammonia"),
    Metric("h2s_ppm", "env", "ppm", 0, 500, 2, "Hidrogen sulfida", "Hydrogen sulphide"),
    Metric("co2_ppm", "env", "ppm", 250, 40000, 0, "Karbon dioksida", "Carbon dioxide"),
    Metric("bin_fill_pct", "env", "%", 0, 100, 0, "Isi tempat sampah", "Bin fill level"),
    Metric("water_level_cm", "env", "cm", -100, 2000, 1, "Tinggi muka air", "Water level"),
    Metric("light_lux", "env", "lx", 0, 200000, 0, "Terang cahaya", "Illuminance"),
    Metric("rain_mm", "env", "mm", 0, 100, 2, "Hujan sejak bacaan lalu", "Rain since the last reading"),
    Metric("sim_n", "env", "", 0, 2**53, 0, "Nomor urut simulasi", "Running number of a simulated device"),
    Metric("cpu_pct", "sys", "%", 0, 100, 1, "Beban prosesor", "Processor load"),
    Metric("box_temp_c", "sys", "°C", -40, 125, 1, "Suhu prosesor", "Processor temperature"),
    Metric("mem_pct", "sys", "%", 0, 100, 1, "Memori terpakai", "Memory in use"),
    Metric("disk_pct", "sys", "%", 0, 100, 1, "Disk terpakai", "Disk in use"),
    Metric("uptime_s", "sys", "s", 0, 2**33, 0, "Lama menyala", "Time since power-on"),
    Metric("supply_v", "sys", "V", 0, 60, 2, "Tegangan catu daya", "Supply voltage"),
    Metric("clock_synced", "sys", "", 0, 1, 0, "Jam sinkron", "Clock synchronised", _YES_NO),
    Metric("link", "sys", "", 0, 3, 0, "Jenis jaringan", "Kind of network link", _LINKS),
    Metric("outbox_bytes", "sys", "B", 0, 2**53, 0, "Ukuran kotak antre", "Size of the outbox"),
    Metric("sources_failing", "sys", "", 0, 1000, 0, "Sumber yang gagal", "Sources that fail"),
    Metric("event", "evt", "", 1, 999, 0, "Peristiwa", "Event", _EVENTS),
    Metric("reachable", "cam", "", 0, 1, 0, "Kamera terjangkau", "Camera reachable", _YES_NO),
    Metric("camera_state", "cam", "", 0, 3, 0, "Keadaan kamera", "Camera state", _CAMERA_STATES),
    Metric("fps", "cam", "1/s", 0, 240, 1, "Gambar per detik", "Frames per second"),
    Metric("bitrate_kbps", "cam", "kbit/s", 0, 1_000_000, 0, "Laju data", "Bit rate"),
    Metric("loss_pct", "cam", "%", 0, 100, 2, "Paket hilang", "Packet loss"),
    Metric("clock_offset_s", "cam", "s", -4e9, 4e9, 1, "Selisih jam kamera", "Camera clock offset"),
)

BY_NAME: Final = {metric.name: metric for metric in METRICS}


def metric(name: str) -> Metric:
    """The metric called `name`; WireError if the catalogue has none."""
    if name not in BY_NAME:
        raise WireError(f"unknown metric {name!r}")
    return BY_NAME[name]
