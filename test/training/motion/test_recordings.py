from pathlib import Path

import numpy as np
import pytest

from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import REFERENCE
from text2gesture_ros.training.motion.recordings import check_recordings, load_recordings, missing_gestures


def record(path: Path, frames: int = 60, gesture: str = "", emotion: str = "", rate: float = 60.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Motion(np.repeat(REFERENCE[None], frames, axis=0), rate, gesture, emotion).save(path)


def test_labels_come_from_the_file_or_its_folder(tmp_path: Path) -> None:
    for index in range(2):
        record(tmp_path / "nod" / f"{index}.npz")
        record(tmp_path / "nod" / f"says_otherwise_{index}.npz", gesture="wave", emotion="positive")
    found = [(clip.gesture, clip.emotion) for clip in load_recordings([tmp_path], 180)]
    assert found == [("nod", "neutral")] * 2 + [("wave", "positive")] * 2
    assert "shrug" in missing_gestures(load_recordings([tmp_path], 180))


def test_labels_come_from_the_table(tmp_path: Path) -> None:
    record(tmp_path / "a.npz", 120, rate=30.0)
    record(tmp_path / "unlisted.npz")
    (tmp_path / "labels.csv").write_text(
        "file,gesture,emotion,start,end\na.npz,wave,negative,1.0,2.0\na.npz,wave,,,\n"
    )
    first, second = load_recordings([tmp_path], 300)
    assert (first.gesture, first.emotion, first.frame_rate) == ("wave", "negative", 60.0)
    assert first.duration == pytest.approx(1.0, abs=0.05)
    assert second.emotion == "neutral"
    assert second.duration == pytest.approx(4.0, abs=0.05)


def test_long_clips_are_cut_into_windows_of_one_length(tmp_path: Path) -> None:
    record(tmp_path / "wave" / "long.npz", 500)
    clips = load_recordings([tmp_path], 180)
    assert [len(clip) for clip in clips] == [167, 166, 167]
    assert {clip.gesture for clip in clips} == {"wave"}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("file,gesture\na.npz,dance\n", r"labels\.csv, line 2: unknown gesture 'dance'"),
        ("file,gesture,emotion\na.npz,wave,\na.npz,wave,bored\n", r"labels\.csv, line 3: unknown emotion"),
        ("file,gesture\nb.npz,wave\n", r"labels\.csv, line 2: .*b\.npz"),
        ("file,gesture,start\na.npz,wave,soon\n", r"labels\.csv, line 2: start and end must be seconds"),
        ("file,gesture,start\na.npz,wave,9\n", r"labels\.csv, line 2: .*holds nothing"),
        ("file,gesture,end\na.npz,wave,0.3\n", r"labels\.csv, line 2: 0\.30 s, at least 0\.5 s"),
        ("file,gesture\n,wave\n", r"labels\.csv, line 2: file is empty"),
        ("clip,gesture\na.npz,wave\n", r"labels\.csv: needs a line of columns file, gesture"),
        ("", r"labels\.csv: needs a line of columns"),
        ("file,gesture\na.npz,wave\n", "gesture 'wave' has 1 clip, at least 2"),
    ],
)
def test_wrong_tables_are_named(tmp_path: Path, table: str, message: str) -> None:
    record(tmp_path / "a.npz")
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(InputError, match=message) as error:
        load_recordings([tmp_path], 180)
    assert "\n" not in str(error.value)


def test_wrong_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such folder"):
        load_recordings([tmp_path / "nowhere"], 180)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no recordings. Known formats: .*\.npz"):
        load_recordings([tmp_path / "empty"], 180)
    record(tmp_path / "party" / "a.npz")
    with pytest.raises(
        InputError, match=r"a\.npz: nothing says which.*--label GESTURE.*'party'.*labels\.csv"
    ):
        load_recordings([tmp_path / "party"], 180)


def test_what_names_tell_is_told_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "take.bvh").write_text("not even a BVH")
    with pytest.raises(InputError, match=r"take\.bvh: nothing says which gesture it shows"):
        check_recordings([tmp_path])
    (tmp_path / "clips").rename(tmp_path / "wave")
    assert [entry.path.name for entry in check_recordings([tmp_path])] == ["take.bvh"]
    (tmp_path / "labels.csv").write_text("file,gesture\nnone.bvh,wave\n")
    with pytest.raises(InputError, match=r"line 2: .*none\.bvh: no such file"):
        check_recordings([tmp_path])
