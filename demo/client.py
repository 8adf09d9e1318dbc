#!/usr/bin/env python3
"""A client of running nodes: word times, feedback, cancel, stop.

Run `source env.bash` and `text2gesture bringup` first.
"""

import rclpy
from rclpy.action import ActionClient
from std_srvs.srv import Trigger
from text2gesture_ros.action import PerformGesture
from text2gesture_ros.msg import Speech

rclpy.init()
node = rclpy.create_node("my_client")
perform = ActionClient(node, PerformGesture, "perform_gesture")
stop = node.create_client(Trigger, "stop")
perform.wait_for_server()
stop.wait_for_service()


def answer(future):
    """Wait for an answer of the nodes."""
    rclpy.spin_until_future_complete(node, future)
    return future.result()


def begin(**speech):
    """Send a goal; its state is printed whenever that changes."""
    states = []

    def on_feedback(message):
        if [message.feedback.state] != states[-1:]:
            states.append(message.feedback.state)
            print(states[-1])

    return answer(perform.send_goal_async(PerformGesture.Goal(speech=Speech(**speech)), on_feedback))


words = {"words": ["Hello,", "my", "friend!"], "word_starts": [0.0, 0.5, 0.7]}
goal = begin(text="Hello, my friend!", duration=1.4, **words)
result = answer(goal.get_result_async()).result
print(f"{result.outcome}: {result.reason}" if result.reason else result.outcome)

goal = begin(gesture="wave", emotion="positive")
answer(goal.cancel_goal_async())  # the robot returns smoothly to rest
print(answer(goal.get_result_async()).result.outcome)

begin(text="I have no idea.")
print(answer(stop.call_async(Trigger.Request())).message)  # ends what is performed and what waits
