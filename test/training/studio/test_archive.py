"""Laws of archives: what is written is read again; what is none is refused."""

from pathlib import Path

import numpy as np
import pytest

from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import JOINTS, REFERENCE
from text2gesture_ros.training.studio.archive import load_clips, save_clips


def clip(frames: int, gesture: str = "wave", emotion: str = "neutral") -> Motion:
    noise = np.random.default_rng(frames).normal(0.0, 0.01, (frames, len(JOINTS), 3))
    return Motion(REFERENCE + noise, gesture=gesture, emotion=emotion)


def test_clips_survive_the_file(tmp_path: Path) -> None:
    clips = [clip(5), clip(3, "nod", "positive"), clip(4, "", "")]
    save_clips(tmp_path / "clips.npz", clips)
    again = load_clips(tmp_path / "clips.npz")
    assert [(c.gesture, c.emotion, c.frame_rate) for c in again] == [
        (c.gesture, c.emotion, c.frame_rate) for c in clips
    ]
    assert [c.positions.tobytes() for c in again] == [c.positions.tobytes() for c in clips]


def test_nothing_and_other_frame_rates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no clips"):
        save_clips(tmp_path / "clips.npz", [])
    with pytest.raises(InputError, match="30"):
        save_clips(tmp_path / "clips.npz", [Motion(REFERENCE[None], 30.0)])


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    with pytest.raises(InputError, match=r"other\.npz: cannot be read"):
        load_clips(path)
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"other\.npz: cannot be read"):
        load_clips(path)
    clip(4).save(path)
    with pytest.raises(InputError, match="keys missing: lengths, labels, emotions"):
        load_clips(path)
    save_clips(path, [clip(4)])
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, "lengths": np.array([3])})
    with pytest.raises(InputError, match="do not fit"):
        load_clips(path)
