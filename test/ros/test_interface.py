"""Topics as the running nodes have them are those of the README's table, and they move with the namespace."""

import re

import pytest

from text2gesture_ros.nodes.gesture_generator import GestureGeneratorNode
from text2gesture_ros.nodes.gesture_retargeter import GestureRetargeterNode
from text2gesture_ros.nodes.intent_classifier import IntentClassifierNode

NODES = (IntentClassifierNode, GestureGeneratorNode, GestureRetargeterNode)
OF_ROS_ITSELF = {"/rosout", "/parameter_events", "/clock"}


@pytest.fixture
def table(root):
    """Return (type, direction) of each topic in the README."""
    rows = re.findall(r"^\| `([\w/]+)` \| `(\w+)/(\w+)` \| (\w+) \|", (root / "README.md").read_text(), re.M)
    return {topic: (f"{package}/msg/{kind}", direction) for topic, package, kind, direction in rows}


def test_topics_types_and_directions_are_those_of_the_readme(graph, table):
    nodes = [graph.add(kind, wait=False, namespace="stage", autostart=False) for kind in NODES]
    found: dict[str, set[tuple[str, str]]] = {}
    for node in nodes:
        name, namespace = node.get_name(), node.get_namespace()
        for direction, of_node in (
            ("out", node.get_publisher_names_and_types_by_node(name, namespace)),
            ("in", node.get_subscriber_names_and_types_by_node(name, namespace)),
        ):
            for topic, kinds in of_node:
                if topic not in OF_ROS_ITSELF and not topic.endswith("/transition_event"):
                    assert topic == "/diagnostics" or topic.startswith("/stage/")
                    (kind,) = kinds
                    found.setdefault(topic.removeprefix("/stage/"), set()).add((kind, direction))
    directions = {"in": {"in"}, "out": {"out"}, "between": {"in", "out"}}
    expected = {
        topic: {(kind, way) for way in directions[direction]} for topic, (kind, direction) in table.items()
    }
    # Read while a node is configured, where a parameter asks for it.
    assert found == {topic: kinds for topic, kinds in expected.items() if topic != "robot_description"}
