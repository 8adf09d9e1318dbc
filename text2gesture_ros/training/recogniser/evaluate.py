"""Evaluation of the recogniser on studio clips of unseen performers and on recordings by others."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import GESTURES, NEUTRAL
from text2gesture_ros.model_directory import open_model
from text2gesture_ros.training.recogniser.recordings import Labelled, read_recordings
from text2gesture_ros.training.studio.synthesis import dataset, distractors
from text2gesture_ros.training.summary import BETTER, Summary, number
from text2gesture_ros.understanding.recogniser import LABELS, OTHER, Recogniser, Recognition

# Added to the seed a model was trained with: the people of the evaluation are none of the training's.
_UNSEEN = 50_000
Row = dict[str, Any]


def evaluate(
    model: str = "recogniser",
    *,
    clips_per_gesture: int = 20,
    recordings: Path | None = None,
    table: Path | None = None,
    part: Sequence[str] = ("validation",),
    source: Collection[str] = (),
) -> dict[str, Any]:
    """Measure a recogniser; the same model gives the same numbers.

    A recording is judged by the span in which its gesture is, where that is known, and as a whole file. One
    whose gesture cannot be seen in its joints (a thumb up where no thumb is) is left out and named. The rank
    of a label counts `other` as a label like the rest.

    Args:
        model: name or path of the model directory.
        clips_per_gesture: studio clips of each gesture, and as many distractors in all as gestures.
        recordings: folder of recordings; None: none.
        table: which recording is in which part and shows what, see `data.read_recordings`.
        part: which parts are measured.
        source: whose recordings of them, by `Labelled.source`; none named: everybody's.

    Returns:
        studio: see `scores`, of clips by unseen performers and of distractors.
        part, left_out: of the recordings; file -> why its gesture cannot be seen.
        active, whole: see `scores`, of the recordings with by_source and by_gesture beside.
        clips: one row per recording.

    Raises:
        ModelError: the model directory is wrong.
        ConfigurationError: the table is wrong.
        InputError: a recording is missing or cannot be read, or no recording is of these sources.
    """
    training = open_model(model, "recogniser").config.get("training", {})
    recogniser = Recogniser(model)
    seed = int(training.get("seed", 0)) + _UNSEEN
    clips = [*dataset(seed, clips_per_gesture), *distractors(seed, clips_per_gesture * len(GESTURES))]
    report: dict[str, Any] = {
        "studio": scores([_row(clip.gesture or OTHER, recogniser.read(clip)) for clip in clips])
    }
    if recordings is None or table is None:
        return report
    files = [each for name in part for each in read_recordings(recordings, table, name)]
    known = sorted({each.source for each in files})
    unknown = sorted(set(source) - set(known))
    if unknown:
        raise InputError(f"no recording of source {unknown[0]!r}. Known: {', '.join(known)}")
    files = [each for each in files if not source or each.source in source]
    rows = {
        "active": [_recording_row(each, recogniser.read(each.motion)) for each in files],
        "whole": [_recording_row(each, recogniser.read(each.recording.motion)) for each in files],
    }
    seen = [index for index, each in enumerate(files) if not each.unseen]
    report |= {"part": list(part), "left_out": {each.file: each.unseen for each in files if each.unseen}}
    for name, found in rows.items():
        shown = [found[index] for index in seen]
        report[name] = scores(shown) | {"by_source": _by("source", shown), "by_gesture": _by("label", shown)}
    report["clips"] = [
        {**active, "whole": {key: whole[key] for key in ("chosen", "probability", "rank", "accepted")}}
        for active, whole in zip(*rows.values(), strict=True)
    ]
    return report


def scores(rows: Sequence[Row]) -> dict[str, Any]:
    """Return what rows say together.

    Returns:
        gestures: how many rows show one of the twelve; top1, top2: part of them whose label is ranked first,
            or among the first two; top1_of_twelve: the same if `other` did not count; false_reject: part of
            them that is not accepted.
        others: how many show none; false_accept: part of them accepted as any of the twelve;
            false_gesture: accepted as one that is not neutral, so that something would be done about it.
        Rates of nothing are None.
    """
    gestures = [row for row in rows if row["label"] != OTHER]
    others = [row for row in rows if row["label"] == OTHER]
    return {
        "gestures": len(gestures),
        "top1": _rate(row["rank"] == 1 for row in gestures),
        "top2": _rate(row["rank"] <= 2 for row in gestures),
        "top1_of_twelve": _rate(row["rank_of_twelve"] == 1 for row in gestures),
        "false_reject": _rate(not row["accepted"] for row in gestures),
        "others": len(others),
        "false_accept": _rate(row["accepted"] for row in others),
        "false_gesture": _rate(row["accepted"] and row["chosen"] != NEUTRAL for row in others),
    }


def summary(report: dict[str, Any]) -> Summary:
    """Return what is printed of the result of `evaluate`."""
    parts = {"studio": report["studio"]}
    for span in ("active", "whole") if "clips" in report else ():
        parts[f"recordings, {span}"] = report[span]
        for key in ("by_source", "by_gesture") if span == "active" else ():
            parts |= {f"  {name}": found for name, found in report[span][key].items()}
    names = ("gestures", "top1", "top2", "top1_of_twelve", "false_reject", "others", "false_accept")
    ways = {"top1": "↑", "top2": "↑", "top1_of_twelve": "↑", "false_reject": "↓", "false_accept": "↓"}
    columns = ("", *(f"#{name.replace('_', ' ')} {ways.get(name, '')}".rstrip() for name in names))
    rows = [(part, *(number(found[name]) for name in names)) for part, found in parts.items()]
    if "clips" not in report:
        return Summary([("", columns, rows)], [BETTER])
    reasons = {file: f" ({reason})" for file, reason in report["left_out"].items()}
    recordings = [
        (
            row["file"] + reasons.get(row["file"], ""),
            row["label"],
            row["chosen"],
            number(row["probability"]),
            str(row["rank"]),
            "yes" if row["accepted"] else "no",
            row["whole"]["chosen"],
            str(row["whole"]["rank"]),
        )
        for row in report["clips"]
    ]
    header = (
        "recording",
        "shows",
        "recognised as",
        "#probability",
        "#rank",
        "accepted",
        "whole file",
        "#rank",
    )
    title = f"{' and '.join(report['part'])} recordings"
    return Summary([("", columns, rows), (title, header, recordings)], [BETTER])


def draw_confusion(path: Path, report: dict[str, Any], title: str) -> None:
    """Write a PNG of what was taken for what: of the recordings that show their gesture.

    Args:
        path: where it goes.
        report: of `evaluate`, with recordings.
        title: what was measured on what.
    """
    from matplotlib.figure import Figure
    from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

    rows = [row for row in report["clips"] if row["file"] not in report["left_out"]]
    matrix = confusion_matrix(
        [row["label"] for row in rows], [row["chosen"] for row in rows], labels=list(LABELS)
    )
    figure = Figure(figsize=(9.0, 8.5), dpi=100, layout="constrained")
    axes = figure.subplots()
    ConfusionMatrixDisplay(matrix, display_labels=LABELS).plot(
        ax=axes, cmap="Blues", colorbar=False, xticks_rotation=45
    )
    axes.set(xlabel="recognised", ylabel="shown (recordings)", title=title)
    figure.savefig(path, format="png")


def _row(label: str, found: Recognition) -> Row:
    order = [name for name, _ in found.gestures]
    twelve = [name for name in order if name != OTHER]
    return {
        "label": label,
        "chosen": order[0],
        "probability": found.gestures[0][1],
        "rank": order.index(label) + 1,
        "rank_of_twelve": None if label == OTHER else twelve.index(label) + 1,
        "accepted": found.accepted,
    }


def _recording_row(each: Labelled, found: Recognition) -> Row:
    return {"file": each.file, "source": each.source, **_row(each.label, found)}


def _by(key: str, rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    return {
        name: scores([row for row in rows if row[key] == name]) for name in sorted({row[key] for row in rows})
    }


def _rate(hits: Iterable[bool]) -> float | None:
    values = list(hits)
    return float(np.mean(values)) if values else None
