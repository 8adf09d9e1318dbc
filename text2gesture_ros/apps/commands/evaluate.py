"""`text2gesture evaluate`: metrics of the models, and a report on the data."""

import argparse
import logging
import sys
from pathlib import Path

from text2gesture_ros.apps.commands.legibility import add_blind, add_legibility
from text2gesture_ros.apps.commands.verbs import (
    RECOGNISER,
    Outcome,
    Verbs,
    add_number,
    add_output,
    add_parameters,
    add_recordings,
    check_output,
    check_suffix,
    number,
    parameters,
    recordings,
    write_json,
)
from text2gesture_ros.apps.tables import show_summary
from text2gesture_ros.errors import InputError
from text2gesture_ros.parameters import GestureGeneratorParameters, IntentClassifierParameters


def add(verbs: Verbs) -> None:
    """Add the verbs."""
    what = verbs.group(
        "evaluate",
        "Measure a model (text, motion or recogniser), the data it learns from, or how well people read "
        "gestures on robots.",
        ["evaluate text --data labelled.jsonl", "evaluate data"],
    )
    _add_text(what)
    _add_data(what)
    _add_motion(what)
    _add_recogniser(what)
    add_legibility(what)
    add_blind(what)


def _add_text(what: Verbs) -> None:
    verb = what.add(
        "text",
        _text,
        "Accuracy, macro F1, recall, calibration and false gestures on labelled sentences: CSV, or one JSON "
        "object per line, with text, subject, gesture, emotion; a label that is null is not scored, and with "
        "subject_ok, gesture_ok, emotion_ok any label listed there is right. Also how well the gate tells "
        "speech from anything else.",
        [
            "evaluate text --data labelled.jsonl --confusion confusion.png",
            "evaluate text --data labelled.jsonl --model ./my_model --json",
            "evaluate text --corpora config/training/corpora.yaml",
        ],
    )
    verb.add_argument(
        "--data", metavar="FILE.jsonl", help="the labelled sentences (default: the held-out ones that ship)"
    )
    verb.add_argument(
        "--split",
        metavar="NAME",
        default="test",
        help="which lines count, where the file has a field split (default: %(default)s)",
    )
    verb.add_argument("--corpora", metavar="FILE.yaml", help="instead: public corpora, mapped by this table")
    verb.add_argument(
        "--part",
        choices=("train", "validation"),
        default="validation",
        help="of the corpora (default: %(default)s)",
    )
    verb.add_argument("--confusion", metavar="FILE.png", help="also draw the confusion matrix")
    add_parameters(verb, "intent_classifier", "model", "device", "threads")
    add_parameters(verb, "intent_classifier", "confidence_threshold", "speech_threshold")
    add_output(verb)


def _text(args: argparse.Namespace) -> Outcome:
    """Measure the intent classifier on labelled sentences."""
    given = parameters(IntentClassifierParameters, args)
    output = check_output(args)
    if args.data and args.corpora:
        raise InputError("give --data or --corpora, not both")
    picture = check_suffix(args.confusion, ".png") if args.confusion else None
    if picture:
        from text2gesture_ros.training.confusion import draw_confusion
    from text2gesture_ros.training.text.evaluate import corpora_summary, evaluate, evaluate_corpora, summary
    from text2gesture_ros.understanding.classifier import IntentClassifier

    classifier = IntentClassifier(given.model, device=given.device, threads=given.threads)
    _say_if_stopped(given.model, "intent")
    thresholds = (given.confidence_threshold, given.speech_threshold)
    if args.corpora:
        metrics = evaluate_corpora(classifier, Path(args.corpora), args.part, *thresholds)
    else:
        metrics = evaluate(classifier, Path(args.data) if args.data else None, args.split, *thresholds)
    if picture:
        what = (
            f"the {args.part} part of {args.corpora}"
            if args.corpora
            else args.data or f"the {args.split} utterances"
        )
        draw_confusion(picture, metrics.get("together", metrics), f"{classifier.name} on {what}")
    write_json(output, metrics)
    summed_up = corpora_summary if args.corpora else summary
    return Outcome(metrics, lambda: show_summary(summed_up(metrics)))


def _say_if_stopped(model: str, kind: str) -> None:
    """Say that a model's training was stopped, if it was."""
    from text2gesture_ros.model_directory import open_model, unfinished

    if said := unfinished(open_model(model, kind).path):
        sys.stderr.write(f"{said}\n")


def _add_data(what: Verbs) -> None:
    verb = what.add(
        "data",
        _data,
        "Describe labelled sentences: counts of labels, lengths, vocabulary, and near duplicates.",
        ["evaluate data", "evaluate data --data mine.csv --output report.json"],
    )
    verb.add_argument("--data", metavar="FILE.csv", help="the labelled sentences (default: those that ship)")
    add_output(verb)


def _data(args: argparse.Namespace) -> Outcome:
    """Describe labelled sentences."""
    output = check_output(args)
    path = Path(args.data) if args.data else None
    if path and not path.is_file():  # before torch, which takes seconds
        raise InputError(f"{path}: no such file")
    from text2gesture_ros.training.text.report import report, summary

    found = report(path)
    write_json(output, found)
    return Outcome(found, lambda: show_summary(summary(found)))


def _add_motion(what: Verbs) -> None:
    verb = what.add(
        "motion",
        _motion,
        "Measure generated gestures against clips of unseen performers: recognition, MMD, FID, "
        "variety, length, smoothness, each with its 95 % interval. Beside the model: other real clips, "
        "baselines, models in a folder of rows, and the paper's figures. Rows in the output are kept.",
        [
            "evaluate motion --model ./my_model --output my_model/metrics.json --figures my_model/figures",
            "evaluate motion --rows-from runs/ablation_motion --output models/motion/metrics.json",
            "evaluate motion --rows real ours --repetitions 3 --seed 20000",
            "evaluate motion --model ./my_model --data my_recordings",
        ],
    )
    add_number(verb, "count", 20, "clips per gesture")
    add_number(verb, "repetitions", 20, "how often")
    add_number(verb, "seed", 40_000, "of the people; choose settings with another")
    verb.add_argument("--rows", nargs="+", metavar="ROW", help="names, or paths of models (default: all)")
    verb.add_argument(
        "--rows-from", metavar="DIR", help="folder of model directories, each a row of its name"
    )
    verb.add_argument(
        "--data",
        metavar="DIR",
        action="append",
        default=[],
        help="judge by recordings of your own instead of the studio's clips, labelled as for `train motion`; "
        "of those the model was trained on, the held-out ones count; may be repeated",
    )
    verb.add_argument("--figures", metavar="DIR", help="also draw poses, features, lengths and stop tokens")
    verb.add_argument(
        "--recogniser",
        default=RECOGNISER,
        metavar="MODEL",
        help="second judge beside the model's own embedder, name or path; '' for none (default: %(default)s)",
    )
    add_parameters(verb, "gesture_generator", "model")
    add_output(verb)


def _motion(args: argparse.Namespace) -> Outcome:
    """Measure the motion model and its baselines on clips of unseen performers."""
    given = parameters(GestureGeneratorParameters, args)
    count, repetitions = number(args, "count", 2), number(args, "repetitions", 1, 1000)
    seed, output = number(args, "seed", 0, 2**31), check_output(args)
    figures = Path(args.figures) if args.figures else None
    if figures and figures.exists() and not figures.is_dir():
        raise InputError(f"--figures must be a folder but {figures} is a file")
    from text2gesture_ros.model_directory import open_model

    for model, kind in ((given.model, "motion"), (args.recogniser, "recogniser")):
        if model:
            open_model(model, kind)  # before torch, which takes seconds
    from text2gesture_ros.training.motion.recordings import check_recordings

    check_recordings(args.data)
    from text2gesture_ros.training.motion import evaluate as study

    logging.getLogger("text2gesture_ros.training").setLevel(logging.INFO)
    result = study.evaluate(
        given.model,
        clips_per_gesture=count,
        repetitions=repetitions,
        seed=seed,
        rows=args.rows,
        rows_from=Path(args.rows_from) if args.rows_from else None,
        output=output,
        figures=figures,
        recogniser=args.recogniser,
        data=[Path(folder) for folder in args.data],
    )
    return Outcome(result, lambda: show_summary(study.summary(result)))


def _add_recogniser(what: Verbs) -> None:
    verb = what.add(
        "recogniser",
        _recogniser,
        "Measure the recogniser on studio clips of unseen performers, and on recordings by others: on the "
        "span of the gesture and on the whole file.",
        [
            "evaluate recogniser",
            "evaluate recogniser --recordings my_recordings --part test --confusion confusion.png",
            "evaluate recogniser --recordings my_recordings --part train validation --source pepper_qianim",
        ],
    )
    verb.add_argument("--model", default=RECOGNISER, help="name or path (default: %(default)s)")
    add_number(verb, "count", 20, "clips per gesture")
    add_recordings(verb, "of which a part is measured too")
    verb.add_argument(
        "--part",
        nargs="+",
        choices=("train", "validation", "test"),
        default=("validation",),
        help="of the recordings (default: validation)",
    )
    verb.add_argument(
        "--source", nargs="+", default=[], metavar="NAME", help="only recordings of these (default: of all)"
    )
    verb.add_argument(
        "--confusion", metavar="FILE.png", help="beside --recordings: also draw the confusion matrix"
    )
    add_output(verb)


def _recogniser(args: argparse.Namespace) -> Outcome:
    """Measure the recogniser on clips of unseen performers and on recordings by others."""
    count, output = number(args, "count", 1), check_output(args)
    picture = check_suffix(args.confusion, ".png") if args.confusion else None
    if picture and not args.recordings:
        raise InputError("--confusion draws the confusion matrix of recordings: give --recordings too")
    given = recordings(args)
    from text2gesture_ros.model_directory import open_model

    open_model(args.model, "recogniser")  # before torch, which takes seconds
    _say_if_stopped(args.model, "recogniser")
    from text2gesture_ros.training.recogniser.evaluate import draw_confusion, evaluate, summary

    report = evaluate(args.model, clips_per_gesture=count, part=args.part, source=args.source, **given)
    if picture:
        draw_confusion(picture, report, f"{args.model} on the {' and '.join(args.part)} recordings")
    write_json(output, report)
    return Outcome(report, lambda: show_summary(summary(report)))
