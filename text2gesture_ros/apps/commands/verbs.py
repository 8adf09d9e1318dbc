"""Shared parts of the verbs: how one is added, its outcome, common options and their checks."""

import argparse
import json
import signal
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from text2gesture_ros.errors import InputError
from text2gesture_ros.parameters import PARAMETERS, NodeParameters, defaults, specification
from text2gesture_ros.resources import share_directory

PROGRAM = "text2gesture"

INTERRUPTED = 130
"""Exit code of what was ended by Ctrl-C, or cancelled."""

RECOGNISER = "recogniser"
"""Name of the recogniser that ships."""

CLIPS = (".npz", ".bvh")
"""What a motion is written as, by the suffix of its file."""

P = TypeVar("P", bound=NodeParameters)


@dataclass(frozen=True)
class Outcome:
    """The result of a verb.

    Attributes:
        data: the result as JSON types.
        show: prints it for people.
        status: exit code.
    """

    data: Any = None
    show: Callable[[], None] = lambda: None
    status: int = 0


Run = Callable[[argparse.Namespace], Outcome]


class Verbs:
    """Adds verbs of one form: description, examples, --json."""

    def __init__(self, parser: argparse.ArgumentParser, dest: str) -> None:
        """Give a parser sub-verbs; `dest` is their name in the help."""
        self._verbs = parser.add_subparsers(dest=dest, metavar=dest.upper(), required=True)

    def add(
        self, name: str, run: Run | None, summary: str, examples: Sequence[str], has_result: bool = True
    ) -> argparse.ArgumentParser:
        """Add a verb and return its parser.

        Args:
            name: of the verb.
            run: what it does; None if it has verbs of its own.
            summary: help; the first sentence stands in the list of verbs.
            examples: command lines without the name of the program.
            has_result: whether there is anything to print as JSON.
        """
        lines = "\n".join(f"  {PROGRAM} {example}" for example in examples)
        verb: argparse.ArgumentParser = self._verbs.add_parser(
            name,
            help=summary.split(". ")[0].rstrip(".").replace("%", "%%"),  # argparse expands %(...)s here
            description=textwrap.fill(summary, 100),
            epilog=f"examples:\n{lines}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.set_defaults(run=run)
        if has_result:
            verb.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
        return verb

    def group(self, name: str, summary: str, examples: Sequence[str]) -> "Verbs":
        """Add a verb that has verbs of its own and return these."""
        return Verbs(self.add(name, None, summary, examples, has_result=False), "what")


def add_parameters(verb: argparse.ArgumentParser, node: str, *names: str) -> None:
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


def parameters(kind: type[P], args: argparse.Namespace) -> P:
    """Return node parameters with what the command line says; this checks their bounds."""
    names = [item.name for item in fields(kind) if item.name in args]
    return kind(**{name: getattr(args, name) for name in names})


def add_number(verb: argparse.ArgumentParser, name: str, default: int, meaning: str) -> None:
    """Add an option that takes a whole number; `number` checks it."""
    verb.add_argument(f"--{name}", type=int, default=default, help=f"{meaning} (default: %(default)s)")


def number(args: argparse.Namespace, name: str, minimum: int, maximum: int = 100_000) -> int:
    """Return the whole number an option was given.

    Raises:
        InputError: it is out of bounds.
    """
    value = int(getattr(args, name))
    if not minimum <= value <= maximum:
        raise InputError(f"--{name} must be in [{minimum}, {maximum}] but is {value}")
    return value


def add_output(verb: argparse.ArgumentParser) -> None:
    """Add the option that writes what --json prints."""
    verb.add_argument("--output", metavar="FILE.json", help="also write the result to a file")


def check_output(args: argparse.Namespace) -> Path | None:
    """Return the file that `add_output` asks for, if any.

    Raises:
        InputError: it cannot be written.
    """
    return check_suffix(args.output, ".json") if args.output else None


def write_json(path: Path | None, data: Mapping[str, Any]) -> None:
    """Write a result, if a file for it was given."""
    if path:
        path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def check_suffix(path: str, *suffixes: str) -> Path:
    """Return the path of a file to write.

    Raises:
        InputError: it ends otherwise, or its directory is missing.
    """
    if not path.endswith(suffixes):
        raise InputError(f"{path}: the file must end in {' or '.join(suffixes)}")
    if not Path(path).parent.is_dir():
        raise InputError(f"{path}: no directory {Path(path).parent}")
    return Path(path)


def add_namespace(verb: argparse.ArgumentParser, meaning: str = "of the nodes") -> None:
    """Add the option that says where the nodes are; `namespace` checks it."""
    verb.add_argument("--namespace", default="", help=meaning)


def namespace(args: argparse.Namespace) -> str:
    """Return the namespace of the nodes with a leading slash, empty for none.

    Raises:
        ConfigurationError: it is no namespace.
    """
    from text2gesture_ros.ros.bringup import check_namespace

    return check_namespace(args.namespace) if args.namespace else ""


def add_overwrite(verb: argparse.ArgumentParser) -> None:
    """Add the option without which `check_unused` refuses an output that is there."""
    verb.add_argument("--overwrite", action="store_true", help="replace the output if it is there")


def check_unused(args: argparse.Namespace) -> Path:
    """Return the path of the output: what cannot simply be made once more, or is edited by people.

    Raises:
        InputError: something is there that nobody has asked to replace.
    """
    path = Path(args.output)
    if path.exists() and not args.overwrite:
        raise InputError(f"{path} is there already: give another name, or --overwrite")
    return path


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM do as Ctrl-C does, so that what was begun is ended properly.

    Ctrl-C too, which a program that a script starts in the background would else ignore.
    """
    numbers = signal.SIGINT, signal.SIGTERM
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ending(outcome: str, reason: str) -> str:
    """Return how a motion ended, for people: the word of the outcome, and why."""
    shown = "performed, with deviations" if outcome == "degraded" else outcome
    return f"{shown}: {reason}" if reason else shown


def add_cut(verb: argparse.ArgumentParser) -> None:
    """Add the options that cut recordings."""
    verb.add_argument("--start", type=float, default=0.0, metavar="TIME", help="cut from here [s]")
    verb.add_argument("--end", type=float, metavar="TIME", help="cut up to here [s]")


def add_recordings(verb: argparse.ArgumentParser, purpose: str) -> None:
    """Add the options for recordings that a recogniser is trained on or measured with."""
    verb.add_argument("--recordings", metavar="DIR", help=f"a folder of recordings {purpose}")
    verb.add_argument(
        "--table",
        metavar="FILE.yaml",
        help="beside --recordings: which is in which part and shows what (default: "
        "config/training/recordings.yaml that ships)",
    )


def recordings(args: argparse.Namespace) -> dict[str, Path]:
    """Return what `add_recordings` asks for: recordings, a folder, and table, a file; nothing without.

    Raises:
        InputError: there is no such folder or file, or a table without recordings.
    """
    if not args.recordings:
        if args.table:
            raise InputError("--table says what recordings show: give --recordings too")
        return {}
    if not Path(args.recordings).is_dir():
        raise InputError(f"{args.recordings}: no such directory")
    return {"recordings": Path(args.recordings), "table": training_file(args.table, "recordings.yaml")}


def training_file(given: str | None, shipped: str) -> Path:
    """Return the file given, else the one of that name in config/training.

    Raises:
        InputError: there is none; said before PyTorch is loaded, which takes seconds.
    """
    path = Path(given) if given else share_directory() / "config" / "training" / shipped
    if not path.is_file():
        raise InputError(f"{path}: no such training file")
    return path
