"""`text2gesture docs`: writes or checks the generated parts of the documentation."""

import argparse
import sys
from pathlib import Path

from text2gesture_ros.apps.commands.verbs import Outcome, Verbs


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "docs",
        run,
        "Write the generated parts of a source tree's documentation. These are config/text2gesture.yaml and "
        "the tables of parameters and measured figures in README.md and models/README.md.",
        ["docs", "docs --check"],
    )
    verb.add_argument("--root", default=".", metavar="DIR", help="the source tree (default: this folder)")
    verb.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 if a file is out of date"
    )


def run(args: argparse.Namespace) -> Outcome:
    """Write the generated parts of the documentation, or compare them."""
    from text2gesture_ros.apps.documentation import documents

    texts = documents(Path(args.root))
    old = [
        path for path, text in texts.items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if not args.check:
        for path in old:
            path.write_text(texts[path], encoding="utf-8")
    done = "out of date" if args.check else "written"
    data = {done.replace(" ", "_"): list(map(str, old))}
    return Outcome(
        data,
        lambda: sys.stdout.writelines(f"{path}: {done}\n" for path in old),
        int(args.check and bool(old)),
    )
