"""The gallery: one strip per gesture, a column per figure, the same bytes each time."""

import json

import numpy as np
import pytest
from PIL import Image

from text2gesture_ros.apps.cli import BAD_INPUT, main
from text2gesture_ros.apps.gallery import stroke
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import INDEX, REFERENCE

pytestmark = pytest.mark.usefixtures("loaded_once")


def run(folder, *options):
    return main(["gallery", "--gestures", "yay", "--output", str(folder), *options])


def test_a_strip_has_the_human_and_every_robot_and_they_move(tmp_path, capsys):
    assert run(tmp_path / "one", "--robots", "pepper", "--json") == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert [name.rsplit("/", 1)[-1] for name in files] == ["yay.gif", "contact_sheet.png"]
    assert run(tmp_path / "two", "--robots", "pepper", "nao") == 0
    with Image.open(tmp_path / "one" / "yay.gif") as one, Image.open(tmp_path / "two" / "yay.gif") as two:
        assert 3 * one.width == 2 * two.width
        first = np.asarray(two.convert("RGB")).astype(int)
        two.seek(two.n_frames // 2)
        moved = (np.asarray(two.convert("RGB")) != first).any(axis=(0, 2))
    assert all(part.any() for part in np.split(moved, 3))


def test_the_same_pictures_each_time(tmp_path):
    for folder in ("one", "two"):
        assert run(tmp_path / folder, "--robots", "nao") == 0
    for name in ("yay.gif", "contact_sheet.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_stroke_is_where_the_hand_is_furthest_from_rest():
    positions = np.tile(REFERENCE, (60, 1, 1))
    positions[:, INDEX["right_wrist"], 2] += np.sin(np.linspace(0.0, np.pi, 60)) ** 2 * 0.5
    assert stroke(Motion(positions)) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("options", [["--robots", "marvin"], ["--gestures", "dance"]])
def test_what_is_unknown_is_named(options, tmp_path, capsys):
    assert main(["gallery", "--output", str(tmp_path), *options]) == BAD_INPUT
    error = capsys.readouterr().err
    assert options[1] in error
    assert "Known" in error
    assert error.count("\n") == 1
