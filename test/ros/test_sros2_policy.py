"""The policy for SROS 2 that ships allows what the running nodes do, and nothing more."""

from xml.etree import ElementTree

from rclpy.action import get_action_server_names_and_types_by_node
from rclpy.lifecycle import TransitionCallbackReturn

from text2gesture_ros.ros.gesture_generator import GestureGeneratorNode
from text2gesture_ros.ros.gesture_retargeter import GestureRetargeterNode
from text2gesture_ros.ros.intent_classifier import IntentClassifierNode

# What is there only for a while, or with a package that no wheel has.
AT_TIMES = {
    ("gesture_retargeter", "topic", "subscribe"): {"robot_description"},
    ("gesture_retargeter", "topic", "publish"): {"joint_angles", "arm_sdk"},
}


def permissions(node):
    """Return the names a node uses, by kind and by what it does with them, relative as far as they are."""
    name, namespace = node.get_name(), node.get_namespace()
    actions = get_action_server_names_and_types_by_node(node, name, namespace)
    for kind, right, used in (
        ("topic", "subscribe", node.get_subscriber_names_and_types_by_node(name, namespace)),
        ("topic", "publish", node.get_publisher_names_and_types_by_node(name, namespace)),
        ("service", "reply", node.get_service_names_and_types_by_node(name, namespace)),
        ("service", "request", node.get_client_names_and_types_by_node(name, namespace)),
        ("action", "execute", actions),
    ):
        names = {topic for topic, _ in used if "/_action/" not in topic}
        own = {
            f"~{topic.removeprefix(f'/stage/{name}')}"
            for topic in names
            if topic.startswith(f"/stage/{name}/")
        }
        shared = {topic for topic in names if not topic.startswith(f"/stage/{name}/")}
        relative = {topic.removeprefix("/stage/") for topic in shared}
        if names:
            yield kind, right, sorted(own | relative | AT_TIMES.get((name, kind, right), set()))


def policy(nodes):
    """Return the policy (XML) of running nodes, as `ros2 security generate_policy` writes it."""
    root = ElementTree.Element("policy", version="0.2.0")
    enclaves = ElementTree.SubElement(root, "enclaves")
    for node in nodes:
        enclave = ElementTree.SubElement(enclaves, "enclave", path=f"/text2gesture_ros/{node.get_name()}")
        profiles = ElementTree.SubElement(enclave, "profiles")
        profile = ElementTree.SubElement(profiles, "profile", ns="/", node=node.get_name())
        for kind, right, names in permissions(node):
            rules = ElementTree.SubElement(profile, f"{kind}s", {right: "ALLOW"})
            for name in names:
                ElementTree.SubElement(rules, kind).text = name
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")


def test_the_policy_is_that_of_the_running_nodes(graph, root):
    options = {"wait": False, "namespace": "stage", "autostart": False, "use_sim_time": True}
    nodes = [graph.add(kind, **options) for kind in (IntentClassifierNode, GestureGeneratorNode)]
    outputs = "joint_trajectory, joint_command, joint_positions"
    nodes.append(graph.add(GestureRetargeterNode, outputs=outputs, **options))
    assert nodes[2].trigger_configure() == TransitionCallbackReturn.SUCCESS
    file = root / "config" / "sros2_policy.xml"
    expected = policy(nodes)
    found = (
        ElementTree.tostring(ElementTree.parse(file).getroot(), encoding="unicode") if file.is_file() else ""
    )
    assert found == expected, f"put this into {file.name}:\n{expected}"
