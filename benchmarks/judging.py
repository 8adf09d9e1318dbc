"""Judges of commands. With planner, retargeter and verifier they share the robot and its kinematics, no more.

Own divided differences, own distances between capsules.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from text2gesture_ros.geometry import Array
from text2gesture_ros.robots.robot import BASE, Robot

CLEARANCE = 0.005  # [m]
TOLERANCE = 1e-3  # part of a limit by which it may be exceeded
KINDS = ("finite", "position", "velocity", "acceleration", "jerk", "continuity", "clearance")

_POSITION = 1e-6  # [rad]


@dataclass
class Verdict:
    """What was found: samples that break a limit, by kind; the largest part of each used; what came near."""

    samples: int = 0
    violations: Counter[str] = field(default_factory=Counter)
    use: dict[str, float] = field(default_factory=dict)
    clearance: float = math.inf

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


def judge(robot: Robot, positions: Array, times: Array, before: int = 0) -> Verdict:
    """Judge commands (S, N) against the robot's limits and its capsules.

    Commands may be unevenly spaced: over samples of a motion that keeps a limit, n! times the n-th divided
    difference keeps it too (mean value theorem).

    Args:
        robot: whose limits count.
        positions: the commands [rad].
        times: (S,) their stamps [s].
        before: how many of them were judged before; 0: the robot stood still at rest before the first.
    """
    verdict = Verdict(samples=len(positions) - before)
    sound = np.isfinite(positions)
    verdict.note("finite", ~sound[before:], (~sound[before:]).astype(float))
    rows = np.where(sound, positions, robot.rest)
    middle, half = (robot.upper + robot.lower) / 2.0, (robot.upper - robot.lower) / 2.0
    off = np.abs(rows[before:] - middle)
    verdict.note("position", off > half + _POSITION, off / half)
    near = clearance(robot, rows[before:])
    if not before:
        rows = np.concatenate([np.tile(robot.rest, (3, 1)), rows])
        times = np.concatenate([times[0] - np.diff(times[:2]) * np.arange(3, 0, -1), times])
        before = 3
    differences = rows
    for order, kind in enumerate(("velocity", "acceleration", "jerk"), start=1):
        limit = getattr(robot, kind)
        differences = np.diff(differences, axis=0) * order / (times[order:] - times[:-order])[:, None]
        found = np.abs(differences[max(0, before - order) :])
        verdict.note(kind, found > limit * (1.0 + TOLERANCE), found / limit)
    verdict.violations["clearance"] = int((near < CLEARANCE).sum())
    verdict.clearance = float(near.min(initial=np.inf))
    return verdict


def judge_continuity(
    robot: Robot, velocities: Array, accelerations: Array, positions: Array, times: Array
) -> Verdict:
    """Judge whether velocities and accelerations sent along (S, N) are those of the positions, unbroken."""
    verdict = Verdict()
    period = np.diff(times)[:, None]
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
    capsules = robot.capsules
    smallest = np.full(len(positions), np.inf)
    radii = np.array([capsule.radius for capsule in capsules])
    for first in range(0, len(positions), 500):
        rotations, origins = robot.frames(positions[first : first + 500])
        ends = np.empty((2, len(capsules), len(origins), 3))
        for index, capsule in enumerate(capsules):
            for end, point in enumerate((capsule.start, capsule.end)):
                ends[end, index] = point
                if capsule.joint != BASE:
                    ends[end, index] = origins[:, capsule.joint] + (
                        rotations[:, capsule.joint] @ np.asarray(point)
                    )
        for one, other in robot.pairs:
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
