"""`text2gesture import`: converts recordings of people to motion."""

import argparse
from pathlib import Path

from text2gesture_ros.apps.commands.verbs import CLIPS, Outcome, Verbs, add_cut, check_suffix
from text2gesture_ros.apps.tables import show_recordings
from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import EMOTIONS, GESTURES


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "import",
        run,
        "Turn recordings of people into motion: 21 joints, 60 frames per second, metres, looking ahead. "
        "BVH, ASF/AMC, glTF and VRM animations (.gltf, .glb, .vrma), NTU RGB+D .skeleton, HumanML3D .npy, "
        "Pepper's .qianim, .npz with joint names. "
        "Says which joints were filled by proportion and which it could not map.",
        [
            "import walk.bvh -o walk.npz",
            "import wave.npz -o wave.bvh",
            "import 11_01.amc --skeleton 11.asf --start 1.5 --end 4 -o kick.npz --gif",
            "import recordings/*.bvh hello.qianim --label wave --emotion positive -o my_clips",
            "import odd_names.bvh --map names.yaml -o odd.npz",
        ],
    )
    verb.add_argument("files", nargs="+", metavar="FILE", help="the recordings")
    verb.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        help="a clip, .npz or .bvh, or a directory that gets a .npz per recording",
    )
    add_cut(verb)
    verb.add_argument("--label", metavar="GESTURE", help=f"what they show: one of {', '.join(GESTURES)}")
    verb.add_argument("--emotion", metavar="EMOTION", help=f"how: one of {', '.join(EMOTIONS)}")
    verb.add_argument("--skeleton", metavar="FILE.asf", help="of AMC files (default: the one beside them)")
    verb.add_argument(
        "--map",
        metavar="FILE.yaml",
        help="which joint each of their names is, where names do not say it: lines of THEIR NAME: ours "
        "(null: none); an error prints one to fill in",
    )
    verb.add_argument("--animation", metavar="NAME", default="", help="of a glTF file that has several")
    verb.add_argument(
        "--rate", type=float, metavar="RATE", help="frames per second, if the file is wrong or silent [Hz]"
    )
    verb.add_argument("--gif", action="store_true", help="also draw each, beside its clip")


def run(args: argparse.Namespace) -> Outcome:
    """Turn recordings into clips, as GIFs too if wanted."""
    from text2gesture_ros.motion.formats import GLTF, read_map, read_recording
    from text2gesture_ros.motion.formats.bvh_export import save_motion

    files = [Path(file) for file in args.files]
    if args.skeleton and not any(file.suffix.lower() == ".amc" for file in files):
        raise InputError("--skeleton belongs to AMC files, of which none is given")
    if args.animation and not any(file.suffix.lower() in GLTF for file in files):
        raise InputError("--animation belongs to glTF files, of which none is given")
    names = read_map(Path(args.map)) if args.map else {}
    output = Path(args.output)
    if output.suffix in CLIPS:
        if len(files) > 1:
            raise InputError(f"{output}: {len(files)} recordings go into a directory, not into one file")
        targets = [check_suffix(args.output, *CLIPS)]
    else:
        targets = [output / f"{file.stem}.npz" for file in files]
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
            names=names,
            animation=args.animation,
            gesture=args.label or "",
            emotion=args.emotion or "",
        )
        motion = recording.motion
        target.parent.mkdir(parents=True, exist_ok=True)
        save_motion(target, motion)
        gif = target.with_suffix(".gif") if args.gif else None
        if gif is not None:
            from text2gesture_ros.apps.rendering import Painter, Scene

            Painter().save_gif(gif, Scene(file.name, motion))
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
