"""A robot's pose on the human skeleton is what retargeting makes the same pose of again."""

import numpy as np
import pytest

from text2gesture_ros.motion.robot_pose import human_of
from text2gesture_ros.resources import share_directory
from text2gesture_ros.retargeting.retargeter import Retargeter
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.skeleton import REFERENCE, bone_lengths

ROBOTS = sorted(path.stem for path in (share_directory() / "config" / "robots").glob("*.yaml"))


@pytest.mark.parametrize("name", ROBOTS)
def test_retargeted_it_points_where_the_robot_did(name):
    robot = load_robot(name)
    # From rest to a pose in reach of the limits, and back: what a robot that gestures does. It keeps clear of
    # itself, or retargeting would lead it elsewhere.
    clearance, generator = Clearance(robot), np.random.default_rng(3)
    wave = np.sin(np.linspace(0.0, np.pi, 120))[:, None]
    while True:
        goal = robot.rest + 0.35 * (generator.uniform(robot.lower, robot.upper) - robot.rest)
        angles = robot.rest + wave * (goal - robot.rest)
        distances = clearance.distances(angles)
        if (distances >= np.minimum(0.03, distances[0] - 1e-3)).all():
            break
    human = human_of(robot, angles)
    np.testing.assert_allclose(
        bone_lengths(human), np.tile(bone_lengths(REFERENCE), (len(human), 1)), atol=1e-9
    )
    found = Retargeter(robot).motion(human)
    given, again = robot.bone_directions(angles), robot.bone_directions(found)
    for bone, directions in given.items():
        off = np.degrees(np.arccos(np.clip((directions * again[bone]).sum(axis=-1), -1.0, 1.0)))
        assert np.median(off) < 2.0, bone
        assert off.max() < 15.0, bone
