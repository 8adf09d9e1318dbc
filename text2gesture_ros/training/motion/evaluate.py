"""Evaluation of motion models and baselines against clips of unseen performers.

The file of results is written after every row. A row that stands in it is not measured again as long as its
model, the real clips and the judges are the same.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from text2gesture_ros.errors import InputError
from text2gesture_ros.model_directory import ModelDirectory, open_model, unfinished, write_file
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.resources import share_directory
from text2gesture_ros.training.motion.baselines import NearestClipPlayer, training_clips
from text2gesture_ros.training.motion.candidates import Candidate, ModelCandidate
from text2gesture_ros.training.motion.clips import judging_clips
from text2gesture_ros.training.motion.study import Study
from text2gesture_ros.training.summary import BETTER, Summary, Table

logger = logging.getLogger(__name__)

SEED = 40_000
"""Of the people of the evaluation; no training and no choice of a setting uses seeds from here on."""

REAL, OURS, FIXED_LENGTH, PLAYER = "real", "ours", "fixed_length", "player"
MADE: Mapping[str, str] = MappingProxyType(
    {
        REAL: "clips by other performers: the floor of distances, the ceiling of recognition",
        OURS: "the model",
        FIXED_LENGTH: "the model, its stop token not listened to",
        PLAYER: "plays clips of the training set: nothing new",
    }
)
"""Rows that need no training of their own."""

PAPER: Mapping[str, Any] = MappingProxyType(
    {
        "recognition": 0.778,
        "mmd_avg": 0.223,
        "mmd_seq": 0.230,
        "length_error": 16.79,
        "note": "Measured on the paper's own motion capture of 12 gestures, which is not public, in its "
        "units and by its own recogniser; its real clips stand against themselves (0). Ours are synthesised "
        "clips of other people: compare orders of magnitude, and our rows with each other.",
    }
)
"""Table 2 and sec. 4.4 of the paper."""


def evaluate(
    model: str = "motion",
    *,
    clips_per_gesture: int = 20,
    repetitions: int = 20,
    seed: int = SEED,
    rows: Sequence[str] | None = None,
    rows_from: Path | None = None,
    output: Path | None = None,
    figures: Path | None = None,
    recogniser: str = "recogniser",
    data: Sequence[Path] = (),
) -> dict[str, Any]:
    """Evaluate a motion model beside baselines and ablations; the same arguments give the same numbers.

    Real clips come from the studio, of people none of the models was trained on, or are recordings of one's
    own that were not trained on; all are put on the model's body.
    In each repetition half of them, drawn anew, are the real ones, and the other half is the row "real". A
    candidate generates as many clips with the same gestures and emotions, with new seeds.

    Args:
        model: name or path of the model directory, the row "ours"; all rows are put on its body.
        clips_per_gesture: real clips of each gesture in a repetition, and generated ones.
        repetitions: how often.
        seed: of real people and generated gestures. Choose settings with others than the default.
        rows: what to measure: those of `known_rows`, folders in `rows_from`, or paths of model directories;
            None for all of the first two.
        rows_from: folder of model directories, each a row of its name.
        output: the file of results, JSON; rows that stand in it stay.
        figures: folder for pictures of the model, see `figures.draw`.
        recogniser: name or path of the recogniser that judges; "" to leave it to the embedder alone.
        data: folders of recordings to judge by instead of the studio's clips. Then rows is the model, and the
            recordings themselves, unless it is given.

    Returns:
        notes: what is to be known of model and recordings; model, seed, clips, repetitions; judges: whose
        recognition it is, the first one's features are used; paper: the paper's own figures and why they
        differ; missing: rows without model directory; rows: name -> what (it is), seconds, and what
        `Study.measure` says.

    Raises:
        ModelError: a model directory is wrong.
        InputError: a row is unknown, or the file of results is none.
    """
    ours = ModelCandidate(model)
    notes = [stopped] if (stopped := unfinished(ours.directory.path)) else []
    own: list[Motion] = []
    if data:
        training = ours.directory.config.get("training", {})
        share, trained_on = float(training.get("held_out_share", 0.0)), training.get("data", ())
        own, said = judging_clips(data, ours.frames, trained_on, share)
        notes += said
        rows = rows or (None if rows_from else [REAL, OURS])
    names, missing, folders = _resolved(rows, rows_from)
    before = _read(output) if output and output.exists() else {}
    study = Study.of(ours, clips_per_gesture, repetitions, seed, recogniser, own)
    makers: dict[str, Callable[[], Candidate | None]] = {
        REAL: lambda: None,
        OURS: lambda: ours,
        FIXED_LENGTH: lambda: ModelCandidate(model, fixed_length=True),
        PLAYER: lambda: NearestClipPlayer(ours, training_clips(ours.directory)),
        **{name: partial(ModelCandidate, path) for name, path in folders.items()},
    }
    what = known_rows()
    found: dict[str, Any] = before["rows"] if before.get("study") == study.fingerprint else {}
    result: dict[str, Any] = {
        "model": ours.directory.name,
        "notes": notes,
        "seed": seed,
        "clips": len(study.clips) // 2,
        "repetitions": repetitions,
        "judges": list(study.judges),
        "study": study.fingerprint,
        "paper": dict(PAPER),
        "missing": missing,
        "rows": found,
    }
    for name in names:
        digest = _digest(open_model(folders.get(name, model), "motion"))
        if found.get(name, {}).get("weights") == digest:
            continue
        start = time.monotonic()
        measured = study.measure(makers[name]())
        seconds = round(time.monotonic() - start, 1)
        found[name] = {"what": what.get(name, ""), "weights": digest, "seconds": seconds, **measured}
        logger.info("%s: %.0f s", name, seconds)
        if output:
            write_file(output, (json.dumps(result, indent=2) + "\n").encode())
    if output:
        write_file(output, (json.dumps(result, indent=2) + "\n").encode())
    if figures:
        study.draw(ours, figures)
    return result


def _digest(directory: ModelDirectory) -> str:
    digest = hashlib.sha256()
    for file in ("config.json", "weights.safetensors"):
        digest.update((directory.path / file).read_bytes())
    return digest.hexdigest()[:16]


_TABLES: tuple[Mapping[str, str], ...] = (
    {
        "recognition": "#recognised ↑",
        "mmd_avg": "#MMDavg ↓",
        "mmd_seq": "#MMDseq ↓",
        "fid": "#FID ↓",
        "diversity": "#diversity, to real →1",
        "multimodality": "#multimodality, to real →1",
    },
    {
        "length_error": "#length error ↓ [frames]",
        "in_time": "#ends in time ↑",
        "variance_ratio": "#variance, to real →1",
        "peak_jerk_ratio": "#peak jerk, to real →1",
        "jump_ratio": "#jump, to real ≤1",
    },
)


def summary(result: Mapping[str, Any]) -> Summary:
    """Return what is printed of the result of `evaluate`: means with 95 % interval beside the paper's."""
    tables: list[Table] = []
    for columns in _TABLES:
        paper = ("paper's figures", *(f"{PAPER[key]:.4g}" if key in PAPER else "" for key in columns))
        rows = [
            (name, *(_cell(row["metrics"].get(key)) for key in columns))
            for name, row in result["rows"].items()
        ]
        tables.append(("", ("row", *columns.values()), [paper, *rows]))
    notes = [
        f"{BETTER}, →1: near 1 is better, ≤1: up to 1 is as real",
        *result["notes"],
        f"{result['clips']} clips, {result['repetitions']} repetitions, judged by {result['judges'][0]}",
        f"paper's figures: {result['paper']['note']}",
    ]
    if result["missing"]:
        notes.append(f"missing, no model directory: {', '.join(result['missing'])}")
    return Summary(tables, notes)


def _cell(found: Mapping[str, float | None] | None) -> str:
    if found is None or found["mean"] is None:
        return ""
    spread = "" if found["interval"] is None else f" ±{found['interval']:.2g}"
    return f"{found['mean']:.3g}{spread}"


def known_rows() -> dict[str, str]:
    """Return the name and description of every expected row: `MADE`, the paper's model, and our ablations.

    An ablation is a training file, and what it is says its first line.
    """
    folder = share_directory() / "config" / "training"
    files = {"paper": folder / "motion_paper.yaml"}
    files |= {path.stem: path for path in sorted((folder / "ablation_motion").glob("*.yaml"))}
    first_lines = {name: path.read_text(encoding="utf-8").partition("\n")[0] for name, path in files.items()}
    return {**MADE, **{name: line.removeprefix("#").strip() for name, line in first_lines.items()}}


def _resolved(
    rows: Sequence[str] | None, rows_from: Path | None
) -> tuple[list[str], list[str], dict[str, str]]:
    """Return the rows to measure, those whose model is missing, and the model directories by row.

    Raises:
        InputError: there is no such folder of rows, or a row is unknown.
    """
    if rows_from and not rows_from.is_dir():
        raise InputError(f"{rows_from}: no such folder of rows")
    there = sorted(rows_from.iterdir()) if rows_from else []
    folders = {path.name: str(path) for path in there if (path / "config.json").is_file()}
    known = dict.fromkeys([*known_rows(), *folders])
    names = []
    for given in known if rows is None else rows:
        path = Path(given)
        if given not in known and not (path / "config.json").is_file():
            raise InputError(
                f"unknown row {given!r}. Known: {', '.join(known)}, or the path of a model directory"
            )
        name = given if given in known else path.resolve().name
        if given not in known:
            if name in known:
                raise InputError(f"{given}: its row would be {name!r}, which is another's. Rename the folder")
            folders[name] = given
        names.append(name)
    missing = [name for name in names if name not in MADE and name not in folders]
    return [name for name in names if name not in missing], missing, folders


def _read(path: Path) -> dict[str, Any]:
    """Return a file of results, empty if it is an older kind without rows.

    Raises:
        InputError: it is no file of results.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        whole = all(row["weights"] and row["metrics"] for row in found.get("rows", {}).values())
        return dict(found) if whole and "rows" in found else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no file of results: {error!r}") from None
