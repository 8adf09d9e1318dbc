"""The gallery: every gesture by the human and by robots, side by side, as small GIFs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from text2gesture_ros.apps.rendering import Painter, Scene
from text2gesture_ros.generation.generator import GestureGenerator
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.retargeting.executor import retarget_motion
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.skeleton import INDEX, REFERENCE

_RATE = 10.0  # frames per second
_CELL = (148, 160)
_SHEET_CELL = (128, 136)
_COLOURS = 32
_AFTERWARDS = 0.5  # how much of the way back to rest is shown [s]
_MOVING = [INDEX[name] for name in ("left_wrist", "right_wrist", "nose", "left_shoulder", "right_shoulder")]


def save_gallery(directory: Path, robots: Sequence[str], gestures: Sequence[str]) -> list[Path]:
    """Write one GIF per gesture, human and robots side by side, and a contact sheet; return the files.

    The same gestures in their most typical form, so that the pictures are always the same.

    Args:
        directory: where they go; made if missing.
        robots: names or paths.
        gestures: which to show.

    Raises:
        ConfigurationError: a robot is unknown or its file wrong.
    """
    loaded = [load_robot(robot) for robot in robots]
    painters = [Painter(), *map(Painter, loaded)]
    generator = GestureGenerator()
    directory.mkdir(parents=True, exist_ok=True)
    files, columns = [], []
    for gesture in gestures:
        motion = generator.generate(gesture, seed=0, variation=0.0)
        clips = [Scene("human", motion), *(_performed(robot, motion) for robot in loaded)]
        files.append(directory / f"{gesture}.gif")
        save_side_by_side(files[-1], painters, clips)
        at = stroke(motion)
        columns.append(
            [
                painter.portrait(clip, at, _SHEET_CELL, gesture if not row else "")
                for row, (painter, clip) in enumerate(zip(painters, clips, strict=True))
            ]
        )
    files.append(directory / "contact_sheet.png")
    _save_sheet(files[-1], columns)
    return files


def stroke(motion: Motion) -> float:
    """Return the time of the largest displacement of hands and head from rest [s]."""
    away = np.linalg.norm(motion.positions[:, _MOVING] - REFERENCE[_MOVING], axis=-1)
    # A head moves by centimetres where hands move by half a metre.
    return float((away @ np.array([1.0, 1.0, 6.0, 3.0, 3.0])).argmax() / motion.frame_rate)


def _performed(robot: Robot, motion: Motion) -> Scene:
    times, angles = retarget_motion(robot, motion, GestureRetargeterParameters().rate)
    return Scene(robot.title.split(" (")[0], motion, times, angles)


def save_side_by_side(path: Path, painters: Sequence[Painter], clips: Sequence[Scene]) -> None:
    """Write one endless GIF of clips side by side, each with its caption below, if it has one."""
    count = int(np.ceil((clips[0].duration + _AFTERWARDS) * _RATE))
    width, height = _CELL
    pictures = []
    for frame in range(count):
        picture = Image.new("RGB", (width * len(clips), height))
        for column, (painter, clip) in enumerate(zip(painters, clips, strict=True)):
            picture.paste(painter.portrait(clip, frame / _RATE, _CELL, clip.caption), (column * width, 0))
        pictures.append(picture)
    palette = pictures[count // 2].quantize(_COLOURS, dither=Image.Dither.NONE)
    frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    lasting = [round(1000 / _RATE)] * (count - 1) + [600]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=lasting, loop=0, optimize=False)


def _save_sheet(path: Path, columns: Sequence[Sequence[Image.Image]]) -> None:
    width, height = _SHEET_CELL
    sheet = Image.new("RGB", (width * len(columns), height * len(columns[0])))
    for column, pictures in enumerate(columns):
        for row, picture in enumerate(pictures):
            sheet.paste(picture, (column * width, row * height))
    sheet.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
