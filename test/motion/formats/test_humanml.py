"""HumanML3D joints: 22 of SMPL, y up, looking along z."""

import numpy as np
import pytest
from recording_cases import in_file_axes

from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.formats import read_recording
from text2gesture_ros.skeleton import INDEX, REFERENCE

ORDER = (
    *("pelvis", "left_hip", "right_hip", "chest", "left_knee", "right_knee", "chest", "left_ankle"),
    *("right_ankle", "chest", "left_ankle", "right_ankle", "neck", "neck", "neck", "head"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
)


def body(frames=20):
    return np.repeat(in_file_axes(REFERENCE[[INDEX[name] for name in ORDER]])[None], frames, axis=0)


def test_the_body_comes_back(tmp_path):
    np.save(tmp_path / "a.npy", body().astype(np.float32))
    recording = read_recording(tmp_path / "a.npy")
    assert (recording.source_frame_rate, len(recording.motion)) == (20.0, 58)
    assert set(recording.filled) == {"nose", "left_hand", "left_thumb", "right_hand", "right_thumb"}
    np.testing.assert_allclose(recording.motion.positions, [REFERENCE] * 58, atol=1e-5)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((5, 263)), "features, not joints"),
        (np.zeros((22, 3)), r"Allowed: numbers \(T, 22, 3\)"),
        (np.zeros((0, 22, 3)), "0 frames"),
        (np.full((5, 22, 3), np.nan), "no joint was ever seen"),
        (np.array([None]), "no array"),
        (np.zeros((5, 22, 3)), "no limb of any length|which way"),
    ],
)
def test_anything_else_is_refused(tmp_path, array, said):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match=said):
        read_recording(tmp_path / "a.npy")
