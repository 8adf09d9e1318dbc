"""Base of the nodes: parameters from the table, lifecycle, one-line errors, diagnostics, a clean end."""

import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any, Generic, TypeVar

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions

from text2gesture_ros.errors import ConfigurationError, Text2GestureError
from text2gesture_ros.parameters import PARAMETERS, NodeParameters, Specification, specification

try:  # the first releases of Jazzy lack it: the other one works as well, but takes more processor time
    from rclpy.experimental import EventsExecutor as Executor
except ImportError:
    from rclpy.executors import SingleThreadedExecutor as Executor

P = TypeVar("P", bound=NodeParameters)

_LAST_SPINS = 20  # callbacks that are still served after a node was deactivated
_MAX_LINE = 400  # characters of an error that are logged; it may quote messages from outside


class ClockedNode(LifecycleNode):  # type: ignore[misc]  # rclpy comes without types
    """A lifecycle node with a second clock, for loops: monotonic unless time is simulated.

    Attributes:
        loop_clock: that clock, for timers.
    """

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.loop_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._clock_offset = 0.0

    def now(self) -> float:
        """Return the time of the node's clock [s]; simulated time with use_sim_time."""
        return float(self.get_clock().now().nanoseconds) * 1e-9

    def loop_now(self) -> float:
        """Return the time of the loop clock [s]."""
        return float(self.loop_clock.now().nanoseconds) * 1e-9

    def clock_offset(self) -> float:
        """Return the node's time minus the loop's [s].

        It is constant until the node's clock is set by more than 5 ms: measured anew each time, it would
        jitter with every interruption between the two readings, and consecutive blocks would overlap.
        """
        readings = []
        for _ in range(3):
            before, now, after = self.loop_now(), self.now(), self.loop_now()
            readings.append((after - before, now - (before + after) / 2.0))
            if abs(readings[-1][1] - self._clock_offset) <= 5e-3:
                return self._clock_offset
        self._clock_offset = min(readings)[1]
        return self._clock_offset


class ManagedNode(ClockedNode, Generic[P]):
    """A lifecycle node with the parameters of its row in the table.

    A node overrides `load`, `unload`, `start`, `stop`, `check`, `changed` and `report` and need not know the
    lifecycle. What `load` or `start` raise as Text2GestureError becomes one line and a failed transition.

    Args:
        name: name of the node and key of `PARAMETERS`.
        options: passed on to rclpy's node.

    Raises:
        ConfigurationError: a parameter given at the start has a wrong type or value.
    """

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.active = False
        self.configured = False
        self.rejected = 0  # messages that could not be used
        self._error = ""  # of the latest transition
        self._conflicts: list[str] = []  # with others in the ROS graph, at present
        self.parameters: P = self._declare_parameters(name)
        self.add_pre_set_parameters_callback(self._as_floats)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._swap_parameters)
        self._guard_change_state()
        self._steady_clock = self.loop_clock
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1.0, self._publish_diagnostics, clock=self._steady_clock)
        if self.parameters.autostart:
            self._autostart = self.create_timer(0.0, self._start_by_itself, clock=self._steady_clock)

    # What a node overrides

    def load(self) -> None:
        """Read models and robots; called by configure. Raises Text2GestureError if that fails."""

    def unload(self) -> None:
        """Undo `load`; called by cleanup."""

    def start(self) -> None:
        """Begin to work; called by activate. Raises Text2GestureError if that is impossible."""

    def stop(self) -> None:
        """End the work; called by deactivate and before the program ends."""

    def check(self, new: P) -> None:
        """Raise ConfigurationError if the node cannot take `new` parameters in its present state."""

    def changed(self, old: P) -> None:
        """React to new `self.parameters`, which have replaced `old`."""

    def report(self) -> Mapping[str, object]:
        """Return values for /diagnostics.

        A `warning` that is not empty raises the level; so does each line of `conflicts` (with other nodes),
        which is logged too.
        """
        return {}

    # What a node uses

    def subscribe(
        self, message_type: type, topic: str, callback: Callable[[Any], None], quality: int | QoSProfile
    ) -> None:
        """Call `callback` with each message while the node is active; one it cannot use is a warning.

        Args:
            message_type: of the topic.
            topic: its name.
            callback: is called with each message.
            quality: of service, or the depth of the queue of reliable messages.
        """

        def guarded(message: Any) -> None:
            if not self.active:
                return
            try:
                callback(message)
            except Text2GestureError as error:
                self.reject(topic, error)

        self.create_subscription(message_type, topic, guarded, quality)

    def reject(self, topic: str, error: Text2GestureError) -> None:
        """Count what arrived on `topic` as unusable and say why, at most once a second."""
        self.rejected += 1
        self.get_logger().warning(f"{topic}: {one_line(error)}", throttle_duration_sec=1.0)

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load what the node needs; if that is impossible one line says why."""
        if not self._succeeds("configure", self.load):
            return TransitionCallbackReturn.FAILURE
        self.configured = True
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Enable the publishers, then begin to work; if that is impossible one line says why."""
        result = super().on_activate(state)
        simulated = self.get_parameter("use_sim_time").value
        self.loop_clock = self.get_clock() if simulated else self._steady_clock
        if not self._succeeds("activate", self.start):
            super().on_deactivate(state)
            return TransitionCallbackReturn.FAILURE
        self.active = True
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the work, then disable the publishers."""
        self._end_work()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget what was loaded; configure loads it anew."""
        self.configured = False
        self.unload()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the work, whatever state the node is in."""
        self._end_work()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Be unconfigured again after an error in a transition."""
        self.active = False
        if self.configured:
            self.configured = False
            self.unload()
        return super().on_error(state)

    def _end_work(self) -> None:
        if self.active:
            self.active = False
            with self._swallowed_errors_shown("deactivate"):
                self.stop()

    def _succeeds(self, what: str, work: Callable[[], None]) -> bool:
        """Return whether the work of a transition could be done."""
        with self._swallowed_errors_shown(what):
            try:
                work()
            except Text2GestureError as error:
                self._error = f"cannot {what}: {one_line(error)}"
                self.get_logger().error(self._error)
                return False
        self._error = ""
        return True

    @contextmanager
    def _swallowed_errors_shown(self, what: str) -> Iterator[None]:
        # rclpy makes a silent failure of what a transition raises; an error in the program must be seen.
        try:
            yield
        except BaseException as error:
            self._error = f"cannot {what}: {type(error).__name__}: {one_line(error)}"
            self.get_logger().fatal(traceback.format_exc())
            raise

    def _start_by_itself(self) -> None:
        self._autostart.cancel()
        try:
            if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
                self.trigger_activate()
        except rclpy_implementation.RCLError:
            self.get_logger().info("autostart: someone else has already begun to configure this node")

    def _guard_change_state(self) -> None:
        # On Jazzy a transition that the current state does not know raises out of spin and ends the node.
        service = self._service_change_state
        change_state = service.callback

        def guarded(request: Any, response: Any) -> Any:
            try:
                return change_state(request, response)
            except rclpy_implementation.RCLError as error:
                self.get_logger().error(f"refused a lifecycle transition: {one_line(error)}")
                response.success = False
                return response

        service.callback = guarded

    # Parameters

    def _declare_parameters(self, name: str) -> P:
        # First without a type, so that the table's own sentence answers a wrong value, then as what they are.
        table = fields(PARAMETERS[name])
        for item in table:
            self.declare_parameter(item.name, item.default, ParameterDescriptor(dynamic_typing=True))
        values = {item.name: self.get_parameter(item.name).value for item in table}
        parameters = PARAMETERS[name](**values)
        for item in table:
            value = Parameter(item.name, value=getattr(parameters, item.name)).get_parameter_value()
            self.set_descriptor(item.name, descriptor(specification(item), item.default), value)
        # What ROS itself understands is declared by now, or is about the quality of service of a topic.
        unknown = sorted(
            given
            for given in self._parameter_overrides
            if not self.has_parameter(given) and not given.startswith("qos_overrides.")
        )
        if unknown:
            known = ", ".join(item.name for item in table)
            self.get_logger().warning(f"no such parameter, ignored: {', '.join(unknown)}. Known: {known}")
        return parameters  # type: ignore[return-value]  # the table's row for `name` is P

    def _table_values(self, given: Sequence[Any]) -> dict[str, Any]:
        names = {item.name for item in fields(self.parameters)}
        return {parameter.name: parameter.value for parameter in given if parameter.name in names}

    def _as_floats(self, given: Sequence[Parameter]) -> list[Parameter]:
        """Return parameters, whole numbers as floats where these are asked: ROS itself is strict."""
        floats = {item.name for item in fields(self.parameters) if isinstance(item.default, float)}
        return [
            Parameter(parameter.name, value=float(parameter.value))
            if parameter.name in floats and parameter.type_ == Parameter.Type.INTEGER
            else parameter
            for parameter in given
        ]

    def _check_parameters(self, given: Sequence[Any]) -> SetParametersResult:
        try:
            new = replace(self.parameters, **self._table_values(given))
            self._check_fixed(new)
            self.check(new)
        except Text2GestureError as error:
            return SetParametersResult(successful=False, reason=one_line(error))
        return SetParametersResult(successful=True)

    def _check_fixed(self, new: NodeParameters) -> None:
        """Raise ConfigurationError where `new` changes what was read when the node was configured."""
        if not self.configured:
            return
        for item in fields(new):
            changes = getattr(new, item.name) != getattr(self.parameters, item.name)
            if changes and not specification(item).live:
                raise ConfigurationError(
                    f"{item.name} can be changed only while the node is unconfigured: lifecycle cleanup first"
                )

    def _swap_parameters(self, given: Sequence[Any]) -> None:
        old = self.parameters
        self.parameters = replace(old, **self._table_values(given))
        if self.parameters != old:
            self.changed(old)

    # Diagnostics

    def _namesakes(self) -> list[str]:
        """Return a line if another node has the name of this one: both do what is asked of one."""
        mine = self.get_fully_qualified_name()
        nodes = [f"{space.rstrip('/')}/{name}" for name, space in self.get_node_names_and_namespaces()]
        if nodes.count(mine) <= 1:
            return []
        return [f"{nodes.count(mine)} nodes are called {mine}: stop all but one, or give each a namespace"]

    def _publish_diagnostics(self) -> None:
        state = "active" if self.active else "inactive" if self.configured else "unconfigured"
        values: dict[str, Any] = {"state": state, "messages rejected": self.rejected, **self.report()}
        conflicts = [*self._namesakes(), *values.pop("conflicts", ())]
        for line in conflicts:
            if line not in self._conflicts:
                self.get_logger().warning(line)
        self._conflicts = conflicts
        warning = "; ".join(filter(None, (str(values.pop("warning", "")), *conflicts)))
        level = DiagnosticStatus.WARN if warning else DiagnosticStatus.OK
        status = DiagnosticStatus(
            level=DiagnosticStatus.ERROR if self._error else level,
            name=self.get_fully_qualified_name(),
            message=self._error or warning or state,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def one_line(error: BaseException) -> str:
    """Return the message of an error as one line of bounded length."""
    text = " ".join(str(error).split())
    return text if len(text) <= _MAX_LINE else text[:_MAX_LINE] + " ..."


def descriptor(specification: Specification, default: object) -> ParameterDescriptor:
    """Return the ROS descriptor of a parameter."""
    what = [specification.description]
    if specification.unit:
        what.append(f"[{specification.unit}]")
    result = ParameterDescriptor(
        type=Parameter.Type.from_parameter_value(default).value,
        description=" ".join(what),
        additional_constraints=specification.allowed,
    )
    if specification.low is not None and specification.high is not None:
        if isinstance(default, float):
            bounds = FloatingPointRange(from_value=specification.low, to_value=specification.high)
            result.floating_point_range = [bounds]
        else:
            span = IntegerRange(from_value=int(specification.low), to_value=int(specification.high))
            result.integer_range = [span]
    return result


def run(make_node: Callable[[], ManagedNode[Any]], arguments: Sequence[str] | None = None) -> int:
    """Run one node until SIGINT or SIGTERM, let it end its work, and return the exit status.

    rclpy's own handlers would close the connection at once, and a robot in mid-gesture would stay there: so
    the signals are taken here. They may come again (Ctrl-C reaches a node both directly and through
    `ros2 launch`) and then change nothing.
    """
    asked_to_end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_end.set())
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    except (rclpy_implementation.RCLError, rclpy_implementation.UnknownROSArgsError) as error:
        sys.stderr.write(f"cannot start: {one_line(error)}\n")
        return 2
    try:
        node = make_node()
    except Text2GestureError as error:
        get_logger("text2gesture_ros").error(f"cannot start: {one_line(error)}")
        rclpy.shutdown()
        return 2
    executor = Executor()
    executor.add_node(node)
    try:
        try:
            while rclpy.ok() and not asked_to_end.is_set():
                executor.spin_once(timeout_sec=0.1)  # without a timeout some releases spin for nothing
        finally:
            # Even after an error in the program: a robot must not stay where that has left it.
            if rclpy.ok():
                if node.active:
                    node.trigger_deactivate()
                # A client that waits for an answer, such as that of an action, gets it.
                for _ in range(_LAST_SPINS):
                    executor.spin_once(timeout_sec=0.0)
    except ExternalShutdownException:
        pass
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # or one more, while Python ends, would spoil the status
    return 0
