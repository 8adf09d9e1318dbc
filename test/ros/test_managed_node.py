"""Laws of every node: parameters, lifecycle, errors of configuration, what it shows to the outside."""

import json
import math
import shutil
from dataclasses import fields

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from rcl_interfaces.msg import Log
from rcl_interfaces.srv import DescribeParameters, SetParametersAtomically
from rclpy.logging import LoggingSeverity
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.parameters import PARAMETERS, specification
from text2gesture_ros.resources import share_directory
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.ros.gesture_generator import GestureGeneratorNode
from text2gesture_ros.ros.gesture_retargeter import GestureRetargeterNode
from text2gesture_ros.ros.intent_classifier import IntentClassifierNode

NODES = [IntentClassifierNode, GestureGeneratorNode, GestureRetargeterNode]
NODE_NAMES = dict(zip(NODES, PARAMETERS, strict=True))
every_node = pytest.mark.parametrize("make_node", NODES, ids=lambda node: node.__name__)


def sleeping(graph, make_node):
    """Return a node that has loaded nothing yet."""
    return graph.add(make_node, wait=False, autostart=False)


def set_parameter(graph, node, name, value):
    """Set a parameter as `ros2 param set` does; return (successful, reason)."""
    request = SetParametersAtomically.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    service = f"{node.get_name()}/set_parameters_atomically"
    result = graph.call(SetParametersAtomically, service, request).result
    return result.successful, result.reason


@every_node
def test_each_parameter_is_described_as_in_the_table(graph, make_node):
    node = sleeping(graph, make_node)
    table = {item.name: item for item in fields(node.parameters)}
    request = DescribeParameters.Request(names=list(table))
    answer = graph.call(DescribeParameters, f"{node.get_name()}/describe_parameters", request)
    assert [descriptor.name for descriptor in answer.descriptors] == list(table)
    for descriptor in answer.descriptors:
        what = specification(table[descriptor.name])
        assert descriptor.description.startswith(what.description)
        assert not descriptor.read_only  # or ROS would never let it be set, whatever the state
        assert descriptor.type == Parameter.Type.from_parameter_value(table[descriptor.name].default).value
        assert not descriptor.dynamic_typing
        bounds = [*descriptor.floating_point_range, *descriptor.integer_range]
        given = [] if what.low is None else [(what.low, what.high)]
        assert [(bound.from_value, bound.to_value) for bound in bounds] == given


def another(item, before):
    """Return a value that a parameter may have too."""
    what = specification(item)
    if type(before) is bool:
        return not before
    if what.choices:
        return next(choice for choice in what.choices if choice != before)
    return f"{before}_too" if what.low is None else type(before)(what.high)


@every_node
def test_before_it_is_configured_a_node_takes_every_parameter(graph, make_node):
    node = sleeping(graph, make_node)
    for item in fields(node.parameters):
        value = another(item, getattr(node.parameters, item.name))
        assert set_parameter(graph, node, item.name, value) == (True, "")
        assert getattr(node.parameters, item.name) == value


@every_node
def test_once_configured_it_takes_those_that_are_live_and_says_why_not_the_others(graph, make_node):
    node = sleeping(graph, make_node)
    assert graph.transition(node, Transition.TRANSITION_CONFIGURE)
    for item in fields(node.parameters):
        what, before = specification(item), getattr(node.parameters, item.name)
        successful, reason = set_parameter(graph, node, item.name, another(item, before))
        assert successful == what.live
        if not what.live:
            assert reason == (
                f"{item.name} can be changed only while the node is unconfigured: lifecycle cleanup first"
            )
            assert getattr(node.parameters, item.name) == before
            assert set_parameter(graph, node, item.name, before)[0]  # as `ros2 param load` of its own values


def test_another_robot_is_loaded_by_cleanup_set_and_configure(graph):
    node = graph.add(GestureRetargeterNode)
    assert not set_parameter(graph, node, "robot", "nao")[0]
    assert graph.transition(node, Transition.TRANSITION_DEACTIVATE)
    assert graph.transition(node, Transition.TRANSITION_CLEANUP)
    assert set_parameter(graph, node, "robot", "no_such_robot")[0]
    assert not graph.transition(node, Transition.TRANSITION_CONFIGURE)
    assert set_parameter(graph, node, "robot", "nao")[0]
    commands = graph.collect_later(JointState, "joint_command")
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        assert graph.transition(node, transition)
    graph.spin_until(lambda: commands)
    assert commands[0].name == list(load_robot("nao").joint_names)


def test_another_model_is_loaded_by_cleanup_set_and_configure(graph, tmp_path):
    node = graph.add(GestureGeneratorNode)
    copy = shutil.copytree(share_directory() / "models" / "motion", tmp_path / "mine")
    assert not set_parameter(graph, node, "model", str(copy))[0]
    assert graph.transition(node, Transition.TRANSITION_DEACTIVATE)
    assert graph.transition(node, Transition.TRANSITION_CLEANUP)
    assert set_parameter(graph, node, "model", str(copy))[0]
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        assert graph.transition(node, transition)
    assert node.report()["model"] == str(copy)


@every_node
def test_a_wrong_value_is_refused_with_a_reason_and_changes_nothing(graph, make_node):
    node = sleeping(graph, make_node)
    before = node.parameters
    for item in fields(before):
        what, kind = specification(item), type(item.default)
        wrong = ["a word" if kind is not str else 7]
        if what.low is not None:
            wrong += [kind(what.low - 1), kind(what.high + 1)]
        if kind is float:
            wrong.append(float("nan"))
        for value in wrong:
            successful, reason = set_parameter(graph, node, item.name, value)
            assert not successful
            assert item.name in reason or "type" in reason
    assert set_parameter(graph, node, "no_such_parameter", 1)[0] is False
    assert node.parameters == before


@every_node
def test_a_wrong_value_at_the_start_is_refused_in_one_line(graph, make_node):
    for item in fields(sleeping(graph, make_node).parameters):
        what, kind = specification(item), type(item.default)
        wrong = [7.5 if kind is not float else "7"]
        if what.low is not None:
            wrong.append(kind(what.high + 1))
        for value in wrong:
            with pytest.raises(ConfigurationError, match=rf"^{item.name} must be .*") as refusal:
                graph.add(make_node, wait=False, **{item.name: value})
            assert "\n" not in str(refusal.value)


@every_node
def test_a_whole_number_counts_where_a_float_is_asked(graph, make_node):
    table = PARAMETERS[NODE_NAMES[make_node]]
    floats = {
        item.name: math.ceil(specification(item).low)
        for item in fields(table)
        if type(item.default) is float and specification(item).low is not None
    }
    node = graph.add(make_node, wait=False, autostart=False, **floats)
    for name, value in floats.items():
        assert type(node.get_parameter(name).value) is type(getattr(node.parameters, name)) is float
        successful, reason = set_parameter(graph, node, name, value)
        assert successful, reason
        assert (node.get_parameter(name).value, getattr(node.parameters, name)) == (value, value)
        assert type(node.get_parameter(name).value) is type(getattr(node.parameters, name)) is float
        assert not set_parameter(graph, node, name, value=True)[0]


@every_node
def test_what_cannot_be_configured_is_said_and_the_node_lives(graph, make_node):
    parameter = "robot" if make_node is GestureRetargeterNode else "model"
    diagnostics = graph.collect_later(DiagnosticArray, "/diagnostics")
    node = graph.add(make_node, wait=False, autostart=True, **{parameter: "no_such_thing"})
    graph.spin_until(
        lambda: any(status.level == DiagnosticStatus.ERROR for m in diagnostics for status in m.status)
    )
    message = diagnostics[-1].status[0].message
    assert "no_such_thing" in message
    assert "Known:" in message
    assert "\n" not in message
    assert graph.state(node) == "unconfigured"
    assert not graph.transition(node, Transition.TRANSITION_CONFIGURE)
    assert graph.state(node) == "unconfigured"


@every_node
@pytest.mark.parametrize("step", ["load", "start"])
def test_an_error_in_the_program_is_shown_too(graph, make_node, step):
    def fail(self):
        raise ZeroDivisionError("a mistake")

    broken = type("Broken", (make_node,), {"load": lambda self: None, step: fail})
    diagnostics = graph.collect_later(DiagnosticArray, "/diagnostics")
    node = graph.add(broken, wait=False, autostart=True)
    graph.spin_until(
        lambda: any(status.level == DiagnosticStatus.ERROR for m in diagnostics for status in m.status)
    )
    assert "ZeroDivisionError: a mistake" in diagnostics[-1].status[0].message
    assert not node.active


@every_node
def test_a_parameter_the_node_does_not_have_is_named_at_the_start(graph, make_node):
    heard = graph.collect_later(Log, "/rosout")
    graph.add(
        make_node,
        wait=False,
        autostart=False,
        use_sim_time=False,
        gesture_sacle=0.5,
        **{"qos_overrides./parameter_events.publisher.depth": 10},
    )
    graph.spin_until(lambda: heard)
    (line,) = [log for log in heard if "no such parameter" in log.msg]
    assert line.level == LoggingSeverity.WARN.value
    assert "ignored: gesture_sacle. Known: autostart, " in line.msg
    assert "\n" not in line.msg


@every_node
def test_an_illegal_transition_is_refused_and_the_node_lives(graph, make_node):
    node = sleeping(graph, make_node)
    for transition in (
        Transition.TRANSITION_ACTIVATE,
        Transition.TRANSITION_DEACTIVATE,
        Transition.TRANSITION_CLEANUP,
        Transition.TRANSITION_CALLBACK_SUCCESS,
        Transition.TRANSITION_CREATE,
        200,
    ):
        assert not graph.transition(node, transition)
    for label in ("deactivate", "no such transition", ""):
        assert not graph.transition(node, 0, label)
    assert graph.state(node) == "unconfigured"


@every_node
def test_the_whole_lifecycle_twice(graph, make_node):
    node = sleeping(graph, make_node)
    for _ in range(2):
        for transition, state in (
            (Transition.TRANSITION_CONFIGURE, "inactive"),
            (Transition.TRANSITION_ACTIVATE, "active"),
            (Transition.TRANSITION_DEACTIVATE, "inactive"),
            (Transition.TRANSITION_ACTIVATE, "active"),
            (Transition.TRANSITION_DEACTIVATE, "inactive"),
            (Transition.TRANSITION_CLEANUP, "unconfigured"),
        ):
            assert graph.transition(node, transition)
            assert graph.state(node) == state
            assert node.active == (state == "active")
    assert graph.transition(node, Transition.TRANSITION_CONFIGURE)
    assert graph.transition(node, Transition.TRANSITION_ACTIVATE)
    assert graph.transition(node, Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert graph.state(node) == "finalized"
    assert not node.active


@every_node
def test_diagnostics_name_the_node_and_its_state(graph, make_node):
    diagnostics = graph.collect_later(DiagnosticArray, "/diagnostics")
    node = sleeping(graph, make_node)
    graph.spin_until(lambda: diagnostics)
    (status,) = diagnostics[0].status
    values = {value.key: value.value for value in status.values}
    assert status.name == node.get_fully_qualified_name()
    assert status.level == DiagnosticStatus.OK
    assert status.message == values["state"] == "unconfigured"
    assert json.loads(values["messages rejected"]) == 0
