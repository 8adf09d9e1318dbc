"""`text2gesture studio`: synthesises the data set of gestures."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from text2gesture_ros.apps.commands.verbs import Outcome, Verbs, add_number, number
from text2gesture_ros.apps.tables import show_studio
from text2gesture_ros.errors import InputError

if TYPE_CHECKING:
    from text2gesture_ros.motion.motion import Motion


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "studio",
        run,
        "Rebuild the data set of the studio: synthesised clips of every form of every gesture, by performer, "
        "and clips of none of them. Writes training.npz, held_out.npz and distractors.npz.",
        [
            "studio --output runs/studio",
            "studio --output runs/studio --clips 400 --seed 3 --sheet runs/sheets",
            "studio --output runs/studio --clips 20 --compare my_recordings --json",
        ],
    )
    verb.add_argument("--output", required=True, metavar="DIR", help="where the clips go; made if missing")
    add_number(verb, "seed", 0, "same seed, same bytes")
    add_number(verb, "clips", 100, "clips per gesture")
    add_number(verb, "distractors", 200, "clips of none")
    verb.add_argument("--sheet", metavar="DIR", help="also draw every form: one contact sheet per gesture")
    verb.add_argument(
        "--compare", metavar="DIR", help="also measure smoothness and speed beside recordings of people"
    )


def run(args: argparse.Namespace) -> Outcome:
    """Synthesise the data set of gestures; draw it and compare it with recordings where asked."""
    seed, count = number(args, "seed", 0), number(args, "clips", 1)
    others = number(args, "distractors", 0)
    from text2gesture_ros.training.studio import naturalness
    from text2gesture_ros.training.studio.archive import save_clips
    from text2gesture_ros.training.studio.synthesis import distractors, parts

    real, unread = _recordings_of_people(Path(args.compare)) if args.compare else ([], [])
    directory = Path(args.output)
    directory.mkdir(parents=True, exist_ok=True)
    training, held_out = parts(seed, count)
    found = {"training": training, "held_out": held_out, "distractors": distractors(seed, others)}
    found = {name: clips for name, clips in found.items() if clips}
    for name, clips in found.items():
        save_clips(directory / f"{name}.npz", clips)
    data: dict[str, Any] = {
        "seed": seed,
        "files": {str(directory / f"{name}.npz"): len(clips) for name, clips in found.items()},
        "naturalness": {"studio": naturalness.spread([*training, *held_out])},
    }
    if real:
        data["naturalness"]["real"] = naturalness.spread(real)
        data["not_compared"] = unread
    if args.sheet:
        from text2gesture_ros.apps.contact_sheets import save_sheets

        Path(args.sheet).mkdir(parents=True, exist_ok=True)
        data["sheets"] = [str(path) for path in save_sheets(Path(args.sheet), seed)]
    return Outcome(data, lambda: show_studio(data))


def _recordings_of_people(folder: Path) -> "tuple[list[Motion], list[str]]":
    """Return the recordings in a folder in pieces as long as gestures, and why others were not read."""
    from text2gesture_ros.motion.formats import FORMATS, read_recording
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
