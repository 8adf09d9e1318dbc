import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_cases import ROBOTS, name_of, random_angles

from text2gesture_ros.robots.clearance import Clearance, closest

SETTINGS = settings(max_examples=30, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)


def segments(seed, kind):
    """Return two segments (start, along), each (3,)."""
    generator = np.random.default_rng(seed)
    start_a, along_a, start_b, along_b = generator.normal(size=(4, 3))
    if kind == "point":
        along_a = np.zeros(3)
    elif kind == "points":
        along_a = along_b = np.zeros(3)
    elif kind == "parallel":
        along_b = along_a * generator.uniform(-2.0, 2.0)
    elif kind == "crossing":
        start_b = start_a + generator.uniform() * along_a - generator.uniform() * along_b
    elif kind == "touching":
        start_b = start_a + along_a
    return start_a, along_a, start_b, along_b


def distance(start_a, along_a, start_b, along_b):
    between = start_a - start_b
    products = (along_a @ along_a, along_b @ along_b, along_a @ along_b, along_a @ between, along_b @ between)
    on_a, on_b = closest(*products)
    assert 0.0 <= on_a <= 1.0
    assert 0.0 <= on_b <= 1.0
    return np.linalg.norm(start_a + on_a * along_a - start_b - on_b * along_b)


@pytest.mark.parametrize("kind", ["any", "point", "points", "parallel", "crossing", "touching"])
class TestClosest:
    @SETTINGS
    @given(seed=SEEDS)
    def test_no_two_points_of_the_segments_are_closer(self, kind, seed):
        start_a, along_a, start_b, along_b = segments(seed, kind)
        steps = np.linspace(0.0, 1.0, 81)[:, None]
        apart = (start_a + steps * along_a)[:, None] - (start_b + steps * along_b)
        least = np.linalg.norm(apart, axis=-1).min()
        finest = (np.linalg.norm(along_a) + np.linalg.norm(along_b)) / 160.0
        assert least - finest - 1e-9 <= distance(start_a, along_a, start_b, along_b) <= least + 1e-7

    @SETTINGS
    @given(seed=SEEDS)
    def test_neither_order_nor_place_nor_direction_matter(self, kind, seed):
        start_a, along_a, start_b, along_b = segments(seed, kind)
        expected = pytest.approx(distance(start_a, along_a, start_b, along_b), abs=1e-6)
        assert distance(start_b, along_b, start_a, along_a) == expected
        assert distance(start_a + 7.0, along_a, start_b + 7.0, along_b) == expected
        assert distance(start_a + along_a, -along_a, start_b, along_b) == expected


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
class TestEveryRobot:
    def test_distances_are_those_of_the_capsules_one_by_one(self, robot):
        angles = random_angles(robot, 4)
        ends = robot.capsule_ends(angles)
        found = Clearance(robot).distances(angles)
        assert found.shape == (len(angles), len(robot.pairs))
        for pair, (one, other) in enumerate(robot.pairs):
            radii = robot.capsules[one].radius + robot.capsules[other].radius
            for sample in range(len(angles)):
                (a, a_end), (b, b_end) = ends[sample, one], ends[sample, other]
                expected = distance(a, a_end - a, b, b_end - b) - radii
                assert found[sample, pair] == pytest.approx(expected, abs=1e-7)

    def test_gradients_are_finite_differences(self, robot):
        clearance = Clearance(robot)
        right = total = 0
        for angles in random_angles(robot, 15):
            pairs, distances, gradients = clearance.active_pairs(
                *robot.frames(angles), np.full(len(robot.pairs), np.inf)
            )
            np.testing.assert_allclose(distances, clearance.distances(angles), atol=1e-9)
            assert len(pairs) == len(robot.pairs)
            steps = 1e-6 * np.eye(len(angles))
            change = clearance.distances(angles + steps) - clearance.distances(angles - steps)
            errors = np.abs(change[:, pairs].T / 2e-6 - gradients).max(axis=1)
            right += (errors < 1e-5).sum()
            total += len(errors)
        # Where the closest points jump from one end to the other there is no gradient.
        assert right >= 0.99 * total

    def test_no_turn_changes_a_distance_by_more_than_its_bound(self, robot):
        clearance = Clearance(robot)
        one, other = random_angles(robot, 40), random_angles(robot, 40, 1)
        for other_part in (0.02, 1.0):
            turns = other_part * (other - one)
            change = np.abs(clearance.distances(one + turns) - clearance.distances(one))
            assert (change <= np.abs(turns) @ clearance.gradient_bounds.T + 1e-9).all()

    def test_active_pairs_are_those_within_the_activation_distance(self, robot):
        clearance = Clearance(robot)
        limits = np.random.default_rng(0).uniform(0.0, 0.1, len(robot.pairs))
        for angles in random_angles(robot, 20):
            pairs, distances, gradients = clearance.active_pairs(*robot.frames(angles), limits)
            every = clearance.distances(angles)
            np.testing.assert_allclose(distances, every, atol=1e-9)
            np.testing.assert_array_equal(pairs, np.flatnonzero(distances < limits))
            assert gradients.shape == (len(pairs), len(angles))

    def test_many_samples_and_one_are_the_same(self, robot):
        clearance = Clearance(robot)
        angles = random_angles(robot, 1100).reshape(2, 550, -1)
        distances = clearance.distances(angles)
        assert distances.shape == (2, 550, len(robot.pairs))
        np.testing.assert_allclose(clearance.distances(angles[1, 549]), distances[1, 549], atol=1e-12)

    def test_a_robot_without_pairs_is_always_clear(self, robot):
        clearance = Clearance(dataclasses.replace(robot, pairs=np.empty((0, 2), dtype=np.intp)))
        assert clearance.distances(robot.rest).shape == (0,)
        assert (
            clearance.distances(random_angles(robot, 3)).min(axis=-1, initial=np.inf).tolist() == [np.inf] * 3
        )
        pairs, distances, gradients = clearance.active_pairs(*robot.frames(robot.rest), np.empty(0))
        assert (pairs.shape, distances.shape) == ((0,), (0,))
        assert gradients.shape == (0, len(robot.joint_names))
