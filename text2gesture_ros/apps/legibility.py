"""Whether generated gestures can be read on robots: performances, the laws they keep, and tables of both."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product, starmap
from typing import Any

import numpy as np

from text2gesture_ros.generation.generator import GestureGenerator
from text2gesture_ros.geometry import Array, FloatArray
from text2gesture_ros.labels import EMOTIONS
from text2gesture_ros.legibility.body import Body, human_body, human_like, robot_body
from text2gesture_ros.legibility.laws import Finding, Laws
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.retargeting.executor import retarget_motion
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.training.summary import Summary
from text2gesture_ros.understanding.recogniser import Recogniser

HUMAN = "human"
"""Whose row is that of the generated human motion."""
RECORDED = "recorded"
"""Whose row is that of recordings."""

_FAILED = 25  # rows of the table of what fails most
_ALL = "all"


@dataclass(frozen=True)
class Performance:
    """A gesture generated once, and performed by one robot.

    Attributes:
        motion: what the human does.
        seed: of its generation.
        robot: who performs it.
        times: (P,) from the first frame on [s].
        angles: (P, N) commanded joints [rad].
    """

    motion: Motion
    seed: int
    robot: Robot
    times: FloatArray
    angles: Array


def performed(robot: Robot, motion: Motion, seed: int, scale: float = 1.0) -> Performance:
    """Return a motion as a robot performs it, within its limits, `scale` times as large."""
    times, angles = retarget_motion(robot, motion, GestureRetargeterParameters().rate, scale=scale)
    return Performance(motion, seed, robot, times, angles)


def evaluate(
    laws: Laws,
    robots: Sequence[Robot],
    gestures: Sequence[str],
    *,
    seeds: int,
    scales: Sequence[float] = (1.0,),
    generator: GestureGenerator,
    recogniser: Recogniser | None,
    recordings: Sequence[Motion] = (),
) -> dict[str, Any]:
    """Measure which share of performances keeps each law, on the human and on robots.

    Args:
        laws: what is asked of each gesture.
        robots: who performs.
        gestures: which, with every emotion.
        seeds: performances of each gesture with each emotion, seeds 0, 1, ...
        scales: sizes at which robots perform, see the parameter `gesture_scale`.
        generator: of the human motion.
        recogniser: asked what it sees of the human and of the robots' landmarks; None: of nobody.
        recordings: of people and animators, labelled; they are held against the laws too.

    Returns:
        performances: of each gesture by everybody.
        kept: who -> gesture -> emotion (or "all") -> share of performances that keep all laws; None: cannot
            be shown by that robot. A robot at a scale other than 1 is called `pepper x 0.7`.
        recognised: who -> gesture -> emotion (or "all") -> share that the recogniser gives that label first.
        laws: gesture -> law -> asks, and by who the share that keeps it and the median measured.
    """
    kept: dict[str, dict[str, dict[str, list[bool]]]] = _nested()
    recognised: dict[str, dict[str, dict[str, list[bool]]]] = _nested()
    found: dict[str, dict[tuple[str, str], dict[str, list[Finding]]]] = _nested()
    names = [HUMAN, *([RECORDED] if recordings else ()), *starmap(_name, product(robots, scales))]
    for motion, shown in _shown(generator, robots, gestures, seeds, scales, recordings):
        gesture, emotion = motion.gesture, motion.emotion
        for who, body, positions in shown:
            findings = laws.findings(gesture, body, cut=who == RECORDED)
            for each in findings:
                found[gesture][each.name, each.bounds][who].append(each)
            if findings:
                kept[who][gesture][emotion].append(all(each.kept for each in findings))
            if recogniser:
                first = recogniser.read(Motion(positions, body.rate)).gestures[0][0]
                recognised[who][gesture][emotion].append(first == gesture)
    return {
        "seeds": seeds,
        "performances": seeds * len(EMOTIONS),
        "who": names,
        "kept": {who: _shares(kept[who], gestures) for who in names},
        "recognised": {who: _shares(recognised[who], gestures) for who in names} if recogniser else {},
        "laws": {gesture: [_law(*row) for row in found[gesture].items()] for gesture in gestures},
    }


def _name(robot: Robot, scale: float) -> str:
    name = f"{robot.name}:{robot.limit_set}" if robot.limit_set else robot.name
    return name if scale == 1.0 else f"{name} x {scale:g}"


def _shown(
    generator: GestureGenerator,
    robots: Sequence[Robot],
    gestures: Sequence[str],
    seeds: int,
    scales: Sequence[float],
    recordings: Sequence[Motion],
) -> Iterator[tuple[Motion, list[tuple[str, Body, FloatArray]]]]:
    """Yield motions, and for each who shows it, the body, and the positions a recogniser would see."""
    for gesture in gestures:
        for recorded in recordings:
            if recorded.gesture == gesture:
                yield recorded, [(RECORDED, human_body(recorded), recorded.positions)]
        for emotion, seed in product(EMOTIONS, range(seeds)):
            motion = generator.generate(gesture, emotion, seed=seed)
            shown = [(HUMAN, human_body(motion), motion.positions)]
            for robot, scale in product(robots, scales):
                done = performed(robot, motion, seed, scale)
                body = robot_body(robot, done.times, done.angles)
                shown.append((_name(robot, scale), body, human_like(robot, done.angles)))
            yield motion, shown


def _nested() -> Any:
    return defaultdict(lambda: defaultdict(lambda: defaultdict(list)))


def _shares(
    results: Mapping[str, Mapping[str, Sequence[bool]]], gestures: Sequence[str]
) -> dict[str, dict[str, float | None]]:
    """Return the share of truth by gesture, and of all gestures, and in each by emotion and of all."""
    table = {gesture: dict(results.get(gesture, {})) for gesture in gestures}
    table[_ALL] = {
        emotion: [each for row in results.values() for each in row.get(emotion, ())]
        for emotion in ("", *EMOTIONS)
    }
    return {
        gesture: {_ALL: _share([each for values in row.values() for each in values])}
        | {emotion: _share(row.get(emotion, ())) for emotion in EMOTIONS}
        for gesture, row in table.items()
    }


def _share(values: Sequence[bool]) -> float | None:
    return round(float(np.mean(values)), 3) if len(values) else None


def _law(key: tuple[str, str], found: Mapping[str, Sequence[Finding]]) -> dict[str, Any]:
    name, bounds = key
    return {
        "law": name,
        "asks": bounds,
        "kept": {who: _share([each.kept for each in values]) for who, values in found.items()},
        "median": {
            who: round(float(np.median([each.value for each in values])), 3) for who, values in found.items()
        },
    }


def summary(report: Mapping[str, Any]) -> Summary:
    """Return tables of a report: by gesture, by emotion, and the laws that fail most."""
    who = report["who"]
    tables = []
    for key, title in (
        ("kept", "All laws kept, share of performances"),
        ("recognised", "The recogniser's first choice is right (it learnt from human bodies)"),
    ):
        if shares := report[key]:
            rows = [
                (gesture, *(_cell(shares[name][gesture][_ALL]) for name in who)) for gesture in shares[who[0]]
            ]
            tables.append((title, ("gesture", *(f"#{name}" for name in who)), rows))
    together = {name: report["kept"][name][_ALL] for name in who}
    by_emotion = [(emotion, *(_cell(together[name][emotion]) for name in who)) for emotion in EMOTIONS]
    tables.append(("All laws kept, by emotion", ("emotion", *(f"#{name}" for name in who)), by_emotion))
    laws = [(gesture, law) for gesture, rows in report["laws"].items() for law in rows]
    laws.sort(key=lambda each: min(each[1]["kept"].values()))
    failed = [
        (gesture, law["law"], law["asks"], *(_measured(law, name) for name in who))
        for gesture, law in laws
        if min(law["kept"].values()) < 1.0
    ]
    columns = ("gesture", "law", "asks", *(f"#{name}" for name in who))
    tables.append(("Laws that fail most: share that keeps it (median measured)", columns, failed[:_FAILED]))
    notes = [
        f"{report['performances']} performances of each gesture by everybody",
        "How to read it: a performance counts where it keeps every law of its gesture, which even recordings "
        "of people often do not (--recordings). Compare a robot with the human motion that it follows, not "
        "with 1; the last table says which law is missed, and by how much.",
    ]
    return Summary(tables, notes)


def _cell(share: float | None) -> str:
    return "-" if share is None else f"{share:.2f}"


def _measured(law: Mapping[str, Any], who: str) -> str:
    return f"{law['kept'][who]:.2f} ({law['median'][who]:.3g})" if who in law["kept"] else "-"
