from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_cases import ROBOTS, name_of

from text2gesture_ros.control.ownership import JointOwnership
from text2gesture_ros.gestures import GROUPS, needs_of
from text2gesture_ros.parameters import ALWAYS, MODES, NEVER, WHEN_USED, GestureRetargeterParameters
from text2gesture_ros.retargeting.executor import DEFAULTS
from text2gesture_ros.retargeting.reference import BlendOffset, JointClip, Reference


def clip(robot, start, count=60, shift=0.2, *, name=("a", 0), complete=True, used=frozenset(GROUPS)):
    """A clip that holds a pose `shift` of the way from rest to the middle of the range."""
    pose = robot.rest + shift * ((robot.lower + robot.upper) / 2.0 - robot.rest)
    return JointClip(name, start + np.arange(count) / 60.0, np.tile(pose, (count, 1)), complete, used)


def reference_of(robot, **parameters):
    return Reference(JointOwnership(robot, replace(DEFAULTS, **parameters)))


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
class TestEveryRobot:
    def test_a_gesture_begins_when_it_is_due_and_is_over_at_its_end(self, robot):
        reference = reference_of(robot)
        reference.next = clip(robot, 1.0)
        assert reference.active_and_next(0.99) == (None, reference.next)
        assert reference.active_and_next(1.0) == (reference.next, None)
        reference.advance(1.5)
        playing = reference.playing
        assert playing is not None
        assert reference.active_and_next(playing.end) == (playing, None)
        assert reference.active_and_next(playing.end + 0.01) == (None, None)

    def test_one_that_is_due_takes_over_from_what_plays(self, robot):
        reference = reference_of(robot)
        reference.playing, reference.next = clip(robot, 0.0), clip(robot, 0.5, name=("b", 0))
        assert reference.active_and_next(0.4) == (reference.playing, reference.next)
        reference.advance(0.5)
        assert reference.playing.clause == ("b", 0)

    def test_missing_frames_are_waited_for_and_then_given_up(self, robot):
        reference = reference_of(robot, frame_timeout=0.4)
        reference.playing = clip(robot, 0.0, 30, complete=False)
        end = reference.playing.end
        assert reference.active_and_next(end + 0.3)[0] is reference.playing
        assert not reference.timed_out(end + 0.39)
        assert reference.timed_out(end + 0.41)

    def test_frames_join_what_is_played_or_pending(self, robot):
        for played in [False, True]:
            reference = reference_of(robot)
            first = clip(robot, 0.0, 30, complete=False)
            reference.playing, reference.next = (first, None) if played else (None, first)
            reference.extend(clip(robot, 0.5, 30), 0.1)
            whole = reference.playing if played else reference.next
            assert len(whole.times) == 60
            assert whole.complete

    def test_frames_long_played_are_forgotten(self, robot):
        reference = reference_of(robot)
        reference.playing = clip(robot, 0.0, complete=False)
        for second in range(1, 50):
            reference.extend(clip(robot, float(second), complete=False), float(second))
        assert len(reference.playing.times) < 300

    def test_frames_after_the_robot_left_start_anew(self, robot):
        reference = reference_of(robot)
        late = clip(robot, 2.1, 10)
        reference.extend(late, 2.0)
        assert reference.next is late

    def test_scale_counts_at_once(self, robot):
        reference, held, times = reference_of(robot), clip(robot, 0.0), np.array([0.3, 0.5])
        np.testing.assert_allclose(reference.targets(held, times), held.angles[:2], atol=1e-12)
        reference.ownership.configure(replace(DEFAULTS, gesture_scale=0.0))
        np.testing.assert_allclose(reference.targets(held, times), np.tile(robot.rest, (2, 1)), atol=1e-12)

    def test_a_group_that_is_not_commanded_stays_at_rest(self, robot):
        times = np.array([0.5])
        held = clip(robot, 0.0, used=frozenset({"left_arm"}))
        for group, joints in robot.groups.items():
            index = list(joints)
            for mode in MODES:
                wanted = reference_of(robot, **{group: mode}).targets(held, times)[0]
                moves = mode == ALWAYS or (mode == WHEN_USED and group == "left_arm")
                np.testing.assert_allclose(wanted[index], (held.angles[0] if moves else robot.rest)[index])
                others = np.setdiff1d(np.arange(len(wanted)), index)
                np.testing.assert_allclose(wanted[others], held.angles[0][others])

    def test_between_frames_a_smooth_motion_is_found_again(self, robot):
        def angles(times):
            return robot.rest + 0.3 * np.sin(5.0 * times)[:, None]

        frames = np.arange(60) / 60.0
        times = np.linspace(frames[0], frames[-1], 500)
        smooth = JointClip(("a", 0), frames, angles(frames), True)
        inside = (times > frames[1]) & (times < frames[-2])
        np.testing.assert_allclose(smooth.at(times)[inside], angles(times)[inside], atol=2e-5)
        np.testing.assert_allclose(smooth.at(frames), smooth.angles, atol=1e-12)
        np.testing.assert_array_equal(smooth.at(np.array([-1.0, 5.0])), smooth.angles[[0, -1]])
        # What is asked for alone is what is asked for with others.
        np.testing.assert_allclose(smooth.at(times[250:251])[0], smooth.at(times)[250], atol=1e-12)

    def test_a_clip_of_few_frames_is_held(self, robot):
        for count in [1, 2]:
            held = clip(robot, 0.0, count)
            np.testing.assert_allclose(held.at(np.array([-1.0, 0.0, 9.0])), np.tile(held.angles[0], (3, 1)))


def test_a_fade_begins_with_all_and_ends_with_nothing_and_never_jumps():
    offset = np.array([0.5, -2.0, 0.0])
    fade = BlendOffset(offset, 1.0, 0.4)
    times = np.linspace(0.8, 1.6, 801)
    left = fade.at(times)
    np.testing.assert_array_equal(left[times <= 1.0], np.tile(offset, ((times <= 1.0).sum(), 1)))
    np.testing.assert_allclose(left[times >= 1.4], 0.0, atol=1e-12)
    # A minimum-jerk move over a distance d in a time T is nowhere faster than 1.875 d / T.
    assert (np.abs(np.diff(left, axis=0)) <= 1.875 * np.abs(offset) / 0.4 * 0.001 * 1.01 + 1e-12).all()
    np.testing.assert_array_equal(BlendOffset(offset, 1.0, 0.0).at(np.array([1.0])), np.zeros((1, 3)))


def test_a_group_is_commanded_where_the_gesture_needs_it():
    wave, nod = needs_of("wave").groups, needs_of("nod").groups
    assert not GestureRetargeterParameters(head=WHEN_USED).commands("head", wave)
    assert GestureRetargeterParameters(head=WHEN_USED).commands("head", nod)
    assert not GestureRetargeterParameters(head=NEVER).commands("head", nod)


class TestExtrapolation:
    @given(seed=st.integers(0, 2**32 - 1))
    @settings(max_examples=20, deadline=None)
    def test_a_parabola_goes_on(self, seed):
        generator = np.random.default_rng(seed)
        times = 3.0 + np.arange(12) / 60.0
        powers = (times[:, None] - 3.0) ** np.arange(3.0)
        factors = generator.normal(size=(3, 5))
        soon = JointClip(("a", 0), times, powers @ factors, False).extrapolated(times[-1] + 0.05)
        assert soon.end == times[-1] + 0.05
        expected = (soon.end - 3.0) ** np.arange(3.0) @ factors
        np.testing.assert_allclose(soon.angles[-1], expected, atol=1e-6)

    def test_noise_goes_nowhere(self):
        noise = np.random.default_rng(0).normal(size=(12, 2000)) * 0.02
        clip = JointClip(("a", 0), np.arange(12) / 60.0, noise, False)
        gone = clip.extrapolated(clip.end + 0.05).angles[-1] - noise[-1]
        assert np.mean(gone == 0.0) > 0.8

    def test_few_frames_tell_nothing(self):
        clip = JointClip(("a", 0), np.arange(3) / 60.0, np.eye(3), False)
        assert clip.extrapolated(1.0) is clip


class TestAsOf:
    """A reference as if only those frames were known that a plan was made from."""

    def test_frames_that_came_later_are_unknown_and_the_clip_goes_on(self):
        robot = ROBOTS[0]
        reference = reference_of(robot)
        reference.playing = clip(robot, 1.0, count=40)
        commit = replace(reference.commit(5, 1, 0.4), known_until=reference.playing.times[15])
        past = reference.as_of(commit).playing
        assert past is not None
        np.testing.assert_array_equal(past.times, reference.playing.times[:16])
        assert not past.complete
        assert reference.playing.complete  # the present is as it was

    def test_a_clause_that_came_later_is_unknown(self):
        robot = ROBOTS[0]
        reference = reference_of(robot)
        reference.playing = clip(robot, 1.0)
        commit = reference.commit(5, 0, np.inf)
        reference.next = clip(robot, 1.2, name=("b", 0))
        past = reference.as_of(commit)
        assert (past.playing, past.next) == (reference.playing, None)

    def test_of_a_clause_that_waits_only_what_was_known_counts_and_what_plays_goes_on(self):
        robot = ROBOTS[0]
        reference = reference_of(robot)
        reference.playing = clip(robot, 1.0)
        reference.next = clip(robot, 1.2, count=8, name=("b", 0), complete=False)
        commit = reference.commit(5, 0, np.inf)
        reference.next = clip(robot, 1.2, count=30, name=("b", 0))
        past = reference.as_of(commit)
        assert past.playing is reference.playing
        assert past.next is not None
        assert (len(past.next.times), past.next.complete) == (8, False)

    def test_what_is_known_now_is_what_a_plan_of_now_is_made_from(self):
        robot = ROBOTS[0]
        for playing, waiting in ((None, None), (0.5, None), (None, 1.0), (0.5, 1.0)):
            reference = reference_of(robot)
            reference.playing = None if playing is None else clip(robot, playing)
            reference.next = None if waiting is None else clip(robot, waiting, name=("b", 0))
            past = reference.as_of(reference.commit(3, 0, np.inf))
            assert (past.playing, past.next) == (reference.playing, reference.next)

    def test_before_the_first_frame_nothing_is_known(self):
        robot = ROBOTS[0]
        reference = reference_of(robot)
        commit = reference.commit(0, 0, np.inf)
        reference.playing = clip(robot, 1.0)
        past = reference.as_of(commit)
        assert (past.playing, past.next) == (None, None)
