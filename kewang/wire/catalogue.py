"""The metric catalogue: what may be measured, in which unit, within which range, and what it means.

The gateway quarantines a row with a metric that is not here or a value outside its range; boards and pages take
units, decimals and words from here.
"""

from dataclasses import dataclass
from typing import Final

from kewang.wire.cameras import REASON_WORDS, STATE_WORDS, CameraReason, CameraState
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
_CAMERA_STATES = tuple((state.value, *STATE_WORDS[state]) for state in CameraState)
_CAMERA_REASONS = tuple((reason.value, *REASON_WORDS[reason]) for reason in CameraReason)
_RECORDING = ((0, "tidak diketahui", "unknown"), (1, "merekam", "recording"), (2, "tidak merekam", "not recording"))
FLAG_ENDING: Final = "_flag"
"""Ends the name of the metric that says why another one's value is doubted: `temp_c_flag` stands beside `temp_c`."""
_FLAGS = (
    (1, "pemanasan", "warming up"),
    (2, "lonjakan", "spike"),
    (3, "menyimpang dari tetangga", "differs from its neighbours"),
    (4, "macet", "stuck"),
)
_UNFLAGGED: Final = frozenset({"rain_mm", "sim_n", "pm25_corrected_ugm3"})
_EVENTS = (
    (1, "agen mulai", "agent started"),
    (2, "agen berhenti", "agent stopped"),
    (3, "jam dikoreksi", "clock corrected"),
    (4, "kotak antre rusak, disisihkan", "outbox damaged, set aside"),
    (5, "disk kotak penuh", "disk of the box full"),
    (6, "sumber gagal", "source failed"),
    (7, "sumber pulih", "source recovered"),
)

_MEASURED: Final = (
    Metric("temp_c", "env", "°C", -10, 60, 1, "Suhu udara", "Air temperature"),
    Metric("rh_pct", "env", "%", 0, 100, 1, "Kelembapan udara", "Relative humidity"),
    Metric("pressure_hpa", "env", "hPa", 850, 1100, 1, "Tekanan udara", "Air pressure"),
    Metric("pm1_ugm3", "env", "µg/m³", 0, 2000, 1, "Partikel PM1", "Particulate matter PM1"),
    Metric("pm25_ugm3", "env", "µg/m³", 0, 2000, 1, "Partikel PM2,5", "Particulate matter PM2.5"),
    Metric("pm25_corrected_ugm3", "env", "µg/m³", 0, 2000, 1, "PM2,5 dikoreksi kelembapan", "PM2.5 less humidity"),
    Metric("pm10_ugm3", "env", "µg/m³", 0, 5000, 1, "Partikel PM10", "Particulate matter PM10"),
    Metric("noise_dba", "env", "dB(A)", 20, 140, 1, "Kebisingan", "Noise level"),
    Metric("nh3_ppm", "env", "ppm", 0, 500, 2, "Amonia", "Ammonia"),
    Metric("h2s_ppm", "env", "ppm", 0, 500, 2, "Hidrogen sulfida", "Hydrogen sulphide"),
    Metric("co2_ppm", "env", "ppm", 250, 40000, 0, "Karbon dioksida", "Carbon dioxide"),
    Metric("bin_fill_pct", "env", "%", 0, 100, 0, "Isi tempat sampah", "Bin fill level"),
    Metric("water_level_cm", "env", "cm", -100, 2000, 1, "Tinggi muka air", "Water level"),
    Metric("light_lux", "env", "lx", 0, 200000, 0, "Terang cahaya", "Illuminance"),
    Metric("rain_mm", "env", "mm", 0, 100, 2, "Hujan sejak bacaan lalu", "Rain since the last reading"),
    Metric("distance_cm", "env", "cm", 0, 1500, 1, "Jarak ke permukaan", "Distance to the surface"),
    Metric("loop_ma", "env", "mA", 0, 25, 2, "Arus sinyal", "Signal current"),
    Metric("signal_v", "env", "V", -1, 12, 2, "Tegangan sinyal", "Signal voltage"),
    Metric("pulses", "env", "", 0, 2**53, 0, "Hitungan pulsa", "Pulse count"),
    Metric("door_open", "env", "", 0, 1, 0, "Pintu terbuka", "Door open", _YES_NO),
    Metric("door_openings", "env", "", 0, 100_000, 0, "Kali pintu dibuka", "Times the door opened"),
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
    Metric("cert_days", "sys", "d", -10_000, 100_000, 1, "Sisa masa sertifikat", "Days left of the certificate"),
    Metric("sources_failing", "sys", "", 0, 1000, 0, "Sumber yang gagal", "Sources that fail"),
    Metric("event", "evt", "", 1, 999, 0, "Peristiwa", "Event", _EVENTS),
    Metric("camera_state", "cam", "", 0, 3, 0, "Keadaan kamera", "Camera state", _CAMERA_STATES),
    Metric("camera_reason", "cam", "", 0, 99, 0, "Alasan keadaan", "Reason for the state", _CAMERA_REASONS),
    Metric("reachable", "cam", "", 0, 1, 0, "Kamera terjangkau", "Camera reachable", _YES_NO),
    Metric("tcp_ms", "cam", "ms", 0, 600_000, 1, "Waktu sambung TCP", "TCP connect time"),
    Metric("options_ms", "cam", "ms", 0, 600_000, 1, "Waktu jawab OPTIONS", "Time of OPTIONS"),
    Metric("describe_ms", "cam", "ms", 0, 600_000, 1, "Waktu jawab DESCRIBE", "Time of DESCRIBE"),
    Metric("setup_ms", "cam", "ms", 0, 600_000, 1, "Waktu jawab SETUP", "Time of SETUP"),
    Metric("play_ms", "cam", "ms", 0, 600_000, 1, "Waktu jawab PLAY", "Time of PLAY"),
    Metric("first_packet_ms", "cam", "ms", 0, 600_000, 1, "PLAY sampai paket pertama", "PLAY to first packet"),
    Metric("first_keyframe_ms", "cam", "ms", 0, 600_000, 1, "PLAY sampai gambar utuh", "PLAY to first key frame"),
    Metric("fps", "cam", "1/s", 0, 240, 1, "Gambar per detik", "Frames per second"),
    Metric("fps_ratio", "cam", "", 0, 100, 2, "Gambar per detik terhadap biasanya", "Frame rate against its norm"),
    Metric("stalls", "cam", "", 0, 10_000, 0, "Jeda aliran", "Stalls of the stream"),
    Metric("stall_max_s", "cam", "s", 0, 3600, 2, "Jeda terpanjang", "Longest stall"),
    Metric("bitrate_kbps", "cam", "kbit/s", 0, 1_000_000, 0, "Laju data", "Bit rate"),
    Metric("keyframe_interval_s", "cam", "s", 0, 3600, 2, "Jarak gambar utuh", "Key-frame interval"),
    Metric("loss_pct", "cam", "%", 0, 100, 2, "Paket hilang", "Packet loss"),
    Metric("jitter_ms", "cam", "ms", 0, 600_000, 1, "Goyangan waktu paket", "Packet jitter"),
    Metric("decode_errors_pct", "cam", "%", 0, 100, 1, "Gambar yang rusak", "Pictures with decode errors"),
    Metric("clock_offset_s", "cam", "s", -4e9, 4e9, 1, "Selisih jam kamera", "Camera clock offset"),
    Metric("ir_mode", "cam", "", 0, 1, 0, "Mode inframerah", "Infrared mode", _YES_NO),
    Metric("brightness_pct", "cam", "%", 0, 100, 1, "Terang gambar", "Brightness of the picture"),
    Metric("contrast_pct", "cam", "%", 0, 100, 1, "Kontras gambar", "Contrast of the picture"),
    Metric("clipped_pct", "cam", "%", 0, 100, 1, "Bagian silau", "Share burnt out"),
    Metric("change_luma", "cam", "", 0, 255, 2, "Beda dari gambar lalu", "Change since the last picture"),
    Metric("sharpness_ratio", "cam", "", 0, 100, 2, "Tajam terhadap acuan", "Sharpness against its reference"),
    Metric("noise_luma", "cam", "", 0, 255, 2, "Bintik gambar", "Noise of the picture"),
    Metric("covered_pct", "cam", "%", 0, 100, 1, "Bagian tertutup", "Share covered"),
    Metric("view_match", "cam", "", -1, 1, 2, "Kemiripan dengan acuan", "Likeness to its reference view"),
    Metric("shift_pct", "cam", "%", 0, 100, 1, "Geseran pandangan", "Shift of the view"),
    Metric("colour_shift", "cam", "", 0, 255, 1, "Geseran warna", "Shift of colours"),
    Metric("dirt_pct", "cam", "%", 0, 100, 1, "Lensa kotor", "Dirt on the lens"),
    Metric("activity_pct", "cam", "%", 0, 100, 1, "Kegiatan di pasar", "Activity in view"),
    Metric("clutter_pct", "cam", "%", 0, 100, 1, "Barang dan sampah tertinggal", "Litter and goods left behind"),
    Metric("main_stream", "cam", "", 0, 1, 0, "Aliran utama jalan", "Main stream delivers", _YES_NO),
    Metric("camera_uptime_s", "cam", "s", 0, 2**33, 0, "Lama kamera menyala", "Camera's time since power-on"),
    Metric("recording", "cam", "", 0, 2, 0, "Merekam", "Recording", _RECORDING),
    Metric("tamper_event", "cam", "", 0, 15, 0, "Laporan gangguan kamera", "Tamper events of the camera"),
)


def _flag(of: Metric) -> Metric:
    meanings = f"Keraguan: {of.meaning_id}", f"Doubt: {of.meaning_en}"
    return Metric(of.name + FLAG_ENDING, of.stream, "", 1, 4, 0, *meanings, _FLAGS)


METRICS: Final = _MEASURED + tuple(
    _flag(one) for one in _MEASURED if one.stream == "env" and one.name not in _UNFLAGGED
)
BY_NAME: Final = {metric.name: metric for metric in METRICS}


def metric(name: str) -> Metric:
    """The metric called `name`; WireError if the catalogue has none."""
    if name not in BY_NAME:
        raise WireError(f"unknown metric {name!r}")
    return BY_NAME[name]
