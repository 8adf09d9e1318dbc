"""Drive every robot with whatever may come, for a million control samples, and judge what it is told to do.

Random and adversarial motion and generated gestures go through `Performer`, tick by tick, as blocks that
come steadily, late, twice, in the wrong order or into each other, while settings change. What comes out is
recorded and judged here, by code that shares nothing with planner, retargeter and verifier but the robot's
file and its forward kinematics: own divided differences, own distances between capsules.

    python -m benchmarks.soak_retarget --jobs 2 --output benchmarks/results/soak_retarget.json
    python -m benchmarks.soak_retarget --raw --samples 30000    # without the limits: has to find violations

Goes on where it was stopped: finished episodes are kept beside the output until the last one is done.
"""

import argparse
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import motions
from text2gesture_ros.bench import described
from text2gesture_ros.blending import DEFAULTS, Settings
from text2gesture_ros.errors import Text2GestureError
from text2gesture_ros.generator import GestureGenerator
from text2gesture_ros.kinematics import Array
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.motion import FrameBlock
from text2gesture_ros.performing import Performer
from text2gesture_ros.resources import share_directory
from text2gesture_ros.robot import Robot, load_robot
from text2gesture_ros.skeleton import JOINTS, REFERENCE

EPISODE = 3000  # control samples from one start at rest to the next
CLEARANCE = 0.005  # [m]
TOLERANCE = 1e-3  # part of a limit by which it may be exceeded
KINDS = ("finite", "position", "velocity", "acceleration", "jerk", "continuity", "clearance")

_LOOK = 101  # ticks from one look ahead to the next
_POSITION = 1e-6  # [rad]
_ARMS = slice(5, 15)  # joints of the skeleton


# --- what comes in ------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Take:
    """One gesture as it is asked for.

    Attributes:
        start: when its first frame is due [s].
        positions: (T, K, 3) what is done [m], perhaps nonsense.
        rate: frames per second [Hz].
        complete: whether its last block says that it is the last.
    """

    start: float
    positions: Array
    rate: float
    complete: bool

    @property
    def end(self) -> float:
        """When its last frame is due [s]."""
        return self.start + (len(self.positions) - 1) / self.rate


Source = Callable[[np.random.Generator], tuple[Array, float]]


@cache
def gestures() -> tuple[Array, ...]:
    """Return all gestures in all emotions, generated twice each."""
    model = GestureGenerator()
    return tuple(
        np.asarray(model.generate(gesture, emotion, seed=seed).positions, dtype=np.float64)
        for gesture in GESTURES
        for emotion in EMOTIONS
        for seed in range(2)
    )


def gesture(generator: np.random.Generator) -> tuple[Array, float]:
    """Return a generated gesture."""
    return gestures()[generator.integers(len(gestures()))], motions.RATE


def conversation(generator: np.random.Generator) -> tuple[Array, float]:
    """Return random conversational movement, with and without the noise of a camera."""
    clip = motions.conversation(generator.uniform(1.0, 6.0), int(generator.integers(1 << 30)))
    noise = generator.choice([0.0, 0.003])
    return motions.noisy(clip, noise, int(generator.integers(1 << 30))), motions.RATE


def noise(generator: np.random.Generator) -> tuple[Array, float]:
    """Return joints that are anywhere in every frame."""
    frames = int(generator.integers(2, 240))
    return REFERENCE + generator.normal(0.0, generator.choice([0.02, 0.3]), (frames, *REFERENCE.shape)), 60.0


def steps(generator: np.random.Generator) -> tuple[Array, float]:
    """Return poses held for a while, then another at once."""
    poses = motions.conversation(60.0, int(generator.integers(1 << 30)))
    held = generator.integers(1, 60, size=6)
    return np.repeat(poses[generator.integers(len(poses), size=6)], held, axis=0), motions.RATE


def teleporting(generator: np.random.Generator) -> tuple[Array, float]:
    """Return a gesture some joints of which are far away in single frames."""
    clip = gesture(generator)[0].copy()
    for _ in range(max(1, len(clip) // 8)):
        clip[generator.integers(len(clip)), generator.integers(len(JOINTS))] = generator.uniform(-4.9, 4.9, 3)
    return clip, motions.RATE


def frozen(generator: np.random.Generator) -> tuple[Array, float]:
    """Return a gesture that sticks and then jumps to where it ought to be."""
    clip = gesture(generator)[0].copy()
    for _ in range(3):
        first = int(generator.integers(len(clip)))
        clip[first : first + int(generator.integers(5, 40))] = clip[first]
    return clip, motions.RATE


def fast(generator: np.random.Generator) -> tuple[Array, float]:
    """Return a gesture at ten times its speed, over and over."""
    return np.tile(gesture(generator)[0], (4, 1, 1)), 10.0 * motions.RATE


def broken(generator: np.random.Generator) -> tuple[Array, float]:
    """Return a gesture with frames that are no numbers, far too large, or no body at all."""
    clip = gesture(generator)[0].copy()
    for bad in (np.nan, np.inf, -np.inf, 1e12, 1e300, 0.0):
        frames = generator.integers(len(clip), size=3)
        clip[frames, generator.integers(len(JOINTS))] = bad
    collapsed = generator.integers(len(clip), size=5)
    clip[collapsed, _ARMS] = clip[collapsed, :1]
    return clip, motions.RATE


def anything(generator: np.random.Generator) -> tuple[Array, float]:
    """Return one of all the others."""
    return list(SOURCES.values())[generator.integers(len(SOURCES) - 1)](generator)


SOURCES: Mapping[str, Source] = {
    "gesture": gesture,
    "conversation": conversation,
    "noise": noise,
    "steps": steps,
    "teleporting": teleporting,
    "frozen": frozen,
    "fast": fast,
    "broken": broken,
    "anything": anything,
}
DELIVERIES = ("steady", "jittery", "interrupting", "live")


def takes(source: Source, delivery: str, seconds: float, generator: np.random.Generator) -> Iterator[Take]:
    """Yield gestures that fill an episode: one after the other or, where they interrupt, into each other."""
    start = 0.3
    while start < seconds:
        positions, rate = source(generator)
        take = Take(start, positions, rate, complete=bool(generator.random() > 0.1))
        yield take
        if delivery == "interrupting":
            start += generator.uniform(0.02, 0.8)
        else:
            start = max(take.end, start) + generator.choice([0.02, 0.2, 1.5])


def blocks(take: Take, name: str, delivery: str, generator: np.random.Generator) -> list[tuple[float, Any]]:
    """Return (when it comes [s], block) of a gesture, unchecked: the performer must stand whatever comes."""
    given: list[tuple[float, Any]] = []
    first, sequence = 0, 0
    while first < len(take.positions):
        size = 8 if delivery == "steady" else int(generator.integers(1, 40))
        positions = take.positions[first : first + size]
        due = take.start + first / take.rate
        block = FrameBlock(
            utterance_id=name,
            gesture="",
            emotion="",
            sequence=sequence,
            first_frame=first,
            frame_rate=take.rate,
            due=due,
            positions=np.tile(REFERENCE, (len(positions), 1, 1)),
            stop_probabilities=np.zeros(len(positions)),
            last=take.complete and first + size >= len(take.positions),
        )
        object.__setattr__(block, "positions", positions)
        if delivery == "jittery":
            ahead = float(generator.choice([0.5, 0.1, 0.0, -0.1, -0.4])) + generator.normal(0.0, 0.05)
            copies = int(generator.choice([0, 1, 2], p=[0.03, 0.87, 0.1]))
            given += [(due - ahead + 0.1 * copy, block) for copy in range(copies)]
        else:
            given.append((max(due - 0.5, take.start - 0.05), block))
        first, sequence = first + size, sequence + 1
    return given


def change(robot: Robot, generator: np.random.Generator) -> dict[str, Any]:
    """Return some settings as `ros2 param set` may change them, of those that there are."""
    groups = [group for group in getattr(robot, "groups", {}) if generator.random() < 0.7]
    possible: dict[str, Any] = {
        "scale": float(generator.choice([0.0, 0.5, 1.0, 1.5, generator.uniform(0.0, 2.0)])),
        "speed": float(generator.uniform(0.5, 2.0)),
        "mirror": bool(generator.random() < 0.5),
        "blend_time": float(generator.choice([0.0, 0.3, 2.0])),
        "frame_timeout": float(generator.uniform(0.05, 1.0)),
        "groups": tuple(groups),
        "use_head": bool(generator.random() < 0.7),
        "use_waist": bool(generator.random() < 0.7),
        "use_left_arm": bool(generator.random() < 0.7),
        "use_right_arm": bool(generator.random() < 0.7),
    }
    known = [key for key in possible if key in Settings.__dataclass_fields__]
    return {key: possible[key] for key in known if generator.random() < 0.5}


# --- what comes out -----------------------------------------------------------------------------------------
def perform(
    robot: Robot, given: Sequence[Take], delivery: str, samples: int, rate: float, seed: int
) -> tuple[Array, Array, Array, list[Array], Counter[str]]:
    """Play gestures; return positions, velocities, accelerations (S, N), what was announced, counts."""
    generator = np.random.default_rng(seed)
    performer = Performer(robot, rate=rate)
    events: list[tuple[float, int, Any]] = []
    for number, take in enumerate(given):
        events += [
            (at, len(events) + index, block)
            for index, (at, block) in enumerate(blocks(take, f"{number}", delivery, generator))
        ]
    if delivery == "live":
        events += [(at, -1, change(robot, generator)) for at in np.arange(0.1, samples / rate, 0.23)]
    events.sort(key=lambda event: event[:2])
    recorded: list[tuple[Array, Array, Array]] = []
    ahead: list[Array] = []
    refused: Counter[str] = Counter()
    stall = 0.0
    for tick in range(samples):
        now = tick / rate
        if delivery == "jittery":
            stall += generator.exponential(0.05) if generator.random() < 0.005 else 0.0
            now += stall + generator.uniform(0.0, 0.4) / rate
        while events and events[0][0] <= now:
            _, _, event = events.pop(0)
            try:
                if isinstance(event, FrameBlock):
                    performer.receive(event, now)
                else:
                    performer.configure(**event)
            except Text2GestureError as error:
                refused[type(error).__name__] += 1
        command = performer.tick(now)
        recorded.append((command.position, command.velocity, command.acceleration))
        if tick % _LOOK == 50:
            before = [position for position, _, _ in recorded[-3:]]
            ahead.append(np.stack([*before, *performer.look_ahead(now).positions]))
    positions, velocities, accelerations = (np.stack(rows) for rows in zip(*recorded, strict=True))
    return positions, velocities, accelerations, ahead, performer.counts + refused


def raw(robot: Robot, given: Sequence[Take], samples: int, rate: float) -> Array:
    """Return what the closed form alone says at control rate (S, N): no limits, no look at the capsules."""
    times = np.arange(samples) / rate
    angles = np.tile(robot.rest, (samples, 1))
    for take in given:
        own = closed_form(robot, take.positions)
        due = take.start + np.arange(len(own)) / take.rate
        playing = (times >= take.start) & (times <= take.end)
        for joint in range(angles.shape[1]):
            angles[playing, joint] = np.interp(times[playing], due, own[:, joint])
    return angles


def closed_form(robot: Robot, positions: Array) -> Array:
    """Return the angles (T, N) of the closed form; frames that are no body are left out."""
    from text2gesture_ros import retargeting

    sound = np.isfinite(positions).all(axis=(1, 2)) & (np.abs(positions).max(axis=(1, 2)) <= 5.0)
    body = np.where(sound[:, None, None], positions, REFERENCE)
    kind = getattr(retargeting, "ClosedForm", retargeting.Retargeter)
    return np.asarray(kind(robot).motion(body))


# --- judged -------------------------------------------------------------------------------------------------
@dataclass
class Verdict:
    """What was found: samples that break a limit, by kind; the largest part of each used; what came near."""

    samples: int = 0
    violations: Counter[str] = None  # type: ignore[assignment]
    use: dict[str, float] = None  # type: ignore[assignment]
    clearance: float = math.inf

    def __post_init__(self) -> None:
        self.violations = Counter(self.violations or {})
        self.use = dict(self.use or {})

    def note(self, kind: str, excess: Array, use: Array) -> None:
        """Count the samples (S,) for which `excess` (S, ...) holds anywhere; keep the largest `use`."""
        self.violations[kind] += int(excess.reshape(len(excess), -1).any(axis=1).sum())
        self.use[kind] = max(self.use.get(kind, 0.0), float(use.max(initial=0.0)))

    def add(self, other: "Verdict") -> None:
        """Take the findings of another in."""
        self.samples += other.samples
        self.violations += other.violations
        for kind, use in other.use.items():
            self.use[kind] = max(self.use.get(kind, 0.0), use)
        self.clearance = min(self.clearance, other.clearance)

    def figures(self) -> dict[str, Any]:
        """Return what was found as JSON types."""
        return {
            "samples": self.samples,
            "violations": {kind: self.violations[kind] for kind in KINDS},
            "use": {kind: round(use, 6) for kind, use in sorted(self.use.items())},
            "clearance_mm": None if math.isinf(self.clearance) else round(1000.0 * self.clearance, 3),
        }


def judge(robot: Robot, positions: Array, rate: float, before: Array | None = None) -> Verdict:
    """Judge commands (S, N) at an even rate [Hz] against the robot's limits and its capsules.

    Args:
        robot: whose limits count.
        positions: the commands [rad].
        rate: of the commands [Hz].
        before: (B, N) the commands before them; None: the robot stood still at rest.
    """
    verdict = Verdict(samples=len(positions))
    sound = np.isfinite(positions)
    verdict.note("finite", ~sound, (~sound).astype(float))
    positions = np.where(sound, positions, robot.rest)
    middle, half = (robot.upper + robot.lower) / 2.0, (robot.upper - robot.lower) / 2.0
    off = np.abs(positions - middle)
    verdict.note("position", off > half + _POSITION, off / half)
    past = np.tile(robot.rest, (3, 1)) if before is None else before
    rows = np.concatenate([past, positions])
    for order, kind in enumerate(("velocity", "acceleration", "jerk"), start=1):
        limit = getattr(robot, kind)
        found = np.abs(np.diff(rows, order, axis=0)) * rate**order
        found = found[len(found) - len(positions) :]
        verdict.note(kind, found > limit * (1.0 + TOLERANCE), found / limit)
    near = clearance(robot, positions)
    verdict.violations["clearance"] = int((near < CLEARANCE).sum())
    verdict.clearance = float(near.min(initial=np.inf))
    return verdict


def judge_continuity(
    robot: Robot, velocities: Array, accelerations: Array, positions: Array, rate: float
) -> Verdict:
    """Judge whether velocities and accelerations sent along (S, N) are those of the positions, unbroken."""
    verdict = Verdict()
    period = 1.0 / rate
    largest = np.zeros(len(positions) - 1)
    for change_, limit in (
        (np.diff(velocities, axis=0), robot.acceleration * period),
        (np.diff(accelerations, axis=0), robot.jerk * period),
        # Mean velocity of a period and velocity at its end differ by what the acceleration does in it.
        (np.diff(positions, axis=0) - velocities[1:] * period, robot.acceleration * period**2),
    ):
        part = np.where(np.isfinite(change_), np.abs(change_), np.inf) / limit
        largest = np.maximum(largest, part.max(axis=1))
    verdict.note("continuity", largest > 1.0 + TOLERANCE, largest)
    return verdict


def clearance(robot: Robot, positions: Array) -> Array:
    """Return the smallest distance (S,) of two capsules that may touch [m], infinite where there are none."""
    capsules, pairs = getattr(robot, "capsules", ()), np.asarray(getattr(robot, "pairs", ()), dtype=int)
    smallest = np.full(len(positions), np.inf)
    if not len(capsules) or not len(pairs):
        return smallest
    radii = np.array([capsule.radius for capsule in capsules])
    for first in range(0, len(positions), 500):
        rotations, origins = robot.frames(positions[first : first + 500])
        ends = np.empty((2, len(capsules), len(origins), 3))
        for index, capsule in enumerate(capsules):
            for end, point in enumerate((capsule.start, capsule.end)):
                ends[end, index] = point
                if capsule.joint >= 0:
                    ends[end, index] = origins[:, capsule.joint] + (
                        rotations[:, capsule.joint] @ np.asarray(point)
                    )
        for one, other in pairs:
            apart = _between(ends[0, one], ends[1, one], ends[0, other], ends[1, other])
            rows = smallest[first : first + 500]
            np.minimum(rows, apart - radii[one] - radii[other], out=rows)
    return smallest


def _between(a: Array, b: Array, c: Array, d: Array) -> Array:
    """Return the distance of segments a-b and c-d, (S, 3) each (Ericson, Real-Time Collision Detection)."""
    u, v, w = b - a, d - c, a - c
    # A capsule without length is a ball: whatever point of its segment is named, it is the same one.
    uu, vv, uv = np.maximum((u * u).sum(-1), 1e-12), np.maximum((v * v).sum(-1), 1e-12), (u * v).sum(-1)
    uw, vw = (u * w).sum(-1), (v * w).sum(-1)
    cross = uu * vv - uv * uv
    along = np.clip(np.where(cross > 1e-12, (uv * vw - uw * vv) / np.maximum(cross, 1e-12), 0.0), 0.0, 1.0)
    other = np.clip((uv * along + vw) / vv, 0.0, 1.0)
    along = np.clip((uv * other - uw) / uu, 0.0, 1.0)
    return np.asarray(np.linalg.norm(w + along[:, None] * u - other[:, None] * v, axis=-1))


# --- all of it ----------------------------------------------------------------------------------------------
def episode(task: tuple[str, int, float, bool]) -> dict[str, Any]:
    """Play and judge one episode of a robot; every number of it has its own motion and delivery."""
    name, number, rate, is_raw = task
    begin = time.process_time()
    robot = load_robot(name)
    kinds = [(source, delivery) for delivery in DELIVERIES for source in SOURCES]
    source, delivery = kinds[number % len(kinds)]
    generator = np.random.default_rng([number, *name.encode()])
    given = list(takes(SOURCES[source], delivery, EPISODE / rate, generator))
    counts: Counter[str] = Counter()
    if is_raw:
        verdict = judge(robot, raw(robot, given, EPISODE, rate), rate)
        planned = Verdict()
    else:
        seed = int(generator.integers(1 << 30))
        positions, velocities, accelerations, ahead, counts = perform(
            robot, given, delivery, EPISODE, rate, seed
        )
        verdict, planned = judge(robot, positions, rate), Verdict()
        verdict.add(judge_continuity(robot, velocities, accelerations, positions, rate))
        for rows in ahead:
            planned.add(judge(robot, rows[3:], rate, before=rows[:3]))
    return {
        "robot": name,
        "number": number,
        "source": source,
        "delivery": delivery,
        "seconds": time.process_time() - begin,
        "commanded": verdict.figures(),
        "announced": planned.figures(),
        "counts": dict(counts),
    }


def summarised(parts: Sequence[Mapping[str, Any]], key: Callable[[Mapping[str, Any]], str]) -> dict[str, Any]:
    """Return the findings of episodes, those with the same key together."""
    result: dict[str, Any] = {}
    for name in dict.fromkeys(map(key, parts)):
        own = [part for part in parts if key(part) == name]
        total, planned = _total(own, "commanded"), _total(own, "announced")
        counts: Counter[str] = sum((Counter(part["counts"]) for part in own), Counter())
        result[name] = {
            **total.figures(),
            "announced": planned.figures(),
            "counts": dict(sorted(counts.items())),
            "microseconds_per_sample": round(1e6 * sum(part["seconds"] for part in own) / total.samples, 1),
        }
    return result


def _total(parts: Sequence[Mapping[str, Any]], what: str) -> Verdict:
    total = Verdict()
    for part in parts:
        found = part[what]
        near = found["clearance_mm"]
        total.add(
            Verdict(
                found["samples"],
                Counter(found["violations"]),
                found["use"],
                math.inf if near is None else near / 1000.0,
            )
        )
    return total


def main() -> int:
    """Run the soak; exit with 1 where a limit was broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    known = sorted(path.stem for path in (share_directory() / "config" / "robots").glob("*.yaml"))
    parser.add_argument("--robots", nargs="+", default=known, choices=known, metavar="ROBOT")
    parser.add_argument("--samples", type=int, default=1_000_000, help="of all robots together, at least")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--rate", type=float, default=DEFAULTS.rate, help="of the control loop [Hz]")
    parser.add_argument("--raw", action="store_true", help="the closed form without limits: must fail")
    parser.add_argument("--output", type=Path, help="where the result goes (.json)")
    args = parser.parse_args()

    each = math.ceil(args.samples / len(args.robots) / EPISODE)
    tasks = [(robot, number, args.rate, args.raw) for number in range(each) for robot in args.robots]
    kept = args.output.with_suffix(".parts.jsonl") if args.output else None
    parts = [json.loads(line) for line in kept.read_text().splitlines()] if kept and kept.exists() else []
    done = {(part["robot"], part["number"]) for part in parts}
    missing = [task for task in tasks if task[:2] not in done]
    begin, cpu = time.monotonic(), 0.0
    with get_context("spawn").Pool(args.jobs) as pool:
        for index, part in enumerate(pool.imap_unordered(episode, missing), start=1):
            parts.append(part)
            cpu += part["seconds"]
            if kept:
                with kept.open("a") as file:
                    file.write(json.dumps(part) + "\n")
            bad = {kind: count for kind, count in part["commanded"]["violations"].items() if count}
            left = (time.monotonic() - begin) / index * (len(missing) - index)
            print(
                f"{index}/{len(missing)} {part['robot']} {part['source']} {part['delivery']}: "
                f"{bad or 'none'}, {part['commanded']['clearance_mm']} mm, {left / 60.0:.0f} min left",
                file=sys.stderr,
            )
    everything = summarised(parts, lambda part: "all")["all"]
    figures = {
        "robots": len(args.robots),
        "rate": args.rate,
        "raw": args.raw,
        "all": everything,
        "by_robot": summarised(parts, lambda part: str(part["robot"])),
        "by_motion": summarised(parts, lambda part: str(part["source"])),
        "by_delivery": summarised(parts, lambda part: str(part["delivery"])),
    }
    command = " ".join(["python -m benchmarks.soak_retarget", *sys.argv[1:]])
    text = json.dumps(described(command, figures), indent=1)
    if args.output:
        args.output.write_text(text + "\n")
        kept.unlink()
    print(json.dumps(everything, indent=1))
    broken_ = sum(everything["violations"].values()) + sum(everything["announced"]["violations"].values())
    return 1 if broken_ else 0


if __name__ == "__main__":
    sys.exit(main())
