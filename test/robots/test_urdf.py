"""URDF: what real files hold is read, what is wrong is named, and a robot's numbers are its URDF's."""

import random
import xml.etree.ElementTree as ElementTree
from functools import cache

import numpy as np
import pytest
import yaml
from robot_cases import ROBOT_FILES, ROBOTS, name_of, random_angles
from urdf_cases import FILES, FOLDER, JOINTS, URDFS, joint, needs_urdfs, urdf, with_joint

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.robots.proposal import propose
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.robots.urdf import MAX_ANGLE, load_urdf, read_urdf


def read(text):
    return read_urdf(text, "small.urdf")


def test_a_joint_is_read_as_it_is_written():
    odd = joint(
        "odd", "torso", "extra", xyz="1 2 3", axis="0 0 2", limit='lower="-1" upper=".5" velocity="3"'
    )
    found = read(urdf([*JOINTS, odd])).joints["odd"]
    assert (found.kind, found.parent, found.child, found.mimic) == ("revolute", "torso", "extra", None)
    np.testing.assert_array_equal(found.xyz, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(found.axis, [0.0, 0.0, 1.0])
    assert (found.lower, found.upper, found.velocity) == (-1.0, 0.5, 3.0)
    assert found.turns
    assert not found.doubts()


def test_what_is_left_out_is_what_urdf_says_it_is():
    bare = '<joint name="bare" type="continuous"><parent link="torso"/><child link="end"/></joint>'
    found = read(urdf([*JOINTS, ("bare", bare)])).joints["bare"]
    np.testing.assert_array_equal(found.xyz, np.zeros(3))
    np.testing.assert_array_equal(found.rotation, np.eye(3))
    np.testing.assert_array_equal(found.axis, [1.0, 0.0, 0.0])
    assert (found.lower, found.upper, found.velocity) == (None, None, None)
    assert list(found.doubts()) == ["velocity"]


def test_the_order_of_a_file_does_not_matter():
    ordered = read(urdf())
    for seed in range(5):
        shuffled = list(JOINTS)
        random.Random(seed).shuffle(shuffled)
        found = read(urdf(shuffled))
        assert found.root == ordered.root == "base"
        seen = {found.root}
        for one in found.joints.values():
            assert one.parent in seen
            seen.add(one.child)
        place, turn = found.place("base", "left_elbow_pitch")
        np.testing.assert_array_equal(place, ordered.place("base", "left_elbow_pitch")[0])
        np.testing.assert_array_equal(turn, ordered.place("base", "left_elbow_pitch")[1])


@pytest.mark.parametrize(
    ("changes", "doubts"),
    [
        ({"limit": ""}, {"lower", "upper", "velocity"}),
        ({"limit": 'velocity="4"'}, {"lower", "upper"}),
        ({"limit": 'lower="-90" upper="90" velocity="4"'}, {"lower", "upper"}),
        ({"limit": 'lower="1" upper="-1" velocity="4"'}, {"lower"}),
        ({"limit": 'lower="-1" upper="1" velocity="0"'}, {"velocity"}),
        ({"limit": 'lower="-1" upper="1" velocity="10000"'}, {"velocity"}),
        ({"limit": 'velocity="4"', "kind": "continuous"}, set()),
        ({"limit": 'lower="-6.28318530718" upper="6.2832" velocity="4"'}, set()),
        ({"limit": 'lower="-10" upper="3" velocity="4"'}, {"lower"}),
    ],
)
def test_limits_nobody_can_mean_are_doubted(changes, doubts):
    assert set(read(urdf(with_joint("head_yaw", **changes))).joints["head_yaw"].doubts()) == doubts


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        (-6.28318530718, 6.28318530718, (-6.28318530718, 6.28318530718)),  # a turn, rounded up
        (-6.2832, 0.0, (-6.2832, 0.0)),
        (-12.566, 12.566, (-MAX_ANGLE, MAX_ANGLE)),  # two turns
        (-180.0, 5.0, (-np.pi, np.pi / 36.0)),  # degrees
        (-1e16, np.inf, (-np.pi, np.pi)),  # no bound
        (1.0, -1.0, (-np.pi / 2.0, np.pi / 2.0)),
    ],
)
def test_the_range_a_joint_probably_means(lower, upper, expected):
    limit = f'lower="{lower}" upper="{upper}" velocity="4"'
    found = read(urdf(with_joint("head_yaw", limit=limit))).joints["head_yaw"].likely_range()
    assert found == pytest.approx(expected)


def test_a_file_in_degrees_is_in_degrees_throughout():
    limits = {"head_yaw": 'lower="-5" upper="5" velocity="2"'}
    degrees = 'lower="-90" upper="90" velocity="2"'
    joints = [
        (name, body.replace('lower="-2" upper="2" velocity="4"', limits.get(name, degrees)))
        for name, body in JOINTS
    ]
    joint = read(urdf(joints)).joints["head_yaw"]
    assert joint.likely_range() == pytest.approx(np.radians((-5.0, 5.0)))
    assert "in degrees as the others" in joint.doubts()["lower"]
    # One joint among others in radians says nothing of them.
    alone = read(urdf(with_joint("head_yaw", limit=degrees))).joints
    assert not alone["head_pitch"].doubts()


LINK = '<link name="torso"/>'
WRONG = {
    "not XML": ("<robot", "no readable XML"),
    "nothing": ("", "no readable XML"),
    "another language": ("<sdf/>", "the first element is <sdf>. Allowed: <robot>"),
    "entities": (
        '<!DOCTYPE r [<!ENTITY a "b">]><robot name="&a;"/>',
        "has a DOCTYPE or ENTITY. Allowed: plain URDF without any",
    ),
    "xacro": (
        '<robot xmlns:xacro="http://www.ros.org/wiki/xacro"><xacro:macro name="a"/></robot>',
        "is a xacro file. Allowed: what `xacro small.urdf` makes of it",
    ),
    "link twice": (urdf(more=LINK), "link 'torso' is there twice"),
    "joint twice": (urdf([*JOINTS, joint("head_yaw", "torso", "tail")]), "joint 'head_yaw' is there twice"),
    "no type": (
        urdf(with_joint("head_yaw", kind="hinge")),
        "joint 'head_yaw', type is 'hinge'. Allowed: revolute",
    ),
    "no parent": (
        '<robot><link name="a"/><joint name="j" type="fixed"><child link="a"/></joint></robot>',
        "joint 'j', parent is missing",
    ),
    "unknown link": (
        '<robot><link name="a"/><joint name="j" type="fixed"><parent link="a"/><child link="b"/></joint>'
        "</robot>",
        "joint 'j', child is 'b'. Allowed: a link of the file",
    ),
    "two parents": (
        urdf([*JOINTS, joint("second", "torso", "head")]),
        "link 'head' is carried by 'head_pitch' and 'second'. Allowed: one joint",
    ),
    "two roots": (urdf(more='<link name="alone"/>'), "link that hangs on nothing is 'base', 'alone'"),
    "ring": (
        urdf([*JOINTS, joint("one", "a", "b"), joint("other", "b", "a")]),
        "is part of a ring. Allowed: a tree",
    ),
    "no numbers": (urdf(with_joint("head_yaw", xyz="0 0 high")), "'head_yaw', origin xyz is 'high'"),
    "two numbers": (urdf(with_joint("head_yaw", xyz="0 0")), "origin xyz is '0 0'. Allowed: three numbers"),
    "not a number": (urdf(with_joint("head_yaw", xyz="0 0 nan")), "is 'nan'. Allowed: a finite number"),
    "no axis": (urdf(with_joint("head_yaw", axis="0 0 0")), "axis xyz is '0 0 0'. Allowed: not all zero"),
    "limit as text": (
        urdf(with_joint("head_yaw", limit='lower="-90°" upper="1" velocity="1"')),
        "joint 'head_yaw', limit lower is '-90°'. Allowed: a finite number",
    ),
    "no name": ("<robot><link/></robot>", "a link is without name"),
    "empty": ("<robot/>", "link that hangs on nothing is none. Allowed: exactly one"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_with_element_value_and_what_is_allowed(case):
    text, message = WRONG[case]
    with pytest.raises(ConfigurationError) as error:
        read(text)
    assert str(error.value).startswith("small.urdf: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_files_that_cannot_be_read_are_refused(tmp_path):
    path = tmp_path / "robot.urdf"
    with pytest.raises(ConfigurationError, match=r"robot\.urdf: cannot be read: No such file"):
        load_urdf(path)
    path.write_bytes(urdf().encode("utf-16"))
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_urdf(path)
    path.write_bytes(b"<robot>" + b" " * (9 * 2**20))
    with pytest.raises(ConfigurationError, match="larger than 8 MB"):
        load_urdf(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tail", "joint is 'tail'. Allowed: a joint of this file, such as head_yaw"),
        ("mount", "joint 'mount' is fixed. Allowed: revolute or continuous"),
        ("finger", "joint 'finger' is one that follows 'head_yaw' (mimic)"),
        ("lift", "joint 'lift' is prismatic"),
    ],
)
def test_only_joints_that_turn_by_themselves_are_driven(name, message):
    odd = [
        joint("finger", "torso", "a", more='<mimic joint="head_yaw"/>', limit=""),
        joint("lift", "torso", "b", kind="prismatic"),
    ]
    with pytest.raises(ConfigurationError) as error:
        read(urdf([*JOINTS, *odd])).driven(name)
    assert message in str(error.value)


def test_paths_lead_outwards_only():
    description = read(urdf())
    assert [one.name for one in description.path("torso", "left_elbow")][-1] == "left_arm_yaw"
    assert description.path("torso", "torso") == []
    with pytest.raises(ConfigurationError, match="link 'right_shoulder' is not behind 'left_shoulder'"):
        description.path("left_shoulder", "right_shoulder")
    with pytest.raises(ConfigurationError, match=r"link is 'moon'\. Allowed: a link of this file"):
        description.path("moon", "torso")


class TestARobotFileWithAUrdf:
    @pytest.fixture
    def data(self):
        """A robot file whose joints are names, beside small.urdf."""
        data = propose(read(urdf()), "small").data
        for chain in ("head", "left_arm", "right_arm"):
            data[chain]["joints"] = [{"name": entry["name"]} for entry in data[chain]["joints"]]
        return data | {"urdf": "small.urdf"}

    @pytest.fixture
    def loaded(self, tmp_path):
        def load(data, text=None, description=None):
            (tmp_path / "small.urdf").write_text(text or urdf())
            (tmp_path / "small.yaml").write_text(yaml.safe_dump(data))
            return load_robot(str(tmp_path / "small.yaml"), description)

        return load

    def test_is_the_robot_with_the_numbers_written_out(self, data, loaded, tmp_path):
        robot = loaded(data)
        written = propose(read(urdf()), "small").robot()
        angles = random_angles(robot, 20)
        for name, points in written.points(angles).items():
            np.testing.assert_allclose(robot.points(angles)[name], points, atol=1e-6)
        np.testing.assert_array_equal(robot.lower, written.lower)
        np.testing.assert_array_equal(robot.velocity, written.velocity)

    def test_what_the_yaml_says_counts(self, data, loaded):
        data["head"]["joints"][0] |= {"upper": 0.5, "velocity": 1.0, "jerk": 7.0, "xyz": [0.0, 0.0, 0.5]}
        robot = loaded(data)
        assert (robot.upper[0], robot.velocity[0], robot.jerk[0]) == (0.5, 0.9, 7.0)
        assert robot.points(robot.rest)["neck"][2] == 0.5

    def test_joints_between_stand_at_zero(self, data, loaded):
        del data["head"]["joints"][0], data["rest"]["head_yaw"]
        data["head"]["landmarks"]["neck"]["joint"] = "head_pitch"
        robot = loaded(data)
        np.testing.assert_allclose(robot.points(robot.rest)["neck"], [0.0, 0.0, 0.4], atol=1e-12)

    def test_a_description_stands_in_for_the_file(self, data, loaded):
        data["urdf"] = "is_not_there.urdf"
        assert loaded(data, description=urdf()).joint_names[0] == "head_yaw"
        with pytest.raises(ConfigurationError, match="robot_description: no readable XML"):
            loaded(data, description="<robot")

    def test_a_continuous_joint_goes_half_a_turn_either_way(self, data, loaded):
        text = urdf(with_joint("head_yaw", kind="continuous", axis="0 0 1", limit='velocity="4"'))
        robot = loaded(data, text)
        assert (robot.lower[0], robot.upper[0]) == (-np.pi, np.pi)

    @pytest.mark.parametrize(
        ("limit", "message"),
        [
            (
                'lower="-1" upper="1" velocity="0"',
                "joint 'head_yaw', limit velocity is 0, which no joint can mean",
            ),
            (
                'lower="-90" upper="90" velocity="1"',
                "limit lower is -90, which in radians is more than a turn",
            ),
            ("", "limit lower is missing. Allowed: lower in "),
        ],
    )
    def test_what_is_doubtful_has_to_be_in_the_yaml(self, data, loaded, limit, message):
        text = urdf(with_joint("head_yaw", axis="0 0 1", limit=limit))
        with pytest.raises(ConfigurationError) as error:
            loaded(data, text)
        assert message in str(error.value)
        assert "head.joints[0] (head_yaw)" in str(error.value)
        data["head"]["joints"][0] |= {"lower": -1.0, "upper": 1.0, "velocity": 2.0}
        assert loaded(data, text).upper[0] == 1.0

    @pytest.mark.parametrize("file", ["/etc/passwd", "../small.urdf", "a/../../small.urdf", "link.urdf"])
    def test_no_file_elsewhere_is_read(self, data, loaded, tmp_path, file):
        (tmp_path / "link.urdf").symlink_to("/etc/passwd")
        with pytest.raises(ConfigurationError, match=r"small\.yaml: urdf is .*Allowed: a file in"):
            loaded(data | {"urdf": file})

    def test_joints_have_to_be_in_series(self, data, loaded):
        data["left_arm"]["joints"][2], data["left_arm"]["joints"][3] = data["left_arm"]["joints"][3:1:-1]
        with pytest.raises(ConfigurationError, match="is not behind"):
            loaded(data)

    def test_without_the_key_nothing_may_be_left_out(self, data, loaded):
        del data["urdf"]
        with pytest.raises(ConfigurationError, match=r"head\.joints\[0\] \(head_yaw\) lacks the key 'xyz'"):
            loaded(data)


def independent_frames(path, angles):
    """Return the frame (4, 4) of every joint's child link, by name, without the code under test.

    Angles [rad] are by joint; those left out are zero. Rotations are multiplied as in the URDF specification:
    about the fixed x, y, z, then about the axis (matrix exponential by its series).
    """

    def exponential(vector):
        x, y, z = vector
        generator = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        result, term = np.eye(3), np.eye(3)
        for power in range(1, 40):
            term = term @ generator / power
            result = result + term
        return result

    def numbers(element, key):
        text = element.get(key) if element is not None else None
        return np.array([float(word) for word in (text or "0 0 0").split()])

    joints = ElementTree.parse(path).getroot().findall("joint")
    carried = {element.find("child").get("link"): element for element in joints}

    @cache
    def frame(link):
        if link not in carried:
            return np.eye(4)
        element = carried[link]
        matrix, origin = np.eye(4), element.find("origin")
        matrix[:3, 3] = numbers(origin, "xyz")
        for about, turn in zip(np.eye(3), numbers(origin, "rpy"), strict=True):
            matrix[:3, :3] = exponential(turn * about) @ matrix[:3, :3]
        if element.get("type") != "fixed" and element.get("name") in angles:
            axis = numbers(element.find("axis"), "xyz")
            turned = exponential(angles[element.get("name")] * axis / np.linalg.norm(axis))
            matrix[:3, :3] = matrix[:3, :3] @ turned
        return frame(element.find("parent").get("link")) @ matrix

    return {element.get("name"): frame(element.find("child").get("link")) for element in joints}, frame


@needs_urdfs
@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
def test_a_robot_that_ships_has_the_kinematics_and_limits_of_its_urdf(robot):
    path = FOLDER / f"{FILES.get(robot.name, robot.name)}.urdf"
    if not path.exists():
        pytest.skip(f"no {path}")
    hands = {hand.joint for hand in robot.hands.values()}
    for angles in random_angles(robot, 5):
        turns, places = robot.frames(angles)
        given = {name: angles[k] for k, name in enumerate(robot.joint_names) if k not in hands}
        frames, frame = independent_frames(path, given)
        base = np.linalg.inv(frame(robot.base))
        for index, name in enumerate(robot.joint_names):
            if index not in hands:
                expected = base @ frames[name]
                np.testing.assert_allclose(places[index], expected[:3, 3], atol=1e-5, err_msg=name)
                np.testing.assert_allclose(turns[index], expected[:3, :3], atol=1e-5, err_msg=name)
    joints = load_urdf(path).joints
    for index, name in enumerate(robot.joint_names):
        doubts = joints[name].doubts()
        if "lower" not in doubts:
            assert joints[name].lower - 1e-5 <= robot.lower[index]
        if "upper" not in doubts:
            assert robot.upper[index] <= joints[name].upper + 1e-5
        if "velocity" not in doubts:
            assert robot.velocity[index] <= joints[name].velocity + 1e-5


@needs_urdfs
@pytest.mark.parametrize("path", URDFS, ids=lambda path: path.stem)
def test_real_files_are_trees(path):
    description = load_urdf(path)
    for name, one in description.joints.items():
        assert description.path(description.root, one.child)[-1].name == name


def test_the_robots_of_both_tables_are_known():
    assert set(FILES) <= {path.stem for path in ROBOT_FILES}
