"""What runs out, and when it should be renewed."""

from dataclasses import dataclass
from typing import Final, Literal

from cryptography import x509

from provisioning.authority import making

Sort = Literal["root", "ca", "leaf", "list"]

_DUE: Final = {"root": 0.9, "ca": 0.75, "leaf": 2 / 3, "list": 1 / 7}
"""The part of its life after which something should be renewed."""
_MARK: Final = b"-----BEGIN X509 CRL-----"


@dataclass(frozen=True, slots=True)
class Expiring:
    """Something that runs out. It should be renewed from `due_ms` on; `by_itself`: a loop of ours does that."""

    name: str
    sort: Sort
    due_ms: int
    not_after_ms: int
    by_itself: bool


def of_certificate(name: str, certificate: x509.Certificate, back_ms: int) -> Expiring:
    """`name`: its file's, which tells its sort. A CA that was replaced is never due: it signs its lists to its end."""
    start_ms = making.unix_ms(certificate.not_valid_before_utc) + back_ms
    end_ms = making.unix_ms(certificate.not_valid_after_utc)
    sort = _sort(name)
    replaced = sort == "ca" and not name.endswith("-ca")
    due_ms = end_ms if replaced else _due_ms(sort, start_ms, end_ms)
    return Expiring(name, sort, due_ms, end_ms, by_itself=sort == "leaf" or replaced)


def of_lists(name: str, content: bytes, back_ms: int) -> Expiring:
    """The one that ends first among the revocation lists in `content` (PEM). Raises ValueError if there is none."""
    lists = [x509.load_pem_x509_crl(_MARK + part) for part in content.split(_MARK)[1:]]
    ends = [(making.unix_ms(each.next_update_utc), each) for each in lists if each.next_update_utc]
    end_ms, first = min(ends, key=lambda pair: pair[0])
    start_ms = making.unix_ms(first.last_update_utc) + back_ms
    return Expiring(name, "list", _due_ms("list", start_ms, end_ms), end_ms, by_itself=True)


def _sort(name: str) -> Sort:
    if name.endswith("-root"):
        return "root"
    return "ca" if name.startswith(("device-ca", "service-ca")) else "leaf"


def _due_ms(sort: Sort, start_ms: int, end_ms: int) -> int:
    return start_ms + int(_DUE[sort] * (end_ms - start_ms))
