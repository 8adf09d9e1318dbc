"""Whatever arrives on any input, the nodes live, say so in a line, and serve who speaks next."""

import numpy as np
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from benchmarks.hostile import INPUTS, Hostile
from text2gesture_ros.control.verification import verify
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.ros.gesture_generator import GestureGeneratorNode
from text2gesture_ros.ros.gesture_retargeter import GestureRetargeterNode
from text2gesture_ros.ros.intent_classifier import IntentClassifierNode

COUNT = 40  # messages to each input


def test_nothing_that_arrives_ends_a_node_breaks_a_limit_or_keeps_the_next_sentence_waiting(graph):
    robot = load_robot("pepper")
    made = (IntentClassifierNode, GestureGeneratorNode, GestureRetargeterNode)
    nodes = [
        graph.add(make, cool_down=0.0) if make is IntentClassifierNode else graph.add(make) for make in made
    ]
    commands = graph.collect(JointState, "joint_command")
    plans = graph.collect(JointTrajectory, "joint_trajectory")
    hostile = Hostile(1, robot.joint_names, longest=500)
    for topic, kind in INPUTS.items():
        publisher = graph.tester.create_publisher(kind, topic, COUNT)
        graph.spin_until(publisher.get_subscription_count)
        for message in hostile.messages(topic, COUNT):
            publisher.publish(message)
            graph.spin_for(0.005)
    graph.publish("gesture_cancel", String())  # or a long text of high priority would go on
    graph.spin_for(0.2)
    assert all(node.active for node in nodes)
    assert all(node.rejected for node in nodes)
    before = len(plans)
    graph.publish("speech_text", String(data="Goodbye my friends, see you all tomorrow!"))
    graph.spin_until(lambda: any(plan.header.frame_id for plan in plans[before:]))
    stamps = [command.header.stamp.sec * 10**9 + command.header.stamp.nanosec for command in commands]
    times = np.array([stamp - stamps[0] for stamp in stamps]) * 1e-9
    positions = np.array([command.position for command in commands])
    assert not verify(robot, times, positions).violations
