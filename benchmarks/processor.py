"""How much of a processor each node takes in a conversation in which the robot gestures nearly all the time.

python -m benchmarks.processor --output benchmarks/results/processor.json
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.parts import measured, parser, written
from benchmarks.witness import SENTENCES
from text2gesture_ros.measurement import processor_time
from text2gesture_ros.ros.graph_client import GraphClient

_PACE = 2.2  # the classifier's cool-down holds none back [s]


def shares(robot: str, rate: float, count: int) -> dict[str, Any]:
    """Return the share of a core that each node takes while so many sentences are said.

    Returns:
        rate; processor, by node; gesturing: the part of the commands that perform something; commands, sent
        per second: a rate that the machine did not keep is seen here.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "parameters.yaml"
        file.write_text(f"/**/gesture_retargeter:\n  ros__parameters:\n    rate: {rate:.1f}\n")
        with GraphClient(robot, params_file=str(file)) as graph:
            begin, first = time.monotonic(), len(graph.log.commands)
            used = {node: processor_time(process.pid) for node, process in graph.processes.items()}
            for number in range(count):
                graph.say(SENTENCES[number % len(SENTENCES)])
                graph.wait_until(lambda: False, timeout=_PACE)
            taken = time.monotonic() - begin
            after = {node: processor_time(process.pid) for node, process in graph.processes.items()}
            commands = [item.message for item in graph.log.commands[first:]]
    return {
        "rate": rate,
        "processor": {node: round((after[node] - used[node]) / taken, 4) for node in used},
        "gesturing": round(sum(bool(item.header.frame_id) for item in commands) / len(commands), 3),
        "commands_per_second": round(len(commands) / taken, 1),
    }


def main() -> int:
    """Measure."""
    arguments = parser(__doc__)
    arguments.add_argument("--rates", type=float, nargs="+", default=[60.0, 100.0], help="of the loop [Hz]")
    arguments.add_argument("--sentences", type=int, default=24)
    args = arguments.parse_args()
    parts = measured(args.output, args.rates, lambda rate: shares(args.robot, rate, args.sentences))
    written(args.output, "processor", {"robot": args.robot, "sentences": args.sentences, "rates": parts})
    return 0


if __name__ == "__main__":
    sys.exit(main())
