"""Figures show how a hand is turned: the palm from its own side, and the thumb where the robot has one."""

import numpy as np
import pytest

from text2gesture_ros.apps.figures import human_shapes, robot_shapes
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.skeleton import INDEX, REFERENCE


def palms(shapes):
    """Return the directions from which palms are seen, (P, 3): the spots that are nearest to the viewer."""
    return np.array([shape.facing for shape in shapes if shape.facing is not None and shape.depth == 0.08])


def human(*, thumbs):
    """Return a human whose hands are stretched ahead with the thumbs towards `thumbs` (3,)."""
    body = REFERENCE.copy()
    for side in ("left", "right"):
        wrist = body[INDEX[f"{side}_shoulder"]] + np.array([0.5, 0.0, 0.0])
        body[INDEX[f"{side}_elbow"]] = wrist - np.array([0.25, 0.0, 0.0])
        body[INDEX[f"{side}_wrist"]] = wrist
        body[INDEX[f"{side}_hand"]] = wrist + np.array([0.1, 0.0, 0.0])
        body[INDEX[f"{side}_thumb"]] = wrist + 0.05 * np.array(thumbs)
    return body


def test_with_thumbs_up_the_palms_of_stretched_hands_face_each_other():
    left, right = palms(human_shapes(human(thumbs=[0.0, 0.0, 1.0])))
    np.testing.assert_allclose(left, [0.0, -1.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(right, [0.0, 1.0, 0.0], atol=1e-9)


def test_with_thumbs_to_the_left_one_palm_is_up_and_the_other_down():
    left, right = palms(human_shapes(human(thumbs=[0.0, 1.0, 0.0])))
    np.testing.assert_allclose([left, right], [[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]], atol=1e-9)


@pytest.mark.parametrize("name", ["pepper", "nao", "g1"])
def test_hands_that_open_have_fingers_and_a_thumb_and_the_others_a_palm_alone(name):
    robot = load_robot(name)
    opened, closed = robot.rest.copy(), robot.rest.copy()
    for hand in robot.hands.values():
        opened[hand.joint], closed[hand.joint] = hand.open, hand.closed
    shown = [robot_shapes(robot, pose, 1.0) for pose in (opened, closed)]
    for shapes in shown:
        assert len(palms(shapes)) == 2
        assert sum(shape.depth in (0.06, 0.07) for shape in shapes) == 2 * len(robot.hands)
    stretched, bent = (
        [float(np.linalg.norm(np.ptp(shape.points, axis=0))) for shape in shapes if shape.depth == 0.06]
        for shapes in shown
    )
    assert all(long > 2.0 * short for long, short in zip(stretched, bent, strict=True))
