#!/usr/bin/env python3
"""Tells where the joints of a Unitree G1 or H1-2 are: lf/lowstate becomes joint_states.

Run it beside the nodes, with their ROS_DOMAIN_ID and RMW_IMPLEMENTATION: unitree_joint_states.py [g1]
"""

import sys

import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState
from unitree_hg.msg import LowState

from text2gesture_ros.robots.robot_file import load_robot

robot = load_robot(sys.argv[1] if len(sys.argv) > 1 else "g1")
if robot.arm_interface is None:
    sys.exit(f"{robot.name}: its robot file has no motors under the key arm_sdk")
motors = robot.arm_interface.motors.tolist()

rclpy.init(args=[])
node = rclpy.create_node("unitree_joint_states")
publisher = node.create_publisher(JointState, "joint_states", 10)


def tell(state):
    """Publish the measured angles of the robot's joints."""
    told = [state.motor_state[motor] for motor in motors]
    message = JointState(
        name=list(robot.joint_names),
        position=[float(motor.q) for motor in told],
        velocity=[float(motor.dq) for motor in told],
    )
    message.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(message)


node.create_subscription(LowState, "lf/lowstate", tell, qos_profile_sensor_data)
rclpy.spin(node)
