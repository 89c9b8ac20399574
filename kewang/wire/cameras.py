"""What is told of a camera: its state and the reason for it, as codes that box and gateway agree on, with words."""

from enum import IntEnum
from typing import Final


class CameraState(IntEnum):
    """How a camera is. What was not measured is UNKNOWN, never a default."""

    UNKNOWN = 0
    OK = 1
    DEGRADED = 2
    DOWN = 3


class CameraReason(IntEnum):
    """Why a camera is in its state. Codes never change; 10–39 transport, 40–59 picture, 60–69 clock and recording."""

    NONE = 0
    NOT_MEASURED = 1
    LEARNING = 2
    DNS = 10
    REFUSED = 11
    TIMEOUT = 12
    UNROUTABLE = 13
    AUTH = 14
    NOT_FOUND = 15
    BUSY = 16
    TRANSPORT = 17
    NO_MEDIA = 18
    STALLED = 19
    DECODE = 20
    CODEC = 21
    PROTOCOL = 22
    SERVER_ERROR = 23
    REDIRECT = 24
    TOO_LARGE = 25
    LOW_FPS = 26
    LOSS = 27
    FROZEN = 40
    BLACK = 41
    WASHED_OUT = 42
    NO_SIGNAL = 43
    BLURRED = 44
    COVERED = 45
    PARTLY_COVERED = 46
    MOVED = 47
    NOISY = 48
    COLOUR = 49
    DIRTY_LENS = 50
    CLOCK = 60
    NOT_RECORDING = 61


STATE_WORDS: Final = {
    CameraState.UNKNOWN: ("tidak diketahui", "unknown"),
    CameraState.OK: ("baik", "ok"),
    CameraState.DEGRADED: ("menurun", "degraded"),
    CameraState.DOWN: ("mati", "down"),
}
"""Indonesian and English word of each state."""

REASON_WORDS: Final = {
    CameraReason.NONE: ("tidak ada", "none"),
    CameraReason.NOT_MEASURED: ("belum terukur", "not measured yet"),
    CameraReason.LEARNING: ("sedang belajar", "still learning its view"),
    CameraReason.DNS: ("nama tidak ditemukan", "name not found"),
    CameraReason.REFUSED: ("koneksi ditolak", "connection refused"),
    CameraReason.TIMEOUT: ("tidak menjawab", "no answer"),
    CameraReason.UNROUTABLE: ("jaringan tidak sampai", "no route to it"),
    CameraReason.AUTH: ("sandi ditolak", "password refused"),
    CameraReason.NOT_FOUND: ("alamat aliran salah", "no such stream"),
    CameraReason.BUSY: ("terlalu banyak sambungan", "too many connections"),
    CameraReason.TRANSPORT: ("cara kirim tidak didukung", "transport not supported"),
    CameraReason.NO_MEDIA: ("menjawab tanpa gambar", "answers but sends no picture"),
    CameraReason.STALLED: ("gambar terhenti", "stream stalls"),
    CameraReason.DECODE: ("gambar rusak", "picture can't be decoded"),
    CameraReason.CODEC: ("kodek tidak dikenal", "codec not known"),
    CameraReason.PROTOCOL: ("bukan kamera RTSP", "does not speak its protocol"),
    CameraReason.SERVER_ERROR: ("kamera melapor galat", "camera reports an error"),
    CameraReason.REDIRECT: ("dialihkan ke tempat lain", "redirected elsewhere"),
    CameraReason.TOO_LARGE: ("data terlalu besar", "answer too large"),
    CameraReason.LOW_FPS: ("gambar per detik turun", "too few frames"),
    CameraReason.LOSS: ("paket hilang", "packets lost"),
    CameraReason.FROZEN: ("gambar beku", "picture frozen"),
    CameraReason.BLACK: ("gambar hitam", "picture black"),
    CameraReason.WASHED_OUT: ("gambar silau", "picture washed out"),
    CameraReason.NO_SIGNAL: ("tanpa sinyal", "no-signal card"),
    CameraReason.BLURRED: ("gambar kabur", "picture blurred"),
    CameraReason.COVERED: ("tertutup", "covered"),
    CameraReason.PARTLY_COVERED: ("tertutup sebagian", "partly covered"),
    CameraReason.MOVED: ("arah bergeser", "moved"),
    CameraReason.NOISY: ("gambar berbintik", "noisy"),
    CameraReason.COLOUR: ("warna salah", "wrong colours"),
    CameraReason.DIRTY_LENS: ("lensa kotor", "dirty lens"),
    CameraReason.CLOCK: ("jam salah", "clock wrong"),
    CameraReason.NOT_RECORDING: ("tidak merekam", "not recording"),
}
"""Indonesian and English word of each reason: short, for a tile on a wall."""
