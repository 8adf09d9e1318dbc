"""Ours beside mink and pink: the same robot, the same human motion, one frame of each in turn.

Peers get what their documentation asks for: tasks for bones, limits of configuration and velocity, collision
avoidance between the same pairs of capsules, one solve per frame, the same solver (daqp). Robots are made
from our own files (`primitives`); nothing is downloaded.

    python3.11 -m venv peers && peers/bin/pip install -r benchmarks/requirements.txt
    PYTHONPATH=. OMP_NUM_THREADS=1 peers/bin/python -m benchmarks.bench_retarget \
        --output benchmarks/results/bench_retarget.json
"""

import argparse
import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import mink
import mujoco
import numpy as np
import pink
import pinocchio as pin
from coal import Capsule as CoalCapsule
from coal import Sphere as CoalSphere
from scipy.optimize import least_squares

from benchmarks import motions
from benchmarks.judging import clearance, judge
from benchmarks.primitives import mjcf, moving, urdf
from text2gesture_ros.geometry import Array, normalise
from text2gesture_ros.motion.frame_block import ClauseHeader, blocks_of
from text2gesture_ros.retargeting.executor import MotionExecutor
from text2gesture_ros.retargeting.retargeter import Retargeter
from text2gesture_ros.robots.robot import BASE, Robot
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.skeleton import INDEX

PERIOD = 1.0 / motions.RATE
BLOCK = 8  # frames that come at once, as the generator sends them
MARGIN = 0.01  # what peers are asked to keep free between capsules [m]
BONES = {
    f"{side}_{bone}": (f"{side}_{start}", f"{side}_{end}")
    for side in ("left", "right")
    for bone, start, end in (("upper_arm", "shoulder", "elbow"), ("forearm", "elbow", "wrist"))
}
NOT_TUNED = (
    "mink: AxisAlignTask per bone (cost 1, lm_damping 1e-3), head by AxisAlignTask, PostureTask at rest "
    "(cost 0.01), ConfigurationLimit, VelocityLimit, CollisionAvoidanceLimit (10 mm, seen from 100 mm, "
    "other values default), one solve per frame. pink has no task for directions: FrameTask on position "
    "of elbow, wrist and nose, targets at the robot's bone lengths (cost 1, orientation 0), PostureTask "
    "(cost 0.01), its own ConfigurationLimit and VelocityLimit, SelfCollisionBarrier (10 mm, gain 20, the "
    "10 nearest pairs, safe_displacement_gain 0: with 1, as in its examples, arms lag behind). No other "
    "gains, costs, dampings, number of iterations or further tasks were tried. Neither has limits of "
    "acceleration and jerk here: mink has none, pink's AccelerationLimit made its problems infeasible in "
    "our hands. Their wrists stay at rest, ours follows the thumb. Converting frames to targets is in our "
    "times, not in theirs. Times are processor time of the thread, methods taking turns frame by frame; "
    "errors are those to the motion without noise."
)


class Method(Protocol):
    """Turns one human frame after the other into joint angles.

    Attributes:
        before: (3, N) where the robot was before the first frame [rad].
        spread: how many frames are computed at once.
    """

    before: Array
    spread: int

    def step(self, frame: int) -> Array:
        """Return the angles (N,) for a frame."""


# --- methods ------------------------------------------------------------------------------------------------
class OurPose:
    """Our pose stage alone: no limits of velocity and beyond, which are the next stage's.

    Frames come in blocks, as the generator sends them: a frame takes its part of what its block takes.
    """

    def __init__(self, robot: Robot, positions: Array, block: int = BLOCK) -> None:
        self._retargeter, self._positions, self._block = Retargeter(robot), positions, block
        self._angles = np.empty((0, len(robot.rest)))
        self.before = _resting(robot)
        self.spread = block

    def step(self, frame: int) -> Array:
        """Return the angles (N,) for a frame."""
        within = frame % self._block
        if not within:
            self._angles = self._retargeter.motion(self._positions[frame : frame + self._block])
        return np.asarray(self._angles[within])


class OurWhole:
    """Ours from frames to verified commands: blocks of frames that come ahead of time, one tick a frame."""

    def __init__(self, robot: Robot, positions: Array, ahead: float = 0.5, block: int = BLOCK) -> None:
        self._executor = MotionExecutor(robot, rate=motions.RATE)
        self._blocks = blocks_of(ClauseHeader("bench"), positions, motions.RATE, ahead + 1.0, block)
        self._ahead, self._time = ahead, 0.0
        self.spread = block
        # Frames come before they are due, and the robot may take a run-up.
        past = [robot.rest] * 3
        while self._time < ahead + 1.0 - PERIOD / 2.0:
            past.append(self.step(0))
        self.before = np.stack(past[-3:])

    def step(self, frame: int) -> Array:
        """Return the angles (N,) for a frame."""
        while self._blocks and self._blocks[0].due - self._ahead <= self._time + 1e-6:
            self._executor.receive(self._blocks.pop(0), self._time)
        position = self._executor.tick(self._time).position
        self._time += PERIOD
        return position


def _resting(robot: Robot) -> Array:
    return np.tile(robot.rest, (3, 1))


class Mink:
    """mink, with tasks for directions."""

    def __init__(self, robot: Robot, targets: Mapping[str, Array]) -> None:
        self._joints, self._rest, self._targets = moving(robot), robot.rest, targets
        self.before, self.spread = _resting(robot), 1
        model = mujoco.MjModel.from_xml_string(mjcf(robot))
        self._configuration = mink.Configuration(model)
        self._configuration.update(robot.rest[self._joints])
        self._tasks = {}
        for bone in targets:
            joint, axis = carried_by(robot, bone)
            name = robot.joint_names[joint]
            self._tasks[bone] = mink.AxisAlignTask(name, "body", axis=axis, cost=1.0, lm_damping=1e-3)
        posture = mink.PostureTask(model, cost=1e-2)
        posture.set_target(robot.rest[self._joints])
        self._all = [*self._tasks.values(), posture]
        names = [capsule.name for capsule in robot.capsules]
        self._limits = [
            mink.ConfigurationLimit(model),
            mink.VelocityLimit(model, {robot.joint_names[j]: robot.velocity[j] for j in self._joints}),
            mink.CollisionAvoidanceLimit(
                model,
                [([names[one]], [names[other]]) for one, other in robot.pairs],
                minimum_distance_from_collisions=MARGIN,
                collision_detection_distance=0.1,
            ),
        ]

    def step(self, frame: int) -> Array:
        """Return the angles (N,) for a frame."""
        for bone, task in self._tasks.items():
            task.set_target(self._targets[bone][frame])
        try:
            velocity = mink.solve_ik(
                self._configuration, self._all, PERIOD, solver="daqp", limits=self._limits
            )
            self._configuration.integrate_inplace(velocity, PERIOD)
        except mink.NoSolutionFound:
            pass  # it stays where it is
        angles = self._rest.copy()
        angles[self._joints] = self._configuration.q
        return angles


class Pink:
    """pink, with tasks for positions: it has none for directions."""

    def __init__(self, robot: Robot, targets: Mapping[str, Array]) -> None:
        joints = moving(robot)
        model = pin.buildModelFromXML(urdf(robot))
        geometry = pin.GeometryModel()
        for capsule in robot.capsules:
            joint = 0 if capsule.joint == BASE else model.getJointId(robot.joint_names[capsule.joint])
            along = capsule.end - capsule.start
            length = float(np.linalg.norm(along))
            middle = (capsule.start + capsule.end) / 2.0
            if length < 1e-6:
                shape, turn = CoalSphere(capsule.radius), np.eye(3)
            else:
                shape = CoalCapsule(capsule.radius, length)
                turn = pin.Quaternion.FromTwoVectors(np.array([0.0, 0.0, 1.0]), along / length).matrix()
            place = pin.SE3(turn, middle)
            geometry.addGeometryObject(pin.GeometryObject(capsule.name, joint, 0, place, shape))
        for one, other in robot.pairs:
            geometry.addCollisionPair(pin.CollisionPair(int(one), int(other)))
        self._index = [model.joints[model.getJointId(robot.joint_names[joint])].idx_q for joint in joints]
        self._joints, self._rest = joints, robot.rest
        self.before, self.spread = _resting(robot), 1
        points = robot.points(robot.rest)
        ends = {"head": ("head", "nose"), **BONES}
        chains = {"head": "head"} | {bone: "_".join([bone.split("_")[0], "arm"]) for bone in BONES}
        for bone in targets:
            landmark = ends[bone][1].removeprefix("left_").removeprefix("right_")
            chain = robot.chains[chains[bone]]
            index, point = chain.landmarks[landmark]
            parent = model.getJointId(robot.joint_names[chain.joints[index]])
            model.addFrame(
                pin.Frame(ends[bone][1], parent, 0, pin.SE3(np.eye(3), point), pin.FrameType.OP_FRAME)
            )
        start = pin.neutral(model)
        start[self._index] = robot.rest[joints]
        data, geometry_data = model.createData(), pin.GeometryData(geometry)
        self._configuration = pink.Configuration(
            model, data, start, collision_model=geometry, collision_data=geometry_data
        )
        # Where the end of a bone belongs: behind that of the bone before, at the robot's own length.
        self._places: dict[str, Array] = {}
        self._tasks = {}
        for bone, (first, last) in ends.items():
            if bone not in targets:
                continue
            length = np.linalg.norm(points[last] - points[first])
            self._places[last] = self._places.get(first, points[first]) + length * targets[bone]
            self._tasks[last] = pink.FrameTask(last, position_cost=1.0, orientation_cost=0.0)
            self._tasks[last].set_target_from_configuration(self._configuration)
        posture = pink.PostureTask(cost=1e-2)
        posture.set_target(start)
        self._all = [*self._tasks.values(), posture]
        self._barriers = [
            pink.barriers.SelfCollisionBarrier(
                n_collision_pairs=min(10, len(robot.pairs)),
                gain=20.0,
                safe_displacement_gain=0.0,
                d_min=MARGIN,
            )
        ]

    def step(self, frame: int) -> Array:
        """Return the angles (N,) for a frame."""
        for last, task in self._tasks.items():
            target = task.transform_target_to_world
            target.translation = self._places[last][frame]
            task.set_target(target)
        try:
            velocity = pink.solve_ik(
                self._configuration,
                self._all,
                PERIOD,
                solver="daqp",
                barriers=self._barriers,
                safety_break=False,
            )
            self._configuration.integrate_inplace(velocity, PERIOD)
        except pink.exceptions.NoSolutionFound:
            pass  # it stays where it is
        angles = self._rest.copy()
        angles[self._joints] = self._configuration.q[self._index]
        return angles


# --- what bones do ------------------------------------------------------------------------------------------
def directions(robot: Robot, positions: Array) -> dict[str, Array]:
    """Return where the human's bones (T, 3) point, in the robot's base; the human stands upright."""
    ends = {"head": ("head", "nose"), **BONES} if robot.head else BONES
    return {
        bone: normalise(positions[:, INDEX[end]] - positions[:, INDEX[start]]) @ robot.axes
        for bone, (start, end) in ends.items()
    }


def carried_by(robot: Robot, bone: str) -> tuple[int, Array]:
    """Return the first joint in whose frame a bone of the robot is fixed, and its direction (3,) there."""
    generator = np.random.default_rng(0)
    angles = robot.lower + generator.random((8, len(robot.rest))) * (robot.upper - robot.lower)
    directions_, (turns, _) = robot.bone_directions(angles)[bone], robot.frames(angles)
    for joint in moving(robot):
        local = np.einsum("tji,tj->ti", turns[:, joint], directions_)
        if np.ptp(local, axis=0).max() < 1e-9:
            return joint, local[0]
    raise ValueError(f"{robot.name}: {bone} is carried by no joint")


def errors(robot: Robot, angles: Array, wanted: Mapping[str, Array]) -> dict[str, Array]:
    """Return the angles between the robot's bones and the human's [degrees], (T,) each."""
    own = robot.bone_directions(angles)
    return {
        bone: np.degrees(np.arccos(np.clip((own[bone] * wanted[bone]).sum(-1), -1.0, 1.0))) for bone in BONES
    }


def best_possible(robot: Robot, wanted: Mapping[str, Array], frames: Array, starts: int = 6) -> Array:
    """Return the smallest angles of bones (F, 4) [rad] that least squares finds from several starts.

    With capsules, poses are asked to keep `MARGIN` between them too.
    """
    generator, joints = np.random.default_rng(0), moving(robot)
    lower, upper = robot.lower[joints], robot.upper[joints]
    found = []
    for frame in frames:
        goals = np.stack([wanted[bone][frame] for bone in BONES])

        def residual(values: Array, goals: Array = goals) -> Array:
            angles = robot.rest.copy()
            angles[joints] = values
            bones = robot.bone_directions(angles)
            near = min(0.0, float(clearance(robot, angles[None])[0]) - MARGIN)
            return np.append(_turns(np.stack([bones[bone] for bone in BONES]), goals), 50.0 * near)

        begins = [
            robot.rest[joints],
            *(lower + generator.random((starts - 1, len(joints))) * (upper - lower)),
        ]
        best = min(
            (
                least_squares(
                    residual, np.clip(begin, lower + 1e-6, upper - 1e-6), bounds=(lower, upper), max_nfev=40
                )
                for begin in begins
            ),
            key=lambda result: result.cost,
        )
        found.append(np.linalg.norm(best.fun[:-1].reshape(len(BONES), 3), axis=-1))
    return np.array(found)


def _turns(start: Array, goal: Array) -> Array:
    """Return the turns from unit vectors (B, 3) to others as axis times angle, (3 B,): smooth at zero."""
    across = np.cross(start, goal)
    sine = np.linalg.norm(across, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (start * goal).sum(-1, keepdims=True))
    return np.asarray(np.where(sine > 1e-9, across * angle / np.maximum(sine, 1e-9), across)).ravel()


# --- measured -----------------------------------------------------------------------------------------------
def measure(methods: Mapping[str, Method], frames: int) -> tuple[dict[str, Array], dict[str, Array]]:
    """Let the methods take turns, frame by frame; return angles (T, N) and wall, processor time [s]."""
    angles: dict[str, list[Array]] = {name: [] for name in methods}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    names = list(methods)
    for frame in range(frames):
        for name in names[frame % len(names) :] + names[: frame % len(names)]:
            wall, processor = time.perf_counter(), time.thread_time()
            result = methods[name].step(frame)
            taken[name].append((time.perf_counter() - wall, time.thread_time() - processor))
            angles[name].append(result)
    seconds = {name: _spread(np.array(taken[name]), method.spread) for name, method in methods.items()}
    return {name: np.stack(rows) for name, rows in angles.items()}, seconds


def _spread(seconds: Array, size: int) -> Array:
    """Return seconds (T, 2) with what each block of `size` frames took spread evenly over them."""
    starts = np.arange(0, len(seconds), size)
    counts = np.diff(np.append(starts, len(seconds)))
    return np.repeat(np.add.reduceat(seconds, starts) / counts[:, None], counts, axis=0)


def figures(
    robot: Robot, before: Array, angles: Array, seconds: Array, wanted: Mapping[str, Array]
) -> dict[str, Any]:
    """Return what is compared, of one method."""
    off = errors(robot, angles, wanted)
    both = {
        bone: np.concatenate([off[f"{side}_{bone}"] for side in ("left", "right")])
        for bone in ("upper_arm", "forearm")
    }
    times = np.arange(len(before) + len(angles)) / motions.RATE
    verdict = judge(robot, np.concatenate([before, angles]), times, len(before))
    wall, processor = 1e6 * seconds.T
    return {
        "microseconds": {
            "median": round(float(np.median(processor)), 1),
            "p95": round(float(np.percentile(processor, 95)), 1),
            "mean": round(float(processor.mean()), 1),
            "wall_median": round(float(np.median(wall)), 1),
        },
        **{
            f"{bone}_deg": {
                "median": round(float(np.median(values)), 3),
                "p95": round(float(np.percentile(values, 95)), 2),
                "rms": round(float(np.sqrt((values**2).mean())), 3),
            }
            for bone, values in both.items()
        },
        "violations": {
            k: verdict.violations[k] for k in ("position", "velocity", "acceleration", "jerk", "clearance")
        },
        "use": {k: round(verdict.use[k], 3) for k in ("velocity", "acceleration", "jerk")},
        "clearance_mm": round(1000.0 * verdict.clearance, 2),
        "lag_ms": lag(off, robot, angles, wanted),
    }


def lag(off: Mapping[str, Array], robot: Robot, angles: Array, wanted: Mapping[str, Array]) -> float:
    """Return by how much later the wanted directions fit best [ms], in whole frames."""
    sums = []
    for delay in range(8):
        late = errors(robot, angles[delay:], {k: v[: len(v) - delay] for k, v in wanted.items()})
        sums.append(np.mean([np.mean(late[bone] ** 2) for bone in off]))
    return round(1000.0 * PERIOD * int(np.argmin(sums)), 1)


def compare(name: str, motion: Array, bound: int) -> dict[str, Any]:
    """Compare the methods on one motion without noise and with 3 mm of it."""
    robot = load_robot(name)
    bare = replace(robot, capsules=(), pairs=np.empty((0, 2), dtype=np.intp))
    wanted = directions(robot, motion)
    result: dict[str, Any] = {}
    for noise in (0.0, 0.003):
        positions = motions.noisy(motion, noise) if noise else motion
        targets = directions(robot, positions)
        methods: dict[str, Callable[[], Method]] = {
            "ours, pose": lambda p=positions: OurPose(robot, p),
            "ours, pose, frame by frame": lambda p=positions: OurPose(robot, p, block=1),
            "ours, pose, no capsules": lambda p=positions: OurPose(bare, p),
            "ours, whole": lambda p=positions: OurWhole(robot, p),
            "ours, whole, frames as they are due": lambda p=positions: OurWhole(
                robot, p, ahead=1e-3, block=1
            ),
            "mink": lambda t=targets: Mink(robot, t),
            "pink": lambda t=targets: Pink(robot, t),
        }
        made = {name: make() for name, make in methods.items()}
        angles, seconds = measure(made, len(motion))
        key = f"{1000.0 * noise:g} mm noise"
        result[key] = {
            name: figures(robot, method.before, angles[name], seconds[name], wanted)
            for name, method in made.items()
        }
        if not noise and bound:
            frames = np.linspace(0, len(motion) - 1, bound).astype(int)
            result["bound"] = {}
            for what, model, ours in (
                ("joint limits", bare, "ours, pose, no capsules"),
                ("joint limits and capsules", robot, "ours, pose"),
            ):
                own = errors(robot, angles[ours][frames], {k: v[frames] for k, v in wanted.items()})
                best = np.degrees(best_possible(model, wanted, frames))
                result["bound"][what] = {
                    "frames": bound,
                    "rms_deg": round(float(np.sqrt((best**2).mean())), 3),
                    "ours_rms_deg": round(float(np.sqrt(np.mean([v**2 for v in own.values()]))), 3),
                }
    return result


def table(results: Mapping[str, Any]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| robot, motion | method | µs per frame, median / p95 / mean | upper arm, median / p95 [°] | "
        "forearm | frames beyond limits: v / a / j | frames < 5 mm | least clearance [mm] | "
        "largest jerk / limit | lag [ms] |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for robot, by_motion in results.items():
        for motion, by_noise in by_motion.items():
            for noise, rows in by_noise.items():
                for method, row in rows.items() if noise != "bound" else ():
                    broken = row["violations"]
                    cells = [
                        f"{robot}, {motion}, {noise}",
                        method,
                        " / ".join(f"{row['microseconds'][key]:.0f}" for key in ("median", "p95", "mean")),
                        *(
                            f"{row[b]['median']:.2f} / {row[b]['p95']:.1f}"
                            for b in ("upper_arm_deg", "forearm_deg")
                        ),
                        " / ".join(str(broken[kind]) for kind in ("velocity", "acceleration", "jerk")),
                        str(broken["clearance"]),
                        f"{row['clearance_mm']:.1f}",
                        f"{row['use']['jerk']:.2f}",
                        f"{row['lag_ms']:.0f}",
                    ]
                    lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    cpu = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return {
        "cpu": cpu[0] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: version(name) for name in ("mink", "mujoco", "pin-pink", "pin", "daqp")},
    }


def main() -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--robots", nargs="+", default=["nao", "pepper"], metavar="ROBOT")
    parser.add_argument("--seconds", type=float, default=60.0, help="of conversational motion")
    parser.add_argument("--bound", type=int, default=60, help="frames for the best that is possible; 0: none")
    parser.add_argument(
        "--output", type=Path, help="where the result goes (.json); the table beside it (.md)"
    )
    args = parser.parse_args()
    warnings.filterwarnings("ignore")

    tried = {
        "wave 2 s": motions.wave(),
        f"conversation {args.seconds:g} s": motions.conversation(args.seconds),
    }
    results: dict[str, Any] = {}
    for robot in args.robots:
        results[robot] = {}
        for name, motion in tried.items():
            print(f"{robot}, {name}", file=sys.stderr)
            results[robot][name] = compare(robot, motion, args.bound if "conversation" in name else 0)
    text = table(results)
    print(text)
    if args.output:
        data = {
            "command": " ".join(["python -m benchmarks.bench_retarget", *sys.argv[1:]]),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "note": NOT_TUNED,
            "figures": results,
        }
        args.output.write_text(json.dumps(data, indent=1) + "\n")
        args.output.with_suffix(".md").write_text(f"{text}\n\n{NOT_TUNED}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
