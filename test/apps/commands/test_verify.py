"""`text2gesture verify` and `retarget`: limits and the robot's own body, with the exit code that says so."""

import json

import numpy as np
import pytest
import yaml
from robot_cases import ROBOTS, lively, name_of

from text2gesture_ros.apps.cli import main
from text2gesture_ros.control.verification import MIN_CLEARANCE
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.resources import find_robot_file
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.joint_csv import save_joints
from text2gesture_ros.robots.robot_file import load_robot


def run_json(capsys, *arguments, status=0):
    """Run a verb with --json and return what it printed."""
    assert main([*map(str, arguments), "--json"]) == status
    return json.loads(capsys.readouterr().out)


def touching(robot):
    """Return angles (N,) within limits at which parts of a robot touch."""
    drawn = robot.lower + np.random.default_rng(0).random((500, len(robot.rest))) * (
        robot.upper - robot.lower
    )
    return drawn[Clearance(robot).distances(drawn).min(axis=-1, initial=np.inf).argmin()]


@pytest.mark.parametrize("robot", [robot for robot in ROBOTS if robot.capsules], ids=name_of)
def test_parts_that_touch_are_named_and_end_with_one(robot, capsys, tmp_path):
    path = tmp_path / "touching.csv"
    save_joints(path, robot.joint_names, np.array([0.0, 1.0]), np.tile(touching(robot), (2, 1)))
    report = run_json(capsys, "verify", path, "--robot", robot.name, status=1)
    assert {violation["kind"] for violation in report["violations"]} == {"clearance"}
    for violation in report["violations"]:
        one, other = violation["joint"].split(" and ")
        assert {one, other} <= {capsule.name for capsule in robot.capsules}
        assert violation["value"] < violation["limit"] <= MIN_CLEARANCE
    assert report["clearance"] == min(violation["value"] for violation in report["violations"])
    assert main(["verify", str(path), "--robot", robot.name]) == 1
    assert "clearance" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["pepper", "nao"])
def test_what_is_retargeted_keeps_clear_of_itself(name, capsys, tmp_path):
    clip, joints = tmp_path / "clip.npz", tmp_path / "joints.csv"
    Motion(lively(load_robot(name), 1.0)).save(clip)
    assert run_json(capsys, "retarget", clip, "--robot", name, "-o", joints)["violations"] == 0
    report = run_json(capsys, "verify", joints, "--robot", name)
    assert report["violations"] == []
    assert report["clearance"] >= MIN_CLEARANCE


def test_a_robot_without_capsules_has_no_clearance_to_tell(capsys, tmp_path):
    robot = load_robot("pepper")
    content = yaml.safe_load(find_robot_file("pepper").read_text())
    content.pop("capsules")
    content.pop("ignored_pairs", None)
    (tmp_path / "pepper.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    path = tmp_path / "rest.csv"
    save_joints(path, robot.joint_names, np.array([0.0, 1.0]), np.tile(robot.rest, (2, 1)))
    report = run_json(capsys, "verify", path, "--robot", tmp_path / "pepper.yaml")
    assert report["clearance"] is None
