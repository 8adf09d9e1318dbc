"""Evaluation of the intent classifier on labelled lines: accuracy, calibration, and the gate."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import NEUTRAL, TASKS
from text2gesture_ros.parameters import IntentClassifierParameters
from text2gesture_ros.resources import share_directory
from text2gesture_ros.training.summary import BETTER, Summary, number
from text2gesture_ros.training.text.corpora import read_each
from text2gesture_ros.training.text.data import default_data, read_outliers
from text2gesture_ros.training.text.utterances import Utterance, read_utterances

if TYPE_CHECKING:
    from text2gesture_ros.understanding.classifier import IntentClassifier
    from text2gesture_ros.understanding.intent import Intent, Prediction

Metrics = dict[str, Any]

DEFAULTS = IntentClassifierParameters()
BINS = 15
"""Bins of the expected calibration error (Guo et al., ICML 2017, sec. 3)."""

KINDS = ("code", "numbers", "random", "markup", "wordsalad")
"""Groups of outliers by the first word of their kind; every other kind is a language."""


def outliers_by_kind(split: str = "test", path: Path | None = None) -> list[tuple[str, str]]:
    """Read texts that are no English speech, each with the group of its kind: one of `KINDS` or "languages".

    Args:
        split: which lines.
        path: CSV or JSONL with text, kind and split; None takes the outliers of the package.

    Raises:
        InputError: the file cannot be read, a line is wrong, or none is of that split.
    """
    path = share_directory() / "data" / "outliers.csv" if path is None else path
    outliers = [line for line in read_outliers(path) if line.split == split]
    found = [(line.text, line.kind.partition("-")[0]) for line in outliers]
    if not found:
        raise InputError(f"{path}: no line of split {split!r}")
    return [(text, first if first in KINDS else "languages") for text, first in found]


def evaluate(
    classifier: "IntentClassifier",
    path: Path | None = None,
    split: str = "test",
    confidence_threshold: float = DEFAULTS.confidence_threshold,
    speech_threshold: float = DEFAULTS.speech_threshold,
) -> Metrics:
    """Classify a labelled file and count.

    Args:
        classifier: what to measure.
        path: CSV or JSONL with text, subject, gesture, emotion; None takes the utterances of the package.
        split: where the file has a field `split`, only these lines count: never measure what was trained on.
        confidence_threshold, speech_threshold: as in `IntentClassifier.classify`, for what is performed.

    Returns:
        `lines` (read) and `left_out` (of other splits), and what `measure` and `gate` return.

    Raises:
        InputError: the file cannot be used or has no line to score.
    """
    path = default_data() if path is None else path
    utterances = read_utterances(path)
    splits = {utterance.split for utterance in utterances}
    total = len(utterances)
    if splits - {""}:
        utterances = [utterance for utterance in utterances if utterance.split == split]
    if not utterances:
        if not splits:
            raise InputError(f"{path}: no line")
        known = ", ".join(sorted(splits - {""}))
        raise InputError(f"{path}: no line of split {split!r}. Known: {known}; choose one with --split")
    thresholds = (confidence_threshold, speech_threshold)
    intents = classifier.classify([utterance.text for utterance in utterances], *thresholds)
    return {
        **measure(utterances, intents, *thresholds),
        "gate": gate(classifier, intents, *thresholds),
        "lines": len(utterances),
        "left_out": total - len(utterances),
    }


def evaluate_corpora(
    classifier: "IntentClassifier",
    table: Path,
    part: str = "validation",
    confidence_threshold: float = DEFAULTS.confidence_threshold,
    speech_threshold: float = DEFAULTS.speech_threshold,
) -> Metrics:
    """Classify the corpora of a table (`corpora.read_table`) and count.

    Returns:
        `part`; `corpora`: name -> what `evaluate` returns, without the gate; `together`: that of all lines.

    Raises:
        ConfigurationError: the table is wrong.
        InputError: a corpus is missing or wrong, or none has that part.
    """
    corpora = read_each(table, part)
    if not corpora:
        raise InputError(f"{table}: no corpus has the part {part!r}")
    thresholds = (confidence_threshold, speech_threshold)
    intents = {
        name: classifier.classify([utterance.text for utterance in utterances], *thresholds)
        for name, utterances in corpora.items()
    }
    all_utterances = [utterance for utterances in corpora.values() for utterance in utterances]
    all_intents = [intent for found in intents.values() for intent in found]
    return {
        "part": part,
        "corpora": {
            name: {**measure(utterances, intents[name], *thresholds), "lines": len(utterances)}
            for name, utterances in corpora.items()
        },
        "together": {
            **measure(all_utterances, all_intents, *thresholds),
            "gate": gate(classifier, all_intents, *thresholds),
            "lines": len(all_utterances),
        },
    }


def measure(
    utterances: Sequence[Utterance],
    intents: Sequence["Intent"],
    confidence_threshold: float,
    speech_threshold: float,
) -> Metrics:
    """Return the metrics of intents that were found with these thresholds.

    Returns:
        for each task what `score` says of the likeliest label, whatever the thresholds, and ece, the expected
        calibration error; under `performed` the thresholds and the same for the gesture that is made.
    """
    result: Metrics = {}
    for task in TASKS:
        predictions: list[Prediction] = [getattr(intent, task) for intent in intents]
        likeliest = [found.labels[int(found.probabilities.argmax())] for found in predictions]
        labels = [utterance.labels[task] for utterance in utterances]
        sure = [
            (float(found.probabilities.max()), label == choice)
            for found, label, choice in zip(predictions, labels, likeliest, strict=True)
            if label is not None
        ]
        result[task] = score(task, utterances, likeliest)
        result[task]["ece"] = calibration_error(*zip(*sure, strict=True)) if sure else None
    result["performed"] = {
        "confidence_threshold": confidence_threshold,
        "speech_threshold": speech_threshold,
        **score("gesture", utterances, [intent.gesture.chosen for intent in intents]),
    }
    return result


def score(task: str, utterances: Sequence[Utterance], chosen: Sequence[str]) -> Metrics:
    """Compare choices with labels.

    Returns:
        accuracy and macro_f1 (None without a line to score), n (lines that have the label), not_scored (the
        others), recall (label -> share and n) and confusion (label -> choice -> count).
        For the gesture false_gesture_rate: of the n_plain lines labelled neutral, the share that gets a
        gesture that no reader accepts; and false_gesture_rate_all, the share of all scored lines that do.
        Where the file lists accepted labels (`gesture_ok`, ...) also accuracy_ok, n_ok and recall_ok, for
        which each of them is right, and confusion_ok, in which such a choice stands as the label; in these
        two, lines without such a list count by their label.
    """
    lines = list(zip(utterances, chosen, strict=True))
    pairs = [(label, choice) for line, choice in lines if (label := line.labels[task]) is not None]
    result: Metrics = {
        "accuracy": _share(label == choice for label, choice in pairs),
        "macro_f1": macro_f1(pairs) if pairs else None,
        "n": len(pairs),
        "not_scored": len(lines) - len(pairs),
    }
    sets = [(line.accepted[task], choice) for line, choice in lines if task in line.accepted]
    forgiven = [
        (label, label if choice in line.accepted.get(task, ()) else choice)
        for line, choice in lines
        if (label := line.labels[task]) is not None
    ]
    if sets:
        result["accuracy_ok"] = _share(choice in accepted for accepted, choice in sets)
        result["n_ok"] = len(sets)
    if task == "gesture":
        # Each line's label (None: unknown) and whether it got a gesture that no reader accepts.
        wrong = [
            (line.labels[task], choice != NEUTRAL and choice not in accepted)
            for line, choice in lines
            if (accepted := line.accepted.get(task) or {line.labels[task]}) != {None}
        ]
        plain = [false for label, false in wrong if label == NEUTRAL]
        result["false_gesture_rate"] = _share(plain)
        result["n_plain"] = len(plain)
        result["false_gesture_rate_all"] = _share(false for _, false in wrong)
    result["recall"] = recall(task, pairs)
    if sets:
        result["recall_ok"] = recall(task, forgiven)
    result["confusion"] = confusion(task, pairs)
    if sets:
        result["confusion_ok"] = confusion(task, forgiven)
    return result


def gate(
    classifier: "IntentClassifier",
    intents: Sequence["Intent"],
    confidence_threshold: float,
    speech_threshold: float,
    outliers: Sequence[tuple[str, str]] | None = None,
) -> Metrics | None:
    """Measure how well a model tells speech from outliers (None: the test lines of the package's).

    Returns:
        speech_threshold; utterances_rejected, the share of the intents given, and n_utterances;
        outliers_rejected and n_outliers; auroc, the chance that an utterance looks more like speech than an
        outlier does; outliers_performed, the share of outliers that get a gesture all the same; kinds:
        kind -> rejected and n. None for a model without a gate.
    """
    if not classifier.gated:
        return None
    outliers = outliers_by_kind() if outliers is None else outliers
    thresholds = (confidence_threshold, speech_threshold)
    found = classifier.classify([text for text, _ in outliers], *thresholds)
    by_kind: dict[str, list[bool]] = {kind: [] for kind in ("languages", *KINDS)}
    for (_, kind), intent in zip(outliers, found, strict=True):
        by_kind[kind].append(intent.speech < speech_threshold)
    return {
        "speech_threshold": speech_threshold,
        "utterances_rejected": _share(intent.speech < speech_threshold for intent in intents),
        "n_utterances": len(intents),
        "outliers_rejected": _share(rejected for kind in by_kind.values() for rejected in kind),
        "n_outliers": len(outliers),
        "auroc": auroc([intent.speech for intent in intents], [intent.speech for intent in found]),
        "outliers_performed": _share(intent.accepted for intent in found),
        "kinds": {kind: {"rejected": _share(all_), "n": len(all_)} for kind, all_ in by_kind.items() if all_},
    }


def _share(outcomes: Iterable[bool]) -> float | None:
    values = list(outcomes)
    return sum(values) / len(values) if values else None


def macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """Return the mean over classes of F1 = 2 TP / (labelled + chosen), for pairs of label and choice.

    Classes that neither occur nor are chosen are left out, as scikit-learn does.
    """
    right = Counter(label for label, choice in pairs if label == choice)
    together = Counter(name for pair in pairs for name in pair)
    return sum(2 * right[name] / count for name, count in together.items()) / len(together)


def recall(task: str, pairs: Sequence[tuple[str, str]]) -> dict[str, Metrics]:
    """Return, for each label of the task that occurs, recall (the share that was chosen so) and n."""
    count = Counter(label for label, _ in pairs)
    right = Counter(label for label, choice in pairs if label == choice)
    return {
        name: {"recall": right[name] / count[name], "n": count[name]} for name in TASKS[task] if count[name]
    }


def confusion(task: str, pairs: Sequence[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Return label -> choice -> how often, for what occurs, in the order of the labels."""
    count = Counter(pairs)
    return {
        label: {choice: count[label, choice] for choice in TASKS[task] if count[label, choice]}
        for label in TASKS[task]
        if any(label == name for name, _ in count)
    }


def calibration_error(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Return the expected calibration error: mean distance of confidence and accuracy in equally wide bins.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, eq. 3: bin m holds the confidences in
    ((m - 1) / M, m / M].
    """
    sure, hits = np.asarray(confidences, np.float64), np.asarray(right, np.float64)
    bins = np.ceil(sure * BINS)
    gaps = (abs(np.sum(sure[bins == number] - hits[bins == number])) for number in np.unique(bins))
    return float(sum(gaps) / len(sure))


def auroc(higher: Sequence[float], lower: Sequence[float]) -> float:
    """Return the chance that one of `higher` is above one of `lower`; equal ones count half."""
    ordered = np.sort(lower)
    below = np.searchsorted(ordered, higher, "left") + np.searchsorted(ordered, higher, "right")
    return float(np.mean(below) / (2 * len(ordered)))


_SCORES = {
    "accuracy": "#accuracy ↑",
    "macro_f1": "#macro F1 ↑",
    "accuracy_ok": "#accepted ↑",
    "ece": "#ECE ↓",
    "false_gesture_rate": "#false gestures ↓",
    "n": "#scored",
    "not_scored": "#not scored",
}


def summary(metrics: Mapping[str, Any]) -> Summary:
    """Return what is printed of the result of `evaluate`."""
    performed = metrics["performed"]
    rows = [
        (task, label, number(found["recall"]), number(accepted.get(label, {}).get("recall")), str(found["n"]))
        for task in TASKS
        for accepted in [metrics[task].get("recall_ok", {})]
        for label, found in metrics[task]["recall"].items()
    ]
    return Summary(
        [
            ("", ("", *_SCORES.values()), [*_score_rows(metrics), _score_row("performed", performed)]),
            ("", ("task", "label", "#recall ↑", "#accepted ↑", "#lines"), rows),
        ],
        [
            BETTER,
            "accepted: the choice is among the labels that the file accepts. "
            "false gestures: share of the plain lines with a gesture that no reader accepts.",
            f"performed: gestures with at least the confidence {performed['confidence_threshold']} "
            f"and the speech probability {performed['speech_threshold']}.",
            _gate_line(metrics["gate"]),
        ],
    )


def corpora_summary(metrics: Mapping[str, Any]) -> Summary:
    """Return what is printed of the result of `evaluate_corpora`."""
    parts = {**metrics["corpora"], "together": metrics["together"]}
    rows = [(name, *row) for name, part in parts.items() for row in _score_rows(part)]
    table = (metrics["part"], ("corpus", "", *_SCORES.values()), rows)
    return Summary([table], [_gate_line(metrics["together"]["gate"])])


def _score_rows(metrics: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [_score_row(task, metrics[task]) for task in TASKS]


def _score_row(name: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    return (name, *(number(values.get(key)) for key in _SCORES))


def _gate_line(gate: Mapping[str, Any] | None) -> str:
    if gate is None:
        return "gate: this model has none"
    kinds = ", ".join(f"{kind} {found['rejected']:.3f}" for kind, found in gate["kinds"].items())
    return (
        f"gate: rejects {gate['outliers_rejected']:.3f} of {gate['n_outliers']} outliers ({kinds}) and "
        f"{gate['utterances_rejected']:.3f} of {gate['n_utterances']} utterances; AUROC {gate['auroc']:.4f}; "
        f"{gate['outliers_performed']:.3f} of the outliers get a gesture"
    )
