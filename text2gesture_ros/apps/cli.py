"""The command line `text2gesture`: text to intent, to human motion, to joint commands, a verb for each step.

Every verb is a module of `commands`, called as the verb.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import NoReturn

from text2gesture_ros.apps.commands import (
    ablation,
    bench,
    bringup,
    classify,
    demo,
    docs,
    evaluate,
    export,
    gallery,
    generate,
    hold,
    import_,
    param,
    play,
    recognize,
    record,
    replay,
    retarget,
    robot,
    say,
    status,
    stop,
    studio,
    train,
    verify,
)
from text2gesture_ros.apps.commands.verbs import INTERRUPTED, PROGRAM, Verbs
from text2gesture_ros.errors import Text2GestureError

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
Sentence by sentence, in a second terminal beside `text2gesture bringup`:
  text2gesture say "Hello, nice to see you!"
"""


class _Parser(argparse.ArgumentParser):
    """A parser that answers bad input with one line and exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: error: {' '.join(message.split())}\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole program."""
    parser = _Parser(
        prog=PROGRAM, description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = Verbs(parser, "verb")
    for module in (
        *(classify, generate, import_, retarget, verify, robot, recognize),
        *(evaluate, train, studio, ablation, export, docs),
        *(bringup, say, play, stop, hold, param, status),
        *(record, replay, demo, gallery, bench),
    ):
        module.add(verbs)
    return parser


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
        as_json = getattr(args, "json", False)
        # Nothing but the JSON may reach standard output, whatever a library prints.
        with redirect_stdout(sys.stderr if as_json else sys.stdout):
            outcome = args.run(args)
        if as_json:
            sys.stdout.write(json.dumps(outcome.data, indent=2, ensure_ascii=False) + "\n")
        else:
            outcome.show()
    except Text2GestureError as error:
        return _fail(args, str(error))
    except ModuleNotFoundError as error:
        return _fail(args, f"needs the Python package {error.name!r}, which is not installed")
    except BrokenPipeError:  # the reader of our output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(args, f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt as stop:  # says what is kept, where the verb knows
        sys.stderr.write(f"\n{PROGRAM} {args.verb}: {str(stop) or 'stopped before its end'}\n")
        return INTERRUPTED
    return int(outcome.status)


def _fail(args: argparse.Namespace, message: str) -> int:
    sys.stderr.write(f"{PROGRAM} {args.verb}: error: {' '.join(message.split())}\n")
    return BAD_INPUT
