"""NTU RGB+D: 25 joints in the camera's frame, several bodies, joints that were not seen."""

import numpy as np
import pytest
from recording_cases import in_file_axes

from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.formats import read_recording
from text2gesture_ros.skeleton import INDEX, REFERENCE

ORDER = (
    *("pelvis", "chest", "neck", "head"),
    *("left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    *("right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    *("left_hip", "left_knee", "left_ankle", "left_ankle"),
    *("right_hip", "right_knee", "right_ankle", "right_ankle"),
    *("neck", "left_hand", "left_thumb", "right_hand", "right_thumb"),
)
# Who looks at the camera stands before it with the left hand at its right: turned half round, 3 m away.
BODY = in_file_axes(REFERENCE[[INDEX[name] for name in ORDER]]) * [-1, 1, -1] + [0.2, 0.1, 3.0]


def moving(frames=30, amount=0.2):
    """Return (T, 25, 3): the right hand goes up and down."""
    body = np.repeat(BODY[None], frames, axis=0)
    body[:, [10, 11, 23, 24], 1] += amount * np.sin(np.linspace(0, 6, frames))[:, None]
    return body


def write(path, *bodies, unseen=()):
    """Write bodies (T, 25, 3), each with its state of tracking; `unseen` are frame and joint of the first."""
    lines = [str(len(bodies[0]))]
    for frame in range(len(bodies[0])):
        here = [(name, body[frame]) for name, body in enumerate(bodies) if np.isfinite(body[frame]).all()]
        lines.append(str(len(here)))
        for name, joints in here:
            lines += [f"7200{name} 0 1 1 1 1 0 0.01 -0.2 2", "25"]
            for index, (x, y, z) in enumerate(joints):
                state = 0 if (frame, index) in unseen and name == 0 else 2
                lines.append(f"{x:.6f} {y:.6f} {z:.6f} 277.4 191.8 1036.2 519.6 -0.2 0.03 0.9 -0.02 {state}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_body_comes_back_facing_ahead_and_left_is_left(tmp_path):
    recording = read_recording(write(tmp_path / "a.skeleton", moving(amount=0.0)))
    assert (recording.source_frame_rate, recording.filled) == (30.0, ("nose",))
    np.testing.assert_allclose(recording.motion.positions, [REFERENCE] * len(recording.motion), atol=1e-4)
    assert "FootLeft" in recording.unmapped


def test_the_body_that_moves_most_is_taken(tmp_path):
    still, lively = moving(amount=0.05), moving(amount=0.3)
    ghost = np.full_like(lively, np.nan)
    ghost[3:5] = lively[3:5] * [[[4]], [[-4]]]
    recording = read_recording(write(tmp_path / "a.skeleton", still, lively, ghost))
    alone = read_recording(write(tmp_path / "b.skeleton", lively))
    np.testing.assert_allclose(recording.motion.positions, alone.motion.positions, atol=1e-5)
    assert any("3 bodies" in note for note in recording.notes)


def test_short_gaps_are_closed(tmp_path):
    body = moving()
    for index in (9, 10):
        body[12:15, index] = 0.0  # what the tracker writes where it knows nothing
    recording = read_recording(write(tmp_path / "a.skeleton", body, unseen={(5, 6)}))
    whole = read_recording(write(tmp_path / "b.skeleton", moving()))
    assert np.abs(recording.motion.positions - whole.motion.positions).max() < 0.03
    assert any("right_elbow" in note and "0.10 s" in note for note in recording.notes)


def test_long_gaps_are_an_error_unless_at_the_end_of_a_limb(tmp_path):
    unseen = {(frame, 11) for frame in range(5, 25)}
    recording = read_recording(write(tmp_path / "a.skeleton", moving(), unseen=unseen))
    assert "right_hand" in recording.filled
    unseen = {(frame, 9) for frame in range(5, 25)}
    with pytest.raises(InputError, match=r"right_elbow was unseen for 0\.67 s in a row\. Allowed: 0\.25 s"):
        read_recording(write(tmp_path / "a.skeleton", moving(), unseen=unseen))


@pytest.mark.parametrize("word", ["nan", "-nan(ind)", "NaN", "inf", "-1.#IND"])
def test_what_has_no_number_is_unseen(tmp_path, word):
    path = write(tmp_path / "a.skeleton", moving())
    lines = path.read_text().splitlines()
    for frame in range(12, 15):
        row = 1 + frame * 28 + 3 + 11
        lines[row] = " ".join([word] * 3 + lines[row].split()[3:])
    path.write_text("\n".join(lines))
    recording = read_recording(path)
    whole = read_recording(write(tmp_path / "b.skeleton", moving()))
    assert np.abs(recording.motion.positions - whole.motion.positions).max() < 0.03
    assert any("right_hand was unseen for up to 0.10 s" in note for note in recording.notes)


@pytest.mark.parametrize("gap", [0, 3])
def test_a_body_that_gets_another_name_is_followed(tmp_path, gap):
    body, other = moving(), moving(amount=0.0) + np.array([1.5, 0.0, 0.0])
    first, second = body.copy(), body.copy()
    first[15 - gap :] = second[:15] = np.nan
    recording = read_recording(write(tmp_path / "a.skeleton", first, second, other))
    whole = read_recording(write(tmp_path / "b.skeleton", body))
    assert len(recording.motion) == len(whole.motion)
    assert np.abs(recording.motion.positions - whole.motion.positions).max() < 0.03
    assert any("72001, from 0.5 s on, is taken for 72000" in note for note in recording.notes)


def test_a_body_that_is_lost_for_long_or_elsewhere_is_another_and_that_is_said(tmp_path):
    body = moving(60)
    first, second = body.copy(), body + np.array([2.0, 0.0, 0.0])
    first[20:] = second[:20] = np.nan
    late = body.copy()
    late[:45] = np.nan
    for begins, length, other in ((0.7, 40, second), (0.0, 20, late)):
        recording = read_recording(write(tmp_path / "a.skeleton", first, other))
        ends = begins + length / 30
        assert any(f"seen from {begins:.1f} to {ends:.1f} s" in note for note in recording.notes)
        assert len(recording.motion) == pytest.approx(2 * length, abs=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("many\n", "line 1: 'many'"),
        ("1\n0\n", "no body"),
        ("2\n1\n7 0 1 1 1 1 0 0 0 2\n25\n", "line 4: the file ends"),
        ("1\n1\n7 0 1\n", "line 3: 3 values of a body"),
        ("1\n1\n7 0 1 1 1 1 0 0 0 2\n20\n", "not 25 joints"),
        ("1\n1\n7 0 1 1 1 1 0 0 0 2\n25\n1 2 3\n", "line 5: 3 values of a joint"),
        ("99999999999999999999\n", "at most"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, text, said):
    path = tmp_path / "a.skeleton"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_recording(path)
