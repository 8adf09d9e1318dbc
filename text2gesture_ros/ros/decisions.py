"""Publishes what decides motion beside the frames, for the other nodes and for recordings."""

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Bool, String

from text2gesture_ros.msg import PlanCommit


class Decisions:
    """Publishes cancellations, holds, and when each plan begins.

    Args:
        node: the node that decides.
    """

    def __init__(self, node: LifecycleNode) -> None:
        kept = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._held = node.create_publisher(Bool, "held", kept)
        self._cancels = node.create_lifecycle_publisher(String, "gesture_cancel", 100)
        self._commits = node.create_lifecycle_publisher(PlanCommit, "plan_commit", 100)

    def cancel(self, utterance_id: str) -> None:
        """Publish that an utterance ends, all if the id is empty."""
        self._cancels.publish(String(data=utterance_id))

    def hold(self, on: bool) -> None:
        """Publish whether the robot is told to stand still."""
        self._held.publish(Bool(data=on))

    def plan(self, commit: PlanCommit) -> None:
        """Publish when a plan begins, and what it was made from."""
        self._commits.publish(commit)
