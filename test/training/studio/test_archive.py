"""Laws of archives: every clip is in the file, whole; what is none is refused."""

from pathlib import Path

import numpy as np
import pytest

from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.motion import FRAME_RATE, Motion
from text2gesture_ros.skeleton import JOINTS, REFERENCE
from text2gesture_ros.training.studio.archive import save_clips


def take(frames: int, gesture: str = "wave", emotion: str = "neutral") -> Motion:
    noise = np.random.default_rng(frames).normal(0.0, 0.01, (frames, len(JOINTS), 3))
    return Motion(REFERENCE + noise, gesture=gesture, emotion=emotion)


def test_clips_survive_the_file(tmp_path: Path) -> None:
    clips = [take(5), take(3, "nod", "positive"), take(4, "", "")]
    save_clips(tmp_path / "clips.npz", clips)
    with np.load(tmp_path / "clips.npz", allow_pickle=False) as file:
        assert tuple(file["joints"]) == JOINTS
        assert file["fps"] == FRAME_RATE
        assert file["labels"].tolist() == [clip.gesture for clip in clips]
        assert file["emotions"].tolist() == [clip.emotion for clip in clips]
        pieces = np.split(file["positions"], np.cumsum(file["lengths"])[:-1])
    assert [piece.tobytes() for piece in pieces] == [clip.positions.tobytes() for clip in clips]


def test_nothing_and_other_frame_rates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no clips"):
        save_clips(tmp_path / "clips.npz", [])
    with pytest.raises(InputError, match="30"):
        save_clips(tmp_path / "clips.npz", [Motion(REFERENCE[None], 30.0)])
