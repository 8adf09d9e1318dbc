"""Benchmarks of the classifier, the generator, and the whole chain of nodes."""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from text2gesture_ros.errors import ConfigurationError, ModelError
from text2gesture_ros.generation.generator import GestureGenerator
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.measurement import median_and_p95, median_and_p99, processor_time, rounded
from text2gesture_ros.parameters import GestureGeneratorParameters, IntentClassifierParameters
from text2gesture_ros.resources import share_directory
from text2gesture_ros.understanding.classifier import IntentClassifier

if TYPE_CHECKING:
    from text2gesture_ros.ros.conversation_log import Performance

SENTENCES = {
    5: "Hello, nice to see you!",
    12: "Please have a seat over there, the doctor will see you soon.",
    15: "Look over there, the reading corner is right next to the window beside the door.",
    40: (
        "I am so sorry to hear that your grandmother is ill, please tell her that we are all thinking of "
        "her and that we will bring some flowers and fresh bread on Sunday, after the concert in town, "
        "all right?"
    ),
}
NODE_SENTENCE = 12
"""Which of them is sent to the node."""

_WARM_UP = 5


def text(parameters: IntentClassifierParameters, count: int) -> dict[str, Any]:
    """Measure the time to classify a sentence, and start-up time and memory of the classifier node.

    Args:
        parameters: which model, device, threads.
        count: runs per length.

    Returns:
        Milliseconds per number of words, in this process; what ran; where there is ROS, of the node
        intent_classifier: ready_s from the start of its process to the lifecycle state active,
        ready_processor_s the processor time of that, memory_mb resident, and milliseconds from a sentence
        published to its intent received.

    Raises:
        ConfigurationError: the node does not start or answer.
    """
    classifier = IntentClassifier(parameters.model, device=parameters.device, threads=parameters.threads)
    words = {}
    for length, sentence in SENTENCES.items():
        taken = []
        for _ in range(_WARM_UP + count):
            begin = time.perf_counter()
            classifier.classify([sentence], parameters.confidence_threshold)
            taken.append(time.perf_counter() - begin)
        words[str(length)] = median_and_p99(taken[_WARM_UP:])
    figures = {
        "words": words,
        "n": count,
        "engine": classifier.engine,
        "precision": classifier.precision,
        "threads": parameters.threads,
    }
    return figures | ({"node": _node(parameters, count)} if find_spec("rclpy") else {})


def _node(parameters: IntentClassifierParameters, count: int) -> dict[str, Any]:
    """Measure the node that classifies, in a ROS domain of its own."""
    # ROS lives in processes of its own here: it reads its environment when it starts.
    with tempfile.TemporaryDirectory(prefix="text2gesture_") as log:
        environment = {
            "ROS_DOMAIN_ID": str(random.SystemRandom().randint(1, 101)),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "ROS_LOG_DIR": log,
            "FASTRTPS_DEFAULT_PROFILES_FILE": str(share_directory() / "config" / "fastdds.xml"),
        }
        given = {"sentence": SENTENCES[NODE_SENTENCE], "count": count, "parameters": asdict(parameters)}
        command = [sys.executable, "-m", "text2gesture_ros.ros.node_probe", json.dumps(given)]
        probe = subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
    if probe.returncode:
        last = (probe.stderr.strip().splitlines() or ["no word why"])[-1]
        raise ConfigurationError(f"the node cannot be measured: {last}")
    found = json.loads(probe.stdout)
    return {
        "ready_s": rounded(found["ready"], 2),
        "ready_processor_s": rounded(found["processor"], 2),
        "memory_mb": rounded(found["memory"] / 1e6, 1),
        "words": NODE_SENTENCE,
        **median_and_p99(found["answers"]),
    }


def generator(parameters: GestureGeneratorParameters, count: int) -> dict[str, Any]:
    """Measure the frame rate of the generator.

    Args:
        parameters: which model, device, threads.
        count: clips per gesture.

    Returns:
        frames_per_second over all clips; p99_ms of the wait for one frame; first_frame_ms (median); what ran.
    """
    model = GestureGenerator(parameters.model, device=parameters.device, threads=parameters.threads)
    for _ in model.frames(GESTURES[0], seed=0):
        pass
    waits: list[float] = []
    firsts: list[float] = []
    for seed in range(count):
        for gesture in GESTURES:
            begin = time.perf_counter()
            first = True
            for _ in model.frames(
                gesture, seed=seed, variation=parameters.variation, max_duration=parameters.max_duration
            ):
                now = time.perf_counter()
                waits.append(now - begin)
                if first:
                    firsts.append(now - begin)
                    first = False
                begin = now
    return {
        "frames_per_second": rounded(len(waits) / sum(waits), 1),
        "p99_ms": rounded(1000.0 * np.percentile(waits, 99)),
        "first_frame_ms": rounded(1000.0 * np.median(firsts)),
        "frames": len(waits),
        "clips": len(firsts),
        "engine": model.engine,
        "threads": parameters.threads,
    }


def latency(robot: str, sentences: Sequence[str], count: int, pace: float) -> dict[str, Any]:
    """Measure the time from a text published to the first joint command received, through the real nodes.

    Many gestures are still going on when the next is asked for; the classifier's `cool_down` is 0, so that it
    is made all the same.

    Args:
        robot: name or path of the robot.
        sentences: what is said, in turn.
        count: how many in all.
        pace: from one sentence to the next [s].

    Returns:
        median_ms and p95_ms from text to first joint trajectory, of the sentences that call for a gesture
        (talking motion may wait until the gesture before it has ended); gestures, how many these are; n, how
        many of them became a trajectory; stages, each with median_ms, p95_ms and its share of the time of
        all: classify, generate, retarget (each with the transport to its node, the last with that to us);
        first_motion, from text to the first joint_command that performs it; visible, to the first that is
        seen to (`Performance.visible`); processor: the share of a core that each node took.

    Raises:
        ConfigurationError: the robot is unknown, or the nodes do not come up or do not stay up.
    """
    # ROS is needed for this measurement only.
    from text2gesture_ros.ros.graph_client import GraphClient

    with tempfile.TemporaryDirectory(prefix="text2gesture_") as folder:
        file = Path(folder) / "parameters.yaml"
        file.write_text("/**/intent_classifier:\n  ros__parameters:\n    cool_down: 0.0\n", encoding="utf-8")
        with GraphClient(robot, params_file=str(file)) as graph:
            begin = time.monotonic()
            used = {node: processor_time(process.pid) for node, process in graph.processes.items()}
            for index in range(count):
                graph.say(sentences[index % len(sentences)])
                # Nothing to wait for but time; a node that ends meanwhile ends the measurement.
                graph.wait_until(lambda: False, timeout=pace)
            taken = time.monotonic() - begin
            processor = {
                node: rounded((processor_time(process.pid) - used[node]) / taken)
                for node, process in graph.processes.items()
            }
            graph.wait_until(graph.log.quiet, timeout=20.0)
            performances = graph.log.performances()
    gestures = [item for item in performances if item.intent and item.intent.message.accepted]
    return {
        **latency_figures(gestures),
        "sentences": count,
        "pace_s": pace,
        "robot": robot,
        "processor": processor,
    }


def latency_figures(performances: "Sequence[Performance]") -> dict[str, Any]:
    """Return median, 95th percentile and stages of the sentences that became commands, as `latency` does.

    Raises:
        ModelError: none did.
    """
    commanded = [item for item in performances if item.latency is not None]
    if not commanded:
        raise ModelError(f"none of {len(performances)} sentences became a command")
    stages: dict[str, list[float]] = {}
    for performance in commanded:
        for stage, seconds in performance.stages.items():
            stages.setdefault(stage, []).append(seconds)
    latencies = [item.latency for item in commanded if item.latency is not None]
    figures = {
        **median_and_p95(latencies),
        "gestures": len(performances),
        "n": len(commanded),
        "stages": {
            stage: {**median_and_p95(seconds), "share": rounded(sum(seconds) / sum(latencies))}
            for stage, seconds in stages.items()
        },
    }
    if first := [item.commands[0].time - item.said for item in commanded if item.commands]:
        figures["first_motion"] = median_and_p95(first)
    if visible := [item.visible for item in commanded if item.visible is not None]:
        figures["visible"] = median_and_p95(visible)
    return figures
