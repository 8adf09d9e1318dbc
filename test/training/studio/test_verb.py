"""The verb studio: a data set on disk, contact sheets, a comparison with recordings."""

import json
from pathlib import Path

import numpy as np
import pytest

from text2gesture_ros.apps.cli import main
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.training.studio.synthesis import dataset


def test_it_writes_the_parts_and_says_how_they_move(tmp_path: Path, capsys) -> None:
    output, recordings = tmp_path / "set", tmp_path / "people"
    recordings.mkdir()
    dataset(5, 1)[0].save(recordings / "one.npz")
    (recordings / "broken.npz").write_bytes(b"no recording")
    options = ["--clips", "2", "--distractors", "3", "--seed", "4", "--compare", str(recordings), "--json"]
    assert main(["studio", "--output", str(output), *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["files"] == {
        str(output / "training.npz"): 2 * len(GESTURES),
        str(output / "distractors.npz"): 3,
    }
    assert set(found["naturalness"]["studio"]) == set(found["naturalness"]["real"])
    assert "broken.npz" in found["not_compared"][0]
    written = np.load(output / "training.npz")["positions"]
    np.testing.assert_array_equal(written, np.concatenate([clip.positions for clip in dataset(4, 2)]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--clips", "0"], "--clips must be in [1, 100000] but is 0"),
        (["--seed", "-1"], "--seed must be in [0, 100000] but is -1"),
        (["--compare", "nowhere"], "--compare nowhere: no such folder"),
    ],
)
def test_bad_input_is_one_line(options: list[str], said: str, tmp_path: Path, capsys) -> None:
    assert main(["studio", "--output", str(tmp_path / "set"), *options]) == 2
    assert capsys.readouterr().err == f"text2gesture studio: error: {said}\n"
    assert not (tmp_path / "set").exists()


def test_a_folder_without_recordings_is_refused(tmp_path: Path, capsys) -> None:
    assert main(["studio", "--output", str(tmp_path / "set"), "--compare", str(tmp_path)]) == 2
    assert "no recording of 1 s or more" in capsys.readouterr().err
