"""Base of the small messages: strict types, unknown keys ignored, one typed error."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kewang.wire.batch import load_object
from kewang.wire.errors import WireError

Version = Annotated[int, Field(ge=1, le=1)]
"""The protocol's version: 1 and nothing that merely equals it (a Literal takes `true` and 1.0 too)."""


class Message(BaseModel):
    """A small JSON message. Field names are the wire's keys."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False, populate_by_name=True)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """The message in `payload`; raises WireError and nothing else."""
        try:
            return cls.model_validate(_tuples(load_object(payload)))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise WireError(f"{cls.__name__.lower()}: {where}: {first['msg']}") from None

    def encode(self) -> bytes:
        """The payload; keys without a value are left out. The inverse of `decode`."""
        return self.model_dump_json(exclude_none=True, by_alias=True).encode()


def _tuples(value: Any) -> Any:
    """JSON lists as tuples: the strict models hold tuples, which can't change."""
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(inner) for inner in value)
    return value
