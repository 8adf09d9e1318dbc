"""The nodes as processes of their own: the whole way of a sentence, and how a process ends."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from text2gesture_ros.control.verification import verify
from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.ros import processes as processes_module
from text2gesture_ros.ros.conversation_log import TOPICS
from text2gesture_ros.ros.conversions import to_seconds
from text2gesture_ros.ros.graph_client import GraphClient
from text2gesture_ros.ros.params_file import NODES
from text2gesture_ros.ros.processes import ended, start_processes, stop_processes


def test_sentences_become_commands(domain, tmp_path):
    file = tmp_path / "hasty.yaml"
    file.write_text("/**/intent_classifier:\n  ros__parameters:\n    cool_down: 0.0\n")
    seen = {}
    sentences = [
        "Hello, nice to meet you!",
        "",
        "I have no idea, sorry.",
        "\U0001f600 \ud800",
        "Goodbye my friend! Look over there, the way to the garden is on your left, through the door.",
    ]
    client = GraphClient(
        "nao", domain=domain, params_file=str(file), on_message=lambda *m: seen.setdefault(m[0], m)
    )
    with client as graph:
        for sentence in sentences:
            graph.say(sentence)
            graph.wait_until(lambda: all(item.intent for item in graph.log.performances()), timeout=10.0)
            time.sleep(0.3)
        assert graph.wait_until(graph.log.quiet, timeout=20.0)
        performances = graph.log.performances()
        commands = [item.message for item in graph.log.commands]

    assert [performance.text for performance in performances] == sentences
    for performance in performances:
        silent = not any(character.isalpha() for character in performance.text)
        answer = performance.intent.message
        assert answer.accepted or answer.reason
        assert bool(performance.frame_count) == bool(performance.trajectories) == (not silent)
        assert (performance.latency is None) == silent
        if not silent:
            assert performance.commands
            assert performance.latency == pytest.approx(sum(performance.stages.values()))
            assert performance.frame_count > 0
            assert performance.duration > 0.0
    last = performances[-1]
    assert [item.message.clause for item in last.intents] == [0, 1]
    first_frames = {
        block.message.clause: to_seconds(block.message.header.stamp) for block in last.frames[::-1]
    }
    assert first_frames[1] - first_frames[0] == pytest.approx(last.intents[1].message.start, abs=0.1)
    robot = load_robot("nao")
    positions = np.array([command.position for command in commands])
    stamps = [command.header.stamp.sec * 10**9 + command.header.stamp.nanosec for command in commands]
    times = np.array([stamp - stamps[0] for stamp in stamps]) * 1e-9  # on a busy machine a tick may be missed
    assert not verify(robot, times, positions).violations
    assert set(TOPICS) == set(seen)
    assert all(kind is TOPICS[topic] and isinstance(data, bytes) for topic, kind, _, data in seen.values())


def test_the_client_says_what_is_wrong(domain, tmp_path):
    with pytest.raises(ConfigurationError, match="r2d2"), GraphClient("r2d2", domain=domain):
        pass
    file = tmp_path / "wrong.yaml"
    file.write_text("/**/gesture_generator:\n  ros__parameters:\n    model: no_such_model\n")
    with (
        pytest.raises(ConfigurationError, match="no_such_model"),
        GraphClient(domain=domain, params_file=str(file)),
    ):
        pass


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_every_node_with_status_0(domain, tmp_path, how):
    log = tmp_path / "log"
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain)}
    with log.open("wb") as output:
        processes = start_processes({}, environment=environment, output=output)
        try:
            deadline = time.monotonic() + 30.0
            while not all(f"[{node}]: " in log.read_text() for node in NODES):
                assert not ended(processes)
                assert time.monotonic() < deadline
                time.sleep(0.05)
            for process in processes.values():
                for _ in range(3):
                    process.send_signal(how)
            assert {node: process.wait(20.0) for node, process in processes.items()} == dict.fromkeys(
                NODES, 0
            )
        finally:
            stop_processes(processes)
    assert "Traceback" not in log.read_text()


def test_when_a_node_dies_the_others_are_stopped_and_it_is_said(domain, monkeypatch, capfd):
    processes = {}

    def start(given):
        processes.update(start_processes(given, environment={**os.environ, "ROS_DOMAIN_ID": str(domain)}))
        processes["gesture_generator"].kill()
        return processes

    monkeypatch.setattr(processes_module, "start_processes", start)
    assert processes_module.run({}) == 1
    assert all(process.poll() is not None for process in processes.values())
    assert "gesture_generator has ended with status -9" in capfd.readouterr().err


@pytest.mark.parametrize("lacking", ["", 'import sys; sys.modules["rclpy.experimental"] = None'])
def test_an_error_in_the_program_ends_a_node_after_its_work(domain, lacking):
    """Also with the executor of a release that lacks the quick one."""
    program = (
        f"{lacking}\n"
        + """
from text2gesture_ros.ros.managed_node import run
from text2gesture_ros.ros.gesture_retargeter import GestureRetargeterNode

class Broken(GestureRetargeterNode):
    def start(self):
        super().start()
        self.create_timer(0.1, self.fail)

    def fail(self):
        raise ZeroDivisionError("a mistake")

    def stop(self):
        super().stop()
        print("at rest", not self._loop.moving)

run(Broken)
"""
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "ROS_DOMAIN_ID": str(domain)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    assert "ZeroDivisionError: a mistake" in result.stderr
    assert "at rest True" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "rate:=fast"], "rate must be a float"),
        (["-p", "rate:=2000.0"], "rate must be in [10, 200] Hz"),
        (["-p", "mirror:=left"], "mirror must be a bool"),
        (["--params-file", "missing.yaml"], "missing.yaml"),
    ],
)
def test_wrong_arguments_end_a_node_with_status_2_and_no_traceback(arguments, said):
    result = subprocess.run(
        [sys.executable, "-m", "text2gesture_ros.ros.gesture_retargeter", "--ros-args", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr
