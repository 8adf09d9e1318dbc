import math
from functools import reduce

import numpy as np
import pytest
import yaml
from robot_cases import ROBOT_FILES, ROBOTS, name_of, random_angles

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.robot_file import load_robot

# Lengths of the makers' drawings [m]: shoulder to elbow (along, aside), elbow to wrist, between the
# shoulders.
DRAWINGS = {"pepper": (0.1812, 0.015, 0.150, 0.29948), "nao": (0.105, 0.015, 0.05595, 0.196)}

PEPPER = next(path for path in ROBOT_FILES if path.stem == "pepper")


def distance(points, one, other):
    return np.linalg.norm(points[one] - points[other], axis=-1)


def chains_of(robot):
    return [chain for chain in (robot.waist, robot.head, *robot.arms.values()) if chain is not None]


def sides_of(robot):
    return [arm.removesuffix("arm") for arm in robot.arms]


def test_robots_ship():
    known = {"pepper", "nao", "romeo", "reachy", "g1", "h1_2", "baxter"}
    assert known <= {robot.name for robot in ROBOTS}


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
class TestEveryRobot:
    def test_limits_are_ordered_and_rest_keeps_them(self, robot):
        assert (robot.lower < robot.upper).all()
        assert (robot.lower <= robot.rest).all()
        assert (robot.rest <= robot.upper).all()
        for limit in (robot.velocity, robot.acceleration, robot.jerk):
            assert limit.shape == robot.lower.shape == (len(robot.joint_names),)
            assert (limit > 0).all()

    def test_joints_are_in_the_order_of_the_chains_then_hands(self, robot):
        joints = [joint for chain in chains_of(robot) for joint in chain.joints]
        joints += [hand.joint for hand in robot.hands.values()]
        assert joints == list(range(len(robot.joint_names)))
        assert len(set(robot.joint_names)) == len(robot.joint_names)

    def test_every_joint_is_in_one_group(self, robot):
        assert sorted(sum(robot.groups.values(), ())) == list(range(len(robot.joint_names)))
        for name, hand in robot.hands.items():
            assert hand.joint in robot.groups[name.replace("hand", "arm")]

    def test_chains_are_as_long_as_they_may_be(self, robot):
        assert robot.arms
        assert all(2 <= len(chain.joints) <= 7 for chain in robot.arms.values())
        assert all(1 <= len(chain.joints) <= 3 for chain in (robot.waist, robot.head) if chain)

    def test_hands_open_and_close_within_their_limits(self, robot):
        for hand in robot.hands.values():
            ends = sorted((hand.open, hand.closed))
            assert ends == [robot.lower[hand.joint], robot.upper[hand.joint]]

    def test_axes_are_a_right_handed_frame(self, robot):
        np.testing.assert_allclose(robot.axes @ robot.axes.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(robot.axes) > 0.0

    def test_frames_are_the_chains_frames_behind_the_waist(self, robot):
        angles = random_angles(robot, 6).reshape(2, 3, -1)
        turns, places = robot.frames(angles)
        assert turns.shape == (2, 3, len(robot.joint_names), 3, 3)
        assert places.shape == (2, 3, len(robot.joint_names), 3)
        for chain in chains_of(robot):
            own_turns, own_places = chain.frames(angles[..., list(chain.joints)])
            if robot.waist and chain is not robot.waist:
                last = robot.waist.joints[-1]
                turn, place = turns[:, :, last, None], places[:, :, last, None]
                own_places = place + (turn @ own_places[..., None])[..., 0]
                own_turns = turn @ own_turns
            np.testing.assert_allclose(turns[:, :, list(chain.joints)], own_turns, atol=1e-12)
            np.testing.assert_allclose(places[:, :, list(chain.joints)], own_places, atol=1e-12)

    def test_a_joint_moves_what_hangs_behind_it_and_nothing_else(self, robot):
        angles = random_angles(robot, 1)[0]
        ends, points = robot.capsule_ends(angles), robot.points(angles)
        for joint in range(len(robot.joint_names)):
            behind = {joint}
            for other, parent in enumerate(robot.parents):
                behind |= {other} if parent in behind else set()
            moved = angles.copy()
            moved[joint] = robot.lower[joint] + 0.3 * (robot.upper[joint] - robot.lower[joint])
            still = [index for index, c in enumerate(robot.capsules) if c.joint not in behind]
            np.testing.assert_allclose(robot.capsule_ends(moved)[still], ends[still], atol=1e-12)
            for name in robot.fixed_points:
                np.testing.assert_array_equal(robot.points(moved)[name], points[name])

    def test_capsules_keep_their_length(self, robot):
        if robot.capsules:
            ends = robot.capsule_ends(random_angles(robot, 20))
            lengths = np.linalg.norm(ends[..., 1, :] - ends[..., 0, :], axis=-1)
            own = [np.linalg.norm(capsule.end - capsule.start) for capsule in robot.capsules]
            np.testing.assert_allclose(lengths, np.broadcast_to(own, lengths.shape), atol=1e-12)

    def test_nothing_is_in_contact_at_rest(self, robot):
        assert robot.capsules
        assert Clearance(robot).distances(robot.rest).min(axis=-1, initial=np.inf) > 0.01

    def test_pairs_are_of_different_links(self, robot):
        joints = [capsule.joint for capsule in robot.capsules]
        assert all(joints[one] != joints[other] for one, other in robot.pairs)
        assert len(np.unique(np.sort(robot.pairs), axis=0)) == len(robot.pairs)
        arms = [index for index, capsule in enumerate(robot.capsules) if "_hand" in capsule.name]
        assert len(arms) == len(robot.arms)
        if len(arms) == 2:  # hands may always meet
            assert sorted(arms) in np.sort(robot.pairs).tolist()

    def test_arrays_are_read_only(self, robot):
        arrays = [array for chain in chains_of(robot) for array in (chain.origins, chain.axes)]
        for array in (robot.lower, robot.velocity, robot.rest, robot.axes, robot.pairs, *arrays):
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
        bones = [("head", "nose")] if robot.head else []
        bones += [(side + "hand", side + "thumb") for side in sides_of(robot)]
        for bone in bones:
            np.testing.assert_allclose(distance(points, *bone), distance(rest, *bone), atol=1e-12)
        # Where joints between the ends of a bone are off its line, it is a human's bone only nearly.
        for side in sides_of(robot):
            for bone in (("shoulder", "elbow"), ("elbow", "wrist")):
                lengths = distance(points, *(side + end for end in bone))
                assert np.ptp(lengths) < 0.2 * lengths.mean()

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

        def multiplied(start, joints, by_name):
            return reduce(
                lambda matrix, joint: (
                    matrix @ transform(joint["xyz"], joint["rpy"], joint["axis"], by_name[joint["name"]])
                ),
                joints,
                start,
            )

        for angles in random_angles(robot, 5):
            by_name = dict(zip(robot.joint_names, angles, strict=True))
            points = robot.points(angles)
            waist = multiplied(np.eye(4), data.get("waist", {"joints": []})["joints"], by_name)
            for key, chain in (("head", robot.head), *robot.arms.items()):
                for name, (index, point) in chain.landmarks.items() if chain else ():
                    matrix = multiplied(waist, data[key]["joints"][: index + 1], by_name)
                    side = "" if key == "head" else key.removesuffix("arm")
                    np.testing.assert_allclose(points[side + name], (matrix @ [*point, 1.0])[:3], atol=1e-12)

    def test_left_and_right_are_mirror_images_at_rest(self, robot):
        if len(robot.arms) < 2:
            pytest.skip("one arm")
        points = robot.points(robot.rest)
        for name in ("shoulder", "elbow", "wrist", "hand", "thumb"):
            left, right = (robot.axes @ points[f"{side}_{name}"] for side in ("left", "right"))
            np.testing.assert_allclose(left, right * [1, -1, 1], atol=0.01 if name == "thumb" else 0.003)

    def test_directions_are_of_unit_length(self, robot):
        for direction in robot.bone_directions(random_angles(robot, 20)).values():
            np.testing.assert_allclose(np.linalg.norm(direction, axis=-1), 1.0)

    def test_everything_to_draw_is_a_point(self, robot):
        points = robot.points(robot.rest)
        assert robot.lines or robot.capsules
        assert all(name in points for line in robot.lines for name in line)

    def test_the_robot_faces_forward_with_its_arms_hanging(self, robot):
        directions = {name: robot.axes @ to for name, to in robot.bone_directions(robot.rest).items()}
        points = {name: robot.axes @ point for name, point in robot.points(robot.rest).items()}
        for side in sides_of(robot):
            assert directions[side + "upper_arm"][2] < -0.9
            assert directions[side + "forearm"][2] < -0.9
            assert (points[side + "shoulder"][1] > 0.0) == (side == "left_")
        if robot.head:
            assert directions["head"][0] > 0.95
            assert points["head"][2] > points["neck"][2]


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
        "LShoulderPitch and LShoulderRoll turn about the same line. Allowed: axes that are parallel and",
    ),
    "lower in degrees": (
        ("head", "joints", 0, "lower"),
        -119.5,
        "(HeadYaw).lower is -119.5. Allowed: radians",
    ),
    "upper in degrees": (("head", "joints", 0, "upper"), 119.5, "at most 6.3460 (degrees?)"),
    "rpy in degrees": (("left_arm", "joints", 2, "rpy"), [0.0, -9.0, 0.0], "(LElbowYaw).rpy is -9.0"),
    "bone of no length": (("left_arm", "joints", 2, "xyz"), [0.0] * 3, "upper arm is 0 m long"),
    "joint twice": (("right_arm", "joints", 0, "name"), "LShoulderPitch", "no other joint has"),
    "eight joints": (
        ("left_arm", "joints"),
        [{}] * 8,
        "left_arm.joints is 'a list of 8'. Allowed: a list of 2 to 7",
    ),
    "no head joint": (
        ("head", "joints"),
        [],
        "head.joints is 'a list of 0'. Allowed: a list of 1 to 3 joints",
    ),
    "landmark of nobody": (("left_arm", "landmarks"), {"knee": {}}, "unknown key 'knee'"),
    "landmark without a point": (("left_arm", "landmarks"), {"elbow": {}}, "lacks the key 'joint'"),
    "landmark on another arm": (
        ("left_arm", "landmarks"),
        {"elbow": {"joint": "RElbowRoll", "xyz": [0, 0, 0]}},
        "left_arm.landmarks.elbow.joint is 'RElbowRoll'. Allowed: one of LShoulderPitch",
    ),
    "landmark twice": (
        ("left_arm", "landmarks"),
        {"hand": {"joint": "LElbowRoll", "xyz": [0, 0, 0]}},
        "a name that is not among the tips",
    ),
    "no thumb": (("left_arm", "tips", "thumb"), None, "left_arm lacks the landmark 'thumb'"),
    "bone nobody turns": (
        ("left_arm", "landmarks"),
        {
            "shoulder": {"joint": "LShoulderPitch", "xyz": [0, 0, 0]},
            "elbow": {"joint": "LShoulderPitch", "xyz": [0, 0.2, 0]},
        },
        "left_arm: no joint turns the upper arm",
    ),
    "axes askew": (("axes",), {"forward": [1, 0, 0], "up": [1, 0, 1]}, "at a right angle to forward"),
    "hand that does not move": (
        ("hands",),
        {"left_hand": {"name": "LHand", "open": 1.0, "closed": 1.0, "velocity": 1.0}},
        "hands.left_hand.open is 1.0. Allowed: another position than closed",
    ),
    "hand of another name": (("hands",), {"tail": {}}, "unknown key 'tail'. Allowed: left_hand, right_hand"),
    "hand without rest": (("rest", "LHand"), None, "rest lacks the key 'LHand'"),
    "capsule on no joint": (("capsules", 8, "joint"), "Neck", "capsules[8] (neck).joint is 'Neck'"),
    "capsule of no size": (("capsules", 0, "radius"), 0.0, "capsules[0] (chest).radius is 0.0"),
    "capsule twice": (("capsules", 1, "name"), "chest", "a name no other capsule has"),
    "capsules as text": (("capsules",), "round", "capsules is 'round'. Allowed: a list of at most 64"),
    "pair of one": (("ignored_pairs", 0), ["head"], "ignored_pairs[0] is ['head']. Allowed: two names"),
    "pair of nobody": (("ignored_pairs", 0), ["head", "tail*"], "ignored_pairs[0] is 'tail*'"),
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


@pytest.fixture
def pepper():
    return yaml.safe_load(PEPPER.read_text())


@pytest.fixture
def loaded(tmp_path):
    """Load a robot from data."""

    def load(data, name="pepper"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(data))
        return load_robot(str(path))

    return load


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_with_file_and_reason(case, pepper, loaded, tmp_path):
    keys, value, message = WRONG[case]
    holder = pepper
    for key in keys[:-1]:
        holder = holder[key]
    if value is None:
        del holder[keys[-1]]
    else:
        holder[keys[-1]] = value
    with pytest.raises(ConfigurationError) as error:
        loaded(pepper)
    assert str(tmp_path / "pepper.yaml") in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_robot_without_arms_and_head_is_refused(pepper, loaded):
    del pepper["left_arm"], pepper["right_arm"], pepper["head"]
    with pytest.raises(ConfigurationError, match="lacks an arm or a head: left_arm, right_arm, head"):
        loaded(pepper)


def test_capsules_without_end_are_balls_and_patterns_ignore_pairs(pepper, loaded):
    names = [capsule["name"] for capsule in pepper["capsules"]]
    pepper["ignored_pairs"] = [["*", "*"]]
    assert loaded(pepper).pairs.shape == (0, 2)
    pepper["ignored_pairs"] = []
    robot = loaded(pepper)
    joints = [capsule.joint for capsule in robot.capsules]
    together = sum(joints[i] == joints[j] for i in range(len(names)) for j in range(i))
    assert len(robot.pairs) == len(names) * (len(names) - 1) // 2 - together
    head = robot.capsules[names.index("head")]
    np.testing.assert_array_equal(head.start, head.end)


def test_a_robot_needs_no_capsules_no_head_and_only_one_arm(pepper, loaded):
    gone = [joint["name"] for key in ("head", "left_arm") for joint in pepper[key]["joints"]]
    gone += [hand["name"] for hand in pepper["hands"].values()]
    for key in ("head", "left_arm", "hands", "capsules", "ignored_pairs", "drawing"):
        del pepper[key]
    pepper["rest"] = {name: angle for name, angle in pepper["rest"].items() if name not in gone}
    robot = loaded(pepper)
    assert set(robot.groups) == {"right_arm"}
    assert robot.capsule_ends(robot.rest).shape == (0, 2, 3)
    assert set(robot.bone_directions(robot.rest)) == {"right_upper_arm", "right_forearm"}
    points = robot.points(robot.rest)
    assert all(name in points for line in robot.lines for name in line)
    assert np.isinf(Clearance(robot).distances(robot.rest).min(axis=-1, initial=np.inf))


def test_a_base_may_be_turned(pepper, loaded):
    pepper["axes"] = {"forward": [0, 0, 1], "up": [0, 1, 0]}
    np.testing.assert_array_equal(loaded(pepper).axes, [[0, 0, 1], [1, 0, 0], [0, 1, 0]])


def test_arms_of_two_and_of_seven_joints_are_arms(pepper, loaded):
    arm = pepper["left_arm"]
    for joint in arm["joints"][2:]:
        del pepper["rest"][joint["name"]]
    del arm["joints"][2:], arm["tips"]
    points = {"shoulder": [0, 0, 0], "elbow": [0.18, 0, 0], "wrist": [0.33, 0, 0]}
    points |= {"hand": [0.4, 0, 0], "thumb": [0.36, -0.05, 0]}
    arm["landmarks"] = {name: {"joint": "LShoulderRoll", "xyz": xyz} for name, xyz in points.items()}
    pepper["capsules"], pepper["ignored_pairs"] = [], []
    assert len(loaded(pepper).arms["left_arm"].joints) == 2
    more = [dict(pepper["right_arm"]["joints"][k], name=f"More{k}", xyz=[0.03, 0, 0]) for k in (3, 4)]
    pepper["right_arm"]["joints"] += more
    pepper["right_arm"]["landmarks"] = {
        name: {"joint": joint, "xyz": [0, 0, 0]}
        for name, joint in (("shoulder", "RShoulderRoll"), ("elbow", "RElbowRoll"), ("wrist", "RWristYaw"))
    }
    pepper["rest"] |= {"More3": 0.1, "More4": 0.0}
    assert len(loaded(pepper).arms["right_arm"].joints) == 7


def test_hands_come_last_and_move_nothing(pepper, loaded):
    robot = loaded(pepper)
    hand = robot.hands["right_hand"]
    assert (hand.joint, hand.open, hand.closed) == (len(robot.joint_names) - 1, 0.98, 0.02)
    assert (robot.lower[-1], robot.upper[-1]) == (0.02, 0.98)
    moved = robot.rest.copy()
    moved[-1] = 0.9
    for name, point in robot.points(robot.rest).items():
        np.testing.assert_array_equal(robot.points(moved)[name], point)


def test_arms_and_head_hang_behind_the_waist(pepper, loaded):
    hip = {"xyz": [0, 0, 0.1], "rpy": [0, 0, 0], "axis": [0, 0, 1], "lower": -1, "upper": 1, "velocity": 1}
    pepper["waist"] = {"joints": [{"name": "Waist", **hip}]}
    pepper["rest"]["Waist"] = 0.0
    robot, without = loaded(pepper), load_robot("pepper")
    assert robot.joint_names == ("Waist", *without.joint_names)
    turned = robot.points(np.array([0.5, *without.rest]))
    cosine, sine = math.cos(0.5), math.sin(0.5)
    for name, (x, y, z) in without.points(without.rest).items():
        expected = (
            (x, y, z)
            if name in robot.fixed_points
            else (cosine * x - sine * y, sine * x + cosine * y, z + 0.1)
        )
        np.testing.assert_allclose(turned[name], expected, atol=1e-12)


def test_axes_of_a_joint_pair_need_not_meet(pepper, loaded):
    for arm in ("left_arm", "right_arm"):
        pepper[arm]["joints"][3]["xyz"] = [0.01, 0.071, 0.02]
    assert loaded(pepper).joint_names == load_robot("pepper").joint_names


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
    source = PEPPER
    data = yaml.safe_load(source.read_text())
    for arm in ("left_arm", "right_arm"):
        data["rest"].pop(data[arm]["joints"].pop()["name"])
    data["head"]["joints"][1]["jerk"] = 12.5
    del data["capsules"], data["ignored_pairs"]
    path = tmp_path / source.name
    path.write_text(yaml.safe_dump(data))
    robot = load_robot(str(path))
    assert len(robot.joint_names) == 12
    assert robot.jerk[1] == 12.5
    assert (robot.jerk[2:] == robot.jerk[0]).all()
    points = robot.points(robot.rest)
    np.testing.assert_array_equal(points["left_wrist"], points["left_hand"])


class TestSetsOfLimits:
    @pytest.mark.parametrize("name", ["g1", "h1_2"])
    def test_a_robot_that_balances_is_slow_unless_it_is_said_to_be_held(self, name):
        standing, seated, fixed = (load_robot(f"{name}{which}") for which in ("", ":seated", ":fixed_base"))
        assert (standing.limit_set, seated.limit_set) == ("standing", "seated")
        assert standing.name == seated.name == fixed.name == name
        assert standing.velocity.max() <= 1.5
        assert standing.acceleration.max() <= 6.0
        for key in ("velocity", "acceleration", "jerk"):
            slow, middle, quick = (getattr(robot, key) for robot in (standing, seated, fixed))
            assert (slow <= middle).all()
            assert (middle <= quick).all()
        np.testing.assert_array_equal(standing.upper, fixed.upper)

    def test_the_first_counts_and_others_are_named(self, pepper, loaded, tmp_path):
        usual = pepper["limits"]
        pepper["limits"] = {"calm": {**usual, "velocity": 1.0}, "lively": usual}
        robot = loaded(pepper)
        hands = [hand.joint for hand in robot.hands.values()]
        assert np.delete(robot.velocity, hands).max() == 1.0
        assert robot.velocity[hands[0]] == pytest.approx(usual["velocity_fraction"] * 12.56)
        path = tmp_path / "pepper.yaml"
        assert load_robot(f"{path}:lively").velocity.max() == load_robot("pepper").velocity.max()
        with pytest.raises(ConfigurationError, match=r"limits is 'wild'\. Allowed: one of calm, lively"):
            load_robot(f"{path}:wild")
        with pytest.raises(ConfigurationError, match="one set of limits only"):
            load_robot("pepper:standing")

    def test_a_wrong_set_is_refused_whether_it_is_asked_for_or_not(self, pepper, loaded):
        pepper["limits"] = {"calm": dict(pepper["limits"]), "lively": {"velocity_fraction": 0.5}}
        with pytest.raises(ConfigurationError, match=r"limits\.lively lacks the key 'acceleration'"):
            loaded(pepper)
