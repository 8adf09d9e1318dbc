"""Laws of generation, on the model that ships."""

import itertools
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from text2gesture_ros.errors import ConfigurationError, InputError, ModelError
from text2gesture_ros.generation.engines import TorchEngine
from text2gesture_ros.generation.generator import MIN_DURATION, GestureGenerator
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.model_directory import open_model, save_model
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import JOINTS, bone_lengths

PAIRS = list(itertools.product(GESTURES, EMOTIONS))


@pytest.fixture(scope="module")
def generator() -> GestureGenerator:
    return GestureGenerator("motion", device="cpu")


def test_every_gesture_and_emotion_is_a_body_in_motion_that_ends(generator: GestureGenerator) -> None:
    for gesture, emotion in PAIRS:
        frames = list(generator.frames(gesture, emotion, seed=1))
        positions = np.stack([frame.positions for frame in frames])
        assert positions.shape == (len(frames), len(JOINTS), 3)
        assert positions.dtype == np.float32
        assert np.isfinite(positions).all()
        lengths = bone_lengths(positions)
        np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), atol=1e-5)
        assert np.ptp(positions, axis=0).max() > 0.01
        assert [frame.last for frame in frames] == [False] * (len(frames) - 1) + [True]
        assert all(0.0 <= frame.stop_probability <= 1.0 for frame in frames)
        assert len(frames) >= MIN_DURATION * generator.frame_rate


def test_the_first_believed_stop_token_ends_the_gesture(generator: GestureGenerator) -> None:
    longest = open_model("motion", "motion").config["max_frames"]
    for gesture, emotion in PAIRS:
        *before, last = generator.frames(gesture, emotion, seed=2)
        shortest = int(MIN_DURATION * generator.frame_rate)
        assert all(frame.stop_probability < 0.5 for frame in before[shortest - 1 :])
        assert last.stop_probability >= 0.5 or len(before) + 1 == longest


def test_no_gesture_is_longer_than_allowed(generator: GestureGenerator) -> None:
    for duration in (0.001, 1 / 60, 0.1, 0.25, 0.5, 1.0, 1e6):
        frames = list(generator.frames("handshake", seed=0, max_duration=duration))
        assert len(frames) <= max(1, duration * generator.frame_rate + 1e-6)
        assert [frame.last for frame in frames] == [False] * (len(frames) - 1) + [True]


def test_seeds(generator: GestureGenerator) -> None:
    first, again, other = (generator.generate("wave", "positive", seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.positions, again.positions)
    assert first.positions.shape != other.positions.shape or (first.positions != other.positions).any()
    assert (first.gesture, first.emotion, first.frame_rate) == ("wave", "positive", generator.frame_rate)


def test_variation_widens_what_is_imitated(generator: GestureGenerator) -> None:
    typical, all_seen = (
        {generator.generate("wave", seed=seed, variation=v).positions.tobytes() for seed in range(6)}
        for v in (0.0, 1.0)
    )
    assert len(typical) == 1
    assert len(all_seen) == 6


def test_a_mixture_goes_from_one_gesture_to_the_other(generator: GestureGenerator) -> None:
    # Without variation there is one embedding for each gesture.
    wave, shrug = (generator.generate(gesture, seed=4, variation=0.0) for gesture in ("wave", "shrug"))

    def mixed(share: float) -> Motion:
        return generator.generate("wave", seed=4, variation=0.0, mix={"shrug": share})

    np.testing.assert_array_equal(mixed(0.0).positions, wave.positions)
    whole = mixed(1.0)
    assert any(np.array_equal(whole.positions, m.positions) for m in (shrug, shrug.mirrored()))
    np.testing.assert_array_equal(mixed(0.5).positions, mixed(0.5).positions)
    for end in (wave, whole):
        assert np.abs(mixed(0.5).positions[:30] - end.positions[:30]).max() > 0.01


def test_frames_of_an_embedding_are_those_it_was_drawn_for(generator: GestureGenerator) -> None:
    for seed in range(6):  # some are left-handed
        how = {"seed": seed, "mix": {"nod": 0.3}}
        embedding, mirrored = generator.embedding("wave", "positive", **how)
        assert embedding.ndim == 1
        given = generator.frames_of(embedding, mirrored=mirrored, max_duration=0.2)
        for one, same in zip(
            given, generator.frames("wave", "positive", **how, max_duration=0.2), strict=True
        ):
            np.testing.assert_array_equal(one.positions, same.positions)
    with pytest.raises(InputError, match="max_duration"):
        generator.frames_of(embedding, max_duration=0.0)


def test_gaussians_stand_for_clips(tmp_path: Path) -> None:
    shipped = open_model("motion", "motion")
    weights = {name: value for name, value in shipped.weights().items() if "spreads" not in name}
    count, width = weights["examples"].shape
    spreads = np.zeros((count, 2, width), dtype=np.float32)
    spreads[:, 0] = 0.1 * weights["examples"].std(axis=0)
    for graph in shipped.path.glob("*.onnx"):
        shutil.copy(graph, tmp_path)
    gaussians = {"example_counts": np.arange(count, dtype=np.float32) + 1.0, "example_spreads": spreads}
    save_model(tmp_path, shipped.config, {**weights, **gaussians})
    generator = GestureGenerator(str(tmp_path), device="cpu")
    same, different = (
        {generator.generate("wave", seed=seed, variation=v).positions.tobytes() for seed in range(4)}
        for v in (0.0, 1.0)
    )
    assert (len(same), len(different)) == (1, 4)
    save_model(tmp_path, shipped.config, {**weights, **gaussians, "example_counts": np.ones(2)})
    with pytest.raises(ModelError, match="example_counts"):
        GestureGenerator(str(tmp_path), device="cpu")


def test_a_model_without_a_stop_token_makes_clips_of_one_length(tmp_path: Path) -> None:
    shipped = open_model("motion", "motion")
    for graph in shipped.path.glob("*.onnx"):
        shutil.copy(graph, tmp_path)
    save_model(tmp_path, {**shipped.config, "stop_token": False}, shipped.weights())
    generator = GestureGenerator(str(tmp_path), device="cpu")
    motion = generator.generate("nod", seed=0, max_duration=10.0)
    assert len(motion) == shipped.config["max_frames"]


def test_a_frame_does_not_depend_on_when_it_is_asked_for(generator: GestureGenerator) -> None:
    whole = generator.generate("nod", seed=3).positions
    one = generator.frames("nod", seed=3)
    other = generator.frames("shrug", seed=4)
    for index, frame in enumerate(one):
        next(other, None)  # two gestures in turns share nothing
        np.testing.assert_array_equal(frame.positions, whole[index])


def test_a_short_gesture_begins_like_a_long_one(generator: GestureGenerator) -> None:
    # Up to where smoothing sees the end.
    whole = generator.generate("pat", seed=3).positions
    short = generator.generate("pat", seed=3, max_duration=0.7).positions
    np.testing.assert_array_equal(short[:30], whole[:30])


def test_no_joint_goes_further_from_frame_to_frame_than_the_model_says(tmp_path: Path) -> None:
    shipped = open_model("motion", "motion")
    for graph in shipped.path.glob("*.onnx"):
        shutil.copy(graph, tmp_path)
    config = {name: value for name, value in shipped.config.items() if name != "furthest"}
    furthest, poses, ways = np.inf, [], []
    for _ in range(2):
        save_model(tmp_path, config, shipped.weights())
        made = GestureGenerator(str(tmp_path), device="cpu").generate("yay", "positive", seed=1)
        poses.append(made.positions)
        ways.append(np.linalg.norm(np.diff(made.positions, axis=0), axis=2).max(axis=1))
        furthest = 0.8 * float(ways[0].max())
        config["furthest"] = furthest
    (free, bound), (free_ways, bound_ways) = poses, ways
    assert bound_ways.max() < 1.01 * furthest  # the bones' arcs are hardly longer than their chords
    np.testing.assert_allclose(bone_lengths(bound), bone_lengths(free), atol=1e-5)
    calm = int((free_ways > furthest).argmax())
    np.testing.assert_array_equal(bound[: calm + 1], free[: calm + 1])
    np.testing.assert_array_equal(bound[-1], free[-1])  # it has caught up


def test_torch_and_onnxruntime_generate_the_same_frames() -> None:
    engine = TorchEngine(open_model("motion", "motion"), "cpu")
    reference = GestureGenerator("motion", device="cpu", engine=engine)
    whole = GestureGenerator("motion", device="cpu")
    for gesture, emotion in PAIRS[::5]:
        expected = list(reference.frames(gesture, emotion, seed=7))
        given = list(whole.frames(gesture, emotion, seed=7))
        assert len(given) == len(expected)
        for a, b in zip(given, expected, strict=True):
            assert np.abs(a.positions - b.positions).max() < 1e-3
            assert a.stop_probability == pytest.approx(b.stop_probability, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gesture": "dance"}, "unknown gesture 'dance'"),
        ({"gesture": "wave", "emotion": "bored"}, "unknown emotion 'bored'"),
        ({"gesture": "wave", "variation": 1.5}, "variation"),
        ({"gesture": "wave", "variation": float("nan")}, "variation"),
        ({"gesture": "wave", "max_duration": 0.0}, "max_duration"),
        ({"gesture": "wave", "max_duration": float("inf")}, "max_duration"),
        ({"gesture": "wave", "seed": -1}, "seed"),
        ({"gesture": "wave", "mix": {"dance": 0.5}}, "unknown gesture 'dance'"),
        ({"gesture": "wave", "mix": {"nod": 1.5}}, "share of 'nod'"),
        ({"gesture": "wave", "mix": {"nod": float("nan")}}, "share of 'nod'"),
        ({"gesture": "wave", "mix": {"nod": 0.6, "pat": 0.6}}, "sum to at most 1"),
    ],
)
def test_wrong_arguments_are_said_at_once(
    generator: GestureGenerator, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        generator.frames(**arguments)  # type: ignore[arg-type]


def test_models_that_cannot_generate_are_refused(tmp_path: Path) -> None:
    shipped = open_model("motion", "motion")
    weights = shipped.weights()
    few = weights["example_gestures"] != GESTURES.index("pat")
    tables = [name for name in weights if name.startswith("example")]
    for change, message in (
        ({"normalisation.mean": np.zeros(3)}, "normalisation.mean"),
        ({"examples": np.zeros((2, 3, 4))}, "examples"),
        ({name: weights[name][few] for name in tables}, "no example of gesture 'pat'"),
    ):
        save_model(tmp_path, shipped.config, {**weights, **change})
        with pytest.raises(ModelError, match=message):
            GestureGenerator(str(tmp_path), device="cpu")
    save_model(tmp_path, shipped.config, weights)
    with pytest.raises(ModelError, match=r"initial\.onnx"):
        GestureGenerator(str(tmp_path), device="cpu")
    for graph in shipped.path.glob("*.onnx"):
        shutil.copy(graph, tmp_path)
    narrow = {name: weights[name][..., :-1] for name in ("examples", "example_spreads") if name in weights}
    save_model(tmp_path, shipped.config, {**weights, **narrow})
    with pytest.raises(ModelError, match=r"initial\.onnx does not take"):
        GestureGenerator(str(tmp_path), device="cpu")
    for key in ("frame_rate", "max_frames", "smoothing", "furthest"):
        save_model(tmp_path, {**shipped.config, key: "fast"}, weights)
        with pytest.raises(ModelError, match=key):
            GestureGenerator(str(tmp_path), device="cpu")
    with pytest.raises(ModelError):
        GestureGenerator(str(tmp_path / "missing"))
    with pytest.raises(ConfigurationError, match="device"):
        GestureGenerator("motion", device="toaster")


def test_a_left_handed_example_is_done_in_a_mirror(tmp_path: Path) -> None:
    shipped = open_model("motion", "motion")
    weights = shipped.weights()
    motions = []
    for mirrored in (0, 1):
        flags = np.full_like(weights["example_mirrored"], mirrored)
        save_model(tmp_path, shipped.config, {**weights, "example_mirrored": flags})
        for graph in shipped.path.glob("*.onnx"):
            shutil.copy(graph, tmp_path)
        motions.append(GestureGenerator(str(tmp_path), device="cpu").generate("wave", seed=3))
    np.testing.assert_array_equal(motions[0].mirrored().positions, motions[1].positions)


def test_a_copied_model_is_the_same_model(generator: GestureGenerator, tmp_path: Path) -> None:
    shipped = open_model("motion", "motion")
    save_model(tmp_path / "copy", shipped.config, shipped.weights())
    for graph in shipped.path.glob("*.onnx"):
        shutil.copy(graph, tmp_path / "copy")
    copy = GestureGenerator(str(tmp_path / "copy"), device="cpu")
    np.testing.assert_array_equal(
        copy.generate("yay", seed=1).positions, generator.generate("yay", seed=1).positions
    )


def test_generation_imports_no_torch() -> None:
    code = (
        "import sys\n"
        "from text2gesture_ros.generation.generator import GestureGenerator\n"
        "GestureGenerator('motion', device='cpu').generate('wave', seed=0)\n"
        "assert not {'torch', 'onnx', 'rclpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
