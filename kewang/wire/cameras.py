"""What is told of a camera: its state and the reason for it, as codes that box and gateway agree on, with words."""

from enum import IntEnum, IntFlag
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


class Tamper(IntFlag):
    """Bits of `tamper_event`: what the camera's own analysis reports at the moment. Corroboration only."""

    BLURRED = 1
    EXPOSURE = 2
    """Too dark or too bright."""
    CHANGED = 4
    """Another scene, or its tamper detector."""
    SIGNAL_LOSS = 8


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

FIRST_STEPS: Final = {
    CameraReason.NOT_MEASURED: (
        "Tunggu satu menit, lalu lihat lagi.",
        "Wait a minute, then look again.",
    ),
    CameraReason.LEARNING: (
        "Biarkan kamera bekerja: setelah sekitar setengah jam pandangannya dikenal.",
        "Let it work: after about half an hour its view is known.",
    ),
    CameraReason.DNS: (
        "Periksa nama di url, atau tulis alamat IP-nya.",
        "Check the name in its url, or write its IP address.",
    ),
    CameraReason.REFUSED: (
        "Periksa port di url, dan apakah RTSP dinyalakan di menu kamera.",
        "Check the port in its url, and whether RTSP is switched on in the camera's menu.",
    ),
    CameraReason.TIMEOUT: (
        "Periksa listrik kamera, kabel, dan switch (PoE).",
        "Check the camera's power, its cable and the switch (PoE).",
    ),
    CameraReason.UNROUTABLE: (
        "Periksa kabel jaringan kotak, switch, dan alamat jaringannya.",
        "Check the box's network cable, the switch and its network address.",
    ),
    CameraReason.AUTH: (
        "Periksa user dan password_file; banyak kamera mengunci beberapa menit setelah sandi salah.",
        "Check user and password_file; many cameras lock out for minutes after wrong passwords.",
    ),
    CameraReason.NOT_FOUND: (
        "Bandingkan jalur di url dengan buku petunjuk, atau jalankan `kewang edge camera discover`.",
        "Compare the path in its url with the manual, or run `kewang edge camera discover`.",
    ),
    CameraReason.BUSY: (
        "Tutup penonton lain (perekam, telepon), atau naikkan batas sambungan di menu kamera.",
        "Close other viewers (recorder, phones), or raise the connection limit in the camera's menu.",
    ),
    CameraReason.TRANSPORT: (
        'Coba transport = "udp" atau "tcp" di pengaturan.',
        'Try transport = "udp" or "tcp" in its settings.',
    ),
    CameraReason.NO_MEDIA: (
        "Nyalakan ulang kamera; jika tetap, periksa aliran ini di menu kamera.",
        "Restart the camera; if it stays so, check this stream in its menu.",
    ),
    CameraReason.STALLED: (
        "Periksa jaringan ke kamera (Wi-Fi, kabel), lalu nyalakan ulang kamera.",
        "Check the network to the camera (Wi-Fi, cable), then restart the camera.",
    ),
    CameraReason.DECODE: (
        'Nyalakan ulang kamera; matikan codec "pintar" (H.264+, H.265+) di menunya.',
        'Restart the camera; switch off "smart" codecs (H.264+, H.265+) in its menu.',
    ),
    CameraReason.CODEC: (
        "Setel aliran ini ke H.264, H.265 atau MJPEG di menu kamera.",
        "Set this stream to H.264, H.265 or MJPEG in the camera's menu.",
    ),
    CameraReason.PROTOCOL: (
        "Periksa url: di alamat itu yang menjawab bukan aliran kamera.",
        "Check its url: what answers there is not a camera's stream.",
    ),
    CameraReason.SERVER_ERROR: (
        "Nyalakan ulang kamera; jika tetap, perbarui firmware-nya.",
        "Restart the camera; if it stays so, update its firmware.",
    ),
    CameraReason.REDIRECT: (
        "Tulis alamat tujuannya di url, atau redirects = true jika memang benar.",
        "Write the address it points to into its url, or redirects = true if that is right.",
    ),
    CameraReason.TOO_LARGE: (
        "Pakai aliran kecil (sub-stream) di url.",
        "Use its small stream (sub-stream) in the url.",
    ),
    CameraReason.LOW_FPS: (
        "Periksa beban dan cahaya: banyak kamera melambat di tempat gelap; lalu jaringannya.",
        "Check its load and the light: many cameras slow down in the dark; then the network.",
    ),
    CameraReason.LOSS: (
        "Periksa kabel, sambungan Wi-Fi dan beban jaringan antara kotak dan kamera.",
        "Check cable, Wi-Fi link and network load between box and camera.",
    ),
    CameraReason.FROZEN: (
        "Nyalakan ulang kamera; jika lewat perekam, periksa saluran perekamnya.",
        "Restart the camera; behind a recorder, check the recorder's channel.",
    ),
    CameraReason.BLACK: (
        "Periksa tutup lensa, lampu inframerah dan cahaya di tempat itu.",
        "Check the lens cap, the infrared lamp and the light there.",
    ),
    CameraReason.WASHED_OUT: (
        "Periksa pencahayaan di menu kamera, dan apakah matahari atau lampu mengenai lensa.",
        "Check exposure in the camera's menu, and whether sun or a lamp shines into the lens.",
    ),
    CameraReason.NO_SIGNAL: (
        "Periksa kabel antara kamera dan perekam.",
        "Check the cable between camera and recorder.",
    ),
    CameraReason.BLURRED: (
        "Lihat lensanya: bersihkan, lalu setel fokus.",
        "Look at the lens: clean it, then set the focus.",
    ),
    CameraReason.COVERED: (
        "Lihat di tempat: apa yang menutup kamera?",
        "Go and look: what covers the camera?",
    ),
    CameraReason.PARTLY_COVERED: (
        "Lihat di tempat: terpal, daun atau barang di depan kamera?",
        "Go and look: a tarpaulin, leaves or goods before the camera?",
    ),
    CameraReason.MOVED: (
        "Arahkan kembali kameranya, atau terima pandangan baru: `kewang edge camera accept`.",
        "Turn the camera back, or accept the new view: `kewang edge camera accept`.",
    ),
    CameraReason.NOISY: (
        "Periksa cahaya dan lampu inframerah; periksa juga catu dayanya.",
        "Check the light and the infrared lamp; check its power supply too.",
    ),
    CameraReason.COLOUR: (
        "Periksa filter inframerah kamera (mode siang/malam) dan kabelnya.",
        "Check the camera's infrared filter (day/night mode) and its cable.",
    ),
    CameraReason.DIRTY_LENS: (
        "Bersihkan lensa atau kubahnya.",
        "Clean the lens or its dome.",
    ),
    CameraReason.CLOCK: (
        "Setel server waktu (NTP) dan zona waktu di menu kamera.",
        "Set the time server (NTP) and time zone in the camera's menu.",
    ),
    CameraReason.NOT_RECORDING: (
        "Periksa kartu atau disk dan jadwal rekam di menu kamera atau perekam.",
        "Check card or disk and the recording schedule in the camera's or recorder's menu.",
    ),
}
"""What to do first about each reason, in Indonesian and English; NONE needs nothing."""
