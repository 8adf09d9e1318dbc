"""The laws: kept by who does as they ask, missed by who does less, and fair to bodies that lack something."""

import numpy as np
import pytest
import yaml
from legibility_cases import aimed, gazing, motion, nodding, standing, times_of, waving
from robot_cases import ROBOTS, name_of

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.labels import GESTURES, NEUTRAL
from text2gesture_ros.legibility.body import human_body, human_like, robot_body
from text2gesture_ros.legibility.laws import load_laws
from text2gesture_ros.resources import share_directory
from text2gesture_ros.retargeting.executor import retarget_motion

LAWS = load_laws()
FILE = share_directory() / "config" / "legibility.yaml"


def kept(performed, gesture=None):
    """Return which laws a motion keeps, by name."""
    findings = LAWS.findings(gesture or performed.gesture, human_body(performed), cut=True)
    return {finding.name: finding.kept for finding in findings}


def bound(gesture, beat=0):
    return LAWS.gestures[gesture].beats[beat].low


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("share", [0.8, 1.2])
def test_a_nod_is_deep_enough_twice(count, share):
    assert all(kept(nodding(share * bound("nod"), count)).values()) == (count == 2 and share > 1.0)


def test_a_mood_that_lowers_the_head_is_no_nod():
    positions = standing(3.0)
    down = 30.0 * np.sin(np.pi * times_of(positions) / 3.0)
    assert not all(kept(motion(gazing(positions, down, 0.0 * down), "nod")).values())


def test_a_shaken_head_is_no_nod_and_a_nod_no_shaken_head():
    positions = standing(1.6)
    left = 25.0 * np.sin(2.0 * np.pi * 2.0 * times_of(positions))
    shaken = human_body(motion(gazing(positions, 0.0 * left + 10.0, left)))
    assert (LAWS.shows("shakehead", shaken), LAWS.shows("nod", shaken)) == (True, False)
    nodded = human_body(nodding(30.0))
    assert (LAWS.shows("shakehead", nodded), LAWS.shows("nod", nodded)) == (False, True)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_wave_is_wide_enough_with_either_hand(side):
    assert all(kept(waving(0.9, side=side)).values())
    missed = kept(waving(0.1, side=side))
    assert [name for name, fine in missed.items() if not fine] == ["to both sides, twice"]


def test_a_point_with_a_bent_elbow_is_told_by_the_elbow():
    for upper_arm, fine in (((1.0, 0.0, 0.0), True), ((0.0, 0.0, -1.0), False)):
        posed = aimed(standing(1.0), "left", upper_arm, (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
        assert kept(motion(posed, "point"))["the elbow straight"] == fine
        assert kept(motion(posed, "point"))["the arm raised"]


@pytest.mark.parametrize("other", [False, True])
def test_both_arms_must_be_above_the_head(other):
    posed = standing(1.0)
    for side in ("left", "right") if other else ("right",):
        posed = aimed(posed, side, (0.0, 0.2, 1.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
    assert all(kept(motion(posed, "yay")).values()) == other


def test_who_stands_there_shows_no_gesture():
    assert kept(motion(standing(2.0)), NEUTRAL) == {"shows none of the other gestures": True}
    assert kept(nodding(30.0), NEUTRAL) == {"shows none of the other gestures": False}
    for gesture in LAWS.gestures:
        assert not LAWS.shows(gesture, human_body(motion(standing(2.0)))), gesture


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
def test_every_robot_is_asked_for_what_it_has(robot):
    body = robot_body(robot, np.arange(100) / 100.0, np.tile(robot.rest, (100, 1)))
    for gesture in GESTURES:
        found = LAWS.findings(gesture, body)
        assert found, gesture
        assert all(np.isfinite(each.value) for each in found)
        assert "shoulders lifted" not in {each.name for each in found}
        assert all(each.kept for each in found) == (gesture == NEUTRAL)
    nod = {each.name for each in LAWS.findings("nod", body)}
    turns = body.abilities["gaze_down"] >= bound("nod")
    assert ("down and up, twice" in nod, "the forearm nods twice" in nod) == (turns, not turns)


@pytest.mark.parametrize("robot", [robot for robot in ROBOTS if robot.name == "nao"], ids=name_of)
def test_a_large_nod_is_seen_on_a_robot_and_a_small_one_is_not(robot):
    for size, fine in ((40.0, True), (0.5 * bound("nod"), False)):
        body = robot_body(robot, *retarget_motion(robot, nodding(size, seconds=1.6)))
        assert LAWS.shows("nod", body) == fine


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
def test_a_human_like_a_robot_looks_where_it_looks(robot):
    generator = np.random.default_rng(3)
    angles = robot.lower + generator.random((20, len(robot.lower))) * (robot.upper - robot.lower)
    body = robot_body(robot, np.arange(20) / 100.0, angles)
    positions = human_like(robot, angles)
    human = human_body(motion(np.concatenate([standing(0.2)[:1], positions])))
    across = positions[:, 5] - positions[:, 10]
    if not robot.waist:  # else it faces where the waist points on the mean
        assert np.ptp(across, axis=0).max() < 1e-9
        assert human.gaze[1:] == pytest.approx(body.gaze, abs=1e-3)


def changed(tmp_path, change):
    """Write a file of laws that differs, and return its path."""
    data = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    change(data)
    path = tmp_path / "laws.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def test_every_number_of_the_file_counts(tmp_path):
    path = changed(tmp_path, lambda data: data["nod"]["beats"][0].update(at_least=35.0))
    assert LAWS.shows("nod", human_body(nodding(30.0)))
    assert not load_laws(path).shows("nod", human_body(nodding(30.0)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data.pop("wave"), "lacks the key 'wave'"),
        (lambda data: data.update(dance={}), "unknown key 'dance'"),
        (lambda data: data["nod"].update(arms="three"), "nod arms is 'three'"),
        (lambda data: data["nod"].pop("beats"), "a pose or beats"),
        (lambda data: data["nod"]["beats"][0].update(signal="hand_ahead"), "one of gaze_down, gaze_left"),
        (lambda data: data["nod"]["beats"][0].update(swings=0), "swings is 0"),
        (lambda data: data["wave"]["pose"][0].pop("at_least"), "at_least, at_most or both"),
        (lambda data: data["wave"]["pose"][0].update(at_most=-9.0), "the first below the second"),
        (lambda data: data["wave"]["pose"][0].pop("reason"), "lacks the key 'reason'"),
        (lambda data: data["wave"].pop("hold"), "wave hold is None"),
        (lambda data: data["end"].update(at_most=-1.0), "end at_most is -1"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(change, told, tmp_path):
    with pytest.raises(ConfigurationError, match=r"laws\.yaml") as refusal:
        load_laws(changed(tmp_path, change))
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_is_no_yaml_is_refused(tmp_path):
    path = tmp_path / "laws.yaml"
    for content in ("a: [", "just text", ""):
        path.write_text(content)
        with pytest.raises(ConfigurationError, match=r"laws\.yaml"):
            load_laws(path)
