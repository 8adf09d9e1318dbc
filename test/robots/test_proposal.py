"""What robot owners' URDFs look like: names, frames, units and builds, each proposed as what it is."""

import re
from pathlib import Path

import numpy as np
import pytest
from fault_cases import FAULTS, needs_faults
from urdf_cases import JOINTS, arm, joint, urdf, with_joint

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.inspection import inspect
from text2gesture_ros.robots.proposal import Given, open_checks, propose, written
from text2gesture_ros.robots.robot_file import load_robot, robot_of
from text2gesture_ros.robots.separation import ignored_pairs, separations
from text2gesture_ros.robots.urdf import load_urdf, read_urdf


def proposed(joints=JOINTS, given=None):
    return propose(read_urdf(urdf(joints), "small.urdf"), "small", given)


def renamed(rename, joints=JOINTS):
    """Return joints whose names, and those of their links, are changed by a function."""

    def change(match):
        return f'{match.group(1)}="{rename(match.group(2))}"'

    return [(rename(name), re.sub(r'(name|link|joint)="([^"]*)"', change, body)) for name, body in joints]


def groups(robot):
    return {name: [robot.joint_names[index] for index in indices] for name, indices in robot.groups.items()}


def notes_of(proposal):
    return " ".join(note for notes in proposal.notes.values() for note in notes)


SIDES = {
    "RARM_": lambda name: re.sub("^(left|right)_", lambda m: f"{m[1][0].upper()}ARM_", name).upper(),
    "rarm": lambda name: re.sub("^(left|right)_", lambda m: f"{m[1][0]}arm_", name),
    "lshoulder": lambda name: re.sub("^(left|right)_(shoulder|elbow)", lambda m: m[1][0] + m[2], name),
    "R_": lambda name: re.sub("^(left|right)_", lambda m: f"{m[1][0].upper()}_", name),
    "_r": lambda name: re.sub("^(left|right)_(.*)", lambda m: f"{m[2]}_{m[1][0]}", name),
    "arm_right_": lambda name: re.sub("^(left|right)_", lambda m: f"arm_{m[1]}_", name),
    "RightArm": lambda name: re.sub("^(left|right)_", lambda m: f"{m[1].title()}Arm", name),
    "RSP": lambda name: re.sub("^(left|right)_(.).*_(.).*", lambda m: f"{m[1][0]}{m[2]}{m[3]}".upper(), name),
    "numbers": lambda name: re.sub("^(left|right)_", lambda m: f"arm{1 + (m[1] == 'left')}_", name),
}


@pytest.mark.parametrize("rename", SIDES.values(), ids=SIDES)
def test_sides_are_found_however_they_are_named(rename):
    robot = proposed(renamed(rename)).robot()
    plain = proposed().robot()
    assert groups(robot) == {
        group: [rename(name) for name in joints] for group, joints in groups(plain).items()
    }
    assert robot.points(robot.rest)["left_shoulder"][1] > 0.0


def test_a_roll_is_no_right():
    """`NECK_R` rolls a neck; nothing is called `NECK_L`."""
    joints = renamed(lambda name: {"head_yaw": "NECK_R", "left_arm_yaw": "L_ARM_R"}.get(name, name))
    found = groups(proposed(joints).robot())
    assert found["head"] == ["NECK_R", "head_pitch"]
    assert "L_ARM_R" in found["left_arm"]


def turned_torso(turn):
    """Return the joints behind a waist whose frame is turned by roll, pitch, yaw [rad]: the same robot."""
    from text2gesture_ros.geometry import rotation_from_rpy

    matrix = rotation_from_rpy(*turn)

    def text(vector):
        return " ".join(f"{value:.9f}" for value in vector)

    result = [
        (
            "waist_yaw",
            '<joint name="waist_yaw" type="revolute"><parent link="base"/><child link="torso"/>'
            f'<origin xyz="0 0 0.8" rpy="{text(turn)}"/><axis xyz="{text(matrix.T @ [0, 0, 1])}"/>'
            '<limit lower="-1" upper="1" velocity="2"/></joint>',
        )
    ]
    for name, body in JOINTS[1:]:
        for key in ("origin xyz", "axis xyz"):
            body = re.sub(
                f'<{key}="([^"]*)"',
                lambda m, key=key: f'<{key}="{text(matrix.T @ [float(v) for v in m[1].split()])}"',
                body,
            )
        result.append((name, body))
    return result


@pytest.mark.parametrize(
    "turn", [(np.pi / 2, 0, 0), (0, np.pi / 2, 0), (0, 0, np.pi), (np.pi, 0, -np.pi / 2)]
)
def test_a_turned_frame_of_the_torso_changes_nothing(turn):
    robot, plain = proposed(turned_torso(turn)).robot(), proposed(turned_torso((0, 0, 0))).robot()
    np.testing.assert_array_equal(robot.axes, np.eye(3))
    for name, point in plain.points(0.0 * plain.rest).items():
        if "thumb" not in name:  # placed at rest, which may differ by rounding
            np.testing.assert_allclose(robot.points(0.0 * robot.rest)[name], point, atol=2e-4)
    assert inspect(robot).suspicious == inspect(plain).suspicious


@pytest.mark.parametrize("scale", [10.0, 100.0, 1000.0])
def test_lengths_that_are_not_metres_are_doubted(scale):
    def longer(match):
        return 'xyz="' + " ".join(str(scale * float(value)) for value in match[1].split()) + '"'

    joints = [(name, re.sub(r'(?<=<origin )xyz="([^"]*)"', longer, body)) for name, body in JOINTS]
    unit = {10.0: "decimetres", 100.0: "centimetres", 1000.0: "millimetres"}[scale]
    proposal = proposed(joints)
    assert f"are lengths in {unit}?" in notes_of(proposal)
    assert any(f"are lengths in {unit}?" in doubt for doubt in inspect(proposal.robot()).suspicious)
    assert "lengths" not in " ".join(inspect(proposed().robot()).suspicious)


def test_a_head_on_its_own_is_a_robot():
    robot = proposed(JOINTS[:3]).robot()
    assert groups(robot) == {"head": ["head_yaw", "head_pitch"]}
    assert [capsule.name for capsule in robot.capsules] == ["neck", "head"]
    assert not inspect(robot).suspicious


def test_joints_beyond_those_of_a_head_are_left_out_and_named():
    more = [
        joint(f"head_{n}", "head" if n == 1 else f"tip_{n - 1}", f"tip_{n}", xyz="0.02 0 0.05")
        for n in (1, 2, 3)
    ]
    said = [" ".join(proposed([*JOINTS, *more[:count]]).notes["head"]) for count in (2, 3)]
    assert "whether head_2 matters: left out" in said[0]
    assert "whether head_2, head_3 matter: left out" in said[1]


def test_joints_that_follow_or_are_left_out_are_named():
    slide = joint("torso_lift", "base", "lift", kind="prismatic")
    joints = [slide, *with_joint("left_elbow_pitch", more='<mimic joint="left_shoulder_pitch"/>')]
    joints[1] = ("mount", joints[1][1].replace('parent link="base"', 'parent link="lift"'))
    proposal = proposed(joints)
    assert "left_elbow_pitch: follows left_shoulder_pitch (mimic)" in " ".join(proposal.notes["left_arm"])
    assert "torso_lift: prismatic" in " ".join(proposal.notes["base"])
    found = inspect(proposal.robot(), read_urdf(urdf(joints), "small.urdf")).suspicious
    assert any("left_elbow_pitch" in doubt and "left_shoulder_pitch" in doubt for doubt in found)
    assert any("left arm: its elbow bends by" in doubt for doubt in found)


class TestChainsGivenByHand:
    NAMELESS = renamed(lambda name: "j" + str(sum(map(ord, name))))

    def links(self, start, end):
        code = {name: "j" + str(sum(map(ord, name))) for name in (start, end)}
        return code[start], code[end]

    def test_arms_and_head_are_what_was_named(self):
        given = Given(
            {
                "0": self.links("torso", "right_hand"),
                "1": self.links("torso", "left_hand"),
            },
            self.links("torso", "head"),
        )
        robot, plain = proposed(self.NAMELESS, given).robot(), proposed().robot()
        assert robot.points(robot.rest)["left_shoulder"][1] > 0.0
        assert {name: len(joints) for name, joints in robot.groups.items()} == {
            name: len(joints) for name, joints in plain.groups.items()
        }

    def test_a_side_that_was_said_counts(self):
        given = Given({"right_arm": ("torso", "left_hand")})
        assert groups(proposed(given=given).robot())["right_arm"][0] == "left_shoulder_pitch"

    def test_a_link_that_is_not_there_is_named(self):
        with pytest.raises(ConfigurationError, match=r"small\.urdf: link is 'tail'"):
            proposed(given=Given({"0": ("torso", "tail")}))
        with pytest.raises(ConfigurationError, match="without a joint that turns"):
            proposed(given=Given(head=("base", "torso")))


def test_errors_name_the_urdf():
    """A robot without a solution is refused under the name of the file that was given."""
    straight = [
        (name, body.replace('xyz="0 0 -0.25"', 'xyz="0 0 0"').replace('xyz="0 0 -0.3"', 'xyz="0 0 0"'))
        for name, body in JOINTS
    ]
    with pytest.raises(ConfigurationError) as error:
        proposed(straight)
    assert str(error.value).startswith("small.urdf: ")
    assert ".yaml" not in str(error.value)


def test_arms_are_checked_against_each_other():
    """No pair is left unchecked because random poses did not bring it near."""
    robot = proposed().robot()
    assert all(found.may_be_ignored for found in separations(robot, ignored_pairs(robot)))
    checked = {frozenset(robot.capsules[index].name for index in pair) for pair in robot.pairs}
    assert frozenset(("left_forearm", "right_forearm")) in checked
    numbers = {capsule.name: number for number, capsule in enumerate(robot.capsules)}
    (crossed,) = separations(robot, [(numbers["left_forearm"], numbers["right_forearm"])])
    assert Clearance(robot).distances(crossed.pose).min() < 0.0


def test_only_a_robot_with_a_head_is_drawn_with_one():
    headless = [element for element in JOINTS if not element[0].startswith("head")]
    names = [capsule.name for capsule in proposed(headless).robot().capsules]
    assert "head" not in names
    assert "neck" not in names
    fixed = joint("head_fixed", "torso", "head_link", xyz="0 0 0.6", kind="fixed", limit="")
    robot = proposed([*headless, fixed]).robot()
    (head,) = [capsule for capsule in robot.capsules if capsule.name == "head"]
    assert head.start[2] == pytest.approx(0.6, abs=1e-3)


def test_the_frame_of_a_hand_is_its_palm_and_that_of_a_finger_its_end():
    def hand_of(link):
        joints = renamed(lambda name: name.replace("left_hand", link))
        points = proposed(joints).robot().points(np.zeros(10))
        return np.linalg.norm(points["left_hand"] - points["left_elbow"])

    assert hand_of("left_hand") == pytest.approx(0.3, abs=1e-3)
    assert hand_of("left_finger") < 0.28


def test_checks_are_repeated_until_they_are_settled(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(written(proposed()))
    found = open_checks(str(file))
    assert "limits: acceleration and jerk: a URDF has none; these are low" in found
    file.write_text(re.sub("# CHECK acceleration.*", "", file.read_text()))
    assert set(found) - set(open_checks(str(file))) == {
        "limits: acceleration and jerk: a URDF has none; these are low"
    }
    assert open_checks("pepper") == []


class TestInspection:
    """What would have caught each of the faults."""

    def doubts(self, change):
        data = proposed().data
        change(data)
        return " ".join(inspect(robot_of(data, Path("small.yaml"))).suspicious)

    def test_a_robot_on_its_side(self):
        found = self.doubts(lambda data: data["axes"].update(up=[1.0, 0.0, 0.0], forward=[0.0, 0.0, -1.0]))
        assert "the head is not above the shoulders" in found

    def test_sides_exchanged(self):
        found = self.doubts(lambda data: data["axes"].update(forward=[-1.0, 0.0, 0.0]))
        assert "the left shoulder is not to the left of the right one" in found

    def test_names_of_the_other_side(self):
        def change(data):
            data["left_arm"], data["right_arm"] = data["right_arm"], data["left_arm"]

        assert "right_elbow_pitch: stands in left_arm but is called right" in self.doubts(change)

    def test_limits_of_less_than_a_gesture_needs(self):
        def change(data):
            for entry in data["left_arm"]["joints"]:
                entry.update(lower=-0.1, upper=0.11)
                data["rest"][entry["name"]] = 0.0

        found = self.doubts(change)
        for part in (
            "left_elbow_pitch: turns by 12 degrees only",
            "left arm: its hand gets only",
            "in front of the shoulder, too little to point",
            "above the shoulder, too little to wave",
        ):
            assert part in found

    def test_an_arm_that_bends_backwards(self):
        def change(data):
            for side in ("left", "right"):
                joints = data[f"{side}_arm"]["joints"]
                joints[0].update(lower=0.0, upper=2.0)
                joints[3].update(lower=0.0, upper=2.0)
                for entry in (joints[0], joints[3]):
                    data["rest"][entry["name"]] = 0.1

        assert "reaches farther behind than in front" in self.doubts(change) or (
            "too little to point" in self.doubts(change)
        )

    def test_limits_of_one_arm_that_are_not_the_others(self):
        def change(data):
            data["left_arm"]["joints"][2].update(lower=-0.5, upper=2.0)

        assert "left_arm_yaw and right_arm_yaw: their limits are no mirror images" in self.doubts(change)

    def test_contact_in_ignored_pairs(self):
        found = self.doubts(lambda data: data["ignored_pairs"].append(["left_forearm", "right_forearm"]))
        assert "left_forearm and right_forearm are in ignored_pairs: can touch" in found


@needs_faults
class TestFiles:
    def propose(self, name):
        return propose(load_urdf(FAULTS / f"{name}.urdf"), name)

    def test_waist_frame_turned(self):
        robot, plain = (
            self.propose(name).robot() for name in ("waist_frame_turned", "control_plain_humanoid")
        )
        np.testing.assert_array_equal(robot.axes, np.eye(3))
        assert robot.points(robot.rest)["head"] == pytest.approx(plain.points(plain.rest)["head"], abs=1e-3)

    def test_limits_of_one_turn(self):
        robot = self.propose("limits_of_one_turn").robot()
        assert robot.upper[robot.joint_names.index("left_elbow")] == pytest.approx(2.0 * np.pi)

    def test_sides_as_rarm_larm(self):
        found = groups(self.propose("sides_as_rarm_larm").robot())
        assert {name: len(joints) for name, joints in found.items()} == {
            "waist": 1,
            "head": 1,
            "left_arm": 4,
            "right_arm": 4,
        }
        assert found["waist"] == ["torso_yaw"]
        assert found["left_arm"][0].startswith("LARM")

    def test_lengths_in_decimetres(self):
        found = inspect(self.propose("lengths_in_decimetres").robot()).suspicious
        assert any("are lengths in decimetres?" in doubt for doubt in found)

    def test_mimic_elbow(self):
        notes = self.propose("urdf_mimic_elbow").notes["left_arm"]
        assert any("left_elbow" in note and "left_shoulder_pitch" in note for note in notes)

    def test_head_only(self):
        assert groups(self.propose("urdf_head_only").robot()) == {"head": ["head_yaw", "head_pitch"]}


def test_one_arm_found_by_its_place_says_so():
    joints = [JOINTS[0], *renamed(lambda name: name.replace("left_", "arm_"), arm("left"))]
    proposal = proposed(joints)
    assert set(proposal.robot().arms) == {"left_arm"}
    assert "whether it stands for a left or a right arm" in notes_of(proposal)


def test_a_shipped_robot_has_nothing_odd_but_what_it_has():
    assert not inspect(load_robot("pepper")).suspicious
