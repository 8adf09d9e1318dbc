"""RunningNodes: talks to nodes that run already, as a program of one's own would.

with RunningNodes("robot1") as nodes:
    result = nodes.perform(Speech(text="Hello!"))
    print(result.outcome, result.reason)
    nodes.stop()
"""

import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from typing import Any, Self

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterEvent
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.parameter import Parameter, parameter_value_to_python
from std_srvs.srv import SetBool, Trigger

from text2gesture_ros.action import PerformGesture
from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.msg import Speech
from text2gesture_ros.parameters import LONGEST_RETURN, defaults
from text2gesture_ros.ros.graph_client import Closing, joined, spinning
from text2gesture_ros.ros.params_file import NODES

_ANSWER_TIMEOUT = 10.0  # of a service [s]
_TRANSITION_TIMEOUT = 60.0  # a robot may come to rest first, a model may have to be loaded [s]
_DISCOVERY = 2.0  # of nodes that need not be there [s]
_POLL_PERIOD = 0.05  # [s]


class RunningNodes(Closing):
    """A client of nodes that run already, in the ROS domain of this process.

    Args:
        namespace: of the nodes, with or without a leading slash; empty: none.
        timeout: how long a node may take to be found [s].
        context: of rclpy; None: one of its own, with the ROS domain of this process.

    Raises:
        ConfigurationError: from every method: a node is not there, does not answer or refuses, with the
            reason.

    Attributes:
        node: of rclpy, for publishers and subscriptions of one's own.
    """

    def __init__(self, namespace: str = "", timeout: float = 5.0, context: Context | None = None) -> None:
        self._namespace, self._timeout, self._context = namespace, timeout, context

    def __enter__(self) -> Self:
        """Join the ROS graph."""
        with ExitStack() as stack:
            context = stack.enter_context(joined(self._context))
            self.node = rclpy.create_node(
                f"text2gesture_client_{os.getpid()}",
                context=context,
                namespace=self._namespace,
                use_global_arguments=False,
            )
            stack.callback(self.node.destroy_node)
            stack.enter_context(spinning(self.node, context))
            self._stack = stack.pop_all()
        return self

    # What the robot does

    def perform(
        self, speech: Speech, on_feedback: Callable[[Any], None] = lambda _: None
    ) -> PerformGesture.Result:
        """Say a sentence or perform a gesture; return how it ended.

        Ctrl-C cancels it: the robot goes to rest, and the outcome is `cancelled`.

        Args:
            speech: what is said.
            on_feedback: called with each PerformGesture.Feedback, from another thread.
        """
        client = ActionClient(self.node, PerformGesture, "perform_gesture")
        try:
            self._wait_for("the action perform_gesture", client.server_is_ready)
            goal = PerformGesture.Goal(speech=speech)
            sent = client.send_goal_async(goal, lambda message: on_feedback(message.feedback))
            try:
                result = self._accepted(sent).get_result_async()
                while not result.done():
                    time.sleep(_POLL_PERIOD)
                    if not client.server_is_ready():
                        raise ConfigurationError("gesture_retargeter has ended meanwhile")
            except KeyboardInterrupt:  # perhaps before the answer, with the robot performing already
                handle = self._accepted(sent)
                self._answer(handle.cancel_goal_async())
                result = handle.get_result_async()
            return self._answer(result, LONGEST_RETURN).result
        finally:
            client.destroy()

    def _accepted(self, sent: Any) -> Any:
        """Return the handle of a goal that was sent."""
        handle = self._answer(sent)
        if not handle.accepted:
            raise ConfigurationError("the goal was rejected: gesture_retargeter has logged the reason")
        return handle

    def stop(self) -> str:
        """End what is performed and what waits; return what the robot does."""
        return self._ask(Trigger, "stop", Trigger.Request())

    def hold(self, on: bool) -> str:
        """Let the robot stand still where it is, or go on; return what it does."""
        return self._ask(SetBool, "hold", SetBool.Request(data=on))

    def _ask(self, kind: Any, service: str, request: Any) -> str:
        answer = self._call(kind, service, request)
        if not answer.success:
            raise ConfigurationError(f"{self.node.resolve_service_name(service)}: {answer.message}")
        return str(answer.message)

    # Parameters

    def get_parameters(self, node: str, names: Collection[str]) -> dict[str, Any]:
        """Return the values of parameters of a node, by name."""
        answer = self._call(GetParameters, f"{node}/get_parameters", GetParameters.Request(names=list(names)))
        return dict(zip(names, map(parameter_value_to_python, answer.values), strict=True))

    def set_parameter(self, node: str, name: str, value: object) -> None:
        """Set a parameter of a node."""
        given = ParameterMessage(name=name, value=Parameter(name, value=value).get_parameter_value())
        request = SetParameters.Request(parameters=[given])
        (result,) = self._call(SetParameters, f"{node}/set_parameters", request).results
        if not result.successful:
            raise ConfigurationError(f"{node} refuses it: {result.reason}")

    def reconfigure(self, node: str, name: str, value: object) -> None:
        """Set a parameter that a node reads when it is configured, and configure the node anew.

        It is deactivated first (a robot goes to rest) and brought back to the state it was in. With a value
        that it cannot be configured with, that is the old value.
        """
        state = self._call(GetState, f"{node}/get_state", GetState.Request()).current_state.id
        steps = {State.PRIMARY_STATE_ACTIVE: 0, State.PRIMARY_STATE_INACTIVE: 1}.get(state, 2)
        before = self.get_parameters(node, [name])[name]
        for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)[steps:]:
            self._transition(node, transition)
        up = [Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE][: 2 - steps]
        try:
            self.set_parameter(node, name, value)
            for transition in up:
                self._transition(node, transition)
        except ConfigurationError:
            self.set_parameter(node, name, before)
            for transition in up:
                self._transition(node, transition)
            raise

    def _transition(self, node: str, transition: int) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        answer = self._call(ChangeState, f"{node}/change_state", request, _TRANSITION_TIMEOUT)
        if not answer.success:
            told = self.status([node]).get(node)
            raise ConfigurationError(f"{node} {told.message if told else 'refuses a transition'}")

    # Their state

    def status(self, nodes: Collection[str] = tuple(NODES)) -> Mapping[str, DiagnosticStatus]:
        """Return what each of the nodes tells on /diagnostics; one that does not run is missing."""
        found: dict[str, DiagnosticStatus] = {}
        names = {self.node.resolve_service_name(node): node for node in nodes}

        def note(message: DiagnosticArray) -> None:
            found.update({names[item.name]: item for item in message.status if item.name in names})

        subscription = self.node.create_subscription(DiagnosticArray, "/diagnostics", note, 50)
        try:
            deadline = time.monotonic() + self._timeout
            while time.monotonic() < deadline and len(found) < len(nodes):
                time.sleep(_POLL_PERIOD)
        finally:
            self.node.destroy_subscription(subscription)
        return dict(found)

    def running(self) -> list[str]:
        """Return which of the nodes run; where some do not, when there was time to find them."""
        deadline, own = time.monotonic() + self._timeout, self.node.get_namespace()
        while True:
            seen = set(self.node.get_node_names_and_namespaces())
            found = [node for node in NODES if (node, own) in seen]
            if len(found) == len(NODES) or time.monotonic() > deadline:
                return found
            time.sleep(_POLL_PERIOD)

    # Waiting

    def wait_for_subscriber(self, publisher: Any) -> None:
        """Return when a publisher of `node` has a subscriber."""
        self._wait_for(f"a subscriber of {publisher.topic_name}", publisher.get_subscription_count)

    def _call(self, kind: Any, service: str, request: Any, timeout: float = _ANSWER_TIMEOUT) -> Any:
        client = self.node.create_client(kind, service)
        try:
            self._wait_for(f"the service {self.node.resolve_service_name(service)}", client.service_is_ready)
            return self._answer(client.call_async(request), timeout)
        finally:
            self.node.destroy_client(client)

    def _answer(self, future: Any, timeout: float = _ANSWER_TIMEOUT) -> Any:
        deadline = time.monotonic() + timeout
        while not future.done():
            if time.monotonic() > deadline:
                raise ConfigurationError(f"no answer came within {timeout:g} s: does the node still run?")
            time.sleep(_POLL_PERIOD / 10.0)
        return future.result()

    def _wait_for(self, what: str, there: Callable[[], object]) -> None:
        deadline = time.monotonic() + self._timeout
        while not there():
            if time.monotonic() > deadline:
                raise ConfigurationError(f"{what} was not found within {self._timeout:g} s. {self._hint()}")
            time.sleep(_POLL_PERIOD)

    def _hint(self) -> str:
        """Return where nodes of ours were seen, and what else may be wrong."""
        own = self.node.get_namespace()
        places = {space for name, space in self.node.get_node_names_and_namespaces() if name in NODES}
        if elsewhere := sorted(places - {own}):
            given = " or ".join(f"--namespace {space}" for space in elsewhere if space != "/")
            return f"Nodes run in {', '.join(elsewhere)}: {given or 'leave --namespace out'}"
        if places:
            return "Some of the nodes run: `text2gesture status` says which"
        domain = os.environ.get("ROS_DOMAIN_ID") or "0"
        return f"Start the nodes first, in this ROS domain (ROS_DOMAIN_ID {domain}): text2gesture bringup"


def parameters_of(namespace: str) -> list[ParameterEvent]:
    """Return the parameters of each node that runs, in the form in which ROS tells of new ones."""
    events = []
    with RunningNodes(namespace, timeout=_DISCOVERY) as nodes:
        for node in nodes.running():
            try:
                values = nodes.get_parameters(node, list(defaults(node)))
            except ConfigurationError:  # it has only just begun, and will tell itself
                continue
            given = [
                ParameterMessage(name=name, value=Parameter(name, value=value).get_parameter_value())
                for name, value in values.items()
            ]
            events.append(
                ParameterEvent(
                    stamp=nodes.node.get_clock().now().to_msg(),
                    node=nodes.node.resolve_service_name(node),
                    new_parameters=given,
                )
            )
    return events
