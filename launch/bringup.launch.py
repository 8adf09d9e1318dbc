"""Start the three nodes: ros2 launch text2gesture_ros bringup.launch.py robot:=pepper."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from text2gesture_ros.bringup import ARGUMENTS, NODES, ros_arguments


def start_nodes(context: LaunchContext) -> list[Node]:
    """Return the nodes with the ROS arguments that text2gesture_ros.bringup makes of ours."""
    given = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}
    return [
        Node(
            package="text2gesture_ros",
            executable=node,
            output="screen",
            ros_arguments=ros_arguments(node, given),
        )
        for node in NODES
    ]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the nodes."""
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(
                    argument.name, default_value=argument.default, description=argument.description
                )
                for argument in ARGUMENTS
            ),
            OpaqueFunction(function=start_nodes),
        ]
    )
