"""The program `text2gesture`: from text to intent, to human motion, to joint commands, one verb each.

Every verb is a function of `commands`, imported when the verb runs, so that help comes at once.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import fields
from typing import NoReturn

from text2gesture_ros.bringup import ARGUMENTS
from text2gesture_ros.errors import Text2GestureError
from text2gesture_ros.labels import EMOTIONS, GESTURES, NEUTRAL
from text2gesture_ros.parameters import PARAMETERS, defaults, specification

PROGRAM = "text2gesture"
BAD_INPUT = 2

_DESCRIPTION = """\
A robot that gestures while it speaks: text -> intent -> human motion -> joint commands.

Step by step, each result a file:
  text2gesture classify "Hello, nice to see you!"
  text2gesture generate wave --emotion positive -o wave.npz --gif wave.gif
  text2gesture retarget wave.npz --robot pepper -o wave.csv
  text2gesture verify wave.csv --robot pepper
All at once, through the three ROS 2 nodes:
  text2gesture demo
"""


class _Parser(argparse.ArgumentParser):
    """A parser that answers bad input with one line and exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: error: {' '.join(message.split())}\n")


class _Verbs:
    """Adds verbs with the same manners: description, examples, --json."""

    def __init__(self, parser: argparse.ArgumentParser, dest: str = "verb") -> None:
        self._verbs = parser.add_subparsers(dest=dest, metavar=dest.upper(), required=True)

    def add(
        self, name: str, summary: str, examples: Sequence[str], command: str = "", has_result: bool = True
    ) -> argparse.ArgumentParser:
        lines = "\n".join(f"  {PROGRAM} {example}" for example in examples)
        verb: argparse.ArgumentParser = self._verbs.add_parser(
            name,
            help=summary.split(". ")[0].rstrip("."),
            description=summary,
            epilog=f"examples:\n{lines}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.set_defaults(command=command or name)
        if has_result:
            verb.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
        return verb


def _add_parameters(verb: argparse.ArgumentParser, node: str, *names: str) -> None:
    """Add options for parameters of a node; names, defaults and meaning come from the one table."""
    values = defaults(node)
    by_name = {item.name: specification(item) for item in fields(PARAMETERS[node])}
    for name in names:
        entry = by_name[name]
        unit = f" [{entry.unit}]" if entry.unit else ""
        verb.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(values[name]),
            default=values[name],
            choices=entry.choices or None,
            metavar=None if entry.choices else name.split("_")[-1].upper(),
            help=f"{entry.description.rstrip('.')}{unit} (default: %(default)s)",
        )


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole program."""
    parser = _Parser(
        prog=PROGRAM, description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = _Verbs(parser)
    _add_core_verbs(verbs)
    _add_model_verbs(verbs)
    _add_ros_verbs(verbs)
    return parser


def _add_core_verbs(verbs: _Verbs) -> None:
    verb = verbs.add(
        "classify",
        "Say what sentences call for: subject, gesture, emotion. Long ones clause by clause.",
        [
            'classify "Hello, nice to see you!" "The shop opens at nine."',
            'classify --explain "I have no idea where your umbrella is."',
            "classify --file demo/conversation.txt --json",
            "classify < demo/conversation.txt",
        ],
    )
    verb.add_argument("text", nargs="*", help="sentences; none: one per line from standard input")
    verb.add_argument("--file", help="read the sentences from a file, one per line ('# ' starts a comment)")
    verb.add_argument("--explain", action="store_true", help="also say which words carried the decisions")
    _add_parameters(verb, "intent_classifier", "model", "device", "threads", "confidence_threshold")
    _add_parameters(
        verb, "intent_classifier", "speech_threshold", "clause_words", "speaking_rate", "cool_down"
    )

    verb = verbs.add(
        "generate",
        "Generate the human motion of a gesture, frame by frame, until its stop token fires.",
        [
            "generate wave -o wave.npz",
            "generate shrug --emotion negative --seed 7 -o shrug.npz --gif shrug.gif",
            "generate wave --mix shrug:0.4 -o mixed.npz",
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
        help="mix this share of another gesture in, as shrug:0.4; may be repeated",
    )
    verb.add_argument("-o", "--output", required=True, metavar="CLIP.npz", help="where the motion goes")
    verb.add_argument("--gif", metavar="FILE.gif", help="also draw it")
    verb.add_argument("--robot", metavar="ROBOT", help="draw this robot beside the human")
    _add_parameters(
        verb, "gesture_generator", "model", "device", "threads", "seed", "variation", "max_duration"
    )

    verb = verbs.add(
        "import",
        "Turn recordings of people into motion: 21 joints, 60 frames per second, metres, looking ahead. "
        "BVH, ASF/AMC, NTU RGB+D .skeleton, HumanML3D .npy, Pepper's .qianim, .npz with some of the joints. "
        "Says which joints were filled by proportion and which it could not map.",
        [
            "import walk.bvh -o walk.npz",
            "import 11_01.amc --skeleton 11.asf --start 1.5 --end 4 -o kick.npz --gif",
            "import recordings/*.bvh hello.qianim --label wave --emotion positive -o my_clips",
        ],
        "import_recordings",
    )
    verb.add_argument("files", nargs="+", metavar="FILE", help="the recordings")
    verb.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        help="CLIP.npz, or a directory that gets a clip per recording",
    )
    verb.add_argument("--start", type=float, default=0.0, metavar="TIME", help="cut from here [s]")
    verb.add_argument("--end", type=float, metavar="TIME", help="cut up to here [s]")
    verb.add_argument("--label", metavar="GESTURE", help=f"what they show: one of {', '.join(GESTURES)}")
    verb.add_argument("--emotion", metavar="EMOTION", help=f"how: one of {', '.join(EMOTIONS)}")
    verb.add_argument("--skeleton", metavar="FILE.asf", help="of AMC files (default: the one beside them)")
    verb.add_argument(
        "--rate", type=float, metavar="RATE", help="frames per second, if the file is wrong or silent [Hz]"
    )
    verb.add_argument("--gif", action="store_true", help="also draw each, beside its clip")

    verb = verbs.add(
        "retarget",
        "Turn human motion into joint positions of a robot, within its limits, at the control rate. "
        "Writes CSV: time [s] and one column per joint [rad].",
        [
            "retarget wave.npz --robot pepper -o wave.csv",
            "retarget wave.npz --robot ./my_robot.yaml --rate 50 -o wave.csv --gif wave.gif",
        ],
    )
    verb.add_argument(
        "clip", metavar="CLIP", help="human motion, as `generate` or `import` writes it, or a recording"
    )
    verb.add_argument("-o", "--output", required=True, metavar="OUT.csv", help="where the joints go")
    verb.add_argument("--gif", metavar="FILE.gif", help="also draw the human beside the robot")
    _add_parameters(verb, "gesture_retargeter", "robot", "rate", "gesture_scale")
    verb.add_argument("--mirror", action="store_true", help="exchange left and right")

    verb = verbs.add(
        "verify",
        "Check that joint positions stay within a robot's position, velocity, acceleration and jerk limits. "
        "Exit code 1 if they do not.",
        ["verify wave.csv --robot pepper", "verify wave.csv --robot nao --json"],
    )
    verb.add_argument("joints", metavar="OUT.csv", help="time and joints, as `retarget` writes them")
    _add_parameters(verb, "gesture_retargeter", "robot")

    verb = verbs.add(
        "recognize",
        "Say which gesture recordings show, or that it is none of the twelve. A long one is searched in "
        "windows of 1 to 3 s.",
        ["recognize wave.npz", "recognize recordings/*.bvh --start 2 --end 5 --json"],
    )
    verb.add_argument("clips", nargs="+", metavar="CLIP", help="motion, or any recording `import` reads")
    verb.add_argument("--start", type=float, default=0.0, metavar="TIME", help="cut from here [s]")
    verb.add_argument("--end", type=float, metavar="TIME", help="cut up to here [s]")
    verb.add_argument("--model", default="recogniser", help="name or path (default: %(default)s)")
    verb.add_argument("--threads", type=int, default=1, help="default: %(default)s")


def _add_model_verbs(verbs: _Verbs) -> None:
    what = _Verbs(
        verbs.add(
            "evaluate",
            "Measure a model (text, motion or recogniser) or the data it learns from.",
            ["evaluate text --data labelled.jsonl", "evaluate data"],
            "",
            has_result=False,
        ),
        "what",
    )
    verb = what.add(
        "text",
        "Accuracy, macro F1, recall, calibration and false gestures on labelled sentences: CSV, or one JSON "
        "object per line, with text, subject, gesture, emotion; a label that is null is not scored, and with "
        "subject_ok, gesture_ok, emotion_ok any label listed there is right. Also how well the gate tells "
        "speech from anything else.",
        [
            "evaluate text --data labelled.jsonl --confusion confusion.png",
            "evaluate text --data labelled.jsonl --model ./my_model --json",
            "evaluate text --corpora config/training/corpora.yaml",
        ],
        "evaluate_text",
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
    verb.add_argument("--confusion", metavar="FILE.png", help="also draw what is taken for what")
    _add_parameters(verb, "intent_classifier", "model", "device", "threads")
    _add_parameters(verb, "intent_classifier", "confidence_threshold", "speech_threshold")
    _add_output(verb)
    verb = what.add(
        "data",
        "Describe labelled sentences: how many of each label, how long, how many different words, and which "
        "say the same.",
        ["evaluate data", "evaluate data --data mine.csv --output report.json"],
        "evaluate_data",
    )
    verb.add_argument("--data", metavar="FILE.csv", help="the labelled sentences (default: those that ship)")
    _add_output(verb)
    verb = what.add(
        "motion",
        "Measure generated gestures against clips of people the model has not seen: recognition, MMD, FID, "
        "variety, length, smoothness, each with its 95 % interval. Beside the model stand other real clips, "
        "simple rivals, models in a folder of rows, and the paper's figures. Rows in the output are kept.",
        [
            "evaluate motion --model ./my_model --output my_model/metrics.json --figures my_model/figures",
            "evaluate motion --rows-from runs/ablation_motion --output models/motion/metrics.json",
            "evaluate motion --rows real ours --repetitions 3 --seed 20000",
        ],
        "evaluate_motion",
    )
    verb.add_argument("--count", type=int, default=20, help="clips per gesture (default: %(default)s)")
    verb.add_argument("--repetitions", type=int, default=20, help="how often (default: %(default)s)")
    verb.add_argument(
        "--seed",
        type=int,
        default=40000,
        help="of the people; choose settings with another (default: %(default)s)",
    )
    verb.add_argument("--rows", nargs="+", metavar="ROW", help="names, or paths of models (default: all)")
    verb.add_argument(
        "--rows-from", metavar="DIR", help="folder of model directories, each a row of its name"
    )
    verb.add_argument("--figures", metavar="DIR", help="also draw poses, features, lengths and stop tokens")
    verb.add_argument(
        "--recogniser", default="recogniser", metavar="MODEL", help="who judges (default: %(default)s)"
    )
    _add_parameters(verb, "gesture_generator", "model")
    _add_output(verb)

    verb = what.add(
        "recogniser",
        "Measure the recogniser: on studio clips of people it has not seen, and on recordings by others, by "
        "the span in which the gesture is and by the whole file.",
        [
            "evaluate recogniser",
            "evaluate recogniser --recordings my_recordings --part test --confusion confusion.png",
        ],
        "evaluate_recogniser",
    )
    verb.add_argument("--model", default="recogniser", help="name or path (default: %(default)s)")
    verb.add_argument("--count", type=int, default=20, help="clips per gesture (default: %(default)s)")
    _add_recordings(verb, "of which a part is measured too")
    verb.add_argument(
        "--part",
        choices=("train", "validation", "test"),
        default="validation",
        help="of the recordings (default: %(default)s)",
    )
    verb.add_argument("--confusion", metavar="FILE.png", help="also draw what is taken for what")
    _add_output(verb)

    what = _Verbs(
        verbs.add(
            "train",
            "Train a model: text, motion or recogniser.",
            ["train text --output my_model"],
            "",
            has_result=False,
        ),
        "what",
    )
    for name, file in (("text", "text.yaml"), ("recogniser", "recogniser.yaml"), ("motion", "motion.yaml")):
        verb = what.add(
            name,
            f"Train the {name} model and write a model directory.",
            [
                f"train {name} --output my_model",
                f"train {name} --config my_{file} --output my_model --resume",
            ],
            f"train_{name}",
            has_result=False,
        )
        verb.add_argument("--config", metavar="FILE.yaml", help=f"default: config/training/{file} that ships")
        verb.add_argument(
            "--output",
            metavar="DIR",
            default=f"runs/{name}",
            help="model directory to write (default: %(default)s)",
        )
        verb.add_argument("--resume", action="store_true", help="go on from the last checkpoint in it")
        _add_parameters(verb, "gesture_generator", "device")
        if name == "recogniser":
            _add_recordings(verb, "whose part `train` joins the training")
    verb.add_argument(
        "--data",
        metavar="DIR",
        action="append",
        default=[],
        help="recordings of your own: labels.csv (file,gesture,emotion,start,end), folders named by gesture, "
        "or clips that say what they show; may be repeated",
    )
    verb.add_argument(
        "--studio",
        choices=("all", "missing", "none"),
        help="beside --data: all of the studio's clips, those of gestures that are missing there, or none "
        "(default: as the training file says)",
    )

    verb = verbs.add(
        "studio",
        "Rebuild the data set of the studio: synthesised clips of every form of every gesture, by performer, "
        "and clips of none of them. Writes training.npz, held_out.npz and distractors.npz.",
        [
            "studio --output runs/studio",
            "studio --output runs/studio --clips 400 --seed 3 --sheet runs/sheets",
            "studio --output runs/studio --clips 20 --compare my_recordings --json",
        ],
    )
    verb.add_argument("--output", required=True, metavar="DIR", help="where the clips go; made if missing")
    verb.add_argument("--seed", type=int, default=0, help="same seed, same bytes (default: %(default)s)")
    verb.add_argument("--clips", type=int, default=100, help="clips per gesture (default: %(default)s)")
    verb.add_argument("--distractors", type=int, default=200, help="clips of none (default: %(default)s)")
    verb.add_argument("--sheet", metavar="DIR", help="also draw every form: one contact sheet per gesture")
    verb.add_argument(
        "--compare", metavar="FOLDER", help="also measure smoothness and speed beside recordings of people"
    )

    verb = verbs.add(
        "ablation",
        "Train the intent model with each set of heads of the paper's Table 1, over several seeds. Beside it "
        "stand the paper, our recipe on as many lines, and simple classifiers. Goes on where it stopped.",
        [
            "ablation --output models/intent/ablation.json --jobs 2",
            "ablation --rows recipe gesture --seeds 2 --output part.json",
            "ablation --rows --merge part.json --output models/intent/ablation.json",
        ],
    )
    verb.add_argument("--output", required=True, metavar="FILE.json", help="where the results go, run by run")
    for option, file in (("config", "text_paper.yaml"), ("recipe", "text.yaml")):
        verb.add_argument(
            f"--{option}", metavar="FILE.yaml", help=f"default: config/training/{file} that ships"
        )
    verb.add_argument("--rows", nargs="*", metavar="ROW", help="rows to run (default: all)")
    verb.add_argument("--seeds", type=int, default=5, help="runs per row (default: %(default)s)")
    verb.add_argument("--jobs", type=int, default=1, help="runs at a time (default: %(default)s)")
    verb.add_argument(
        "--merge", nargs="*", default=[], metavar="FILE.json", help="take over runs of these files"
    )
    _add_parameters(verb, "gesture_generator", "device")

    verb = verbs.add(
        "export",
        "Write the graphs that ONNX Runtime runs from a model's weights.",
        ["export intent", "export ./my_model"],
    )
    verb.add_argument(
        "model", metavar="MODEL", help="name of a model that ships, or path of a model directory"
    )


def _add_ros_verbs(verbs: _Verbs) -> None:
    verb = verbs.add(
        "bringup",
        "Start the three nodes, each in a process of its own, until Ctrl-C. "
        "What bringup.launch.py does, where `ros2 launch` is missing; takes its name:=value arguments too.",
        ["bringup", "bringup --robot nao --namespace robot1", "bringup robot:=nao params_file:=my.yaml"],
        has_result=False,
    )
    for argument in ARGUMENTS:
        option = f"--{argument.name.replace('_', '-')}"
        verb.add_argument(option, metavar=argument.name.upper(), help=argument.description)
    verb.add_argument("arguments", nargs="*", metavar="NAME:=VALUE", help="the same, as `ros2 launch` has it")

    verb = verbs.add(
        "demo",
        "Speak a conversation to the three running nodes and show what comes out: a table, a bag of all "
        "topics, a GIF per gesture, a contact sheet, summary.json.",
        ["demo", "demo --robot nao --output out", "demo --sentences my_talk.txt --pace 1.5"],
    )
    _add_parameters(verb, "gesture_retargeter", "robot")
    verb.add_argument(
        "--sentences", metavar="FILE", help="one per line (default: the conversation that ships)"
    )
    verb.add_argument("--output", default="demo/out", metavar="DIRECTORY", help="default: %(default)s")
    verb.add_argument(
        "--pace",
        default="speaking",
        metavar="PACE",
        help="speaking: as long as a sentence takes to say; or seconds per sentence (default: %(default)s)",
    )

    what = _Verbs(
        verbs.add(
            "bench",
            "Measure speed: latency, generator, text, or engines that could run the models.",
            ["bench latency --json"],
            "",
            has_result=False,
        ),
        "what",
    )
    model = ("model", "device", "threads")
    for name, summary, count, counted, node, names in (
        (
            "latency",
            "From a text published to the first joint_trajectory received, through the real nodes.",
            30,
            "sentences to send",
            "gesture_retargeter",
            ("robot",),
        ),
        (
            "generator",
            "Frames per second of the motion model, and how long the slowest frames take.",
            5,
            "clips per gesture",
            "gesture_generator",
            model,
        ),
        (
            "text",
            "Milliseconds to classify a sentence of 5, 12, 15 and 40 words; memory and start of the node.",
            100,
            "runs per length",
            "intent_classifier",
            model,
        ),
    ):
        examples = [f"bench {name}", f"bench {name} --count 20 --json --output {name}.json"]
        verb = what.add(name, summary, examples, f"bench_{name}")
        verb.add_argument("--count", type=int, default=count, help=f"{counted} (default: %(default)s)")
        _add_parameters(verb, node, *names)
        _add_output(verb)
    _add_engine_verbs(
        _Verbs(
            what.add(
                "engines",
                "Compare engines and precisions that could run a model: speed, memory, load time, accuracy.",
                ["bench engines motion --json"],
                "",
                has_result=False,
            ),
            "model_kind",
        )
    )


def _add_engine_verbs(kinds: _Verbs) -> None:
    for name, summary, count, counted, node in (
        (
            "text",
            "Compare what can run the intent model: PyTorch, ONNX Runtime, OpenVINO, float32 and kinds of "
            "int8. Speed, memory, load time, accuracy.",
            20,
            "runs per length and round",
            "intent_classifier",
        ),
        (
            "motion",
            "Compare what can run the motion model's step: PyTorch, ONNX Runtime, OpenVINO, float32 and "
            "kinds of int8, CUDA. Speed beside the bound of the memory's bandwidth, memory, load time, "
            "distance of the joints.",
            6,
            "clips per round",
            "gesture_generator",
        ),
    ):
        short = f"bench engines {name}"
        verb = kinds.add(
            name,
            summary,
            [short, f"{short} --count 2 --rounds 3 --json --output engines.json"],
            f"bench_{name}_engines",
        )
        verb.add_argument("--count", type=int, default=count, help=f"{counted} (default: %(default)s)")
        verb.add_argument(
            "--rounds", type=int, default=5, help="how often the engines take turns (default: %(default)s)"
        )
        if name == "text":
            verb.add_argument(
                "--data",
                metavar="FILE",
                help="labelled sentences, CSV or JSONL (default: the held-out ones that ship)",
            )
        else:
            verb.add_argument(
                "--sizes",
                metavar="FILE.yaml",
                help="instead of a model that has learnt something, one of the sizes of this training file",
            )
            verb.add_argument(
                "--engine", action="append", metavar="NAME", help="only this one; may be repeated"
            )
        _add_parameters(verb, node, "model")
        _add_output(verb)


def _add_recordings(verb: argparse.ArgumentParser, purpose: str) -> None:
    verb.add_argument("--recordings", metavar="DIR", help=f"a folder of recordings {purpose}")
    verb.add_argument(
        "--table",
        metavar="FILE.yaml",
        help="which recording is in which part and shows what (default: config/training/recordings.yaml "
        "that ships)",
    )


def _add_output(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--output", metavar="FILE.json", help="also write the result to a file")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        arguments: the command line without the program's name; None: of this process.

    Returns:
        The exit code: 0 done, 1 the check the verb makes failed, 2 bad input, 130 interrupted.
    """
    try:
        args = build_parser().parse_args(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else BAD_INPUT
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr, force=True)
    args.line = " ".join([PROGRAM, *(sys.argv[1:] if arguments is None else arguments)])
    try:
        from text2gesture_ros import commands

        as_json = getattr(args, "json", False)
        # Nothing but the JSON may reach standard output, whatever a library prints.
        with redirect_stdout(sys.stderr if as_json else sys.stdout):
            outcome = getattr(commands, args.command)(args)
        if as_json:
            sys.stdout.write(json.dumps(outcome.data, indent=2, ensure_ascii=False) + "\n")
        else:
            outcome.show()
    except Text2GestureError as error:
        return _fail(args, str(error))
    except ModuleNotFoundError as error:
        return _fail(args, f"needs the Python package {error.name!r}, which is not installed")
    except BrokenPipeError:  # whoever read our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(args, f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        return 130
    return int(outcome.status)


def _fail(args: argparse.Namespace, message: str) -> int:
    sys.stderr.write(f"{PROGRAM} {args.verb}: error: {' '.join(message.split())}\n")
    return BAD_INPUT
