"""A blind test of gestures on robots: unlabelled strips and GIFs, an answer form, and the key kept apart."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from text2gesture_ros.apps.canvas import FRONT, View
from text2gesture_ros.apps.gallery import save_side_by_side
from text2gesture_ros.apps.legibility import Performance, performed
from text2gesture_ros.apps.rendering import Painter, Scene
from text2gesture_ros.errors import InputError
from text2gesture_ros.generation.generator import GestureGenerator
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.legibility.answers import FORM, KEY, MOST_LEGIBLE
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.training.pace import paced
from text2gesture_ros.training.summary import Summary, Table

FORM_FILE, KEY_FILE = "answers.csv", "key.csv"
MOMENTS = 10
_CELL = (190, 170)
_GAP = 4
# A hand that is held out towards who looks on is seen from the side, one that waves from the front.
_VIEWS = (FRONT, View(50.0, 6.0))
_SEEDS = 100_000  # of performances
_HEAD_WEIGHT = 4.0  # a face moves by centimetres where hands move by half a metre
_AWAY = 0.2  # share of the furthest from rest from which on something is shown

_INSTRUCTIONS = f"""\
# Which gesture is it?

Every strip shows one gesture by a robot, {MOMENTS} moments from left to right, each from the front and,
below, from its left front. Its own left arm is orange, its right arm green, the palm of a hand is light. The
GIF of the same number shows it moving. Every one is one of these twelve:

{", ".join(GESTURES)}

Fill in `{FORM_FILE}`, a line for each strip, without talking to others: in `first` the gesture you take it
for, in `second` your second guess, in `legibility` how clearly it shows, from 1 (not at all) to
{MOST_LEGIBLE} (at once). Remarks are welcome.
"""


def save_blind_test(
    directory: Path,
    key_directory: Path,
    robots: Sequence[Robot],
    gestures: Sequence[str],
    *,
    count: int,
    seed: int,
    generator: GestureGenerator,
) -> int:
    """Write strips, GIFs, instructions and an empty form into one folder, the key into another.

    The same arguments make the same test. Robots and emotions take turns; who performs how is drawn. The form
    comes last, after the key: a folder without one was interrupted, and is begun again.

    Args:
        directory: for the viewers; made if missing.
        key_directory: for the one who scores; made if missing.
        robots: who performs.
        gestures: which may occur.
        count: strips of each gesture.
        seed: of performances and order.
        generator: of the human motion.

    Returns:
        How many strips there are.

    Raises:
        InputError: there is a form or a key already, which may be filled in.
    """
    for path in (directory / FORM_FILE, key_directory / KEY_FILE):
        if path.exists():
            raise InputError(f"{path} is there already: give another folder, or move it away")
    for folder in (directory / "strips", directory / "gifs", key_directory):
        folder.mkdir(parents=True, exist_ok=True)
    for left in (*directory.glob("strips/[0-9]*.png"), *directory.glob("gifs/[0-9]*.gif")):
        left.unlink()  # of a test that was interrupted, with more strips perhaps
    random = np.random.default_rng(seed)
    turns = [(gesture, turn) for gesture in gestures for turn in range(count)]
    painters = {robot.name: Painter(robot) for robot in robots}
    key = []
    order = random.permutation(len(turns)).tolist()
    for number, index in enumerate(paced(order, "strips"), start=1):
        gesture, turn = turns[index]
        robot = robots[turn % len(robots)]
        emotion = EMOTIONS[(turn // len(robots) + GESTURES.index(gesture)) % len(EMOTIONS)]
        own = int(random.integers(_SEEDS))
        performance = performed(robot, generator.generate(gesture, emotion, seed=own), own)
        strip = f"{number:03d}"
        scene = Scene("", performance.motion, performance.times, performance.angles)
        save_strip(directory / "strips" / f"{strip}.png", painters[robot.name], performance, scene)
        save_side_by_side(directory / "gifs" / f"{strip}.gif", [painters[robot.name]], [scene])
        key.append((strip, gesture, emotion, robot.name, own))
    (directory / "README.md").write_text(_INSTRUCTIONS, encoding="utf-8")
    _write(key_directory / KEY_FILE, KEY, key)
    _write(directory / FORM_FILE, FORM, [(row[0], "", "", "", "") for row in key])
    return len(key)


def save_strip(path: Path, painter: Painter, performance: Performance, scene: Scene) -> None:
    """Write one PNG: moments of a performance side by side, each in two views, without a word."""
    width, height = _CELL[0] + _GAP, _CELL[1] + _GAP
    strip = Image.new("RGB", (MOMENTS * width - _GAP, len(_VIEWS) * height - _GAP), "white")
    for column, time in enumerate(moments(performance)):
        for row, view in enumerate(_VIEWS):
            strip.paste(painter.portrait(scene, time, _CELL, view=view), (column * width, row * height))
    strip.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def moments(performance: Performance, count: int = MOMENTS) -> list[float]:
    """Return when a performance is shown [s]: while it is away from rest, more often where it moves much."""
    robot, times = performance.robot, np.asarray(performance.times, dtype=np.float64)
    points = robot.points(performance.angles)
    parts = [points[f"{arm.removesuffix('arm')}hand"] for arm in robot.arms]
    if robot.head is not None:
        parts.append(_HEAD_WEIGHT * points["nose"])
    body = np.concatenate(parts, axis=-1)
    away = np.linalg.norm(body - body[0], axis=-1)
    shown = np.flatnonzero(away >= _AWAY * away.max())
    shown = np.arange(shown[0], shown[-1] + 1)
    steps = np.linalg.norm(np.diff(body[shown], axis=0), axis=-1)
    moved = np.concatenate([[0.0], np.cumsum(steps)]) / max(float(steps.sum()), 1e-9)
    # What is held is shown too: time counts as much as movement.
    course = moved + np.linspace(0.0, 1.0, len(shown))
    shares = np.linspace(0.0, course[-1], count)
    return [float(time) for time in np.interp(shares, course, times[shown])]


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def summary(report: Mapping[str, Any]) -> Summary:
    """Return tables of scored answers, see `answers.score`."""
    rows = [("all", report["together"])]
    rows += [(f"viewer {number}", row) for number, row in enumerate(report["viewers"], start=1)]
    columns = ("#answers", "#first right", "#95 %", "#first or second", "#legibility of 5")
    tables: list[Table] = [("Answers", ("", *columns), [(name, *_cells(row)) for name, row in rows])]
    for name in ("gesture", "robot", "emotion"):
        found = sorted(report[name].items(), key=lambda each: -each[1]["first"])
        tables.append((f"By {name}", (name, *columns), [(each, *_cells(row)) for each, row in found]))
    wrong = [(row["shown"], row["said"], str(row["count"])) for row in report["confused"][:12]]
    tables.append(("Most often taken for another", ("shown", "said", "#times"), wrong))
    agreement = report["agreement"]
    notes = (
        [f"viewers agree on {agreement['same_first']:.2f} of first choices, kappa {agreement['kappa']:.2f}"]
        if agreement
        else []
    )
    return Summary(tables, notes)


def _cells(row: Mapping[str, Any]) -> list[str]:
    low, high = row["interval"]
    legibility = "" if row["legibility"] is None else f"{row['legibility']:.1f}"
    return [
        str(row["answers"]),
        f"{row['first']:.2f}",
        f"{low:.2f} to {high:.2f}",
        f"{row['first_or_second']:.2f}",
        legibility,
    ]
