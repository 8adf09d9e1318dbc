"""Topics, services and actions of the running nodes are the README's, and all move with the namespace."""

import re

import pytest
from rclpy.action import get_action_server_names_and_types_by_node
from rclpy.lifecycle import TransitionCallbackReturn

from text2gesture_ros.ros import bringup
from text2gesture_ros.ros.gesture_generator import GestureGeneratorNode
from text2gesture_ros.ros.gesture_retargeter import GestureRetargeterNode
from text2gesture_ros.ros.intent_classifier import IntentClassifierNode

NODES = (IntentClassifierNode, GestureGeneratorNode, GestureRetargeterNode)
OUTPUTS = "joint_trajectory, joint_command, joint_positions"
OF_ROS_ITSELF = {"/rosout", "/parameter_events", "/clock"}
# Of every node, and the topics and services an action is made of.
OF_EVERY_NODE = re.compile(rf"/_action/|/({'|'.join(bringup.NODES)})/")
# Read while a node is configured, or published where a package that no wheel has is installed.
NOT_HERE = {"robot_description", "joint_angles", "arm_sdk", "plan_request"}
PART = {"service": "srv", "action": "action"}


@pytest.fixture
def table(root):
    """Return type and direction of each name in the README."""
    rows = re.findall(r"^\| `([\w/]+)` \| `(\w+)/(\w+)` \| (\w+) \|", (root / "README.md").read_text(), re.M)
    return {
        name: (f"{package}/{PART.get(direction, 'msg')}/{kind}", direction)
        for name, package, kind, direction in rows
    }


def test_names_types_and_directions_are_those_of_the_readme(graph, table):
    nodes = [graph.add(kind, wait=False, namespace="stage", autostart=False) for kind in NODES[:2]]
    nodes.append(graph.add(NODES[2], wait=False, namespace="stage", autostart=False, outputs=OUTPUTS))
    assert nodes[2].trigger_configure() == TransitionCallbackReturn.SUCCESS
    found: dict[str, set[tuple[str, str]]] = {}
    for node in nodes:
        name, namespace = node.get_name(), node.get_namespace()
        for direction, of_node in (
            ("out", node.get_publisher_names_and_types_by_node(name, namespace)),
            ("in", node.get_subscriber_names_and_types_by_node(name, namespace)),
            ("service", node.get_service_names_and_types_by_node(name, namespace)),
            ("action", get_action_server_names_and_types_by_node(node, name, namespace)),
        ):
            for topic, kinds in of_node:
                if topic not in OF_ROS_ITSELF and not OF_EVERY_NODE.search(topic):
                    assert topic == "/diagnostics" or topic.startswith("/stage/")
                    (kind,) = kinds
                    found.setdefault(topic.removeprefix("/stage/"), set()).add((kind, direction))
    directions = {"between": {"in", "out"}}
    expected = {
        topic: {(kind, way) for way in directions.get(direction, {direction})}
        for topic, (kind, direction) in table.items()
    }
    assert found == {topic: kinds for topic, kinds in expected.items() if topic not in NOT_HERE}
    assert set(expected) >= NOT_HERE
