"""When a certificate ends: the one date that programs without a library for certificates want of them."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_END: Final = "-----END CERTIFICATE-----"
_VERSION: Final = 0xA0
_FORMS: Final = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}
"""Tag of a date -> its form (X.690)."""


def ends_s(file: Path) -> float:
    """Unix s at which the first certificate of a PEM file is over. Raises OSError; ValueError for what is none."""
    found, mark, _ = file.read_text("ascii", "replace").partition(_END)
    begin = found.find("-----BEGIN CERTIFICATE-----")
    if begin < 0 or not mark:
        raise ValueError(f"{file} holds no certificate")
    try:
        (certificate,) = _elements(ssl.PEM_cert_to_DER_cert(found[begin:] + mark))
        signed, *_ = _elements(certificate[1])
        fields = [each for each in _elements(signed[1]) if each[0] != _VERSION]
        _, (tag, date) = _elements(fields[3][1])  # serial number, algorithm, issuer, validity
        return datetime.strptime(date.decode("ascii"), _FORMS[tag]).replace(tzinfo=UTC).timestamp()
    except (ValueError, IndexError, KeyError):
        raise ValueError(f"{file} holds no certificate that can be read") from None


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, content) of each element, one after the other."""
    at = 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(der[at : at + size], "big"), at + size
        if at + length > len(der):
            raise ValueError("cut off")
        yield tag, der[at : at + length]
        at += length
