"""Start the three nodes: ros2 launch text2gesture_ros bringup.launch.py robot:=pepper."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from text2gesture_ros.ros.bringup import ARGUMENTS, STOP_TIMEOUT, ros_arguments
from text2gesture_ros.ros.params_file import NODES


def start_nodes(context: LaunchContext) -> list[Node]:
    """Return the nodes with the ROS arguments that text2gesture_ros.ros.bringup makes of ours.

    When one of them ends, the others are stopped: two thirds of a chain do nothing useful.
    """
    given = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}
    return [
        Node(
            package="text2gesture_ros",
            executable=node,
            output="screen",
            on_exit=Shutdown(reason=f"{node} has ended"),
            sigterm_timeout=str(STOP_TIMEOUT),
            sigkill_timeout=str(STOP_TIMEOUT),
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
