"""`text2gesture evaluate legibility` and `evaluate blind`: whether gestures can be read on robots."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from text2gesture_ros.apps.commands.verbs import (
    RECOGNISER,
    Outcome,
    Verbs,
    add_number,
    add_output,
    add_parameters,
    add_recordings,
    check_output,
    interruptible,
    number,
    parameters,
    recordings,
    write_json,
)
from text2gesture_ros.apps.tables import show_pairs, show_summary
from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import GESTURES, check_label
from text2gesture_ros.parameters import GestureGeneratorParameters

if TYPE_CHECKING:
    from text2gesture_ros.robots.robot import Robot

_ROBOTS = ("pepper", "nao")


def add_legibility(what: Verbs) -> None:
    """Add the verb `legibility`."""
    verb = what.add(
        "legibility",
        _legibility,
        "Measure whether gestures can be read on robots. Every gesture is generated with every emotion and "
        "retargeted; the commanded joints are held against the laws of the gesture (config/legibility.yaml), "
        "such as how far and how often a head nods. Prints the share of performances that keep each law, "
        "beside the human motion's own. Also what the recogniser sees of the robot's landmarks; it was "
        "trained on human bodies, so that it is no fair judge of robots.",
        [
            "evaluate legibility --robot pepper",
            "evaluate legibility --robot pepper --robot g1:seated --seeds 10 --output legibility.json",
            "evaluate legibility --robot nao --gestures nod wave --scales 0.7 1 --recogniser ''",
            "evaluate legibility --recordings my_recordings",
        ],
    )
    _add_robots(verb)
    add_number(verb, "seeds", 5, "performances of each gesture with each emotion")
    verb.add_argument(
        "--scales",
        nargs="+",
        type=float,
        default=[1.0],
        metavar="SCALE",
        help="sizes at which robots perform, as the parameter gesture_scale (default: 1)",
    )
    verb.add_argument(
        "--laws", metavar="FILE.yaml", help="the laws (default: config/legibility.yaml that ships)"
    )
    verb.add_argument(
        "--recogniser",
        default=RECOGNISER,
        metavar="MODEL",
        help="asked what it sees, name or path; '' for none (default: %(default)s)",
    )
    add_recordings(verb, "by people and animators, held against the same laws: what can be asked")
    add_parameters(verb, "gesture_generator", "model")
    add_output(verb)


def add_blind(what: Verbs) -> None:
    """Add the verb `blind`."""
    verb = what.add(
        "blind",
        _blind,
        "Test with people whether gestures can be read on robots. Writes shuffled strips of ten moments and "
        "GIFs without labels, instructions and an answer form into --output, the key into another folder; "
        "--score reads filled-in forms and prints how often viewers were right.",
        [
            "evaluate blind --output blind",
            "evaluate blind --output blind --robot g1 --robot reachy --count 4 --seed 7",
            "evaluate blind --output blind --score anna.csv ben.csv",
            "evaluate blind --key blind_key --score anna.csv --json",
        ],
    )
    _add_robots(verb)
    verb.add_argument("--output", metavar="DIR", help="folder for the viewers; made if missing")
    verb.add_argument("--key", metavar="DIR", help="folder of the key (default: that of --output with _key)")
    verb.add_argument("--score", nargs="+", metavar="FORM.csv", help="score these forms instead")
    add_number(verb, "count", 8, "strips of each gesture")
    add_number(verb, "seed", 0, "of who performs and of the order")
    add_parameters(verb, "gesture_generator", "model")


def _add_robots(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--robot",
        action="append",
        default=[],
        metavar="ROBOT",
        help=f"name or path; may be repeated (default: {' and '.join(_ROBOTS)})",
    )
    verb.add_argument(
        "--gestures", nargs="+", default=list(GESTURES), metavar="GESTURE", help="which (default: all)"
    )


def _checked(args: argparse.Namespace) -> "list[Robot]":
    """Return the robots asked for, after gestures were checked."""
    from text2gesture_ros.robots.robot_file import load_robot

    for gesture in args.gestures:
        check_label("gesture", gesture)
    args.gestures = list(dict.fromkeys(args.gestures))
    return [load_robot(robot) for robot in dict.fromkeys(args.robot or _ROBOTS)]


def _legibility(args: argparse.Namespace) -> Outcome:
    """Measure the laws of gestures on robots."""
    given = parameters(GestureGeneratorParameters, args)
    seeds, output = number(args, "seeds", 1, 1000), check_output(args)
    files = recordings(args)
    robots = _checked(args)
    from text2gesture_ros.legibility.laws import load_laws
    from text2gesture_ros.retargeting.retargeter import MAX_SCALE

    for scale in args.scales:
        if not 0.0 < scale <= MAX_SCALE:
            raise InputError(f"--scales must be above 0 and at most {MAX_SCALE:g} but one is {scale}")
    laws = load_laws(Path(args.laws) if args.laws else None)
    from text2gesture_ros.apps import legibility
    from text2gesture_ros.generation.generator import GestureGenerator
    from text2gesture_ros.understanding.recogniser import Recogniser

    recogniser = Recogniser(args.recogniser) if args.recogniser else None
    generator = GestureGenerator(given.model)
    clips = []
    if files:
        from text2gesture_ros.training.recogniser.recordings import PARTS, read_recordings

        read = (each for part in PARTS for each in read_recordings(files["recordings"], files["table"], part))
        clips = [each.motion for each in read if not each.unseen]
    report = legibility.evaluate(
        laws,
        robots,
        args.gestures,
        seeds=seeds,
        scales=list(dict.fromkeys(args.scales)),
        generator=generator,
        recogniser=recogniser,
        recordings=clips,
    )
    report = {"command": args.line, "laws_from": str(args.laws or "config/legibility.yaml"), **report}
    write_json(output, report)
    return Outcome(report, lambda: show_summary(legibility.summary(report)))


def _blind(args: argparse.Namespace) -> Outcome:
    """Write a blind test, or score the answers to one."""
    given = parameters(GestureGeneratorParameters, args)
    count, seed = number(args, "count", 1, 1000), number(args, "seed", 0, 2**31)
    if not args.output and not (args.key and args.score):
        raise InputError("give --output, the folder of the test, or --key and --score")
    key = Path(args.key) if args.key else Path(args.output).with_name(Path(args.output).name + "_key")
    if args.score:
        return _score(key, [Path(form) for form in args.score])
    folder = Path(args.output)
    if key.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"--key {key} lies in {folder}, where viewers would find it")
    robots = _checked(args)
    from text2gesture_ros.apps.blind_test import FORM_FILE, KEY_FILE, save_blind_test
    from text2gesture_ros.generation.generator import GestureGenerator

    logging.getLogger("text2gesture_ros.training").setLevel(logging.INFO)  # which tells how far it is
    generator = GestureGenerator(given.model)
    try:
        with interruptible():
            strips = save_blind_test(
                folder, key, robots, args.gestures, count=count, seed=seed, generator=generator
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"{folder} is not whole: it has no {FORM_FILE} yet. Begin again: {args.line}"
        ) from None
    data = {"strips": strips, "form": str(folder / FORM_FILE), "key": str(key / KEY_FILE)}
    return Outcome(data, lambda: show_pairs(data))


def _score(key: Path, forms: list[Path]) -> Outcome:
    from text2gesture_ros.apps.blind_test import KEY_FILE, summary
    from text2gesture_ros.legibility.answers import read_form, read_key, score

    if not (key / KEY_FILE).is_file():
        raise InputError(
            f"no {KEY_FILE} in {key}: give --key, the folder it is in, or let `evaluate blind` write the "
            "test to its end first"
        )
    shown = read_key(key / KEY_FILE)
    report = score(shown, [read_form(form, shown) for form in forms])
    report = {"forms": [str(form) for form in forms], **report}
    return Outcome(report, lambda: show_summary(summary(report)))
