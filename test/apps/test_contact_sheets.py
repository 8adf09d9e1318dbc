"""Contact sheets: a picture per gesture, a row per form."""

from pathlib import Path

import pytest

from text2gesture_ros.apps import contact_sheets as sheets
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.training.studio.repertoire import PERFORMANCES

Image = pytest.importorskip("PIL.Image")


def test_every_gesture_has_its_sheet_with_a_row_for_every_form(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sheets, "_MOMENTS", 1)
    few = {
        gesture: dict(list(forms.items())[: 1 + label % 2])
        for label, (gesture, forms) in enumerate(PERFORMANCES.items())
    }
    monkeypatch.setattr(sheets, "PERFORMANCES", few)
    paths = sheets.save_sheets(tmp_path, seed=0)
    assert [path.stem for path in paths] == list(GESTURES)
    heights = [Image.open(path).height for path in paths]
    assert heights[1] > heights[0], "two forms need more room than one"
