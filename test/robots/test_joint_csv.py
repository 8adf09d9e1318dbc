"""Joints as CSV: what is written is read back, and what is wrong is named."""

import numpy as np
import pytest

from text2gesture_ros.errors import InputError
from text2gesture_ros.robots.joint_csv import load_joints, save_joints

NAMES = ("yaw", "pitch")


def test_round_trip_keeps_every_digit(tmp_path):
    generator = np.random.default_rng(1)
    times = np.cumsum(generator.uniform(1e-3, 1e-1, 50))
    positions = generator.normal(size=(50, 2))
    save_joints(tmp_path / "joints.csv", NAMES, times, positions)
    read_times, read_positions = load_joints(tmp_path / "joints.csv", NAMES)
    assert (read_times == times).all()
    assert (read_positions == positions).all()


def test_columns_are_matched_by_name(tmp_path):
    path = tmp_path / "joints.csv"
    path.write_text("time,pitch,yaw\n0,1,2\n\n1,3,4\n")
    times, positions = load_joints(path, NAMES)
    assert times.tolist() == [0, 1]
    assert positions.tolist() == [[2, 1], [4, 3]]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty"),
        ("time,yaw,pitch\n", "no samples"),
        ("yaw,pitch\n0,0\n", "first column is 'yaw'"),
        ("time,yaw,roll\n0,0,0\n", "unknown joint 'roll'. Known: yaw, pitch"),
        ("time,yaw\n0,0\n", "Missing: pitch"),
        ("time,yaw,pitch,yaw\n0,0,0,0\n", "once"),
        ("time,yaw,pitch\n0,0\n", "line 2: 2 values, expected 3"),
        ("time,yaw,pitch\n0,0,0\n\n1,0,0,0\n", "line 4: 4 values, expected 3"),
        ("time,yaw,pitch\n0,x,0\n", "'x'"),
        ("time,yaw,pitch\n0,0,0\n\n1,nan,0\n", "line 4: yaw is nan"),
        ("time,yaw,pitch\n0,0,inf\n", "line 2: pitch is inf"),
        ("time,yaw,pitch\n0,0,0\n0,0,0\n", "line 3: time 0.0 does not grow"),
    ],
)
def test_what_is_wrong_is_named(text, complaint, tmp_path):
    path = tmp_path / "joints.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"joints\.csv") as error:
        load_joints(path, NAMES)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        save_joints(tmp_path / "no" / "joints.csv", NAMES, np.zeros(1), np.zeros((1, 2)))
