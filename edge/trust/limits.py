"""The numbers that sensors are doubted by: `limits.toml` beside this module, read strictly."""

import hashlib
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

FILE: Final = Path(__file__).with_name("limits.toml")


class Limits(BaseModel):
    """Of one metric, in its unit; None: this is never doubted. The file says what each means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    warm_up_s: float = Field(default=0.0, ge=0)
    stuck_s: float | None = Field(default=None, gt=0)
    resting: tuple[float, float] | None = None
    spike: float | None = Field(default=None, gt=0)
    drift: float | None = Field(default=None, gt=0)
    drift_share: float = Field(default=0.0, ge=0, lt=1)

    def rests(self, value: float) -> bool:
        """Whether `value` may well stay where it is."""
        return self.resting is not None and self.resting[0] <= value <= self.resting[1]


@cache
def limits() -> Mapping[str, Limits]:
    """By metric; what is not here is never doubted."""
    return {name: Limits.model_validate(given) for name, given in tomllib.loads(FILE.read_text("utf-8")).items()}


def limits_sha256() -> str:
    """Names this very tuning; the bench draws its seeds from it."""
    return hashlib.sha256(FILE.read_bytes()).hexdigest()
