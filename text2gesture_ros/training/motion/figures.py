"""Pictures of generated motion beside real motion: poses, features, lengths, stop tokens."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image
from sklearn.manifold import TSNE

from text2gesture_ros.generation.generator import MIN_DURATION
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import BONES, INDEX
from text2gesture_ros.training.motion.candidates import Generated

_REAL, _GIVEN = "#1f6fb4", "#d95f02"  # told apart by colour-blind people, too
_POSES = 9
_APART = 0.85  # neighbours in a strip [m]


def _from_ahead(angle: float) -> FloatArray:
    """Return the projection of a view from the front, turned to the person's left [rad]: (2, 3)."""
    return np.array([[-np.sin(angle), np.cos(angle), 0.0], [0.0, 0.0, 1.0]])


_VIEW = _from_ahead(0.6)
# Gestures of which the head alone is drawn, large: from the side, and from above with the nose upwards.
_HEADS = {"nod": _from_ahead(1.3), "shakehead": np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])}
_COLOURS = 64  # enough for lines, and a third of the bytes
_BELOW_HIPS = {INDEX[f"{side}_{name}"] for side in ("left", "right") for name in ("knee", "ankle")}
_BONES = [bone for bone in BONES if not _BELOW_HIPS & set(bone)]
_ABOVE_CHEST = {INDEX["neck"], INDEX["head"]}
_LEFT = [bone for bone in _BONES if bone[1] in {i for name, i in INDEX.items() if name.startswith("left_")}]


def draw(
    folder: Path,
    real: Sequence[Motion],
    given: Sequence[Generated],
    real_features: FloatArray,
    features: FloatArray,
    judge: str,
) -> list[Path]:
    """Draw strips.png, features.png, lengths.png and stops.png into a folder, which is made.

    Args:
        folder: where they go.
        real: clips of people.
        given: as many generated ones; clip i of both shows the same gesture and emotion.
        real_features: (B, D) what the judge sees in the real ones.
        features: (B, D) what it sees in the generated ones.
        judge: name of the judge.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {
        "strips.png": strips(real, [each.motion for each in given]),
        "features.png": feature_map([clip.gesture for clip in real], real_features, features, judge),
        "lengths.png": lengths(real, [each.motion for each in given]),
        "stops.png": stops(real, given),
    }
    for name, figure in pictures.items():
        _save(figure, folder / name)
    return [folder / name for name in pictures]


def strips(real: Sequence[Motion], given: Sequence[Motion]) -> Figure:
    """Return one clip of each gesture as a strip of poses, the real one above the generated one."""
    figure = Figure(figsize=(17.0, 17.5), dpi=75, layout="constrained")
    figure.suptitle(
        "One clip of each gesture: a person above (blue), the model below (orange); left side thick; "
        "nod: heads from the side, shakehead: from above",
        fontsize=15,
    )
    panels = figure.subplots(6, 2).flat
    for axes, (gesture, own) in zip(panels, _by_gesture(real), strict=True):
        index = own[0]
        for height, clip, colour in ((0.0, real[index], _REAL), (-1.15, given[index], _GIVEN)):
            _strip(axes, clip, height, colour, _HEADS.get(gesture))
        axes.set_title(f"{gesture}, {real[index].emotion}", loc="left", fontsize=12, fontweight="bold")
        axes.set_aspect("equal")
        axes.set_xlim(-0.6, (_POSES - 0.4) * _APART)
        axes.set_ylim(-1.45, 1.0)
        axes.axis("off")
    return figure


def _strip(axes: Axes, clip: Motion, height: float, colour: str, head: FloatArray | None) -> None:
    """Draw moments of a clip side by side; of the head alone where its view, (2, 3), is given."""
    moments = np.linspace(0, len(clip) - 1, _POSES).round().astype(int)
    bones = _BONES if head is None else [bone for bone in _BONES if bone[0] in _ABOVE_CHEST]
    poses = clip.positions[moments]  # (P, K, 3)
    flat = (
        poses @ _VIEW.T if head is None else 3.0 * (poses - poses[:, [INDEX["neck"]]]) @ head.T
    )  # (P, K, 2)
    places = _APART * np.arange(_POSES)
    flat = flat + np.stack([places, np.full(_POSES, height)], axis=1)[:, None]
    for chosen, width in ((bones, 1.8), ([bone for bone in bones if bone in _LEFT], 3.2)):
        lines = [pose[list(bone)] for pose in flat for bone in chosen]
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, capstyle="round"))
    axes.plot(*flat[:, INDEX["head"]].T, "o", color=colour, markersize=8)
    for place, moment in zip(places, moments, strict=True):
        note = f"{moment / clip.frame_rate:.1f} s"
        axes.text(place, height - 0.17, note, ha="center", va="top", fontsize=9, color="0.4")


def feature_map(
    labels: Sequence[str], real_features: FloatArray, features: FloatArray, judge: str, seed: int = 0
) -> Figure:
    """Return a t-SNE map of a judge's features of real and generated clips."""
    together = np.concatenate([real_features, features]).astype(np.float64)
    perplexity = min(30.0, (len(together) - 1) / 3)
    places = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(together)
    ours = places[len(labels) :]
    figure = Figure(figsize=(10.0, 8.5), dpi=80, layout="constrained")
    figure.suptitle(f"Features of the {judge}: t-SNE, without units", fontsize=15)
    axes = figure.subplots()
    for number, gesture in enumerate(GESTURES):
        own = np.array([label == gesture for label in labels])
        colour = f"C{number}" if number < 10 else ("black", "#aec7e8")[number - 10]
        x, y = places[: len(labels)][own].T
        axes.scatter(x, y, s=44, facecolors="none", edgecolors=colour, linewidths=1.3)
        x, y = ours[own].T
        axes.scatter(x, y, s=36, marker="x", color=colour, linewidths=1.5, label=gesture)
    axes.scatter([], [], s=44, facecolors="none", edgecolors="0.3", label="a person")
    axes.scatter([], [], s=36, marker="x", color="0.3", label="the model")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=11)
    axes.set_xticks([])
    axes.set_yticks([])
    return figure


def lengths(real: Sequence[Motion], given: Sequence[Motion]) -> Figure:
    """Return histograms of the clip lengths of each gesture."""
    figure = _titled("Length of the clips: people (blue), the model (orange)", "length [s]", "clips")
    longest = max(clip.duration for clip in (*real, *given))
    bins = np.arange(0.0, longest + 0.2, 0.2).tolist()
    for axes, own in _panels(figure, real):
        for clips, colour in ((real, _REAL), (given, _GIVEN)):
            values = [clips[index].duration for index in own]
            axes.hist(values, bins, color=colour, alpha=0.5)
            axes.axvline(float(np.mean(values)), color=colour, linewidth=1.5)
    return figure


def stops(real: Sequence[Motion], given: Sequence[Generated]) -> Figure:
    """Return the stop probability of each generated clip over time, with the ends of the real clips."""
    figure = _titled(
        "Stop probability of each clip of the model until it ends (orange), ends of people's clips (blue); "
        "grey: ignored",
        "time [s]",
        "stop probability",
    )
    for axes, own in _panels(figure, real):
        for index in own:
            times = np.arange(len(given[index].stops)) / given[index].motion.frame_rate
            axes.plot(times, given[index].stops, color=_GIVEN, alpha=0.45, linewidth=0.9)
        ends = [real[index].duration for index in own]
        axes.plot(ends, np.full(len(ends), 1.06), "|", color=_REAL, markersize=9)
        axes.axhline(0.5, color="0.6", linewidth=0.7, linestyle="--")
        axes.axvspan(0.0, MIN_DURATION, color="0.93")
        axes.set_ylim(-0.03, 1.13)
    return figure


def _titled(title: str, across: str, up: str) -> Figure:
    figure = Figure(figsize=(14.0, 8.0), dpi=80, layout="constrained")
    figure.suptitle(title, fontsize=14)
    figure.supxlabel(across, fontsize=12)
    figure.supylabel(up, fontsize=12)
    return figure


def _panels(figure: Figure, clips: Sequence[Motion]) -> Iterator[tuple[Axes, list[int]]]:
    panels = figure.subplots(3, 4, sharex=True, sharey=True).flat
    for axes, (gesture, own) in zip(panels, _by_gesture(clips), strict=True):
        axes.set_title(gesture, fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
        yield axes, own


def _by_gesture(clips: Sequence[Motion]) -> Iterator[tuple[str, list[int]]]:
    for gesture in GESTURES:
        yield gesture, [index for index, clip in enumerate(clips) if clip.gesture == gesture]


def _save(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    Image.open(buffer).convert("RGB").quantize(_COLOURS).save(path, optimize=True)
