"""The verbs that talk to running nodes: what a person can do at a second terminal, without ROS's own."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from domain_coordinator import domain_id
from sensor_msgs.msg import JointState

from text2gesture_ros.apps.cli import BAD_INPUT, main
from text2gesture_ros.motion.motion import Motion, load_motion
from text2gesture_ros.robots.joint_csv import load_joints
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.ros.graph_client import GraphClient
from text2gesture_ros.ros.params_file import NODES
from text2gesture_ros.ros.running_nodes import RunningNodes
from text2gesture_ros.skeleton import INDEX, REFERENCE


@pytest.fixture(scope="module", autouse=True)
def nodes():
    """Start the nodes in a ROS domain that no other test uses, and join it."""
    with domain_id() as number, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(number))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        with GraphClient("nao", domain=number) as graph:
            yield graph


def run_json(capsys, *arguments, status=0):
    """Run a verb with --json and return what it printed."""
    capsys.readouterr()
    assert main([*arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_a_sentence_is_said_and_how_it_ended_is_told(capsys):
    found = run_json(capsys, "say", "Hello there!", "--duration", "2", "--words", "0.2,0.9")
    assert found["outcome"] in ("completed", "degraded")
    assert found["duration"] > 1.0
    assert found["performed_share"] > 0.5
    assert main(["say", "--gesture", "nod"]) == 0
    shown = capsys.readouterr()
    assert shown.err.split() == ["performing", "returning"] or shown.err.split()[0] == "waiting"
    assert shown.out.startswith(("completed\n", "performed, with deviations: "))
    assert shown.out.count("rad from the intended motion") == 1


def test_what_is_said_in_a_hold_is_not_performed_and_the_reason_comes_back(capsys):
    assert main(["hold"]) == 0
    assert "until 'text2gesture hold off', or stop" in capsys.readouterr().out
    found = run_json(capsys, "say", "--gesture", "nod", status=1)
    assert found["outcome"] == "failed"
    assert "release it with 'text2gesture hold off'" in found["reason"]
    assert main(["hold", "off"]) == 0
    assert run_json(capsys, "stop")["message"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Return a clip of a raised arm."""
    lift = np.sin(np.linspace(0.0, np.pi, 120))
    positions = np.repeat(REFERENCE[None], 120, axis=0)
    for joint, share in (("elbow", 0.3), ("wrist", 0.6), ("hand", 0.7), ("thumb", 0.65)):
        positions[:, INDEX[f"right_{joint}"], 2] += share * lift
        positions[:, INDEX[f"right_{joint}"], 0] += 0.5 * share * lift
    path = tmp_path_factory.mktemp("clip") / "lift.npz"
    Motion(positions).save(path)
    return path


def test_a_clip_and_its_joints_are_played(clip, nodes, capsys, tmp_path):
    joints = tmp_path / "lift.csv"
    assert main(["retarget", str(clip), "--robot", "nao", "-o", str(joints)]) == 0
    _, planned = load_joints(joints, load_robot("nao").joint_names)
    for file in (clip, joints):
        nodes.log.start()
        found = run_json(capsys, "play", str(file))
        assert found["outcome"] in ("completed", "degraded")
        assert found["performed_share"] > 0.5
        messages = [item.message for item in nodes.log.commands]
        performed = [m for m in messages if m.header.frame_id == found["utterance_id"]]
        column = performed[0].name.index("RShoulderPitch")
        highest = min(message.position[column] for message in performed)
        assert highest == pytest.approx(planned[:, column].min(), abs=0.1)


def test_what_cannot_be_played_is_said(clip, capsys, tmp_path):
    wrong = tmp_path / "g1.csv"
    assert main(["retarget", str(clip), "--robot", "g1", "-o", str(wrong)]) == 0
    assert main(["play", str(wrong)]) == BAD_INPUT
    assert "unknown joint" in capsys.readouterr().err
    assert main(["hold"]) == 0
    found = run_json(capsys, "play", str(clip), status=1)
    assert (found["outcome"], found["performed_share"]) == ("failed", 0.0)
    assert "release it with 'text2gesture hold off'" in found["reason"]
    assert main(["stop"]) == 0


def test_a_clip_that_is_taken_over_from_says_by_what(clip, capsys):
    program = "from text2gesture_ros.apps.cli import main; raise SystemExit(main())"
    long = clip.with_name("long.npz")
    Motion(np.tile(load_motion(clip).positions, (10, 1, 1))).save(long)
    command = [sys.executable, "-c", program, "play", str(long), "--json"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as player,
        RunningNodes() as running,
    ):
        name = []

        def on_command(message):
            name.extend([message.header.frame_id] * message.header.frame_id.startswith("clip-"))

        running.node.create_subscription(JointState, "joint_command", on_command, 10)
        while not name:
            assert player.poll() is None
            time.sleep(0.05)
        said = run_json(capsys, "say", "--gesture", "nod")
        found = json.loads(player.communicate(timeout=30)[0])
    assert player.returncode == 1
    assert found["outcome"] == "preempted"
    assert said["utterance_id"] in found["reason"]


def test_ctrl_c_cancels_what_is_said():
    program = "from text2gesture_ros.apps.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", program, "say", "--gesture", "wave", "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        while (line := process.stderr.readline()) != "performing\n":
            assert line
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert json.loads(out)["outcome"] == "cancelled"


def test_parameters_are_read_and_set(capsys):
    assert main(["param", "set", "gesture_scale", "0.5"]) == 0
    assert main(["param", "set", "neutral_motion", "false"]) == 0
    found = run_json(capsys, "param", "get", "gesture_scale", "neutral_motion", "threads")
    assert found["gesture_retargeter"] == {"gesture_scale": 0.5}
    assert found["gesture_generator"] == {"neutral_motion": False, "threads": 1}
    assert set(run_json(capsys, "param", "get")) == set(NODES)


def test_a_parameter_that_is_read_once_is_set_by_configuring_anew_and_a_refusal_changes_nothing(capsys):
    def robot():
        return run_json(capsys, "param", "get", "robot")["gesture_retargeter"]["robot"]

    before = robot()
    assert main(["param", "set", "robot", "hal", "--reconfigure"]) == BAD_INPUT
    assert "hal" in capsys.readouterr().err
    assert robot() == before
    assert main(["param", "set", "robot", "pepper", "--reconfigure"]) == 0
    said = capsys.readouterr().out
    assert "robot is pepper; it starts from the rest pose: bring the robot there first" in said
    assert robot() == "pepper"
    with RunningNodes() as running:
        states = {item.key: item.value for item in running.status()["gesture_retargeter"].values}
    assert states["state"] == "active"


def test_what_is_recorded_and_how_long_is_said(nodes, capsys, tmp_path):
    line = ["record", "-o", str(tmp_path / "talk.mcap"), "--duration", "1"]
    assert main(line) == 0
    said = capsys.readouterr().err
    assert said.endswith("talk.mcap, for 1 s, or until Ctrl-C\n")
    assert "no node runs" not in said
    main([*line, "--overwrite", "--namespace", "nobody"])
    assert "no node runs yet in namespace /nobody of this ROS domain" in capsys.readouterr().err


def test_status_tells_of_each_node(capsys):
    capsys.readouterr()
    status = main(["status", "--json", "--wait", "0"])
    found = json.loads(capsys.readouterr().out)
    assert {node: entry["state"] for node, entry in found.items()} == dict.fromkeys(NODES, "active")
    # A busy machine may make commands late, which is told.
    assert status == any(entry["wrong"] for entry in found.values())


def test_status_waits_for_nodes_that_start_but_not_for_ever(capsys, monkeypatch):
    def told(state):
        values = [KeyValue(key="state", value=state)]
        return {node: DiagnosticStatus(level=DiagnosticStatus.OK, values=values) for node in NODES}

    seen = iter([{}, told("inactive"), told("active")])
    monkeypatch.setattr(RunningNodes, "status", lambda _: next(seen))
    assert set(run_json(capsys, "status")) == set(NODES)
    seen = iter([{}, told("active")])
    assert run_json(capsys, "status", "--wait", "0", status=1)
    assert main(["status", "--wait", "-1"]) == BAD_INPUT
    assert "--wait" in capsys.readouterr().err


def test_where_no_nodes_are_it_is_said_where_some_are(capsys):
    assert main(["stop", "--namespace", "elsewhere"]) == BAD_INPUT
    said = capsys.readouterr().err
    assert "/elsewhere/stop" in said
    assert "leave --namespace out" in said
    assert run_json(capsys, "status", "--namespace", "elsewhere", "--wait", "0", status=1)
    assert os.environ["ROS_DOMAIN_ID"]
