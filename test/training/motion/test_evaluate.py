import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from text2gesture_ros.errors import InputError, ModelError
from text2gesture_ros.generation.generator import GestureGenerator
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.training.motion import evaluate as evaluation
from text2gesture_ros.training.motion import figures
from text2gesture_ros.training.motion import study as motion_study
from text2gesture_ros.training.motion.baselines import NearestClipPlayer
from text2gesture_ros.training.motion.candidates import ModelCandidate
from text2gesture_ros.training.motion.clips import judging_clips
from text2gesture_ros.training.motion.evaluate import FIXED_LENGTH, MADE, OURS, REAL, evaluate, summary
from text2gesture_ros.training.motion.judges import EmbedderJudge
from text2gesture_ros.training.studio.synthesis import dataset

pytestmark = pytest.mark.usefixtures("studio_once")

DEVELOPMENT = {"clips_per_gesture": 2, "seed": 20_000, "recogniser": ""}


@pytest.fixture(scope="module")
def model() -> ModelCandidate:
    return ModelCandidate("motion")


@pytest.fixture(scope="module")
def clips() -> list[Motion]:
    return dataset(20_001, 2, candid_share=0.0)


@pytest.fixture(scope="module")
def result() -> dict:
    return evaluate("motion", repetitions=2, rows=[REAL, OURS, FIXED_LENGTH], **DEVELOPMENT)


class TestModelCandidate:
    def test_many_at_a_time_are_what_is_streamed_one_by_one(self, model: ModelCandidate) -> None:
        one = GestureGenerator("motion", device="cpu")
        wanted = [
            Motion(np.zeros((1, 21, 3)), gesture=gesture, emotion=EMOTIONS[index % 3])
            for index, gesture in enumerate(GESTURES)
        ]
        seeds = list(range(100, 100 + len(wanted)))
        for clip, seed, given in zip(wanted, seeds, model.generate(wanted, seeds), strict=True):
            frames = list(one.frames(clip.gesture, clip.emotion, seed=seed))
            assert len(given.motion) == len(frames) == len(given.stops)
            expected = np.stack([frame.positions for frame in frames])
            assert np.abs(given.motion.positions - expected).max() < 1e-3
            stops = np.array([frame.stop_probability for frame in frames])
            np.testing.assert_allclose(given.stops, stops, atol=1e-3)
            assert given.stopped == (frames[-1].stop_probability >= 0.5)
            assert (given.motion.gesture, given.motion.emotion) == (clip.gesture, clip.emotion)

    def test_reconstruction_is_what_the_clips_embedding_gives(
        self, model: ModelCandidate, clips: Sequence[Motion]
    ) -> None:
        one = GestureGenerator("motion", device="cpu")
        given, embeddings = model.reconstruct(clips[:4]), model.embedded(clips[:4])
        for embedding, clip in zip(embeddings, given, strict=True):
            assert len(clip.motion) == sum(1 for _ in one.frames_of(embedding))

    def test_a_clip_in_a_mirror_is_reconstructed_in_a_mirror(
        self, model: ModelCandidate, clips: Sequence[Motion]
    ) -> None:
        there, back = model.reconstruct([clips[0], clips[0].mirrored()])
        np.testing.assert_allclose(there.motion.mirrored().positions, back.motion.positions, atol=1e-4)

    def test_without_listening_to_the_stop_token_all_are_as_long(self, clips: Sequence[Motion]) -> None:
        fixed = ModelCandidate("motion", fixed_length=True)
        given = fixed.generate(clips[:3], [1, 2, 3])
        assert {len(each.motion) for each in given} == {fixed.frames}
        assert not any(each.stopped for each in given)


class TestPlayer:
    def test_it_plays_gesture_and_emotion_and_is_recognised_like_what_it_plays(
        self, model: ModelCandidate, clips: Sequence[Motion]
    ) -> None:
        player, judge = NearestClipPlayer(model, clips), EmbedderJudge(model)
        played = player.generate(clips, range(len(clips)))
        assert [each.motion.gesture for each in played] == [clip.gesture for clip in clips]
        there = {(clip.gesture, clip.emotion) for clip in clips}
        assert all((each.motion.gesture, each.motion.emotion) in there for each in played)
        again = [each.motion for each in player.reconstruct(clips)]
        real = [model.on_body(clip) for clip in clips]
        for clip, same in zip(real, again, strict=True):  # nobody is nearer than oneself
            np.testing.assert_array_equal(clip.positions, same.positions)
        for seen, expected in zip(judge.predict(again), judge.predict(real), strict=True):
            np.testing.assert_allclose(seen, expected, atol=1e-5)

    def test_of_a_missing_emotion_it_plays_the_gesture(
        self, model: ModelCandidate, clips: Sequence[Motion]
    ) -> None:
        library = [clip for clip in clips if clip.emotion == "positive"]
        wanted = [Motion(clip.positions, 60.0, clip.gesture, "negative") for clip in library]
        played = NearestClipPlayer(model, library).generate(wanted, range(len(wanted)))
        assert [each.motion.gesture for each in played] == [clip.gesture for clip in library]


class TestEvaluate:
    def test_it_measures_the_same_twice(self, result: dict) -> None:
        again = evaluate("motion", repetitions=2, rows=[OURS], **DEVELOPMENT)["rows"][OURS]
        first = json.loads(json.dumps(result))["rows"][OURS]
        assert {**again, "seconds": 0} == {**first, "seconds": 0}

    def test_figures_lie_where_they_can(self, result: dict) -> None:
        assert (result["clips"], result["repetitions"]) == (2 * len(GESTURES), 2)
        for row in result["rows"].values():
            means = {name: found["mean"] for name, found in row["metrics"].items()}
            assert all(found["interval"] >= 0.0 for found in row["metrics"].values())
            for share in ("recognition", "stop_rate", "in_time"):
                assert 0.0 <= means[share] <= 1.0
            assert set(row["recognition_by_gesture"]) == set(GESTURES)
            assert np.mean(list(row["recognition_by_gesture"].values())) == pytest.approx(
                means["recognition"]
            )
        real, ours, fixed = (
            {key: found["mean"] for key, found in result["rows"][name]["metrics"].items()}
            for name in (REAL, OURS, FIXED_LENGTH)
        )
        assert real["jump_ratio"] <= 1.0
        assert ours["recognition"] > 3 / len(GESTURES)
        assert (fixed["stop_rate"], fixed["in_time"]) == (0.0, 0.0)
        assert fixed["length_error"] > ours["length_error"]
        assert ours["mmd_seq_reconstructed"] < 1.0
        assert 0.0 <= result["rows"][OURS]["health"]["never_stops"] <= 1.0

    def test_what_stands_in_the_file_is_not_measured_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        output = tmp_path / "metrics.json"
        first = evaluate("motion", repetitions=1, rows=[REAL], output=output, **DEVELOPMENT)
        assert json.loads(output.read_text()) == first
        monkeypatch.setattr(
            motion_study.Study, "measure", lambda *_: {"metrics": {"fid": {"mean": 1.0, "interval": None}}}
        )
        second = evaluate("motion", repetitions=1, rows=[REAL, OURS], output=output, **DEVELOPMENT)
        assert second["rows"][REAL] == first["rows"][REAL]
        assert second["rows"][OURS]["metrics"]["fid"]["mean"] == 1.0
        # Others are not lost, unless they were measured against something else.
        kept = evaluate("motion", repetitions=1, rows=[REAL], output=output, **DEVELOPMENT)
        assert set(kept["rows"]) == {REAL, OURS}
        other = evaluate("motion", repetitions=3, rows=[REAL], output=output, **DEVELOPMENT)
        assert other["rows"] == {REAL: other["rows"][REAL]}
        assert other["rows"][REAL] != first["rows"][REAL]

    def test_rows_are_found_in_their_folder_and_missed_by_name(
        self, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "zero_padding").symlink_to(root / "models" / "motion")
        (tmp_path / "my_idea").symlink_to(root / "models" / "motion")
        (tmp_path / "notes").mkdir()
        monkeypatch.setattr(motion_study.Study, "measure", lambda *_: {"metrics": {}})
        monkeypatch.setattr(evaluation, "training_clips", lambda _: dataset(1, 1))
        found = evaluate("motion", repetitions=1, rows_from=tmp_path, **DEVELOPMENT)
        assert {*MADE, "zero_padding", "my_idea"} == set(found["rows"])
        assert "zero" in found["rows"]["zero_padding"]["what"]
        assert {"paper", "no_stop_token", "no_embedding_loss", "class_condition"} <= set(found["missing"])

    def test_pictures_are_small(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(figures, "TSNE", partial(figures.TSNE, max_iter=250))
        evaluate("motion", repetitions=1, rows=[], figures=tmp_path / "figures", **DEVELOPMENT)
        pictures = sorted((tmp_path / "figures").iterdir())
        assert [path.name for path in pictures] == ["features.png", "lengths.png", "stops.png", "strips.png"]
        for path in pictures:
            assert path.stat().st_size < 300_000
            assert min(Image.open(path).size) > 500

    @pytest.mark.parametrize(
        ("given", "error", "message"),
        [
            ({"model": "no-such-model"}, ModelError, "no-such-model"),
            ({"rows": ["nobody"]}, InputError, "unknown row 'nobody'"),
            ({"rows_from": Path("missing")}, InputError, "missing: no such folder"),
        ],
    )
    def test_mistakes_are_named(self, given: dict, error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            evaluate(**{**DEVELOPMENT, **given})

    def test_a_damaged_file_of_results_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "metrics.json").write_text('{"rows": {"real": 3}}')
        with pytest.raises(InputError, match=r"metrics\.json: no file of results"):
            evaluate("motion", rows=[], output=tmp_path / "metrics.json", **DEVELOPMENT)


def test_recordings_of_ones_own_judge(tmp_path: Path) -> None:
    for index, clip in enumerate(dataset(20_007, 6, candid_share=0.0, gestures=("wave", "nod"))):
        clip.save(tmp_path / f"{index}.npz")
    lone = dataset(20_008, 2, candid_share=0.0, gestures=("shrug",))
    for index, clip in enumerate(lone):
        clip.save(tmp_path / f"lone_{index}.npz")
    found = evaluate("motion", repetitions=2, data=[tmp_path], seed=20_000, recogniser="")
    assert (found["clips"], set(found["rows"])) == (6, {REAL, OURS})
    assert set(found["rows"][OURS]["recognition_by_gesture"]) == {"wave", "nod"}
    assert found["notes"] == ["shrug: 2 clips, left out: 4 are needed"]
    assert json.loads(json.dumps(found, allow_nan=False))
    assert found["notes"][0] in summary(found).notes


def test_of_what_was_trained_on_the_held_out_clips_judge(tmp_path: Path) -> None:
    for index, clip in enumerate(dataset(20_007, 8, candid_share=0.0, gestures=("wave",))):
        clip.save(tmp_path / f"{index}.npz")
    whole, _ = judging_clips([tmp_path], 193, [], 0.5)
    half, notes = judging_clips([tmp_path], 193, [tmp_path.name], 0.5)
    assert (len(whole), len(half)) == (8, 4)
    assert "the 4 clips held out count" in notes[0]
    with pytest.raises(InputError, match="too few clips to judge by"):
        judging_clips([tmp_path], 193, [tmp_path.name], 0.25)


def test_the_tables_say_which_way_is_better(result: dict) -> None:
    shown = summary(result)
    assert all(
        any(arrow in name for arrow in "↑↓→≤") for _, columns, _ in shown.tables for name in columns[1:]
    )
    assert shown.notes[0].startswith("↑: higher is better, ↓: lower is better")


def test_the_tables_have_the_papers_figures_first(result: dict) -> None:
    (_, *first), (_, *second) = summary(result).tables
    for columns, rows in (first, second):
        assert {len(row) for row in rows} == {len(columns)}
        assert [row[0] for row in rows] == ["paper's figures", *result["rows"]]
        assert all("±" in cell for row in rows[1:] for cell in row[1:])
    assert first[1][0][:4] == ("paper's figures", "0.778", "0.223", "0.23")
    assert second[1][0][1] == "16.79"


def test_a_row_given_by_its_path_goes_by_the_name_of_its_folder(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "config.json").write_text("{}")
    assert evaluation._resolved(["real", str(mine)], None) == (["real", "mine"], [], {"mine": str(mine)})
    with pytest.raises(InputError, match="'real', which is another's"):
        evaluation._resolved([str(mine.rename(tmp_path / "real"))], None)
