"""A contact sheet to look at: rows are hours of the day, columns are seeds or faults.

`python -m firmware_sim.cameras.scenes --seed 3 --out sheet.png`, with `--faults` for one column per fault,
`--film vtest.avi` for the filmed family, `--kind street`, `--hours 6,12,20`, `--columns 4`.
"""

import argparse
from pathlib import Path

import av
import numpy as np
from PIL import Image

from .filmed import filmed
from .painted import painted
from .seen import PictureFault, Scene
from .spoiled import Spoilable, spoiled

HOURS = "2,5.8,6.3,8,10.5,13,16.5,18.4,18.9,21"


def main() -> None:
    """Writes the sheet."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--out", type=Path, default=Path("sheet.png"))
    asked.add_argument("--hours", default=HOURS)
    asked.add_argument("--kind", choices=("market", "street"), default="market")
    asked.add_argument("--faults", action="store_true")
    asked.add_argument("--film", type=Path)
    asked.add_argument("--columns", type=int, default=5)
    asked.add_argument("--later", type=float, default=4, help="hours from a fault's start to its picture")
    given = asked.parse_args()
    hours = [float(hour) for hour in given.hours.split(",")]
    columns = [_scene(given, given.seed + number) for number in range(1 if given.faults else given.columns)]
    rows = [[_seen(scene, hour) for scene in columns] + _faults(given, columns[0], hour) for hour in hours]
    Image.fromarray(np.vstack([np.hstack(row) for row in rows])).save(given.out)


def _scene(given: argparse.Namespace, seed: int) -> Spoilable:
    return filmed(seed, given.film) if given.film else painted(seed, kind=given.kind)


def _faults(
    given: argparse.Namespace, scene: Spoilable, hour: float
) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    if not given.faults:
        return []
    starts = (hour - given.later) * 3_600
    return [_seen(spoiled(scene, fault, starts, given.seed), hour) for fault in PictureFault]


def _seen(scene: Scene, hour: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    picture = scene.at(hour * 3_600 + 7).i420
    return np.asarray(av.VideoFrame.from_ndarray(picture, format="yuvj420p").to_ndarray(format="rgb24"), np.uint8)


if __name__ == "__main__":
    main()
