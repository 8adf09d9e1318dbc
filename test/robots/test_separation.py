"""Separation: a pair counts as apart only by a proof, and contact that exists is found."""

from dataclasses import replace

import numpy as np
import pytest
from robot_cases import ROBOTS, name_of, random_angles
from urdf_cases import JOINTS, urdf

from text2gesture_ros.control.verification import MIN_CLEARANCE
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.proposal import propose
from text2gesture_ros.robots.separation import APART, JOINED, MARGIN, TOUCHING, ignored_pairs, separations
from text2gesture_ros.robots.urdf import read_urdf


def distances_of(robot, pairs, angles):
    return Clearance(replace(robot, pairs=np.array(pairs))).distances(angles)


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
def test_every_ignored_pair_of_a_robot_that_ships_is_proved(robot):
    pairs = ignored_pairs(robot)
    found = separations(robot, pairs)
    assert {pair.verdict for pair in found} <= {APART, JOINED}, [
        f"{pair.one} and {pair.other}: {pair.reason}" for pair in found if pair.verdict not in (APART, JOINED)
    ]
    # And no pose contradicts a proof.
    distances = distances_of(robot, pairs, random_angles(robot, 3000))
    for pair, column in zip(found, distances.T, strict=True):
        assert column.min() >= MARGIN if pair.verdict == APART else column.max() <= 0.0


def test_what_is_proved_apart_is_never_refused():
    assert MARGIN >= MIN_CLEARANCE


def small():
    return propose(read_urdf(urdf(JOINTS), "small.urdf"), "small").robot()


def test_contact_in_few_poses_is_found():
    robot = small()
    names = [capsule.name for capsule in robot.capsules]
    pair = [names.index("left_hand"), names.index("right_hand")]
    poses = random_angles(robot, 300)
    assert (distances_of(robot, [pair], poses) > 0.0).all()  # where samples see none
    (found,) = separations(robot, [pair])
    assert found.verdict == TOUCHING
    assert not found.may_be_ignored
    assert (robot.lower <= found.pose).all()
    assert (found.pose <= robot.upper).all()
    assert distances_of(robot, [pair], found.pose)[0] == pytest.approx(found.distance)
    assert found.distance <= 0.0


def test_limits_that_keep_parts_apart_are_a_proof():
    robot = small()
    names = [capsule.name for capsule in robot.capsules]
    pair = [names.index("left_forearm"), names.index("right_forearm")]
    near = np.maximum(robot.rest - 0.1, robot.lower), np.minimum(robot.rest + 0.1, robot.upper)
    (found,) = separations(replace(robot, lower=near[0], upper=near[1]), [pair])
    assert found.verdict == APART


def test_parts_that_meet_at_their_joint_are_joined():
    robot = small()
    names = [capsule.name for capsule in robot.capsules]
    (found,) = separations(robot, [[names.index("left_upper_arm"), names.index("left_forearm")]])
    assert found.verdict == JOINED
