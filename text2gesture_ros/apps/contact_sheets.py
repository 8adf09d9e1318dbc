"""Contact sheets of the studio: one picture per gesture, a row for every form."""

from itertools import cycle
from pathlib import Path

import numpy as np

from text2gesture_ros.apps.rendering import Painter, Scene
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.training.studio.repertoire import PERFORMANCES
from text2gesture_ros.training.studio.synthesis import synthesise

_MOMENTS = 7


def save_sheets(directory: Path, seed: int) -> list[Path]:
    """Write one PNG per gesture into a directory that exists; return their paths.

    Args:
        directory: where.
        seed: of who performs; emotions take turns from form to form.
    """
    paths = []
    for label, gesture in enumerate(GESTURES):
        rows = [
            Scene(form, synthesise(gesture, emotion, np.random.default_rng([seed, label, row]), form))
            for row, (form, emotion) in enumerate(zip(PERFORMANCES[gesture], cycle(EMOTIONS), strict=False))
        ]
        path = directory / f"{gesture}.png"
        Painter().save_contact_sheet(path, rows, _MOMENTS)
        paths.append(path)
    return paths
