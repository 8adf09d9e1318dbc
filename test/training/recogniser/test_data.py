from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.resources import share_directory
from text2gesture_ros.skeleton import INDEX, REFERENCE, bone_lengths
from text2gesture_ros.training.recogniser.data import Augmentation, Clips, drawn
from text2gesture_ros.training.recogniser.recordings import read_recordings, read_table
from text2gesture_ros.understanding.recogniser import LABELS, OTHER, RATE, normalised

NONE = Augmentation(
    **{part.name: 0.0 for part in fields(Augmentation)} | {"slowest": 1.0, "arms": 1.0, "head": 1.0}
)


def raised(frames: int, gesture: str, turn: float = 1.2) -> Motion:
    """Return a body that turns its right forearm up and down again."""
    angle = turn * np.sin(np.linspace(0.0, np.pi, frames))[:, None]
    positions = np.repeat(REFERENCE[None], frames, axis=0)
    for name in ("right_wrist", "right_hand", "right_thumb"):
        x, z = (REFERENCE[INDEX[name], axis] - REFERENCE[INDEX["right_elbow"], axis] for axis in (0, 2))
        positions[:, INDEX[name], 0] = (
            REFERENCE[INDEX["right_elbow"], 0] + (np.cos(angle) * x - np.sin(angle) * z)[:, 0]
        )
        positions[:, INDEX[name], 2] = (
            REFERENCE[INDEX["right_elbow"], 2] + (np.sin(angle) * x + np.cos(angle) * z)[:, 0]
        )
    return Motion(positions, RATE, gesture)


@pytest.fixture(scope="module")
def clips() -> Clips:
    return Clips.of([raised(60, "wave"), raised(40, "nod", 0.01), raised(80, "thumbsup"), raised(50, "")])


def test_what_a_clip_is(clips: Clips) -> None:
    assert [LABELS[label] for label in clips.labels] == ["wave", "nod", "thumbsup", OTHER]
    assert clips.lengths.tolist() == [60, 40, 80, 50]
    np.testing.assert_allclose(np.linalg.norm(clips.directions, axis=-1), 1.0, atol=1e-5)
    assert clips.idle.tolist() == [[True, False], [True, True], [True, False], [True, False]]
    first, last = clips.strokes[0]
    assert 5 < first < 25
    assert 35 < last < 55


def test_without_chance_a_clip_is_itself_or_its_mirror_image(clips: Clips) -> None:
    generator = np.random.default_rng(0)
    clip = raised(60, "wave")
    whole = normalised(clip.positions), normalised(clip.mirrored().positions)
    found = set()
    for _ in range(40):
        positions, mask = clips.seen(np.array([0]), 90, NONE, generator)
        if mask.sum() == 60:  # not cut
            differences = [np.abs(positions[0, :60] - each).max() for each in whole]
            assert min(differences) < 0.02  # [m] a cut may fall between two frames
            found.add(int(np.argmin(differences)))
            assert not positions[0, 60:].any()
    assert found == {0, 1}


def test_whatever_happens_to_a_clip_it_stays_a_body_facing_ahead(clips: Clips) -> None:
    generator = np.random.default_rng(1)
    often = Augmentation(rest=1.0, jitter=1.0, rounded=0.3, random=1.0, lacking=1.0)
    positions, mask = clips.seen(np.tile(np.arange(4), 12), 70, often, generator)
    assert positions.shape == (48, 70, 21, 3)
    assert np.isfinite(positions).all()
    shown = positions[mask > 0]
    np.testing.assert_allclose(
        bone_lengths(shown), np.tile(bone_lengths(REFERENCE), (len(shown), 1)), atol=1e-4
    )
    assert (mask.sum(axis=1) >= RATE / 3).all()
    assert (np.diff(mask, axis=1) <= 0).all()  # first the frames, then nothing


def test_the_stroke_is_seen_however_a_clip_is_cut(clips: Clips) -> None:
    generator = np.random.default_rng(2)
    cut = Augmentation(
        rig=0.0, upright=0.0, jitter=0.0, lacking=0.0, rounded=0.0, arms=1.0, head=1.0, rest=0.0
    )
    positions, mask = clips.seen(np.zeros(60, dtype=int), 60, cut, generator)
    hands = positions[:, :, [INDEX["left_hand"], INDEX["right_hand"]], 2].max(axis=2)
    peaks = np.where(mask > 0, hands, -9.0).max(axis=1)
    whole = normalised(raised(60, "wave").positions)[:, INDEX["right_hand"], 2]
    assert (peaks > 0.5 * whole.max() + 0.5 * whole.min()).all()


def test_what_a_gesture_lives_by_is_never_missing(clips: Clips) -> None:
    generator = np.random.default_rng(3)
    lacking = Augmentation(
        **{part.name: 0.0 for part in fields(Augmentation)}
        | {"slowest": 1.0, "arms": 1.0, "head": 1.0, "lacking": 1.0}
    )
    positions, mask = clips.seen(np.full(60, 2), 90, lacking, generator)
    thumbs = positions[:, :, [INDEX["left_thumb"], INDEX["right_thumb"]]]
    clip = raised(80, "thumbsup")
    for each, kept in zip(thumbs, mask, strict=True):
        if kept.sum() == 80:
            whole = [
                normalised(m.positions)[:, [INDEX["left_thumb"], INDEX["right_thumb"]]]
                for m in (clip, clip.mirrored())
            ]
            assert min(np.abs(each[:80] - one).max() for one in whole) < 1e-3


def test_labels_are_drawn_in_their_shares_from_the_pools_that_have_them(clips: Clips) -> None:
    more = Clips.of([raised(60, "wave")])
    first, second = drawn([(clips, 0.5), (more, 0.5)], 4000, 0.4, np.random.default_rng(0))
    shares = np.bincount(first, minlength=4) / 4000
    np.testing.assert_allclose(shares, [0.1, 0.2, 0.2, 0.4], atol=0.04)
    assert len(first) + len(second) == 4000


def test_clips_of_no_gesture_are_drawn_where_there_are_no_others() -> None:
    pool = (Clips.of([raised(50, "")]), 1.0)
    assert [each.tolist() for each in drawn([pool], 3, 0.4, np.random.default_rng(0))] == [[0, 0, 0]]


def test_the_shipped_table_names_files_once_and_sources_in_one_part() -> None:
    table = read_table(share_directory() / "config" / "training" / "recordings.yaml")
    sources: dict[str, set[str]] = {}
    for part, files in table.items():
        for file, label in files.items():
            prefix, *rest = file.split("_")
            if file.endswith(".npz"):
                assert prefix == label
                sources.setdefault(rest[0], set()).add(part)
    assert len(sources) > 10
    assert all(len(parts) == 1 for parts in sources.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "must map parts"),
        ("tests: {}", "must map parts"),
        ("test: {waves: [a.npz]}", "must map labels"),
        ("test: {wave: [a.npz], nod: [a.npz]}", "twice"),
        ("{", "cannot be read"),
    ],
)
def test_a_wrong_table_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "table.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        read_table(tmp_path / "table.yaml")


def test_recordings_are_found_by_name_with_their_span_and_what_they_lack(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    raised(60, GESTURES[0]).save(tmp_path / "deep" / "wave_me_hello.npz")
    table = tmp_path / "table.yaml"
    table.write_text("test: {wave: [wave_me_hello.npz]}")
    for columns in ("active_start_s,active_end_s", "start,end"):
        (tmp_path / "deep" / "labels.csv").write_text(f"file,{columns}\nwave_me_hello.npz,0.5,1.5\nb,,\n")
        (one,) = read_recordings(tmp_path, table, "test")
        assert (one.source, one.label, one.active, one.unseen) == ("me", "wave", (0.5, 1.5), "")
        assert not read_recordings(tmp_path, table, "train")
    for text in ("file,from,to\na.npz,0,1\n", "file,start,end\na.npz,soon,1\n"):
        (tmp_path / "labels.csv").write_text(text)
        with pytest.raises(InputError, match=r"labels\.csv: must have columns file, start"):
            read_recordings(tmp_path, table, "test")
    (tmp_path / "labels.csv").unlink()
    table.write_text("test: {wave: [none.npz]}")
    with pytest.raises(InputError, match=r"none\.npz"):
        read_recordings(tmp_path, table, "test")
