"""Record a long conversation with everything that happens to one, and see whether a replay does the same.

Sentences one after the other, some that interrupt, cancels, stops, holds and changed parameters, at random
moments. `text2gesture record` records it, `text2gesture replay` plays it to new nodes and compares.

    python -m benchmarks.replay --minutes 10 --output benchmarks/results/replay.json
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from std_msgs.msg import String

from benchmarks.parts import parser, written
from benchmarks.witness import PACE, SENTENCES, Witness, witness
from text2gesture_ros.measurement import machine
from text2gesture_ros.resources import share_directory
from text2gesture_ros.ros.graph_client import own_domain
from text2gesture_ros.ros.running_nodes import RunningNodes

_PROGRAM = (sys.executable, "-c", "from text2gesture_ros.apps.cli import main; raise SystemExit(main())")
_HAPPENINGS = ("cancel", "stop", "hold", "parameter", "interruption")
_HAPPENS = 0.35  # how likely one of them comes after a sentence
_HOLD = 1.0  # how long the robot is held, at most [s]
_SCALES = (0.6, 0.8, 1.0)
_SETTLING = 3.0  # of the recording, after the robot is at rest [s]


@contextmanager
def recorded(path: Path, domain: int) -> Iterator[None]:
    """Record what the nodes of a ROS domain say meanwhile."""
    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "FASTRTPS_DEFAULT_PROFILES_FILE": str(share_directory() / "config" / "fastdds.xml"),
    }
    command = [*_PROGRAM, "record", "-o", str(path), "--json"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        for line in process.stderr:  # it says when it has begun
            if line.startswith("recording"):
                break
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()
    if process.returncode:
        raise RuntimeError(f"text2gesture record ended with {process.returncode}")


class Happenings:
    """What happens to a conversation."""

    def __init__(self, watched: Witness, nodes: RunningNodes, chance: np.random.Generator) -> None:
        self._watched, self._nodes, self._chance = watched, nodes, chance
        self._cancels = nodes.node.create_publisher(String, "gesture_cancel", 10)
        self.counts: Counter[str] = Counter()

    def one(self, utterance_id: str) -> None:
        """Let something happen to an utterance, or to all."""
        what = str(self._chance.choice(_HAPPENINGS))
        self.counts[what] += 1
        if what == "cancel":
            self._cancels.publish(String(data=utterance_id))
        elif what == "stop":
            self._nodes.stop()
        elif what == "hold":
            self._nodes.hold(True)
            self._watched.pause(float(self._chance.uniform(0.1, _HOLD)))
            self._nodes.hold(False)
        elif what == "parameter":
            scale = float(self._chance.choice(_SCALES))
            self._nodes.set_parameter("gesture_retargeter", "gesture_scale", scale)
        else:
            self._watched.speak(f"{utterance_id} more", str(self._chance.choice(SENTENCES)), priority=200)


def converse(watched: Witness, minutes: float, chance: np.random.Generator) -> dict[str, int]:
    """Have a conversation; return how many sentences were said, and what happened."""
    number = 0
    with RunningNodes(context=watched.graph.context) as nodes:
        happenings = Happenings(watched, nodes, chance)
        end = watched.now() + 60.0 * minutes
        while watched.now() < end:
            name = f"sentence {number}"
            watched.speak(name, str(chance.choice(SENTENCES)))
            number += 1
            watched.pause(float(chance.uniform(0.5, 2.0 * PACE)))
            if chance.random() < _HAPPENS:
                happenings.one(name)
                watched.pause(float(chance.uniform(0.1, PACE)))
        watched.wait_for_rest()
        watched.pause(_SETTLING)
    return {"sentences": number, **happenings.counts}


def measure(robot: str, minutes: float, seed: int, bag: Path) -> dict[str, Any]:
    """Record a conversation into a bag, replay it, and return what the comparison says."""
    with own_domain() as domain, witness(robot, domain=domain) as watched, recorded(bag, domain):
        said = converse(watched, minutes, np.random.default_rng(seed))
    outcome = subprocess.run(
        [*_PROGRAM, "replay", str(bag), "--json"], stdout=subprocess.PIPE, check=False, text=True
    )
    told = json.loads(outcome.stdout)
    largest: dict[int, float] = {}
    for item in told["deviations"]:
        apart = np.inf if item["largest"] is None else item["largest"]
        largest[item["utterance"]] = max(largest.get(item["utterance"], 0.0), apart)
    return {
        "robot": robot,
        "said": said,
        "utterances": len(largest),
        "equal": told["equal"],
        "largest_rad": told["largest"],
        "tolerance_rad": told["tolerance"],
        "within_tolerance": sum(value <= told["tolerance"] for value in largest.values()),
        "median_rad": round(float(np.median(list(largest.values()))), 6),
        "p95_rad": round(float(np.percentile(list(largest.values()), 95)), 6),
        "differences": told["differences"],
    }


def main() -> int:
    """Measure; exit with 1 where the replay was not equal."""
    arguments = parser(__doc__)
    arguments.add_argument("--minutes", type=float, default=10.0, help="length of the conversation")
    arguments.add_argument("--seed", type=int, default=0, help="of what is said, and what happens when")
    arguments.add_argument("--bag", type=Path, help="keep the recording here (.mcap)")
    args = arguments.parse_args()
    load = machine()["load"]
    with tempfile.TemporaryDirectory(prefix="text2gesture_") as folder:
        figures = measure(args.robot, args.minutes, args.seed, args.bag or Path(folder) / "talk.mcap")
    written(args.output, "replay", {"load_before": load, "minutes": args.minutes, **figures})
    return int(not figures["equal"])


if __name__ == "__main__":
    sys.exit(main())
