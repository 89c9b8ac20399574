"""An optical counter sees swollen particles when it is humid: published corrections, as a metric beside the raw."""

from typing import Final, Literal

PmCorrection = Literal["none", "barkjohn-2021"]
_HIGHEST_UGM3: Final = 343.0


def corrected_pm25_ugm3(raw_ugm3: float, rh_pct: float) -> float | None:
    """PM2.5 (µg/m³) by Barkjohn, Gantt and Clements 2021, Atmos. Meas. Tech. 14, 4617.

    Fitted to daily means of Plantower PMS5003 sensors (their CF=1 value) at 50 sites of the United States. None above
    343 µg/m³, where the authors' later work bends the line.
    """
    if raw_ugm3 > _HIGHEST_UGM3:
        return None
    return max(0.0, 0.524 * raw_ugm3 - 0.0862 * rh_pct + 5.75)
