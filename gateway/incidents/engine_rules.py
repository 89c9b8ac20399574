"""The numbers of the engine, and what each trades."""

from typing import Literal

from pydantic import Field

from gateway.incidents.model import Level
from kewang.runtime.settings import Settings

RANK: dict[Level, int] = {"source": 0, "device": 1, "site": 2, "uplink": 3, "feeder": 3, "city": 4, "gateway": 5}


class EngineRules(Settings):
    """When silences become an incident, and when it is over.

    `hold_s` trades time to detect for causes: each second later is a second for the neighbours to fall silent too, and
    for a blip to end. `wired_hold_s` and `cellular_hold_s` do the same for a device alone: shorter than a link's
    usual pauses they cost false alarms. `vote_s` trades the other way round: longer, and two causes of one place
    become one. `recovery_s` and `device_recovery_s` trade how soon the end is told for notices about what falls again.
    """

    group_silence_s: float = Field(
        105.0, gt=0, le=3600, description="Silence that counts when neighbours are silent too, before the hold (s)."
    )
    group_hinted_s: float = Field(95.0, gt=0, le=3600, description="... with a will (s).")
    hold_s: float = Field(20.0, ge=0, le=600, description="Wait before a site or more is told (s).")
    wired_hold_s: float = Field(38.0, ge=0, le=600, description="Wait before one wired device is told (s).")
    cellular_hold_s: float = Field(55.0, ge=0, le=600, description="Wait before one cellular device is told (s).")
    defer_s: float = Field(
        30.0, ge=0, le=600, description="Longer wait while neighbours are late enough to make it a larger cause (s)."
    )
    spread_s: float = Field(
        30.0, ge=0, le=3600, description="Devices of one cause were heard last within so long: a heartbeat (s)."
    )
    vote_s: float = Field(300.0, gt=0, le=3600, description="Silences that began within it may have one cause (s).")
    site_share: float = Field(0.6, gt=0, le=1, description="Share of a site's devices that makes it a site's cause.")
    parent_share: float = Field(0.5, gt=0, le=1, description="Share of sites that makes it their parent's cause.")
    canary: str = Field("", description="Device that goes silent daily as a test: it is told apart and has no vote.")
    city_share: float = Field(0.8, gt=0, le=1, description="Share of all devices that makes us suspect ourselves.")
    loop_s: float = Field(30.0, gt=0, le=600, description="Our loop-back message is proof for so long (s).")
    own_hold_s: float = Field(30.0, ge=0, le=600, description="Wait before trouble of our own is told (s).")
    own_recovery_s: float = Field(120.0, ge=0, le=3600, description="... and before its end is told (s).")
    return_s: float = Field(
        165.0, ge=0, le=3600, description="After we could not hear, older silences count only after so long (s)."
    )
    recovery_s: float = Field(120.0, ge=0, le=3600, description="All are back for so long before the end is told (s).")
    straggler_s: float = Field(
        300.0, ge=0, le=3600, description="Most are back for so long: told as ended, with who is not back (s)."
    )
    device_recovery_s: float = Field(480.0, ge=0, le=3600, description="recovery_s of one device (s).")
    relapse_recovery_s: float = Field(1200.0, ge=0, le=7200, description="... that was down before in this hour (s).")
    settle_s: float = Field(60.0, ge=0, le=600, description="Growth in the first so long is no worsening (s).")
    two_boxes_s: float = Field(3600.0, ge=0, le=86_400, description="Two boxes are over after so long without (s).")

    def device_hold_s(self, link: Literal["wired", "cellular"]) -> float:
        """Wait before one device of this link is told, from when it is gone."""
        return self.wired_hold_s if link == "wired" else self.cellular_hold_s

    def silence_s(self, hinted: bool) -> float:
        """Silence after which a device may call a vote of its neighbours."""
        return (self.group_hinted_s if hinted else self.group_silence_s) + self.hold_s

    @property
    def longest_s(self) -> float:
        """No outage is looked at later than so long from now, but for maintenance."""
        holds_s = (self.wired_hold_s, self.cellular_hold_s, self.return_s, self.recovery_s, self.straggler_s)
        silence_s = max(self.silence_s(hinted) for hinted in (False, True))
        return max(*holds_s, silence_s, self.device_recovery_s, self.relapse_recovery_s)
