"""How often the classifier is right, on any labelled file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import NEUTRAL, TASKS
from text2gesture_ros.training.text_data import Utterance, default_data, read_utterances

if TYPE_CHECKING:
    from text2gesture_ros.classifier import IntentClassifier

Metrics = dict[str, dict[str, float | int | None]]


def evaluate(
    classifier: "IntentClassifier",
    path: Path | None = None,
    *,
    split: str = "test",
    confidence_threshold: float = 0.0,
) -> Metrics:
    """Classify a labelled file and count.

    Args:
        classifier: what to measure.
        path: CSV or JSONL with text, subject, gesture, emotion; None takes the utterances of the package.
        split: where the file has a field `split`, only these lines count: never measure what was trained on.
        confidence_threshold: as in `IntentClassifier.classify`; 0 measures the bare choice.

    Returns:
        for each task accuracy and macro_f1 (None without a line to score) and n (lines that have the label).
        Where the file lists accepted labels (`gesture_ok`, ...) also accuracy_ok and n_ok, and for the
        gesture false_gesture_rate: the share of these lines where it would make a gesture nobody accepts.

    Raises:
        InputError: the file cannot be used or has no line to score.
    """
    path = default_data() if path is None else path
    utterances = read_utterances(path)
    splits = {utterance.split for utterance in utterances}
    if splits - {""}:
        utterances = [utterance for utterance in utterances if utterance.split == split]
    if not utterances:
        known = f" of split {split!r}. Known: {', '.join(sorted(splits))}" if splits else ""
        raise InputError(f"{path}: no line{known}")
    intents = classifier.classify([utterance.text for utterance in utterances], confidence_threshold)
    return {
        task: score(task, utterances, [getattr(intent, task).chosen for intent in intents]) for task in TASKS
    }


def score(task: str, utterances: Sequence[Utterance], chosen: Sequence[str]) -> dict[str, float | int | None]:
    """Return the metrics of one task; see `evaluate`."""
    pairs = [
        (label, choice)
        for utterance, choice in zip(utterances, chosen, strict=True)
        if (label := utterance.labels[task]) is not None
    ]
    result: dict[str, float | int | None] = {
        "accuracy": sum(label == choice for label, choice in pairs) / len(pairs) if pairs else None,
        "macro_f1": macro_f1(pairs) if pairs else None,
        "n": len(pairs),
    }
    sets = [
        (utterance.accepted[task], choice)
        for utterance, choice in zip(utterances, chosen, strict=True)
        if task in utterance.accepted
    ]
    if sets:
        result["n_ok"] = len(sets)
        result["accuracy_ok"] = sum(choice in accepted for accepted, choice in sets) / len(sets)
        if task == "gesture":
            false = sum(choice != NEUTRAL and choice not in accepted for accepted, choice in sets)
            result["false_gesture_rate"] = false / len(sets)
    return result


def macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """Return the mean over classes of F1 = 2 TP / (labelled + chosen), for pairs of label and choice.

    Classes that neither occur nor are chosen are left out, as scikit-learn does.
    """
    classes = {name for pair in pairs for name in pair}
    scores = [
        2 * sum(label == choice == name for label, choice in pairs) / sum(pair.count(name) for pair in pairs)
        for name in classes
    ]
    return sum(scores) / len(scores)
