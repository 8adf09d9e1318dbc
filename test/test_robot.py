import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from robot_cases import ROBOT_FILES, ROBOTS, name_of, random_angles

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.robot import load_robot

# Lengths of the makers' drawings [m]: shoulder to elbow (along, aside), elbow to wrist, between the
# shoulders.
DRAWINGS = {"pepper": (0.1812, 0.015, 0.150, 0.29948), "nao": (0.105, 0.015, 0.05595, 0.196)}


def distance(points, one, other):
    return np.linalg.norm(points[one] - points[other], axis=-1)


def test_robots_ship():
    assert {"pepper", "nao"} <= {robot.name for robot in ROBOTS}


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
class TestEveryRobot:
    def test_limits_are_ordered_and_rest_keeps_them(self, robot):
        assert (robot.lower < robot.upper).all()
        assert (robot.lower <= robot.rest).all()
        assert (robot.rest <= robot.upper).all()
        for limit in (robot.velocity, robot.acceleration, robot.jerk):
            assert limit.shape == robot.lower.shape == (len(robot.joint_names),)
            assert (limit > 0).all()

    def test_every_joint_belongs_to_one_chain(self, robot):
        joints = [*robot.head.joints, *robot.arms["left_arm"].joints, *robot.arms["right_arm"].joints]
        assert joints == list(range(len(robot.joint_names)))
        assert len(set(robot.joint_names)) == len(robot.joint_names)

    def test_arrays_are_read_only(self, robot):
        for array in (robot.lower, robot.velocity, robot.rest, robot.head.origins, robot.head.axes):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0.0

    def test_points_of_many_poses_are_the_points_of_each(self, robot):
        angles = random_angles(robot, 6).reshape(2, 3, -1)
        together = robot.points(angles)
        for index in np.ndindex(2, 3):
            alone = robot.points(angles[index])
            for name, point in alone.items():
                assert together[name].shape == (2, 3, 3)
                np.testing.assert_allclose(together[name][index], point, atol=1e-12)

    def test_joints_turn_bones_and_do_not_stretch_them(self, robot):
        points, rest = robot.points(random_angles(robot, 50)), robot.points(robot.rest)
        bones = [("head", "nose"), ("neck", "head")]
        for side in ("left", "right"):
            bones += [(f"{side}_shoulder", f"{side}_elbow"), (f"{side}_elbow", f"{side}_wrist")]
            bones += [(f"{side}_wrist", f"{side}_hand")]
        for bone in bones:
            np.testing.assert_allclose(distance(points, *bone), distance(rest, *bone), atol=1e-12)

    def test_matches_the_chain_multiplied_out_joint_by_joint(self, robot):
        def transform(xyz, rpy, axis, angle):
            """Homogeneous transform of one URDF joint, from quaternions: unlike the code under test."""

            def quaternion(about, turn):
                about = np.array(about) / np.linalg.norm(about)
                return np.array([math.cos(turn / 2), *(math.sin(turn / 2) * about)])

            def times(p, q):
                vector = p[0] * q[1:] + q[0] * p[1:] + np.cross(p[1:], q[1:])
                return np.array([p[0] * q[0] - p[1:] @ q[1:], *vector])

            roll, pitch, yaw = (quaternion(a, t) for a, t in zip(np.eye(3), rpy, strict=True))
            w, x, y, z = times(times(times(yaw, pitch), roll), quaternion(axis, angle))
            matrix = np.eye(4)
            matrix[:3, 3] = xyz
            matrix[:3, :3] = [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
            return matrix

        data = yaml.safe_load(next(p for p in ROBOT_FILES if p.stem == robot.name).read_text())
        for angles in random_angles(robot, 5):
            by_name = dict(zip(robot.joint_names, angles, strict=True))
            points = robot.points(angles)
            for chain, tip, name in (
                ("head", "nose", "nose"),
                ("left_arm", "hand", "left_hand"),
                ("right_arm", "thumb", "right_thumb"),
            ):
                matrix = np.eye(4)
                for joint in data[chain]["joints"]:
                    matrix = matrix @ transform(
                        joint["xyz"], joint["rpy"], joint["axis"], by_name[joint["name"]]
                    )
                expected = (matrix @ [*data[chain]["tips"][tip], 1.0])[:3]
                np.testing.assert_allclose(points[name], expected, atol=1e-12)

    def test_left_and_right_are_mirror_images_at_rest(self, robot):
        points = robot.points(robot.rest)
        for name in ("shoulder", "elbow", "wrist", "hand", "thumb"):
            mirrored = points[f"right_{name}"] * [1, -1, 1]
            np.testing.assert_allclose(points[f"left_{name}"], mirrored, atol=1e-9)

    def test_directions_are_of_unit_length(self, robot):
        for direction in robot.bone_directions(random_angles(robot, 20)).values():
            np.testing.assert_allclose(np.linalg.norm(direction, axis=-1), 1.0)

    def test_everything_to_draw_is_a_point(self, robot):
        points = robot.points(robot.rest)
        assert robot.lines
        assert all(name in points for line in robot.lines for name in line)

    def test_the_robot_faces_forward_with_its_arms_hanging(self, robot):
        directions = robot.bone_directions(robot.rest)
        assert directions["head"][0] > 0.9
        assert directions["left_upper_arm"][2] < -0.9
        points = robot.points(robot.rest)
        assert points["left_shoulder"][1] > 0 > points["right_shoulder"][1]
        assert points["head"][2] > points["neck"][2] > points["left_elbow"][2]


@pytest.mark.parametrize("name", DRAWINGS)
def test_lengths_are_those_of_the_drawings(name):
    along, aside, forearm, shoulders = DRAWINGS[name]
    points = load_robot(name).points(np.zeros(len(load_robot(name).joint_names)))
    assert distance(points, "left_shoulder", "left_elbow") == pytest.approx(
        math.hypot(along, aside), abs=1e-6
    )
    assert distance(points, "right_elbow", "right_wrist") == pytest.approx(forearm)
    assert distance(points, "left_shoulder", "right_shoulder") == pytest.approx(shoulders)


# Each wrong file: where in the file, what is written there (None: the key is left out), what the message
# says.
WRONG = {
    "unknown key": (("colour",), "red", "unknown key 'colour'"),
    "missing key": (("rest",), None, "lacks the key 'rest'"),
    "missing joint key": (
        ("head", "joints", 0, "axis"),
        None,
        "head.joints[0] (HeadYaw) lacks the key 'axis'",
    ),
    "unknown joint key": (("head", "joints", 0, "effort"), 5.0, "unknown key 'effort'"),
    "number as text": (
        ("head", "joints", 0, "velocity"),
        "fast",
        "head.joints[0] (HeadYaw).velocity is 'fast'",
    ),
    "truth value": (("limits", "jerk"), True, "limits.jerk is True"),
    "not a number": (("limits", "acceleration"), math.nan, "limits.acceleration is nan"),
    "infinite": (("limits", "acceleration"), math.inf, "limits.acceleration is inf"),
    "zero velocity": (("head", "joints", 1, "velocity"), 0.0, "above 0"),
    "fraction over one": (("limits", "velocity_fraction"), 1.5, "at most 1"),
    "limits exchanged": (("head", "joints", 0, "lower"), 3.0, "less than upper"),
    "zero axis": (("left_arm", "joints", 2, "axis"), [0.0, 0.0, 0.0], "not all zero"),
    "axis too short": (("left_arm", "joints", 2, "axis"), [1.0, 0.0], "three numbers"),
    "parallel axes": (
        ("left_arm", "joints", 1, "axis"),
        [0.0, 1.0, 0.0],
        "are parallel. Allowed: axes at an angle",
    ),
    "elbow axes apart": (
        ("left_arm", "joints", 3, "xyz"),
        [0.0, 0.071, 0.0],
        "left_arm.joints[2..3] (LElbowYaw, LElbowRoll): axes miss each other by 0.071 m."
        " Allowed: intersecting axes",
    ),
    "axes meet elsewhere": (
        ("left_arm", "joints", 3, "xyz"),
        [0.0, 0.0, 0.02],
        "axes intersect 0.02 m from the origin of LElbowRoll",
    ),
    "lower in degrees": (
        ("head", "joints", 0, "lower"),
        -119.5,
        "(HeadYaw).lower is -119.5. Allowed: radians",
    ),
    "upper in degrees": (("head", "joints", 0, "upper"), 119.5, "at most 6.2832 (degrees?)"),
    "rpy in degrees": (("left_arm", "joints", 2, "rpy"), [0.0, -9.0, 0.0], "(LElbowYaw).rpy is -9.0"),
    "bone of no length": (("left_arm", "joints", 2, "xyz"), [0.0, 0.0, 0.0], "upper arm"),
    "joint twice": (("right_arm", "joints", 0, "name"), "LShoulderPitch", "no other joint has"),
    "three joints": (("left_arm", "joints", 4), None, "left_arm"),
    "rest outside": (("rest", "HeadYaw"), 9.0, "rest.HeadYaw is 9.0"),
    "rest of nobody": (("rest", "Tail"), 0.0, "unknown key 'Tail' (no joint of the chains has this name)"),
    "rest missing": (("rest", "HeadYaw"), None, "lacks the key 'HeadYaw'"),
    "name of another": (("name",), "romeo", "as the file is called"),
    "empty title": (("title",), " ", "non-empty text"),
    "line to nowhere": (("drawing", "lines", 0), ["neck", "tail"], "'tail'"),
    "line of one point": (("drawing", "lines", 0), ["neck"], "at least two"),
    "point taken": (("drawing", "points", "neck"), [0.0, 0.0, 0.0], "the chains do not give"),
    "chain as list": (("head",), [], "a mapping"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("source", ROBOT_FILES, ids=lambda path: path.stem)
def test_a_wrong_file_is_refused_with_file_and_reason(source, case, tmp_path):
    keys, value, message = WRONG[case]
    data = yaml.safe_load(source.read_text())
    names = [joint["name"] for chain in ("head", "left_arm") for joint in data[chain]["joints"]]
    keys = tuple(names[0] if key == "HeadYaw" else key for key in keys)
    value = names[2] if value == "LShoulderPitch" else value
    if case == "three joints":
        del data["left_arm"]["joints"][3:]
        message = "a list of 3"
    else:
        holder = data
        for key in keys[:-1]:
            holder = holder[key]
        if value is None:
            del holder[keys[-1]]
        elif case == "parallel axes":
            holder[keys[-1]] = data["left_arm"]["joints"][0]["axis"]
        else:
            holder[keys[-1]] = value
    path = tmp_path / source.name
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigurationError) as error:
        load_robot(str(path))
    assert str(path) in str(error.value)
    assert message.replace("HeadYaw", names[0]) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("source", ROBOT_FILES, ids=lambda path: path.stem)
def test_an_arm_that_lost_an_elbow_joint_is_refused(source, tmp_path):
    data = yaml.safe_load(source.read_text())
    lost = data["left_arm"]["joints"].pop(2)
    data["left_arm"]["joints"][2]["xyz"] = lost["xyz"]
    del data["rest"][lost["name"]]
    path = tmp_path / source.name
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigurationError, match=r"left_arm\.joints\[2\.\.3\] .* axes intersect"):
        load_robot(str(path))


@pytest.mark.parametrize("source", ROBOT_FILES, ids=lambda path: path.stem)
def test_it_is_no_matter_where_on_the_first_axis_the_second_joint_is(source, tmp_path):
    data = yaml.safe_load(source.read_text())
    first, second = data["left_arm"]["joints"][2:4]
    second["xyz"] = (np.array(second["xyz"]) + 0.03 * np.array(first["axis"])).tolist()
    path = tmp_path / source.name
    path.write_text(yaml.safe_dump(data))
    assert load_robot(str(path)).joint_names == load_robot(source.stem).joint_names


@pytest.mark.parametrize(
    "text",
    ["", "[]", "name: [", "!!python/object/apply:os.getcwd []", "a: &a [*a]", "\x00", "x: " + "[" * 5000],
)
def test_what_is_no_robot_file_is_refused(text, tmp_path):
    path = tmp_path / "robot.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"robot\.yaml") as error:
        load_robot(str(path))
    assert "\n" not in str(error.value)


def test_a_huge_file_is_refused(tmp_path):
    path = tmp_path / "robot.yaml"
    path.write_text("# " + "x" * 2**20)
    with pytest.raises(ConfigurationError, match="larger than"):
        load_robot(str(path))


def test_aliases_of_aliases_are_not_written_out(tmp_path):
    path = tmp_path / "robot.yaml"
    lines = ["a: &a0 [x, x]", *(f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40))]
    names = ("name", "limits", "source", "base", "head", "left_arm", "right_arm", "rest", "drawing")
    path.write_text("\n".join([*lines, "title: *a39", *(f"{name}: robot" for name in names)]))
    with pytest.raises(ConfigurationError) as error:
        load_robot(str(path))
    assert len(str(error.value)) < 1000


def test_an_unknown_robot_is_refused_with_the_known_ones():
    with pytest.raises(ConfigurationError, match="nao, pepper"):
        load_robot("terminator")


def test_a_joint_may_have_limits_of_its_own_and_four_joints_are_an_arm(tmp_path):
    source = Path(ROBOT_FILES[0])
    data = yaml.safe_load(source.read_text())
    for arm in ("left_arm", "right_arm"):
        data["rest"].pop(data[arm]["joints"].pop()["name"])
    data["head"]["joints"][1]["jerk"] = 12.5
    path = tmp_path / source.name
    path.write_text(yaml.safe_dump(data))
    robot = load_robot(str(path))
    assert len(robot.joint_names) == 10
    assert robot.jerk[1] == 12.5
    assert (robot.jerk[2:] == robot.jerk[0]).all()
    points = robot.points(robot.rest)
    np.testing.assert_array_equal(points["left_wrist"], points["left_hand"])
