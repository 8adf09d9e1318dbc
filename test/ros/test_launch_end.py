"""bringup.launch.py when a node dies or an argument is wrong; without launch there is nothing to run."""

import os
import signal
from pathlib import Path

import pytest

pytest.importorskip("launch_ros", reason="upstream launch is part of ROS 2, not of its wheels")

from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription, RegisterEventHandler, SetEnvironmentVariable
from launch.event_handlers import OnProcessExit, OnProcessStart
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.logging import get_logger

from text2gesture_ros.ros.params_file import NODES

ISOLATION = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_DOMAIN_ID": str(1 + os.getpid() % 100)}
LAUNCH_FILE = Path(__file__).parents[2] / "launch" / "bringup.launch.py"


@pytest.mark.parametrize("victim", NODES)
def test_when_a_node_dies_the_others_are_stopped(victim):
    statuses = {}

    def started(event, _context):
        if event.process_name.startswith(victim):
            os.kill(event.pid, signal.SIGKILL)

    def ended(event, _context):
        statuses[event.process_name.rpartition("-")[0]] = event.returncode

    service = LaunchService(noninteractive=True)
    service.include_launch_description(
        LaunchDescription(
            [
                *(SetEnvironmentVariable(name, value) for name, value in ISOLATION.items()),
                RegisterEventHandler(OnProcessStart(on_start=started)),
                RegisterEventHandler(OnProcessExit(on_exit=ended)),
                IncludeLaunchDescription(PythonLaunchDescriptionSource(str(LAUNCH_FILE))),
            ]
        )
    )
    service.run()  # ends only because the launch file ends it
    assert set(statuses) == set(NODES)
    assert statuses[victim] == -signal.SIGKILL


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"robot": "r2d2"}, "r2d2"),
        ({"params_file": "missing.yaml"}, "missing.yaml"),
        ({"namespace": "no name"}, "no name"),
        ({"device": "abacus"}, "auto, cpu, cuda"),
        ({"use_sim_time": "perhaps"}, "use_sim_time must be true or false"),
    ],
)
def test_an_argument_that_cannot_be_right_starts_nothing_and_is_named(arguments, complaint, caplog):
    get_logger("launch").addHandler(caplog.handler)
    started = []
    service = LaunchService(noninteractive=True)
    service.include_launch_description(
        LaunchDescription(
            [
                RegisterEventHandler(OnProcessStart(on_start=lambda event, _: started.append(event))),
                IncludeLaunchDescription(
                    PythonLaunchDescriptionSource(str(LAUNCH_FILE)), launch_arguments=arguments.items()
                ),
            ]
        )
    )
    assert service.run() != 0
    assert not started
    assert complaint in caplog.text
