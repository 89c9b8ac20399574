"""Ack: what is stored, credit, rewind and time; the only message a device needs from the gateway."""

from typing import Annotated, Final

from pydantic import Field

from kewang.wire.batch import MAX_DATE_MS, MAX_REWIND, MIN_DATE_MS
from kewang.wire.errors import WireError
from kewang.wire.models import Message, Version

MAX_ACK_BYTES: Final = 4096
MAX_RANGES: Final = 32
MAX_LABELS: Final = 16

_Run = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,32}$")]
_Count = Annotated[int, Field(ge=0, le=2**53)]
Range = tuple[_Run, _Count, _Count]
"""(run, first, last): the batches `first..last` of `run` are stored or quarantined."""
Label = tuple[_Run, _Count, Annotated[str, Field(max_length=200)]]
"""(run, number, why): that batch, named in `ok` too, has quarantined rows."""


class Ack(Message):
    """One ack. Every part is a fact that may come late, twice or from two gateways: the edge unites them."""

    v: Version = 1
    """Version of the protocol."""
    g: Annotated[str, Field(max_length=64)] = ""
    """Gateway id, for people."""
    rw: Annotated[int, Field(ge=0, le=MAX_REWIND)] = 0
    """Highest rewind the gateway knows."""
    rf: Annotated[int, Field(ge=0, le=MAX_DATE_MS)] = 0
    """Acks from this gateway time on no longer count (Unix ms); 0 = all."""
    ok: tuple[Range, ...] = ()
    """(run, first, last) of batches that are stored or quarantined; the 32 that changed last."""
    nk: tuple[Label, ...] = ()
    """(run, number, why) of those in `ok` that have quarantined rows; the last 16. A label: it marks nothing."""
    bad: tuple[Annotated[int, Field(ge=0, le=0xFFFFFFFF)], ...] = ()
    """CRC-32 of payloads that can't be read as a batch."""
    cr: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Credit: batches of the backlog that may be outstanding."""
    gt: Annotated[int, Field(ge=MIN_DATE_MS, le=MAX_DATE_MS)] | None = None
    """Gateway time (Unix ms); absent unless its clock is synchronised."""
    re: tuple[_Run, _Count] | None = None
    """(`bt`, `up`) of the message answered."""

    def fitted(self) -> bytes:
        """The payload, with labels, CRCs and then the ranges changed longest ago left out until it fits 4 KiB."""
        ack = self
        while len(payload := ack.encode()) > MAX_ACK_BYTES:
            longest = "nk" if ack.nk else "bad" if ack.bad else "ok"
            ack = ack.model_copy(update={longest: getattr(ack, longest)[1:]})
        return payload


def decode_ack(payload: bytes) -> Ack:
    """The ack in `payload`. Raises WireError for anything an edge must ignore (a retained one: ask the caller)."""
    if len(payload) > MAX_ACK_BYTES:
        raise WireError(f"ack of {len(payload)} bytes, the limit is {MAX_ACK_BYTES}")
    return Ack.decode(payload)
