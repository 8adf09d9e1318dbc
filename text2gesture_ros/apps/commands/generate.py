"""`text2gesture generate`: generates the human motion of a gesture."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from text2gesture_ros.apps.commands.verbs import (
    CLIPS,
    Outcome,
    Verbs,
    add_parameters,
    check_suffix,
    parameters,
)
from text2gesture_ros.apps.tables import show_pairs
from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import EMOTIONS, GESTURES, NEUTRAL, check_label
from text2gesture_ros.parameters import (
    GestureGeneratorParameters,
    GestureRetargeterParameters,
    IntentClassifierParameters,
)

if TYPE_CHECKING:
    from text2gesture_ros.understanding.intent import Intent


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "generate",
        run,
        "Generate the human motion of a gesture, frame by frame, until its stop token fires.",
        [
            "generate wave -o wave.npz",
            "generate shrug --emotion negative --seed 7 -o shrug.npz --gif shrug.gif",
            "generate wave --mix shrug:0.4 -o mixed.npz",
            "generate wave -o wave.bvh",
            'generate --text "Look over there!" -o clip.npz --gif clip.gif',
        ],
    )
    verb.add_argument("gesture", nargs="?", metavar="GESTURE", help=f"one of {', '.join(GESTURES)}")
    verb.add_argument(
        "--emotion", metavar="EMOTION", help=f"one of {', '.join(EMOTIONS)} (default: {NEUTRAL})"
    )
    verb.add_argument(
        "--text", help="the sentence: caption of the GIF; without GESTURE it is classified to find one"
    )
    verb.add_argument(
        "--mix",
        metavar="GESTURE:SHARE",
        action="append",
        default=[],
        help="mix this share of another gesture in, as shrug:0.4; may be repeated for further gestures",
    )
    verb.add_argument(
        "-o", "--output", required=True, metavar="CLIP", help="where the motion goes: .npz, or .bvh"
    )
    verb.add_argument("--gif", metavar="FILE.gif", help="also draw it")
    verb.add_argument("--robot", metavar="ROBOT", help="beside --gif: draw this robot beside the human")
    add_parameters(
        verb, "gesture_generator", "model", "device", "threads", "seed", "variation", "max_duration"
    )


def run(args: argparse.Namespace) -> Outcome:
    """Generate the motion of a gesture and write it, as a GIF too if wanted."""
    from text2gesture_ros.generation.generator import GestureGenerator
    from text2gesture_ros.motion.formats.bvh_export import save_motion
    from text2gesture_ros.robots.robot_file import load_robot

    given = parameters(GestureGeneratorParameters, args)
    gesture, emotion, reason = args.gesture, args.emotion, None
    for task, label in (("gesture", gesture), ("emotion", emotion)):
        if label is not None:
            check_label(task, label)
    mix = _mix(args.mix)
    output = check_suffix(args.output, *CLIPS)
    gif = check_suffix(args.gif, ".gif") if args.gif else None
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
    generator = GestureGenerator(given.model, device=given.device, threads=given.threads)
    motion = generator.generate(
        gesture,
        emotion,
        seed=None if given.seed < 0 else given.seed,
        variation=given.variation,
        max_duration=given.max_duration,
        mix=mix,
    )
    save_motion(output, motion)
    mixed = " + ".join([gesture, *(f"{share:g} {other}" for other, share in mix.items())])
    if gif is not None:
        from text2gesture_ros.apps.rendering import Painter, Scene
        from text2gesture_ros.retargeting.executor import retarget_motion

        commands = retarget_motion(robot, motion, GestureRetargeterParameters().rate) if robot else ()
        Painter(robot).save_gif(gif, Scene(args.text or "", motion, *commands, mixed=mixed))
    data = {
        "gesture": gesture,
        "mix": mix,
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
    return Outcome(data, lambda: show_pairs(data | {"gesture": mixed, "mix": None}))


def _mix(given: Sequence[str]) -> dict[str, float]:
    """Read GESTURE:SHARE, each."""
    mix: dict[str, float] = {}
    for text in given:
        gesture, _, share = text.rpartition(":")
        check = f"--mix must be GESTURE:SHARE, as shrug:0.4, each gesture once, but is {text!r}"
        try:
            value = float(share)
        except ValueError:
            raise InputError(check) from None
        if not gesture or gesture in mix:
            raise InputError(check)
        mix[gesture] = value
    return mix


def _read_intent(text: str) -> "Intent":
    from text2gesture_ros.understanding.classifier import IntentClassifier

    own = IntentClassifierParameters()
    classifier = IntentClassifier(own.model)
    return classifier.classify([text], own.confidence_threshold, own.speech_threshold)[0]
