"""What the verbs of `text2gesture` do. Each takes the parsed arguments and returns an `Outcome`.

Whatever is slow to load is imported by the verb that needs it.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from text2gesture_ros.checkpoints import open_model
from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import NEUTRAL, TASKS, check_label
from text2gesture_ros.parameters import (
    GestureGeneratorParameters,
    GestureRetargeterParameters,
    IntentClassifierParameters,
    NodeParameters,
)
from text2gesture_ros.printing import (
    best,
    show_corpora,
    show_evaluation,
    show_explanations,
    show_figures,
    show_motion,
    show_pairs,
    show_recogniser,
    show_recordings,
    show_report,
    show_table,
)
from text2gesture_ros.resources import share_directory

if TYPE_CHECKING:
    from text2gesture_ros.classifier import Intent, Prediction
    from text2gesture_ros.explaining import Word
    from text2gesture_ros.motion import Motion

_MAX_TEXT_BYTES = 16 * 1024 * 1024

P = TypeVar("P", bound=NodeParameters)


@dataclass(frozen=True)
class Outcome:
    """What a verb found.

    Attributes:
        data: the result as JSON types.
        show: prints it for people.
        status: exit code.
    """

    data: Any = None
    show: Callable[[], None] = lambda: None
    status: int = 0


def read_sentences(path: Path | str) -> list[str]:
    """Read sentences, one per line; empty lines and lines that begin with '# ' are left out.

    Raises:
        InputError: the file cannot be read, is no UTF-8 text, or holds no sentence.
    """
    try:
        with open(path, "rb") as file:
            return _sentences(file.read(_MAX_TEXT_BYTES + 1), str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _sentences(data: bytes, where: str) -> list[str]:
    if len(data) > _MAX_TEXT_BYTES:
        raise InputError(f"{where}: larger than {_MAX_TEXT_BYTES // 2**20} MB")
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: no UTF-8 text: {error.reason} at byte {error.start}") from None
    found = [line.strip() for line in lines if line.strip() and not line.startswith("# ")]
    if not found:
        raise InputError(f"{where}: no sentence in it")
    return found


def _parameters(kind: type[P], args: argparse.Namespace) -> P:
    """Return node parameters with what the command line says; this checks their bounds."""
    names = [item.name for item in fields(kind) if item.name in args]
    return kind(**{name: getattr(args, name) for name in names})


def _check_suffix(path: str, suffix: str) -> Path:
    if not path.endswith(suffix):
        raise InputError(f"{path}: the file must end in {suffix}")
    if not Path(path).parent.is_dir():
        raise InputError(f"{path}: no directory {Path(path).parent}")
    return Path(path)


def classify(args: argparse.Namespace) -> Outcome:
    """Classify texts, clause by clause, from the command line, a file or standard input."""
    from text2gesture_ros.classifier import IntentClassifier
    from text2gesture_ros.explaining import explain
    from text2gesture_ros.pacing import Pacer

    parameters = _parameters(IntentClassifierParameters, args)
    if args.text and args.file:
        raise InputError("give sentences or --file, not both")
    if args.file:
        texts = read_sentences(args.file)
    elif args.text:
        texts = args.text
    elif sys.stdin.isatty():
        raise InputError("no sentence: give some, or --file, or pipe them in")
    else:
        texts = _sentences(sys.stdin.buffer.read(_MAX_TEXT_BYTES + 1), "standard input")
    classifier = IntentClassifier(parameters.model, device=parameters.device, threads=parameters.threads)
    # Each text as if nothing had been said before it.
    found = [Pacer().pace(classifier.read(text, parameters), parameters) for text in texts]
    intents = [(clause, intent) for clauses in found for clause, intent in enumerate(clauses)]
    words = [explain(classifier, intent) if args.explain else None for _, intent in intents]

    def show() -> None:
        rows = [
            (
                intent.text[slice(*intent.span)],
                f"{intent.start:.1f}",
                *(best(getattr(intent, task)) for task in TASKS),
                intent.reason or "yes",
            )
            for _, intent in intents
        ]
        show_table("", ("sentence or clause", "at [s]", *TASKS, "accepted, or why not"), rows)
        if args.explain:
            show_explanations(
                [(intent, found or []) for (_, intent), found in zip(intents, words, strict=True)],
                parameters.speech_threshold,
            )

    data = [
        _intent_json(clause, intent, explained)
        for (clause, intent), explained in zip(intents, words, strict=True)
    ]
    return Outcome(data, show)


def _intent_json(clause: int, intent: "Intent", words: "Sequence[Word] | None") -> dict[str, Any]:
    result: dict[str, Any] = {
        "text": intent.text,
        "clause": clause,
        "span": list(intent.span),
        "start": round(intent.start, 3),
        "speech": intent.speech,
        "accepted": intent.accepted,
        "reason": intent.reason,
        **{task: _prediction_json(getattr(intent, task)) for task in TASKS},
    }
    if words is not None:
        result["words"] = [
            {"word": word.text, "start": word.span[0], "end": word.span[1], **word.weights} for word in words
        ]
    return result


def _prediction_json(prediction: "Prediction") -> dict[str, Any]:
    pairs = zip(prediction.labels, prediction.probabilities.tolist(), strict=True)
    return {"chosen": prediction.chosen, "probabilities": dict(pairs)}


def generate(args: argparse.Namespace) -> Outcome:
    """Generate the motion of a gesture and write it, as a GIF too if wanted."""
    from text2gesture_ros.generator import GestureGenerator
    from text2gesture_ros.robot import load_robot

    parameters = _parameters(GestureGeneratorParameters, args)
    gesture, emotion, reason = args.gesture, args.emotion, None
    for task, label in (("gesture", gesture), ("emotion", emotion)):
        if label is not None:
            check_label(task, label)
    mix = dict(_share(text) for text in args.mix)
    output = _check_suffix(args.output, ".npz")
    gif = _check_suffix(args.gif, ".gif") if args.gif else None
    if args.robot and gif is None:
        raise InputError("--robot says who is drawn: give --gif too")
    robot = load_robot(args.robot) if args.robot else None
    if gesture is None:
        if args.text is None:
            raise InputError("which gesture? Give one, or --text")
        intent = _read_intent(args.text)
        gesture, reason = intent.gesture.chosen, intent.reason or None
        emotion = emotion or intent.emotion.chosen
    emotion = emotion or NEUTRAL
    generator = GestureGenerator(parameters.model, device=parameters.device, threads=parameters.threads)
    motion = generator.generate(
        gesture,
        emotion,
        seed=None if parameters.seed < 0 else parameters.seed,
        variation=parameters.variation,
        max_duration=parameters.max_duration,
        mix=mix,
    )
    motion.save(output)
    if gif is not None:
        from text2gesture_ros.performing import retarget_motion
        from text2gesture_ros.rendering import Clip, Painter

        commands = retarget_motion(robot, motion, GestureRetargeterParameters().rate) if robot else ()
        Painter(robot).save_gif(gif, Clip(args.text or "", motion, *commands))
    data = {
        "gesture": gesture,
        "reason": reason,
        "emotion": emotion,
        "frames": len(motion),
        "frame_rate": motion.frame_rate,
        "duration": round(motion.duration, 6),
        "model": generator.name,
        "engine": generator.engine,
        "output": str(output),
        "gif": str(gif) if gif else None,
    }
    return Outcome(data, lambda: show_pairs(data))


def _share(text: str) -> tuple[str, float]:
    """Read GESTURE:SHARE."""
    gesture, _, share = text.rpartition(":")
    try:
        return gesture, float(share)
    except ValueError:
        raise InputError(f"--mix must be GESTURE:SHARE, as shrug:0.4, but is {text!r}") from None


def _read_intent(text: str) -> "Intent":
    from text2gesture_ros.classifier import IntentClassifier

    parameters = IntentClassifierParameters()
    classifier = IntentClassifier(parameters.model)
    return classifier.classify([text], parameters.confidence_threshold, parameters.speech_threshold)[0]


def import_recordings(args: argparse.Namespace) -> Outcome:
    """Turn recordings into clips, as GIFs too if wanted."""
    from text2gesture_ros.importing import read_recording

    files = [Path(file) for file in args.files]
    output = Path(args.output)
    if output.suffix == ".npz":
        if len(files) > 1:
            raise InputError(f"{output}: {len(files)} recordings go into a directory, not into one file")
        targets = [_check_suffix(args.output, ".npz")]
    else:
        targets = [output / f"{file.stem}.npz" for file in files]
        output.mkdir(parents=True, exist_ok=True)
    for index, (file, target) in enumerate(zip(files, targets, strict=True)):
        if target in targets[:index] or target.resolve() == file.resolve():
            raise InputError(f"{file}: would overwrite {target}: give it another name or directory")
    data = []
    for file, target in zip(files, targets, strict=True):
        recording = read_recording(
            file,
            start=args.start,
            end=args.end,
            skeleton=args.skeleton,
            frame_rate=args.rate,
            gesture=args.label or "",
            emotion=args.emotion or "",
        )
        motion = recording.motion
        motion.save(target)
        gif = target.with_suffix(".gif") if args.gif else None
        if gif is not None:
            from text2gesture_ros.rendering import Clip, Painter

            Painter().save_gif(gif, Clip(file.name, motion))
        data.append(
            {
                "file": str(file),
                "format": recording.format,
                "source_frame_rate": round(recording.source_frame_rate, 3),
                "frames": len(motion),
                "frame_rate": motion.frame_rate,
                "duration": round(motion.duration, 6),
                "gesture": motion.gesture,
                "emotion": motion.emotion,
                "filled": list(recording.filled),
                "unmapped": list(recording.unmapped),
                "notes": list(recording.notes),
                "output": str(target),
                "gif": str(gif) if gif else None,
            }
        )
    return Outcome(data, lambda: show_recordings(data))


def retarget(args: argparse.Namespace) -> Outcome:
    """Retarget a clip to a robot and write its joints."""
    from text2gesture_ros.importing import read_recording
    from text2gesture_ros.joint_csv import save_joints
    from text2gesture_ros.performing import retarget_motion
    from text2gesture_ros.robot import load_robot
    from text2gesture_ros.verification import verify as check

    parameters = _parameters(GestureRetargeterParameters, args)
    output = _check_suffix(args.output, ".csv")
    gif = _check_suffix(args.gif, ".gif") if args.gif else None
    robot = load_robot(parameters.robot)
    motion = read_recording(args.clip).motion
    times, angles = retarget_motion(
        robot, motion, parameters.rate, scale=parameters.gesture_scale, mirror=parameters.mirror
    )
    save_joints(output, robot.joint_names, times, angles)
    if gif is not None:
        from text2gesture_ros.rendering import Clip, Painter

        Painter(robot).save_gif(gif, Clip(robot.title, motion, times, angles))
    data = {
        "robot": robot.name,
        "joints": len(robot.joint_names),
        "samples": len(times),
        "rate": parameters.rate,
        "duration": round(float(times[-1] - times[0]), 6),
        "violations": len(check(robot, times, angles).violations),
        "output": str(output),
        "gif": str(gif) if gif else None,
    }
    return Outcome(data, lambda: show_pairs(data))


def verify(args: argparse.Namespace) -> Outcome:
    """Check joints against a robot's limits."""
    from text2gesture_ros.joint_csv import load_joints
    from text2gesture_ros.robot import load_robot
    from text2gesture_ros.verification import verify as check

    robot = load_robot(_parameters(GestureRetargeterParameters, args).robot)
    times, positions = load_joints(args.joints, robot.joint_names)
    report = check(robot, times, positions)
    data = {
        "robot": robot.name,
        "samples": report.samples,
        "violations": [asdict(violation) for violation in report.violations],
        "worst": dict(report.worst),
    }

    def show() -> None:
        shares = (item for item in report.worst.items() if item[0] != "finite")  # which has no limit
        worst = ", ".join(f"{kind} {100 * ratio:.1f} %" for kind, ratio in shares)
        sys.stdout.write(f"{robot.name}: {report.samples} samples, {len(report.violations)} violations\n")
        sys.stdout.write(f"nearest to a limit: {worst}\n")
        for violation in report.violations[:10]:
            sys.stdout.write(f"  {violation}\n")

    return Outcome(data, show, status=1 if report.violations else 0)


def recognize(args: argparse.Namespace) -> Outcome:
    """Say which gesture recordings show."""
    from text2gesture_ros.importing import read_recording
    from text2gesture_ros.recogniser import Recogniser

    if not 1 <= args.threads <= 64:
        raise InputError(f"--threads must be in [1, 64] but is {args.threads}")
    motions = [read_recording(clip, start=args.start, end=args.end).motion for clip in args.clips]
    recogniser = Recogniser(args.model, threads=args.threads)
    found = [recogniser.read(motion) for motion in motions]
    data = [
        {
            "file": clip,
            "accepted": each.accepted,
            "gestures": [
                {"label": label, "probability": probability} for label, probability in each.gestures
            ],
        }
        for clip, each in zip(args.clips, found, strict=True)
    ]

    def show() -> None:
        rows = [
            (
                clip,
                each.gestures[0][0] if each.accepted else "none",
                *(f"{label} {probability:.2f}" for label, probability in each.gestures[:3]),
            )
            for clip, each in zip(args.clips, found, strict=True)
        ]
        show_table("", ("recording", "gesture", "likeliest", "second", "third"), rows)

    return Outcome(data, show)


def evaluate_text(args: argparse.Namespace) -> Outcome:
    """Measure the intent classifier on labelled sentences."""
    from text2gesture_ros.classifier import IntentClassifier
    from text2gesture_ros.training.text.evaluate import evaluate, evaluate_corpora

    parameters = _parameters(IntentClassifierParameters, args)
    output = _check_output(args)
    if args.data and args.corpora:
        raise InputError("give --data or --corpora, not both")
    picture = _check_suffix(args.confusion, ".png") if args.confusion else None
    if picture:
        from text2gesture_ros.training.confusion import draw_confusion
    classifier = IntentClassifier(parameters.model, device=parameters.device, threads=parameters.threads)
    thresholds = (parameters.confidence_threshold, parameters.speech_threshold)
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
    _write_json(output, metrics)
    show = show_corpora if args.corpora else show_evaluation
    return Outcome(metrics, lambda: show(metrics, tuple(TASKS)))


def evaluate_data(args: argparse.Namespace) -> Outcome:
    """Describe labelled sentences."""
    output = _check_output(args)
    path = Path(args.data) if args.data else None
    if path and not path.is_file():  # before torch, which takes seconds
        raise InputError(f"{path}: no such file")
    from text2gesture_ros.training.text.report import report

    found = report(path)
    _write_json(output, found)
    return Outcome(found, lambda: show_report(found))


def evaluate_motion(args: argparse.Namespace) -> Outcome:
    """Measure the motion model and its rivals on clips of people they have not seen."""
    parameters = _parameters(GestureGeneratorParameters, args)
    count, output = _count(args, 2), _check_output(args)
    for name, least, most in (("repetitions", 1, 1000), ("seed", 0, 2**31)):
        if not least <= getattr(args, name) <= most:
            raise InputError(f"--{name} must be in [{least}, {most}] but is {getattr(args, name)}")
    figures = Path(args.figures) if args.figures else None
    if figures and figures.exists() and not figures.is_dir():
        raise InputError(f"--figures must be a folder but {figures} is a file")
    for model, kind in ((parameters.model, "motion"), (args.recogniser, "recogniser")):
        if model:
            open_model(model, kind)  # before torch, which takes seconds
    from text2gesture_ros.training.motion import evaluate as study

    study.logger.setLevel(logging.INFO)
    result = study.evaluate(
        parameters.model,
        clips_per_gesture=count,
        repetitions=args.repetitions,
        seed=args.seed,
        rows=args.rows,
        rows_from=Path(args.rows_from) if args.rows_from else None,
        output=output,
        figures=figures,
        recogniser=args.recogniser,
    )
    return Outcome(result, lambda: show_motion(result, study.tables(result)))


def train_text(args: argparse.Namespace) -> Outcome:
    """Train the intent classifier."""
    return _train(args, "text")


def train_motion(args: argparse.Namespace) -> Outcome:
    """Train the motion model."""
    return _train(args, "motion", data=args.data, studio=args.studio)


def train_recogniser(args: argparse.Namespace) -> Outcome:
    """Train the recogniser."""
    recordings = Path(args.recordings) if args.recordings else None
    return _train(args, "recogniser", recordings=recordings, table=_recordings_table(args))


def evaluate_recogniser(args: argparse.Namespace) -> Outcome:
    """Measure the recogniser on clips of people it has not seen, and on recordings by others."""
    count, output = _count(args), _check_output(args)
    picture = _check_suffix(args.confusion, ".png") if args.confusion else None
    if picture and not args.recordings:
        raise InputError("--confusion draws what recordings are taken for: give --recordings too")
    recordings = Path(args.recordings) if args.recordings else None
    table = _recordings_table(args)
    open_model(args.model, "recogniser")
    from text2gesture_ros.training.recogniser.evaluate import draw_confusion, evaluate

    report = evaluate(args.model, clips_per_gesture=count, recordings=recordings, table=table, part=args.part)
    if picture:
        draw_confusion(picture, report, f"{args.model} on the {args.part} recordings")
    _write_json(output, report)
    return Outcome(report, lambda: show_recogniser(report))


def _recordings_table(args: argparse.Namespace) -> Path:
    if args.recordings and not Path(args.recordings).is_dir():
        raise InputError(f"{args.recordings}: no such directory")
    shipped = share_directory() / "config" / "training" / "recordings.yaml"
    return Path(args.table) if args.table else shipped


def _training_file(given: str | None, shipped: str) -> Path:
    config = Path(given) if given else share_directory() / "config" / "training" / shipped
    if not config.is_file():  # before torch, which takes seconds
        raise InputError(f"{config}: no such training file")
    return config


def _train(args: argparse.Namespace, what: str, **options: Any) -> Outcome:
    config = _training_file(args.config, f"{what}.yaml")
    logging.getLogger("text2gesture_ros").setLevel(logging.INFO)
    training = import_module(f"text2gesture_ros.training.{what}.train")
    training.train(config, Path(args.output), resume=args.resume, device=args.device, **options)
    return Outcome()


def studio(args: argparse.Namespace) -> Outcome:
    """Synthesise the data set of gestures; draw it and compare it with recordings where asked."""
    from text2gesture_ros.training.studio import naturalness
    from text2gesture_ros.training.studio.archive import save_clips
    from text2gesture_ros.training.studio.synthesis import distractors, parts

    for name, least in (("seed", 0), ("clips", 1), ("distractors", 0)):
        if not least <= getattr(args, name) <= 100_000:
            raise InputError(f"--{name} must be in [{least}, 100000] but is {getattr(args, name)}")
    real, unread = _recordings_of_people(Path(args.compare)) if args.compare else ([], [])
    directory = Path(args.output)
    directory.mkdir(parents=True, exist_ok=True)
    training, held_out = parts(args.seed, args.clips)
    found = {
        "training": training,
        "held_out": held_out,
        "distractors": distractors(args.seed, args.distractors),
    }
    found = {name: clips for name, clips in found.items() if clips}
    for name, clips in found.items():
        save_clips(directory / f"{name}.npz", clips)
    data: dict[str, Any] = {
        "seed": args.seed,
        "files": {str(directory / f"{name}.npz"): len(clips) for name, clips in found.items()},
        "naturalness": {"studio": naturalness.spread([*training, *held_out])},
    }
    if real:
        data["naturalness"]["real"] = naturalness.spread(real)
        data["not_compared"] = unread
    if args.sheet:
        from text2gesture_ros.training.studio.sheets import save_sheets

        Path(args.sheet).mkdir(parents=True, exist_ok=True)
        data["sheets"] = [str(path) for path in save_sheets(Path(args.sheet), args.seed)]

    def show() -> None:
        show_figures({"clips in": data["files"]})
        rows = [
            (who, measure, *(f"{value:.2f}" for value in values))
            for who, measures in data["naturalness"].items()
            for measure, values in measures.items()
        ]
        columns = ("clips", "the busier hand's", "#5 %", "#median", "#95 %")
        show_table("How naturally hands move", columns, rows)
        for line in data.get("not_compared", []):
            sys.stdout.write(f"not compared: {line}\n")
        if args.sheet:
            sys.stdout.write(f"contact sheets: {len(data['sheets'])} in {args.sheet}\n")

    return Outcome(data, show)


def _recordings_of_people(folder: Path) -> "tuple[list[Motion], list[str]]":
    """Return the recordings in a folder in pieces as long as gestures, and why others were not read."""
    from text2gesture_ros.importing.recording import FORMATS, read_recording
    from text2gesture_ros.training.studio.naturalness import pieces

    if not folder.is_dir():
        raise InputError(f"--compare {folder}: no such folder")
    motions: list[Motion] = []
    unread: list[str] = []
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in FORMATS):
        try:
            motions += pieces(read_recording(path).motion)
        except InputError as error:
            unread.append(str(error))
    if not motions:
        raise InputError(f"--compare {folder}: no recording of 1 s or more. Formats: {', '.join(FORMATS)}")
    return motions, unread


def ablation(args: argparse.Namespace) -> Outcome:
    """Train with the sets of heads of the paper's Table 1 and compare."""
    config = _training_file(args.config, "text_paper.yaml")
    recipe = _training_file(args.recipe, "text.yaml")
    output = _check_suffix(args.output, ".json")
    for name in ("seeds", "jobs"):
        if not 1 <= getattr(args, name) <= 1000:
            raise InputError(f"--{name} must be in [1, 1000] but is {getattr(args, name)}")
    from text2gesture_ros.training.text import ablation as study

    study.logger.setLevel(logging.INFO)
    result = study.ablation(
        config,
        recipe,
        output,
        rows=study.ROWS if args.rows is None else args.rows,
        seeds=args.seeds,
        jobs=args.jobs,
        merge=[Path(path) for path in args.merge],
        device=args.device,
    )
    return Outcome(result, lambda: show_table("", *study.table(result)))


def export(args: argparse.Namespace) -> Outcome:
    """Write a model's graphs from its weights."""
    directory = open_model(args.model)
    kind = "text" if directory.config["kind"] == "intent" else directory.config["kind"]
    import_module(f"text2gesture_ros.training.{kind}.train").export(directory.path)
    graphs = [str(path) for path in sorted(directory.path.glob("*.onnx"))]
    data = {"model": directory.name, "path": str(directory.path), "graphs": graphs}
    return Outcome(data, lambda: sys.stdout.writelines(f"{graph}\n" for graph in graphs))


def bringup(args: argparse.Namespace) -> Outcome:
    """Run the three nodes until Ctrl-C."""
    from text2gesture_ros.bringup import ARGUMENTS, as_mapping, run

    options = {argument.name: getattr(args, argument.name) for argument in ARGUMENTS}
    given = {name: value for name, value in options.items() if value is not None}
    return Outcome(status=run({**given, **as_mapping(args.arguments)}))


def demo(args: argparse.Namespace) -> Outcome:
    """Speak a conversation to the running nodes and show what comes out."""
    from rich.console import Console

    from text2gesture_ros import demo as demonstration

    pace = demonstration.check_pace(args.pace)
    sentences = read_sentences(args.sentences or share_directory() / "demo" / "conversation.txt")
    output = Path(args.output)
    output.mkdir(parents=True, exist_ok=True)
    console = Console()
    conversation = demonstration.converse(args.robot, sentences, pace, output / "conversation.mcap", console)
    lines = conversation.lines()
    summary = demonstration.summarise(conversation, lines)
    _write_json(output / "summary.json", summary)
    demonstration.draw(conversation, output, console)

    def show() -> None:
        show_table("", demonstration.TABLE, demonstration.table_rows(lines))
        latency = summary["latency_ms"]
        sys.stdout.write(
            f"{summary['commanded']} of {len(lines)} sentences became commands for "
            f"{conversation.robot.title}; text with a gesture to first joint trajectory: "
            f"median {latency['median']} ms, p95 {latency['p95']} ms; "
            f"{summary['joint_commands']} joint commands, {summary['violations']} limit violations.\n"
            f"Bag, GIFs, contact sheet, summary: {output}\n"
        )

    unexplained = any(line.latency is None and not line.reason for line in lines)
    return Outcome(summary, show, status=1 if unexplained or summary["violations"] else 0)


def bench_latency(args: argparse.Namespace) -> Outcome:
    """Measure the time from text to first joint command."""
    from text2gesture_ros import bench

    robot = _parameters(GestureRetargeterParameters, args).robot
    sentences = read_sentences(share_directory() / "demo" / "conversation.txt")
    return _bench(args, lambda: bench.latency(robot, sentences, _count(args)))


def bench_generator(args: argparse.Namespace) -> Outcome:
    """Measure the motion model."""
    from text2gesture_ros import bench

    return _bench(args, lambda: bench.generator(_parameters(GestureGeneratorParameters, args), _count(args)))


def bench_text(args: argparse.Namespace) -> Outcome:
    """Measure the intent classifier."""
    from text2gesture_ros import bench

    return _bench(args, lambda: bench.text(_parameters(IntentClassifierParameters, args), _count(args)))


def bench_text_engines(args: argparse.Namespace) -> Outcome:
    """Compare what can run the intent classifier."""
    from text2gesture_ros.training.text.engines import ROWS, compare, rows

    data = Path(args.data) if args.data else None
    rounds = _rounds(args)
    given = _bench(args, lambda: compare(args.model, _count(args), rounds, data=data))
    return Outcome(given.data, lambda: show_table("", ROWS, rows(given.data)))


def bench_motion_engines(args: argparse.Namespace) -> Outcome:
    """Compare what can run the motion model's step."""
    from text2gesture_ros.training.motion.engines import ROWS, compare, rows

    sizes = Path(args.sizes) if args.sizes else None
    rounds, names = _rounds(args), args.engine or []
    given = _bench(args, lambda: compare(args.model, _count(args), rounds, names=names, sizes=sizes))
    return Outcome(given.data, lambda: show_table("", ROWS, rows(given.data)))


def _rounds(args: argparse.Namespace) -> int:
    if not 1 <= args.rounds <= 1000:
        raise InputError(f"--rounds must be in [1, 1000] but is {args.rounds}")
    return int(args.rounds)


def _count(args: argparse.Namespace, least: int = 1) -> int:
    if not least <= args.count <= 100_000:
        raise InputError(f"--count must be in [{least}, 100000] but is {args.count}")
    return int(args.count)


def _bench(args: argparse.Namespace, measure: Callable[[], Mapping[str, Any]]) -> Outcome:
    from text2gesture_ros.bench import described

    output = _check_output(args)
    figures = measure()
    _write_json(output, described(args.line, figures))
    return Outcome(figures, lambda: show_figures(figures))


def _check_output(args: argparse.Namespace) -> Path | None:
    return _check_suffix(args.output, ".json") if args.output else None


def _write_json(path: Path | None, data: Mapping[str, Any]) -> None:
    if path:
        path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
