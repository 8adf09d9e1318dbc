"""The ROS 2 nodes: message -> core type -> one core call -> message. Only here is rclpy imported."""
