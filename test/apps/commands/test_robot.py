"""`text2gesture robot`: what is proposed is a robot, what is wrong with one is told."""

import json

import numpy as np
import pytest
import yaml
from PIL import Image
from robot_cases import ROBOT_FILES, ROBOTS, name_of
from urdf_cases import FILES, FOLDER, JOINTS, URDFS, arm, joint, needs_urdfs, urdf, with_joint

from text2gesture_ros.apps.cli import BAD_INPUT, main
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.proposal import propose, written
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.robots.urdf import load_urdf, read_urdf


def run_json(capsys, *arguments, status=0):
    """Run a verb with --json and return what it printed."""
    assert main([*map(str, arguments), "--json"]) == status
    return json.loads(capsys.readouterr().out)


def proposed(joints, name="small"):
    return propose(read_urdf(urdf(joints), "small.urdf"), name)


def assert_hangs(robot):
    """Check that the arms of a robot at rest hang beside its body and it looks ahead."""
    directions = {bone: robot.axes @ to for bone, to in robot.bone_directions(robot.rest).items()}
    for arm_name in robot.arms:
        side = arm_name.removesuffix("arm")
        assert directions[side + "upper_arm"][2] < -0.85
        assert directions[side + "forearm"][2] < -0.9
    assert "head" not in directions or directions["head"][0] > 0.95
    assert Clearance(robot).distances(robot.rest).min(axis=-1, initial=np.inf) > 0.01


class TestNew:
    @pytest.fixture
    def file(self, tmp_path):
        (tmp_path / "small.urdf").write_text(urdf())
        return tmp_path / "small.urdf"

    def test_writes_a_file_that_loads_and_passes_the_check(self, file, capsys):
        output = file.with_name("zora.yaml")
        found = run_json(capsys, "robot", "new", file, "-o", output)
        robot = load_robot(str(output))
        assert found["robot"] == robot.name == "zora"
        assert found["groups"] == {
            "head": ["head_yaw", "head_pitch"],
            **{
                f"{side}_arm": [name for name, _ in arm(side) if "fixed" not in name]
                for side in ("left", "right")
            },
        }
        assert_hangs(robot)
        checked = run_json(capsys, "robot", "check", output, "--urdf", file)
        assert checked["in_contact_at_rest"] == []
        assert not [doubt for doubt in checked["suspicious"] if "URDF" in doubt]

    def test_says_what_it_could_not_know_in_the_file_and_at_the_terminal(self, file, capsys):
        output = file.with_name("small.yaml")
        assert main(["robot", "new", str(file), "-o", str(output)]) == 0
        shown, text = capsys.readouterr().out, output.read_text()
        for note in ("acceleration and jerk", "how thick it is", "where a human's thumb would be"):
            assert note in shown
            assert f"# CHECK {note}" in text

    def test_a_file_that_may_have_been_edited_is_replaced_only_where_asked_for(self, file, capsys):
        output = file.with_name("small.yaml")
        output.write_text("# settled by hand\n")
        line = ["robot", "new", str(file), "-o", str(output)]
        assert main(line) == BAD_INPUT
        assert "small.yaml is there already: give another name, or --overwrite" in capsys.readouterr().err
        assert output.read_text() == "# settled by hand\n"
        assert main([*line, "--overwrite"]) == 0
        assert load_robot(str(output)).name == "small"

    def test_a_hand_is_no_joint_of_its_arm(self, file, capsys):
        limit = 'lower="0" upper="1" velocity="3"'
        gripper = joint("right_gripper", "right_forearm", "right_finger", limit=limit)
        file.write_text(urdf([*JOINTS, gripper]))
        found = run_json(capsys, "robot", "new", file, "-o", file.with_name("small.yaml"))
        assert found["hands"] == {"right_hand": "right_gripper"}
        assert "right_gripper" not in found["groups"]["right_arm"]
        assert main(["robot", "new", str(file), "-o", str(file.with_name("small.yaml")), "--overwrite"]) == 0
        assert "  right_hand: right_gripper, opens and closes\n" in capsys.readouterr().out

    def test_without_output_prints_the_file(self, file, capsys):
        assert main(["robot", "new", str(file)]) == 0
        assert yaml.safe_load(capsys.readouterr().out)["name"] == "small"

    def test_landmarks_are_where_the_joints_are(self):
        robot = proposed(JOINTS).robot()
        points = robot.points(np.zeros(len(robot.joint_names)))
        np.testing.assert_allclose(points["left_shoulder"], [0.0, 0.2, 0.3], atol=1e-4)
        np.testing.assert_allclose(points["left_elbow"], [0.0, 0.2, 0.05], atol=1e-4)
        assert points["left_elbow"][2] > points["left_wrist"][2] > points["left_hand"][2] >= -0.25 - 1e-4
        np.testing.assert_allclose(points["neck"], [0.0, 0.0, 0.4], atol=1e-4)

    def test_what_was_proposed_is_what_is_written(self):
        proposal = proposed(JOINTS)
        assert yaml.safe_load(written(proposal)) == proposal.data

    def test_a_waist_is_found_and_the_base_is_below_it(self):
        joints = with_joint("mount", axis="0 0 1")
        joints = [(name, body.replace("mount", "waist_yaw")) for name, body in joints]
        robot = proposed(joints).robot()
        assert robot.base == "base"
        assert [robot.joint_names[index] for index in robot.groups["waist"]] == ["waist_yaw"]
        assert_hangs(robot)

    def test_legs_above_the_trunk_are_no_waist(self):
        joints = [(name, body.replace("mount", "hip_pitch")) for name, body in with_joint("mount")]
        assert proposed(joints).robot().waist is None

    def test_legs_and_fingers_are_no_arms(self):
        legs = [
            joint(f"{side}_{name}", parent, f"{side}_{child}", xyz=xyz)
            for side, y in (("left", "0.1"), ("right", "-0.1"))
            for name, parent, child, xyz in (
                ("hip", "base", "thigh", f"0 {y} -0.1"),
                ("knee", f"{side}_thigh", "shin", "0 0 -0.5"),
                ("ankle", f"{side}_shin", "foot", "0 0 -0.5"),
            )
        ]
        fingers = [
            joint(f"left_finger_{n}", "left_hand", f"left_tip_{n}", xyz=f"0 0.0{n} -0.05") for n in (1, 2, 3)
        ]
        robot = proposed([*legs, *JOINTS, *fingers]).robot()
        assert len(robot.groups["left_arm"]) == len(robot.groups["right_arm"]) == 4
        assert not robot.hands
        assert {"left_leg_1", "right_leg_2"} <= {capsule.name for capsule in robot.capsules}

    def test_one_joint_behind_an_arm_is_its_hand(self):
        gripper = joint(
            "right_gripper", "right_forearm", "right_finger", limit='lower="0" upper="1" velocity="3"'
        )
        robot = proposed([*JOINTS, gripper]).robot()
        assert robot.joint_names[robot.hands["right_hand"].joint] == "right_gripper"
        assert (robot.hands["right_hand"].open, robot.hands["right_hand"].closed) == (1.0, 0.0)

    def test_one_arm_and_no_head_are_a_robot(self):
        joints = [
            JOINTS[0],
            *((n.replace("right_", "arm_"), b.replace("right_", "arm_")) for n, b in arm("right")),
        ]
        proposal = proposed(joints)
        assert set(proposal.robot().groups) == {"right_arm"}
        assert proposal.notes["right_arm"][0] == "whether it stands for a left or a right arm"
        assert proposal.notes["head"]
        assert_hangs(proposal.robot())

    def test_a_base_with_y_up_is_found_so(self):
        upright = {"base": 'rpy="1.5707963267948966 0 0"'}
        joints = [
            joint("turned", "world", "base", kind="fixed", limit=""),
            *JOINTS,
        ]
        joints[0] = ("turned", joints[0][1].replace('rpy="0 0 0"', upright["base"]))
        assert proposed(joints).robot().axes.tolist() == np.eye(3).tolist()
        # Everything that hangs on the trunk turned with it: what was z is y, what was x is z.
        swap = {
            "0 0.2 0.3": "0.2 0.3 0",
            "0 -0.2 0.3": "-0.2 0.3 0",
            "0 0 0.4": "0 0.4 0",
            "0 0 -0.25": "0 -0.25 0",
        }
        swap |= {"0 0 -0.3": "0 -0.3 0", "0 0 0.8": "0 0.8 0"}
        axes = {"0 1 0": "1 0 0", "1 0 0": "0 0 1", "0 0 1": "0 1 0"}
        turned = []
        for name, body in JOINTS:
            head, tail = body.split("<axis xyz=")
            for old, new in swap.items():
                head = head.replace(f'xyz="{old}"', f'xyz="{new}"')
            old = tail.split('"')[1]
            turned.append((name, f"{head}<axis xyz={tail.replace(old, axes[old], 1)}"))
        robot = proposed(turned).robot()
        np.testing.assert_array_equal(robot.axes, [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
        assert_hangs(robot)

    @pytest.mark.parametrize(
        ("limit", "expected", "note"),
        [
            ('lower="-90" upper="90" velocity="2"', (-np.pi / 2, np.pi / 2, 2.0), "(degrees?)"),
            ("", (-np.pi / 2, np.pi / 2, 2.0), "missing"),
            ('lower="-1" upper="1" velocity="0"', (-1.0, 1.0, 2.0), "velocity, in the URDF 0"),
            ('lower="-1" upper="1" velocity="10000"', (-1.0, 1.0, 2.0), "velocity, in the URDF 10000"),
        ],
    )
    def test_doubtful_limits_are_replaced_and_named(self, limit, expected, note):
        proposal = proposed(with_joint("head_yaw", axis="0 0 1", limit=limit))
        entry = proposal.data["head"]["joints"][0]
        assert (entry["lower"], entry["upper"], entry["velocity"]) == pytest.approx(expected)
        assert any(note in text and "head_yaw" in text for text in proposal.notes["head"])

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (urdf(JOINTS[:1]), "an arm is nowhere among the joints that turn (none)"),
            ("<robot", "no readable XML"),
        ],
    )
    def test_what_makes_no_robot_is_bad_input(self, tmp_path, capsys, text, message):
        (tmp_path / "small.urdf").write_text(text)
        assert main(["robot", "new", str(tmp_path / "small.urdf")]) == BAD_INPUT
        error = capsys.readouterr().err
        assert message in error
        assert str(tmp_path / "small.urdf") in error
        assert error.count("\n") == 1

    def test_a_file_called_otherwise_than_the_robot_is_bad_input(self, file, capsys):
        assert (
            main(["robot", "new", str(file), "--name", "zora", "-o", str(file.with_name("a.yaml"))])
            == BAD_INPUT
        )
        assert "the file must be called zora.yaml" in capsys.readouterr().err

    @needs_urdfs
    @pytest.mark.parametrize("path", URDFS, ids=lambda path: path.stem)
    def test_any_real_urdf_gives_a_robot_at_ease(self, path, tmp_path):
        proposal = propose(load_urdf(path), path.stem)
        (tmp_path / f"{path.stem}.yaml").write_text(written(proposal))
        robot = load_robot(str(tmp_path / f"{path.stem}.yaml"))
        assert set(robot.arms) == {"left_arm", "right_arm"}
        assert_hangs(robot)
        shipped = {FILES.get(other.name, other.name): other for other in ROBOTS}[path.stem]
        for name, chain in shipped.arms.items():
            names = [shipped.joint_names[index] for index in chain.joints]
            assert [robot.joint_names[index] for index in robot.arms[name].joints] == names
            for landmark in ("shoulder", "elbow", "wrist"):
                side = name.removesuffix("arm")
                bone = (
                    robot.points(0 * robot.rest)[side + landmark],
                    robot.points(0 * robot.rest)[side + "shoulder"],
                )
                own = (
                    shipped.points(0 * shipped.rest)[side + landmark],
                    shipped.points(0 * shipped.rest)[side + "shoulder"],
                )
                assert np.linalg.norm(bone[0] - bone[1]) == pytest.approx(
                    np.linalg.norm(own[0] - own[1]), abs=1e-4
                )


class TestCheck:
    @pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
    def test_a_robot_that_ships_passes(self, robot, capsys, tmp_path):
        png = tmp_path / "robot.png"
        found = run_json(capsys, "robot", "check", robot.name, "--png", png)
        assert [entry["name"] for entry in found["joints"]] == list(robot.joint_names)
        assert found["in_contact_at_rest"] == []
        assert found["smallest_clearance_at_rest"] > 0.01
        assert not [doubt for doubt in found["suspicious"] if "quicker" in doubt or "does not" in doubt]
        with Image.open(png) as picture:
            assert picture.format == "PNG"

    def test_contact_at_rest_is_an_error(self, capsys, tmp_path):
        data = yaml.safe_load(next(path for path in ROBOT_FILES if path.stem == "pepper").read_text())
        next(capsule for capsule in data["capsules"] if capsule["name"] == "belly")["radius"] = 0.3
        (tmp_path / "pepper.yaml").write_text(yaml.safe_dump(data))
        found = run_json(capsys, "robot", "check", tmp_path / "pepper.yaml", status=1)
        assert "belly and left_hand" in found["in_contact_at_rest"]
        assert main(["robot", "check", str(tmp_path / "pepper.yaml")]) == 1
        assert "belly and left_hand are in contact at rest" in capsys.readouterr().out

    def test_what_an_owner_ought_to_look_at_is_listed(self, capsys, tmp_path):
        data = yaml.safe_load(next(path for path in ROBOT_FILES if path.stem == "pepper").read_text())
        data["rest"] |= {"LShoulderPitch": 0.0, "HeadYaw": 1.5}
        data["head"]["joints"][0]["velocity"] = 50.0
        data["right_arm"]["joints"][4] |= {"lower": -5.0, "upper": 5.0}
        data["left_arm"]["joints"][4] |= {"lower": 0.24, "upper": 0.26}
        del data["capsules"], data["ignored_pairs"]
        (tmp_path / "pepper.yaml").write_text(yaml.safe_dump(data))
        found = " ".join(run_json(capsys, "robot", "check", tmp_path / "pepper.yaml")["suspicious"])
        for part in (
            "the left upper arm does not hang",
            "the head does not look ahead",
            "HeadYaw: 45 rad/s is quicker",
            "RWristYaw: turns more than once round",
            "LWristYaw: turns by 1 degrees only",
            "no capsules",
        ):
            assert part in found

    def test_what_differs_from_the_urdf_is_listed(self, capsys, tmp_path):
        (tmp_path / "small.urdf").write_text(urdf())
        data = proposed(JOINTS).data
        data["head"]["joints"][0] |= {"xyz": [0.0, 0.0, 0.41], "upper": 2.5}
        data["head"]["joints"][1]["axis"] = [0.0, 1.0, 0.1]
        data["left_arm"]["joints"][0]["velocity"] = 9.0
        (tmp_path / "small.yaml").write_text(yaml.safe_dump(data))
        arguments = ("robot", "check", tmp_path / "small.yaml", "--urdf", tmp_path / "small.urdf")
        found = " ".join(run_json(capsys, *arguments)["suspicious"])
        for part in (
            "head_yaw: 10 mm from where the URDF has it",
            "head_yaw: upper is above the URDF's (2.0)",
            "head_pitch: its axis is 5.7 degrees off",
            "left_shoulder_pitch: velocity is above the URDF's (4.0)",
        ):
            assert part in found

    @needs_urdfs
    @pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
    def test_a_robot_that_ships_is_its_urdfs(self, robot, capsys):
        path = FOLDER / f"{FILES.get(robot.name, robot.name)}.urdf"
        found = run_json(capsys, "robot", "check", robot.name, "--urdf", path)
        assert not [doubt for doubt in found["suspicious"] if "URDF" in doubt]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["nobody"], "unknown robot 'nobody'. Known: baxter"),
            (["pepper", "--urdf", "nothing.urdf"], "nothing.urdf: cannot be read"),
            (["pepper", "--png", "picture.gif"], "must end in .png"),
        ],
    )
    def test_bad_input_is_one_line(self, capsys, arguments, message):
        assert main(["robot", "check", *arguments]) == BAD_INPUT
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_list_names_every_robot_that_ships(capsys):
    found = run_json(capsys, "robot", "list")
    assert [entry["robot"] for entry in found] == [robot.name for robot in ROBOTS]
    assert main(["robot", "list"]) == 0
    assert "Pepper" in capsys.readouterr().out


class TestChainsByHand:
    @pytest.fixture
    def file(self, tmp_path):
        (tmp_path / "small.urdf").write_text(urdf())
        return tmp_path / "small.urdf"

    def test_arms_and_head_are_those_that_are_named(self, file, capsys):
        links = ("--arm", "left=torso:left_hand", "--arm", "right=torso:right_hand", "--head", "torso:neck")
        found = run_json(capsys, "robot", "new", file, "-o", file.with_name("small.yaml"), *links)
        assert found["groups"]["head"] == ["head_yaw"]
        assert found["groups"]["left_arm"][0] == "left_shoulder_pitch"

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--arm", "torso"], "--arm is 'torso'. Allowed: LINK:LINK"),
            (["--arm", "middle=torso:head"], "--arm is 'middle=torso:head'. Allowed: two arms at most"),
            (["--arm", "a:b", "--arm", "c:d", "--arm", "e:f"], "--arm is 'e:f'. Allowed: two arms at most"),
            (["--head", "torso:tail"], "link is 'tail'. Allowed: a link of this file"),
            (["--head", "left_hand:neck"], "link 'neck' is not behind 'left_hand'"),
        ],
    )
    def test_wrong_ones_are_bad_input(self, file, capsys, options, message):
        assert main(["robot", "new", str(file), *options]) == BAD_INPUT
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_check_repeats_what_is_open_and_why_pairs_are_ignored(tmp_path, capsys):
    (tmp_path / "small.urdf").write_text(urdf())
    output = tmp_path / "small.yaml"
    run_json(capsys, "robot", "new", tmp_path / "small.urdf", "-o", output)
    found = run_json(capsys, "robot", "check", output)
    assert any(note.startswith("limits: acceleration and jerk") for note in found["open_checks"])
    assert all(entry["reason"] for entry in found["ignored_pairs"])
    assert main(["robot", "check", str(output)]) == 0
    shown = capsys.readouterr().out
    assert "still open in the file" in shown
    assert "joined: they overlap in every pose: " in shown
