"""Pictures of gestures: the human skeleton, and beside it the robot, as GIF and as contact sheet.

Everything is drawn as thick rounded limbs with Pillow, larger than needed and then reduced, which is smooth
and takes milliseconds a frame. Seen from the front and a little from the side; on both, left is orange and
right is green.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import NEUTRAL
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.skeleton import INDEX, REFERENCE

GIF_RATE = 20.0
_GIF_SIZE = (480, 350)
_CELL_SIZE = (216, 140)
_OVERSAMPLING = 3
_ROBOT_HEIGHT = 1.55  # robots are drawn as if they were this tall [m], so that small ones can be seen
_COLOURS = 64
_LABEL = 18  # height of the line below a portrait [px]
_MAX_CHARACTERS = 120  # of a text; more would not fit, and fitting it would take long

# Light on what is round: smaller and brighter strokes, moved towards where it comes from, right and down.
_LIGHT = np.array([-0.6, -0.8])
_SHINE = ((0.72, 0.13), (0.36, 0.3))

_Colour = tuple[int, ...]
_PAPER: _Colour = (251, 250, 247)
_SHADOW: _Colour = (232, 230, 224)
_INK: _Colour = (43, 50, 64)
_FAINT: _Colour = (125, 131, 142)
_LEFT: _Colour = (233, 116, 81)
_RIGHT: _Colour = (42, 157, 143)
_TORSO: _Colour = (74, 98, 138)
_LEGS: _Colour = (158, 170, 187)
_SKIN: _Colour = (243, 208, 164)
_HAIR: _Colour = (92, 70, 60)
_SHELL: _Colour = (196, 205, 218)
_GRIP: _Colour = (88, 100, 120)


class _View:
    """Where the viewer stands: so far to the left of the one who gestures, and so far above [degrees]."""

    def __init__(self, azimuth: float, elevation: float) -> None:
        side, height = np.radians(azimuth), np.radians(elevation)
        level = np.array([np.cos(side), np.sin(side), 0.0])
        self.towards = np.cos(height) * level + np.array([0.0, 0.0, np.sin(height)])
        self.across = np.array([-np.sin(side), np.cos(side), 0.0])
        self.upwards = np.cross(self.towards, self.across)

    def flat(self, points: FloatArray) -> FloatArray:
        """Return points (..., 3) as they lie in a picture (..., 2): to the right and down."""
        return np.stack([points @ self.across, -(points @ self.upwards)], axis=-1)


# In front, a little to the side and a little above.
_VIEW = _View(28.0, 6.0)
_FRONT, _SIDE = _View(0.0, 0.0), _View(90.0, 0.0)


@dataclass(frozen=True)
class Clip:
    """One gesture to be shown.

    Attributes:
        caption: what is written below the title, the sentence.
        motion: what the human does.
        times: (P,) when the robot's joints were commanded, 0 at the first frame [s]; None: no robot.
        angles: (P, N) the commanded joints [rad]; None: no robot.
    """

    caption: str
    motion: Motion
    times: FloatArray | None = None
    angles: FloatArray | None = None

    @property
    def title(self) -> str:
        """First line of the caption: the gesture, and the emotion if there is one."""
        gesture, emotion = self.motion.gesture, self.motion.emotion
        return gesture if emotion in ("", NEUTRAL) else f"{gesture} · {emotion}"

    @property
    def duration(self) -> float:
        """From the first frame to whatever ends last, human or robot [s]."""
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


@dataclass(frozen=True)
class _Shape:
    """A thick polyline, or with `filled` the rounded polygon it encloses.

    Attributes:
        points: (P, 3) corners [m].
        radii: (P,) half the thickness at each corner [m].
        colour: of the whole.
        filled: whether the inside is filled.
        depth: added to the distance towards the viewer, to break ties [m].
        round: whether light falls on it, from above.
        facing: (3,) where it faces: it is seen from there only. None: from everywhere.
    """

    points: FloatArray
    radii: FloatArray
    colour: _Colour
    filled: bool = False
    depth: float = 0.0
    round: bool = False
    facing: FloatArray | None = None


class _Stage:
    """One picture in the making: shapes in metres go in, an image comes out."""

    def __init__(self, size: tuple[int, int], paper: _Colour = _PAPER) -> None:
        self._big = Image.new("RGB", (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING), paper)
        self._draw = ImageDraw.Draw(self._big)

    def figure(
        self, shapes: Sequence[_Shape], feet: tuple[float, float], scale: float, view: _View = _VIEW
    ) -> None:
        """Draw shapes from far to near.

        Args:
            shapes: in the frame whose origin comes to lie at `feet`.
            feet: where the origin is in the picture [px].
            scale: pixels per metre.
            view: from where.
        """
        centre = np.asarray(feet) * _OVERSAMPLING
        scale = scale * _OVERSAMPLING
        shadow = np.array([0.30, 0.05]) * scale
        self._draw.ellipse((*(centre - shadow), *(centre + shadow)), fill=_SHADOW)
        seen = [s for s in shapes if s.facing is None or s.facing @ view.towards > 0.25]
        for shape in sorted(seen, key=lambda shape: (shape.points @ view.towards).mean() + shape.depth):
            flat = view.flat(shape.points) * scale + centre
            # A rim in the colour of the paper lifts a near limb off what is behind it.
            self._thick(flat, shape.radii * scale + 1.4 * _OVERSAMPLING, _PAPER, shape.filled)
            self._thick(flat, shape.radii * scale, shape.colour, shape.filled)
            for part, light in _SHINE if shape.round else ():
                lit = tuple(round(light * 255 + (1.0 - light) * value) for value in shape.colour)
                rise = (1.0 - part) * 0.55 * shape.radii[:, None] * scale * _LIGHT
                self._thick(flat + rise, part * shape.radii * scale, lit, shape.filled)

    def text(self, place: tuple[float, float], text: str, size: int, colour: _Colour, width: float) -> None:
        """Write one line, shortened with an ellipsis to `width` [px]."""
        font = ImageFont.load_default(size * _OVERSAMPLING)
        shown = _shortened(text)
        while shown and self._draw.textlength(shown, font=font) > width * _OVERSAMPLING:
            shown = shown[:-2].rstrip() + "…" if len(shown) > 2 else ""
        self._draw.text((place[0] * _OVERSAMPLING, place[1] * _OVERSAMPLING), shown, fill=colour, font=font)

    def paragraph(
        self, place: tuple[float, float], text: str, size: int, colour: _Colour, width: float
    ) -> None:
        """Write words in as many lines of `width` [px] as they need."""
        font = ImageFont.load_default(size * _OVERSAMPLING)
        lines = [""]
        for word in _shortened(text).split():
            longer = f"{lines[-1]} {word}".strip()
            if self._draw.textlength(longer, font=font) > width * _OVERSAMPLING and lines[-1]:
                lines.append(word)
            else:
                lines[-1] = longer
        for index, line in enumerate(lines):
            self.text((place[0], place[1] + 1.25 * size * index), line, size, colour, width)

    def image(self) -> Image.Image:
        """Return the finished picture."""
        return self._big.reduce(_OVERSAMPLING)

    def _thick(self, flat: FloatArray, radii: FloatArray, colour: _Colour, filled: bool) -> None:
        if filled:
            self._draw.polygon([tuple(point) for point in flat], fill=colour)
            flat, radii = np.concatenate([flat, flat[:1]]), np.append(radii, radii[0])
        for point, radius in zip(flat, radii, strict=True):
            self._draw.ellipse((*(point - radius), *(point + radius)), fill=colour)
        for start, end, first, second in zip(flat, flat[1:], radii, radii[1:], strict=False):
            along = end - start
            length = float(np.hypot(*along))
            if length > 1e-6:
                normal = np.array([-along[1], along[0]]) / length
                corners = (
                    start + normal * first,
                    end + normal * second,
                    end - normal * second,
                    start - normal * first,
                )
                self._draw.polygon([tuple(corner) for corner in corners], fill=colour)


def _shortened(text: str) -> str:
    """Return the beginning of a text, with an ellipsis if something is left out."""
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 1].rstrip() + "…"


def _strand(colour: _Colour, *joints: tuple[FloatArray, float], depth: float = 0.0) -> _Shape:
    points, radii = zip(*joints, strict=True)
    return _Shape(np.array(points), np.array(radii), colour, depth=depth)


def _face(centre: FloatArray, forward: FloatArray, up: FloatArray, radius: float) -> list[_Shape]:
    """Return two eyes on a ball, where they can be seen."""
    forward = forward / max(float(np.linalg.norm(forward)), 1e-6)
    left = np.cross(up, forward)
    left = left / max(float(np.linalg.norm(left)), 1e-6)
    eyes = []
    for side in (1.0, -1.0):
        ray = 0.86 * forward + 0.42 * side * left + 0.12 * np.cross(forward, left)
        place = (centre + radius * ray)[None]
        eyes.append(_Shape(place, np.array([0.13 * radius]), _INK, depth=0.03, facing=ray))
    return eyes


def _human(positions: FloatArray) -> list[_Shape]:
    """Return the shapes of one human frame, (K, 3), standing on the origin."""
    ground = np.array([0.0, 0.0, positions[[INDEX["left_ankle"], INDEX["right_ankle"]], 2].min() - 0.05])
    at = {name: positions[index] - ground for name, index in INDEX.items()}
    torso = np.array([at["left_shoulder"], at["right_shoulder"], at["right_hip"], at["left_hip"]])
    face, crown = at["nose"] - at["head"], at["head"] - at["neck"]
    shapes = [
        _Shape(torso, np.array([0.065, 0.065, 0.075, 0.075]), _TORSO, filled=True),
        _strand(_SKIN, (at["neck"], 0.05), (at["head"], 0.05), depth=-0.02),
        _strand(_HAIR, (at["head"] + 0.2 * crown - 0.25 * face, 0.118), depth=0.01),
        _strand(_SKIN, (at["head"] - 0.05 * crown + 0.1 * face, 0.107), depth=0.02),
        *_face(at["head"], face, crown, 0.11),
    ]
    for side, colour in (("left", _LEFT), ("right", _RIGHT)):
        shoulder, elbow, wrist = (at[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
        hand, thumb = at[f"{side}_hand"], at[f"{side}_thumb"]
        hip, knee, ankle = (at[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
        toe = ankle + np.array([0.13, 0.0, -0.02])
        shapes += [
            _strand(_LEGS, (hip, 0.08), (knee, 0.06), (ankle, 0.045), (toe, 0.035), depth=-0.1),
            _strand(colour, (shoulder, 0.062), (elbow, 0.05), (wrist, 0.038), depth=0.05),
            _strand(_SKIN, (wrist, 0.034), (hand, 0.042), (hand + 0.4 * (hand - wrist), 0.03), depth=0.06),
            _strand(_SKIN, (wrist, 0.022), (thumb, 0.02), depth=0.07),
        ]
    return shapes


def _machine(robot: Robot, angles: FloatArray, scale: float) -> list[_Shape]:
    """Return the shapes of a robot in a pose, (N,), standing on the origin and enlarged by `scale`."""
    pose = np.asarray(angles, dtype=np.float64)
    at: dict[str, FloatArray] = {name: robot.axes @ point for name, point in robot.points(pose).items()}
    ends = robot.capsule_ends(pose) @ robot.axes.T
    ground = np.array([0.0, 0.0, _span(robot)[0] - (0.0 if robot.capsules else 0.04 / scale)])
    at = {name: (point - ground) * scale for name, point in at.items()}
    return _body(robot, (ends - ground) * scale, at, scale) if robot.capsules else _wire(robot, at)


def _body(robot: Robot, ends: FloatArray, at: dict[str, FloatArray], scale: float) -> list[_Shape]:
    """Return the capsules of a robot, whose ends are (C, 2, 3), with a face."""
    colours = dict.fromkeys(range(-1, len(robot.joint_names)), _SHELL)
    for arm, colour in (("left_arm", _LEFT), ("right_arm", _RIGHT)):
        colours |= dict.fromkeys(robot.groups.get(arm, ()), colour)
    shapes = []
    for capsule, (start, end) in zip(robot.capsules, ends, strict=True):
        colour = _GRIP if "hand" in capsule.name else colours[capsule.joint]
        radius = capsule.radius * scale
        points = np.array([start, end] if np.any(start != end) else [start])
        shapes.append(_Shape(points, np.full(len(points), radius), colour, round=True))
        if robot.head and capsule.joint == robot.head.joints[-1] and "head" in capsule.name:
            middle = (start + end) / 2.0
            shapes += _face(middle, at["nose"] - at["head"], at["head"] - at["neck"], radius)
    return shapes


def _wire(robot: Robot, at: dict[str, FloatArray]) -> list[_Shape]:
    """Return the lines of a robot of which no capsules are known, whose points are `at`, with a face."""
    sides = [arm.removesuffix("arm") for arm in robot.arms]
    shoulders = [at[side + "shoulder"] for side in sides]
    width = float(np.ptp(shoulders, axis=0).max()) or float(
        np.linalg.norm(at[sides[0] + "elbow"] - shoulders[0])
    )
    shapes = []
    if robot.head:
        head = float(np.linalg.norm(at["nose"] - at["head"]))
        shapes += [
            _strand(_SHELL, (at["neck"], 0.11 * width), (at["head"], 0.11 * width), depth=-0.02),
            _strand(_SHELL, (at["head"], 0.92 * head), depth=0.02),
            *_face(at["head"], at["nose"] - at["head"], at["head"] - at["neck"], 0.92 * head),
        ]
    for side in sides:
        colour = _LEFT if side == "left_" else _RIGHT
        shoulder, elbow, wrist, hand, thumb = (
            at[side + joint] for joint in ("shoulder", "elbow", "wrist", "hand", "thumb")
        )
        limb = ((shoulder, 0.15 * width), (elbow, 0.12 * width), (wrist, 0.09 * width))
        shapes += [
            _strand(colour, *limb, depth=0.05),
            _strand(_GRIP, (wrist, 0.08 * width), (hand, 0.10 * width), depth=0.06),
            _strand(_GRIP, (wrist, 0.05 * width), (thumb, 0.05 * width), depth=0.07),
        ]
    for line in robot.lines:
        if not set(line) & {"head", "left_elbow", "right_elbow", "left_wrist", "right_wrist"}:
            closed = line[0] == line[-1] and len(line) > 3
            points = np.array([at[name] for name in (line[:-1] if closed else line)])
            shapes.append(_Shape(points, np.full(len(points), 0.13 * width), _SHELL, closed, depth=-0.1))
    return shapes


def draw_robot(robot: Robot, angles: FloatArray, path: Path | str) -> None:
    """Write a PNG of a robot in a pose, (N,) [rad]: from the front, from its left side and from between."""
    width, height = _GIF_SIZE
    stage = _Stage((3 * width // 2, height + 40))
    stage.text((18, 12), robot.title, 19, _INK, 3 * width / 2 - 36)
    scale = 0.82 * height / _ROBOT_HEIGHT
    shapes = _machine(robot, angles, _ROBOT_HEIGHT / _height(robot))
    for column, view in enumerate((_FRONT, _VIEW, _SIDE)):
        stage.figure(shapes, (width * (0.25 + 0.5 * column), height + 10), scale, view)
    stage.image().save(path, optimize=True)


def _span(robot: Robot) -> tuple[float, float]:
    """Return the lowest and the highest of a robot at rest, or of what is drawn of it [m]."""
    heights = [float((robot.axes @ point)[2]) for point in robot.points(robot.rest).values()]
    ends = robot.capsule_ends(robot.rest) @ robot.axes.T
    for capsule, both in zip(robot.capsules, ends, strict=True):
        heights += [float(both[:, 2].min()) - capsule.radius, float(both[:, 2].max()) + capsule.radius]
    return min(heights), max(heights)


def _height(robot: Robot) -> float:
    low, high = _span(robot)
    return high - low


def _reach(points: Mapping[str, FloatArray]) -> tuple[FloatArray, float]:
    """Return the middle of the shoulders (3,) and how far a hand gets from it, of points by name [m]."""
    sides = [side for side in ("left_", "right_") if f"{side}shoulder" in points]
    arms = [
        np.array([points[side + end] for end in ("shoulder", "elbow", "wrist", "hand")]) for side in sides
    ]
    lengths = [float(np.linalg.norm(np.diff(arm, axis=0), axis=-1).sum()) for arm in arms]
    middle = np.mean([arm[0] for arm in arms], axis=0)
    return middle, max(lengths) + float(np.linalg.norm(arms[0][0] - middle))


class Painter:
    """Draws clips, human alone or beside the robot, always at the same scale.

    Args:
        robot: the robot whose joints the clips hold; None: draw the human only.
    """

    def __init__(self, robot: Robot | None = None) -> None:
        self._robot = robot
        self._scale = 1.0
        if robot is not None:
            self._scale = _ROBOT_HEIGHT / _height(robot)

    def picture(self, clip: Clip, time: float, size: tuple[int, int], *, bust: bool = False) -> Image.Image:
        """Return one moment of a clip.

        Args:
            clip: what to draw.
            time: seconds after its first frame.
            size: of the picture [px].
            bust: show the figures from the hips up, without a caption; else whole.
        """
        stage = _Stage(size)
        top = 0 if bust else 60
        scale = (size[1] - top) / (1.5 if bust else 2.1)
        floor = size[1] + 0.72 * scale if bust else size[1] - 0.11 * scale
        if not bust:
            stage.text((18, 12), clip.title, 19, _INK, size[0] - 36)
            stage.text((18, 37), clip.caption, 13, _FAINT, size[0] - 36)
        angles = clip.robot_at(time) if self._robot is not None else None
        human = _human(clip.human_at(time))
        if self._robot is None or angles is None:
            stage.figure(human, (size[0] / 2, floor), scale)
        else:
            stage.figure(human, (size[0] * 0.29, floor), scale)
            stage.figure(_machine(self._robot, angles, self._scale), (size[0] * 0.755, floor), scale)
        return stage.image()

    def portrait(self, clip: Clip, time: float, size: tuple[int, int], label: str = "") -> Image.Image:
        """Return one moment of the robot alone, or of the human where there is none: arms and head, large.

        Args:
            clip: what to draw.
            time: seconds after its first frame.
            size: of the picture [px].
            label: written below.
        """
        stage = _Stage(size)
        angles = clip.robot_at(time)
        if self._robot is None or angles is None:
            shapes = _human(clip.human_at(time))
            # Stands on its ankles, as it is drawn.
            middle, reach = _reach({name: REFERENCE[index] for name, index in INDEX.items()})
            middle = middle + np.array([0.0, 0.0, 0.05 - REFERENCE[INDEX["left_ankle"], 2]])
        else:
            shapes = _machine(self._robot, angles, self._scale)
            rest = {name: self._robot.axes @ p for name, p in self._robot.points(self._robot.rest).items()}
            middle, reach = _reach(rest)
            middle, reach = (middle - [0.0, 0.0, _span(self._robot)[0]]) * self._scale, reach * self._scale
        height = size[1] - (_LABEL if label else 0)
        scale = 0.56 * height / reach
        across, down = _VIEW.flat(middle) * scale
        stage.figure(shapes, (0.5 * size[0] - across, 0.5 * height - down), scale)
        picture = stage.image()
        if label:
            below = _Stage((size[0], _LABEL))
            below.text((8, 2), label, 11, _INK, size[0] - 16)
            picture.paste(below.image(), (0, height))
        return picture

    def save_gif(self, path: Path | str, clip: Clip) -> int:
        """Write a clip as an endless GIF at `GIF_RATE`; return how many frames it has."""
        count = int(np.ceil(clip.duration * GIF_RATE)) + 1
        pictures = [self.picture(clip, index / GIF_RATE, _GIF_SIZE) for index in range(count)]
        # One palette for all: nothing flickers, and frames shrink to what has changed.
        palette = pictures[count // 2].quantize(_COLOURS, dither=Image.Dither.NONE)
        frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
        last = [round(1000 / GIF_RATE)] * (count - 1) + [700]
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=last, loop=0, optimize=False)
        return count

    def save_contact_sheet(self, path: Path | str, clips: Sequence[Clip], moments: int = 6) -> None:
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
            side = _Stage((label, height), (255, 255, 255))
            side.text((0, height / 2 - 34), clip.title, 17, _INK, label - 8)
            side.paragraph((0, height / 2 - 8), clip.caption, 12, _FAINT, label - 16)
            sheet.paste(side.image(), (margin, y))
            # From where it has begun to where it ends; standing at rest tells nothing.
            for column, time in enumerate(clip.motion.duration * np.linspace(0.15, 0.85, moments)):
                cell = self.picture(clip, float(time), _CELL_SIZE, bust=True)
                sheet.paste(cell, (margin + label + column * (width + gap), y))
        sheet.save(path, optimize=True)
