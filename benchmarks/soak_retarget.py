"""Drive every robot with whatever may come, for a million control samples, and judge what it is told to do.

Random and adversarial motion and generated gestures go through `MotionExecutor`, tick by tick, as blocks that
come steadily, late, twice, in the wrong order or into each other, while settings change, utterances are
cancelled and the robot is held. What comes out is recorded and judged by `judging`.

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
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import motions
from benchmarks.judging import Verdict, judge, judge_continuity
from text2gesture_ros.errors import Text2GestureError
from text2gesture_ros.generation.generator import GestureGenerator
from text2gesture_ros.geometry import Array
from text2gesture_ros.gestures import GROUPS, needs_of
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.measurement import described
from text2gesture_ros.motion.frame_block import ClauseHeader, FrameBlock
from text2gesture_ros.parameters import MODES
from text2gesture_ros.resources import share_directory
from text2gesture_ros.retargeting.executor import DEFAULTS, MotionExecutor
from text2gesture_ros.retargeting.retargeter import Retargeter
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.skeleton import JOINTS, REFERENCE

EPISODE = 3000  # control samples from one start at rest to the next
_LOOK = 101  # ticks from one look ahead to the next
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
    clip = motions.conversation(generator.uniform(1.0, 6.0), int(generator.integers(1 << 30)), crossing=True)
    noise = generator.choice([0.0, 0.003])
    return motions.noisy(clip, noise, int(generator.integers(1 << 30))), motions.RATE


def noise(generator: np.random.Generator) -> tuple[Array, float]:
    """Return joints that are anywhere in every frame."""
    frames = int(generator.integers(2, 240))
    return REFERENCE + generator.normal(0.0, generator.choice([0.02, 0.3]), (frames, *REFERENCE.shape)), 60.0


def steps(generator: np.random.Generator) -> tuple[Array, float]:
    """Return poses held for a while, then another at once."""
    poses = motions.conversation(60.0, int(generator.integers(1 << 30)), crossing=True)
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
    """Return (when it comes [s], block) of a gesture, unchecked: the executor must stand whatever comes."""
    given: list[tuple[float, Any]] = []
    first, sequence = 0, 0
    label = str(generator.choice([*GESTURES, "", "", ""]))
    header = ClauseHeader(name, gesture=label, needs=needs_of(label))
    while first < len(take.positions):
        size = 8 if delivery == "steady" else int(generator.integers(1, 40))
        positions = take.positions[first : first + size]
        due = take.start + first / take.rate
        block = FrameBlock(
            header=header,
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


def change(generator: np.random.Generator) -> dict[str, Any]:
    """Return some settings, as `ros2 param set` may change them."""
    possible: dict[str, Any] = {
        "gesture_scale": float(generator.choice([0.0, 0.5, 1.0, 1.5, generator.uniform(0.0, 1.5)])),
        "mirror": bool(generator.random() < 0.5),
        "blend_time": float(generator.choice([0.0, 0.3, 2.0])),
        "frame_timeout": float(generator.uniform(0.05, 1.0)),
        "idle_motion": float(generator.uniform(0.0, 1.0)),
        **{group: str(generator.choice(MODES, p=[0.5, 0.3, 0.2])) for group in GROUPS},
    }
    return {key: value for key, value in possible.items() if generator.random() < 0.3}


def order(executor: MotionExecutor, generator: np.random.Generator) -> None:
    """Give some order, or none: let an utterance or all be cancelled, the robot be held or go on."""
    number = generator.integers(12)
    if number < 2:
        executor.cancel(None if number else str(generator.integers(30)))
    elif number < 6:
        executor.hold(bool(number == 2))


# --- what comes out -----------------------------------------------------------------------------------------
def perform(
    robot: Robot, given: Sequence[Take], delivery: str, samples: int, rate: float, seed: int
) -> tuple[Array, Array, Array, Array, list[tuple[Array, Array]], Counter[str]]:
    """Play gestures.

    Returns:
        positions, velocities, accelerations (S, N) and stamps (S,), what was announced (positions and stamps,
        three sent ones before), counts.
    """
    generator = np.random.default_rng(seed)
    executor = MotionExecutor(robot, rate=rate)
    events: list[tuple[float, int, Any]] = []
    for number, take in enumerate(given):
        events += [
            (at, len(events) + index, block)
            for index, (at, block) in enumerate(blocks(take, f"{number}", delivery, generator))
        ]
    if delivery == "live":
        events += [(at, -1, change(generator)) for at in np.arange(0.1, samples / rate, 0.23)]
    events.sort(key=lambda event: event[:2])
    recorded: list[tuple[Array, Array, Array]] = []
    ahead: list[tuple[Array, Array]] = []
    stamps: list[float] = []
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
                    executor.receive(event, now)
                else:
                    executor.configure(replace(executor.parameters, **event))
                    order(executor, generator)
            except Text2GestureError as error:
                refused[type(error).__name__] += 1
        command = executor.tick(now)
        recorded.append((command.position, command.velocity, command.acceleration))
        stamps.append(command.time)
        if tick % _LOOK == 50:
            before = [position for position, _, _ in recorded[-3:]]
            coming = executor.look_ahead(now).positions
            times = stamps[-1] + np.arange(1, len(coming) + 1) / rate
            ahead.append((np.stack([*before, *coming]), np.array([*stamps[-3:], *times])))
    positions, velocities, accelerations = (np.stack(rows) for rows in zip(*recorded, strict=True))
    return (
        positions,
        velocities,
        accelerations,
        np.array(stamps),
        ahead,
        executor.counts + executor.planner.counts + Counter(withheld=executor.loop.withheld) + refused,
    )


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
    """Return the angles (T, N) of the closed form; a frame that is no body is taken as standing at ease."""
    sound = np.isfinite(positions).all(axis=(1, 2)) & (np.abs(positions).max(axis=(1, 2)) <= 5.0)
    body = np.where(sound[:, None, None], positions, REFERENCE)
    return Retargeter(robot, closed_form=True).motion(body)


# --- all of it ----------------------------------------------------------------------------------------------
def episode(task: tuple[str, int, float, bool]) -> dict[str, Any]:
    """Play and judge one episode of a robot; every number of it has its own motion and delivery."""
    name, number, rate, is_raw = task
    begin = time.process_time()
    robot = load_robot(name)
    # Nine motions and four deliveries have no common factor: all pairs come up in turn.
    source, delivery = list(SOURCES)[number % len(SOURCES)], DELIVERIES[number % len(DELIVERIES)]
    generator = np.random.default_rng([number, *name.encode()])
    given = list(takes(SOURCES[source], delivery, EPISODE / rate, generator))
    counts: Counter[str] = Counter()
    if is_raw:
        verdict = judge(robot, raw(robot, given, EPISODE, rate), np.arange(EPISODE) / rate)
        planned = Verdict()
    else:
        seed = int(generator.integers(1 << 30))
        positions, velocities, accelerations, times, ahead, counts = perform(
            robot, given, delivery, EPISODE, rate, seed
        )
        verdict, planned = judge(robot, positions, times), Verdict()
        verdict.add(judge_continuity(robot, velocities, accelerations, positions, times))
        for rows, due in ahead:
            planned.add(judge(robot, rows, due, before=3))
    return {
        "robot": name,
        "number": number,
        "rate": rate,
        "raw": is_raw,
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
    parts = [part for part in parts if (part["rate"], part["raw"]) == (args.rate, args.raw)]
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
