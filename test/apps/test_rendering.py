"""Pictures: readable by others, of the length of the clip, and showing what moved."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from text2gesture_ros.apps.canvas import Canvas
from text2gesture_ros.apps.figures import robot_shapes
from text2gesture_ros.apps.rendering import GIF_RATE, Painter, Scene, draw_robot
from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.resources import share_directory
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.skeleton import INDEX, REFERENCE

ROBOTS = sorted(path.stem for path in (share_directory() / "config" / "robots").glob("*.yaml"))
SIZE = (240, 180)
CAPTIONS = {
    "empty": "",
    "endless": "x" * 500,
    "long": "word " * 200,
    "scripts": "Café, naïve… ünïcödé 你好 \U0001f600",
}


def waving(frames: int = 60) -> Motion:
    positions = np.repeat(REFERENCE[None], frames, axis=0)
    swing = np.linspace(0.0, 1.0, frames)
    for joint in ("right_wrist", "right_hand", "right_thumb"):
        positions[:, INDEX[joint], 2] += 0.6 * swing
    return Motion(positions, gesture="wave")


every_robot = pytest.mark.parametrize("robot", ROBOTS, indirect=True)


@pytest.fixture
def robot(request):
    return load_robot(getattr(request, "param", "pepper"))


@pytest.fixture
def clip(robot):
    times = np.arange(150) / 100
    angles = robot.rest + (robot.upper - robot.rest) * np.linspace(0, 1, 150)[:, None]
    return Scene("Hello!", waving(), times, angles)


@every_robot
def test_gif_has_the_frames_of_the_clip_and_repeats(robot, clip, tmp_path):
    path = tmp_path / "clip.gif"
    count = Painter(robot).save_gif(path, clip)
    assert count == np.ceil(clip.duration * GIF_RATE) + 1
    with Image.open(path) as picture:
        assert picture.n_frames == count
        assert picture.info["loop"] == 0
        assert picture.info["duration"] == pytest.approx(1000 / GIF_RATE)
        assert picture.width == 480
    assert path.stat().st_size < 400_000


@every_robot
def test_picture_shows_human_and_robot_move(robot, clip):
    painter = Painter(robot)
    first, last = (np.asarray(painter.picture(clip, time, SIZE)) for time in (0.0, clip.duration))
    changed = (first != last).any(axis=(0, 2))
    half = len(changed) // 2
    assert changed[:half].any()
    assert changed[half:].any()
    still = replace(clip, motion=Motion(clip.motion.positions[:1]))
    begin, end = (np.asarray(painter.picture(still, time, SIZE)) for time in (0.0, clip.duration))
    assert not (begin != end).any(axis=(0, 2))[: half // 2].any()


@every_robot
def test_a_robot_without_capsules_is_drawn_from_its_lines(robot, clip):
    bare = replace(robot, capsules=(), pairs=robot.pairs[:0])
    first, last = (np.asarray(Painter(bare).picture(clip, time, SIZE)) for time in (0.0, clip.duration))
    assert (first != last)[:, SIZE[0] // 2 :].any()
    assert (first != np.asarray(Painter(robot).picture(clip, 0.0, SIZE))).any()


@every_robot
def test_a_robot_is_as_large_whatever_its_axes(robot, clip, tmp_path):
    draw_robot(robot, robot.rest, tmp_path / "robot.png")
    turned = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # lies on its side if y is up
    draw_robot(replace(robot, axes=turned), robot.rest, tmp_path / "turned.png")
    with Image.open(tmp_path / "robot.png") as picture, Image.open(tmp_path / "turned.png") as other:
        assert picture.size == other.size
        assert picture.tobytes() != other.tobytes()
        paper = picture.getpixel((2, picture.height - 2))
        drawn = (np.asarray(picture) != paper).any(axis=2)
    # From the front, from the side and in between: three figures, none of which touches the frame.
    assert all(part.any() for part in np.array_split(drawn, 3, axis=1))
    assert not drawn[:, :2].any()
    assert not drawn[:, -2:].any()


def test_human_alone_needs_no_robot(tmp_path):
    clip = Scene("", waving(30))
    assert Painter().save_gif(tmp_path / "human.gif", clip) == np.ceil(clip.duration * GIF_RATE) + 1


def test_moment_outside_the_clip_shows_its_ends(clip):
    assert (clip.human_at(-1.0) == clip.human_at(0.0)).all()
    assert (clip.human_at(100.0) == clip.motion.positions[-1]).all()
    assert (clip.robot_at(-1.0) == clip.angles[0]).all()
    assert (clip.robot_at(100.0) == clip.angles[-1]).all()
    assert (clip.robot_at(clip.times[7]) == clip.angles[7]).all()


def test_contact_sheet_has_a_row_for_every_clip(robot, clip, tmp_path):
    painter = Painter(robot)
    heights = []
    for rows in (1, 2, 3):
        painter.save_contact_sheet(tmp_path / "sheet.png", [clip] * rows, moments=4)
        with Image.open(tmp_path / "sheet.png") as sheet:
            sheet.load()
            heights.append(sheet.height)
    assert heights[2] - heights[1] == heights[1] - heights[0] > 0


def test_contact_sheet_of_nothing_is_refused(robot, tmp_path):
    with pytest.raises(InputError, match="no clip"):
        Painter(robot).save_contact_sheet(tmp_path / "sheet.png", [])


@pytest.mark.parametrize("name", CAPTIONS)
def test_any_caption_can_be_drawn(name, robot, clip, tmp_path):
    painter = Painter(robot)
    captioned = replace(clip, caption=CAPTIONS[name])
    painter.picture(captioned, 0.0, SIZE)
    painter.save_contact_sheet(tmp_path / "sheet.png", [captioned], moments=1)


def test_a_caption_of_any_length_costs_no_more_than_its_beginning(robot, clip, tmp_path, monkeypatch):
    measured = []
    textlength = ImageDraw.ImageDraw.textlength

    def spy(self, text, *args, **kwargs):
        measured.append(len(text))
        return textlength(self, text, *args, **kwargs)

    monkeypatch.setattr(ImageDraw.ImageDraw, "textlength", spy)
    painter, pictures, counts = Painter(robot), [], []
    for words in (50, 400, 4000):
        captioned = replace(clip, caption="word " * words)
        measured.clear()
        painter.save_contact_sheet(tmp_path / "sheet.png", [captioned], moments=1)
        pictures.append((painter.picture(captioned, 0.0, SIZE), Image.open(tmp_path / "sheet.png").copy()))
        counts.append(len(measured))
        assert max(measured) <= 120
    assert pictures[0] == pictures[1] == pictures[2]
    assert len(set(counts)) == 1


def test_pictures_say_which_colour_is_which_side(robot, clip, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        Canvas, "legend", lambda self, place, entries, size: written.append(dict(entries)), raising=True
    )
    draw_robot(robot, robot.rest, tmp_path / "robot.png")
    Painter(robot).picture(clip, 0.0, (480, 350))
    assert [list(entries) for entries in written] == [["its left arm", "its right arm"]] * 2
    colours = {tuple(shape.colour) for shape in robot_shapes(robot, robot.rest, 1.0)}
    assert set(written[0].values()) <= colours


def test_a_mixture_is_titled_so():
    assert Scene("", waving()).title == "wave"
    assert Scene("", waving(), mixed="wave + 0.4 shrug").title == "wave + 0.4 shrug"
