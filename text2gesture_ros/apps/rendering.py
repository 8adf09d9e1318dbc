"""Pictures of gestures: the human skeleton and, beside it, the robot, as GIF and as contact sheet."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from text2gesture_ros.apps.canvas import FAINT, FRONT, INK, LEFT_SIDE, OBLIQUE, Canvas, View
from text2gesture_ros.apps.figures import (
    LEGEND,
    height_of,
    human_shapes,
    reach_of,
    robot_shapes,
    vertical_extent,
)
from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import NEUTRAL
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.skeleton import INDEX, REFERENCE

GIF_RATE = 20.0
_GIF_SIZE = (480, 350)
_CELL_SIZE = (216, 140)
_ROBOT_HEIGHT = 1.55  # robots are drawn as if they were this tall [m], so that small ones can be seen
_COLOURS = 64
_LABEL = 18  # height of the line below a portrait [px]


@dataclass(frozen=True)
class Scene:
    """A gesture to be drawn.

    Attributes:
        caption: text below the title: the sentence.
        motion: what the human does.
        times: (P,) when the robot's joints were commanded, 0 at the first frame [s]; None: no robot.
        angles: (P, N) the commanded joints [rad]; None: no robot.
        mixed: what the gesture is mixed of; empty: of nothing else.
    """

    caption: str
    motion: Motion
    times: FloatArray | None = None
    angles: FloatArray | None = None
    mixed: str = field(default="", kw_only=True)

    @property
    def title(self) -> str:
        """First line of the caption: the gesture, and the emotion if there is one."""
        gesture, emotion = self.mixed or self.motion.gesture, self.motion.emotion
        return gesture if emotion in ("", NEUTRAL) else f"{gesture} · {emotion}"

    @property
    def duration(self) -> float:
        """Time from the first frame to the end of human and robot [s]."""
        last = 0.0 if self.times is None else float(self.times[-1])
        return max(last, (len(self.motion) - 1) / self.motion.frame_rate)

    def human_at(self, time: float) -> FloatArray:
        """Return the human frame nearest to `time` [s], (K, 3); the last one holds."""
        index = min(round(max(time, 0.0) * self.motion.frame_rate), len(self.motion) - 1)
        return np.asarray(self.motion.positions[index], dtype=np.float64)

    def robot_at(self, time: float) -> FloatArray | None:
        """Return the robot's joints in force at `time` [s], (N,), or None if there is no robot."""
        if self.times is None or self.angles is None:
            return None
        index = int(np.searchsorted(self.times, time + 1e-6, side="right")) - 1
        return np.asarray(self.angles[max(index, 0)], dtype=np.float64)


class Painter:
    """Draws scenes, the human on its own or beside the robot, always at the same scale.

    Args:
        robot: the robot whose joints the clips hold; None: draw the human only.
    """

    def __init__(self, robot: Robot | None = None) -> None:
        self._robot = robot
        self._scale = 1.0
        if robot is not None:
            self._scale = _ROBOT_HEIGHT / height_of(robot)

    def picture(self, clip: Scene, time: float, size: tuple[int, int], *, bust: bool = False) -> Image.Image:
        """Return one moment of a clip.

        Args:
            clip: what to draw.
            time: seconds after its first frame.
            size: of the picture [px].
            bust: show the figures from the hips up, without a caption; else whole.
        """
        stage = Canvas(size)
        top = 0 if bust else 60
        scale = (size[1] - top) / (1.5 if bust else 2.1)
        floor = size[1] + 0.72 * scale if bust else size[1] - 0.11 * scale
        if not bust:
            stage.text((18, 12), clip.title, 19, INK, size[0] - 36)
            stage.text((18, 37), clip.caption, 13, FAINT, size[0] - 36)
            stage.legend((18, 57), LEGEND, 10)
        angles = clip.robot_at(time) if self._robot is not None else None
        human = human_shapes(clip.human_at(time))
        if self._robot is None or angles is None:
            stage.figure(human, (size[0] / 2, floor), scale)
        else:
            stage.figure(human, (size[0] * 0.29, floor), scale)
            stage.figure(robot_shapes(self._robot, angles, self._scale), (size[0] * 0.755, floor), scale)
        return stage.image()

    def portrait(
        self, clip: Scene, time: float, size: tuple[int, int], label: str = "", *, view: View = OBLIQUE
    ) -> Image.Image:
        """Return one moment of the robot, or of the human where there is none: arms and head, large.

        Args:
            clip: what to draw.
            time: seconds after its first frame.
            size: of the picture [px].
            label: written below.
            view: from where.
        """
        stage = Canvas(size)
        angles = clip.robot_at(time)
        if self._robot is None or angles is None:
            shapes = human_shapes(clip.human_at(time))
            # Stands on its ankles, as it is drawn.
            middle, reach = reach_of({name: REFERENCE[index] for name, index in INDEX.items()})
            middle = middle + np.array([0.0, 0.0, 0.05 - REFERENCE[INDEX["left_ankle"], 2]])
        else:
            shapes = robot_shapes(self._robot, angles, self._scale)
            rest = {name: self._robot.axes @ p for name, p in self._robot.points(self._robot.rest).items()}
            middle, reach = reach_of(rest)
            middle, reach = (
                (middle - [0.0, 0.0, vertical_extent(self._robot)[0]]) * self._scale,
                reach * self._scale,
            )
        height = size[1] - (_LABEL if label else 0)
        scale = 0.56 * height / reach
        across, down = view.flat(middle) * scale
        stage.figure(shapes, (0.5 * size[0] - across, 0.5 * height - down), scale, view)
        picture = stage.image()
        if label:
            below = Canvas((size[0], _LABEL))
            below.text((8, 2), label, 11, INK, size[0] - 16)
            picture.paste(below.image(), (0, height))
        return picture

    def save_gif(self, path: Path | str, clip: Scene) -> int:
        """Write a clip as an endless GIF at `GIF_RATE`; return how many frames it has."""
        count = int(np.ceil(clip.duration * GIF_RATE)) + 1
        pictures = [self.picture(clip, index / GIF_RATE, _GIF_SIZE) for index in range(count)]
        # One palette for all: nothing flickers, and frames shrink to what has changed.
        palette = pictures[count // 2].quantize(_COLOURS, dither=Image.Dither.NONE)
        frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
        last = [round(1000 / GIF_RATE)] * (count - 1) + [700]
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=last, loop=0, optimize=False)
        return count

    def save_contact_sheet(self, path: Path | str, clips: Sequence[Scene], moments: int = 6) -> None:
        """Write one PNG: a row for every clip, `moments` pictures of each from begin to end.

        Raises:
            InputError: there is no clip.
        """
        if not clips:
            raise InputError("contact sheet: no clip to show")
        width, height = _CELL_SIZE
        margin, label, gap = 24, 184, 6
        sheet = Image.new(
            "RGB",
            (2 * margin + label + moments * (width + gap), 2 * margin + len(clips) * (height + gap)),
            "white",
        )
        for row, clip in enumerate(clips):
            y = margin + row * (height + gap)
            side = Canvas((label, height), (255, 255, 255))
            side.text((0, height / 2 - 34), clip.title, 17, INK, label - 8)
            side.paragraph((0, height / 2 - 8), clip.caption, 12, FAINT, label - 16)
            sheet.paste(side.image(), (margin, y))
            # From where it has begun to where it ends; standing at rest tells nothing.
            for column, time in enumerate(clip.motion.duration * np.linspace(0.15, 0.85, moments)):
                cell = self.picture(clip, float(time), _CELL_SIZE, bust=True)
                sheet.paste(cell, (margin + label + column * (width + gap), y))
        foot = Canvas((2 * label, margin), (255, 255, 255))
        foot.legend((0, 4), LEGEND, 11)
        sheet.paste(foot.image(), (margin, sheet.height - margin))
        sheet.save(path, optimize=True)


def draw_robot(robot: Robot, angles: FloatArray, path: Path | str) -> None:
    """Write a PNG of a robot in a pose, (N,) [rad]: from the front, from its left side and from between."""
    width, height = _GIF_SIZE
    stage = Canvas((3 * width // 2, height + 40))
    stage.text((18, 12), robot.title, 19, INK, 3 * width / 2 - 36)
    stage.legend((18, height + 20), LEGEND, 12)
    scale = 0.82 * height / _ROBOT_HEIGHT
    shapes = robot_shapes(robot, angles, _ROBOT_HEIGHT / height_of(robot))
    for column, (view, where) in enumerate(
        ((FRONT, "from the front"), (OBLIQUE, "from its front left"), (LEFT_SIDE, "from its left"))
    ):
        stage.text((width * (0.25 + 0.5 * column) - 45, 40), where, 12, FAINT, width / 2)
        stage.figure(shapes, (width * (0.25 + 0.5 * column), height + 10), scale, view)
    stage.image().save(path, optimize=True)
