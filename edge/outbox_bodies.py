"""How bodies of batches are kept: as the JSON that is sent, or deflated by a dictionary of what most of them say.

The first byte tells: `{` is JSON, 1 is raw deflate (RFC 1951) with the first dictionary. A dictionary never changes; a
better one gets the next number.
"""

import zlib
from typing import Final

_PLAIN: Final = b"{"
_FIRST: Final = b"\x01"
_DICTIONARY: Final = (
    b'"camera_state","camera_reason","fps","fps_ratio","bitrate_kbps","event","supply_v","cert_days","box_temp_c",'
    b'"water_level_cm","bin_fill_pct","light_lux","rain_mm","door_openings","door_open","co2_ppm","h2s_ppm","pm1_ugm3",'
    b'"pm10_ugm3","pm25_corrected_ugm3","pressure_hpa","noise_dba","nh3_ppm","temp_c_flag","rh_pct_flag","pm25_ugm3_flag",'
    b'"thinned","temp_c_min","temp_c_mean","temp_c_max","temp_c_count"],"r":[[0,null,],[300000,],[60000,],[30000,'
    b'{"v":1,"bt":"","q":1,"src":"box","tq":2,"held":0,"tl":[["","env-1",49,0],["","box",49,0]],"t0":17,'
    b'"k":["cpu_pct","mem_pct","disk_pct","uptime_s","clock_synced","link","outbox_bytes","sources_failing"],"r":[[0,1.0,'
    b'{"bt":"","q":1,"boot":"","src":"","held":null,"k":["sim_n","temp_c","rh_pct","pm25_ugm3"],"r":[[0,'
    b'{"v":1,"bt":"","q":1,"src":"env-1","tq":2,"t0":17,"k":["temp_c","rh_pct"],"r":[[0,2.],[10000,2.],[20000,2.'
)


def packed(body: bytes) -> bytes:
    """The JSON `body` as it is kept where bodies may be deflated."""
    deflating = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=_DICTIONARY)
    return min(body, _FIRST + deflating.compress(body) + deflating.flush(), key=len)


def is_packed(kept: bytes) -> bool:
    """Whether it is no JSON."""
    return not kept.startswith(_PLAIN)


def unpacked(kept: bytes) -> bytes:
    """The JSON of a body whose checksum is right."""
    if not is_packed(kept):
        return kept
    return zlib.decompressobj(-zlib.MAX_WBITS, zdict=_DICTIONARY).decompress(kept[len(_FIRST) :])
