"""Where the film is: real footage of a fixed camera, which `make parts` unpacks and nobody commits."""

from pathlib import Path
from typing import Final

NAME: Final = "vtest.avi"
PLACES: Final = (Path(".parts/film"), Path("/usr/share/doc/opencv-doc/examples/data"))


def find_film(places: tuple[Path, ...] = PLACES) -> Path:
    """The film's file. FileNotFoundError says how to get it."""
    for place in places:
        if (place / NAME).is_file():
            return place / NAME
    looked = ", ".join(str(place) for place in places)
    raise FileNotFoundError(
        f"{NAME} is in none of {looked}. Run `make parts` in the repository's folder: it unpacks the film."
    )
