"""Replays a bag to the nodes, with the timing of the recording, and records the outcome."""

import math
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import rclpy
import yaml
from rclpy.context import Context
from rclpy.serialization import deserialize_message

from text2gesture_ros.generation.player import POLL_PERIOD
from text2gesture_ros.msg import GestureIntent, PlanCommit
from text2gesture_ros.ros.bag import TYPES, BagWriter
from text2gesture_ros.ros.graph_client import Closing, GraphClient, spinning
from text2gesture_ros.ros.params_file import NODES
from text2gesture_ros.ros.recorded_session import Event, RecordedSession, shifted, stamp_of
from text2gesture_ros.ros.recorder import Recorder
from text2gesture_ros.ros.running_nodes import RunningNodes
from text2gesture_ros.ros.stepped_clock import ARGUMENTS, Clock, RealClock, SteppedClock
from text2gesture_ros.understanding.clauses import MAX_CLAUSES

_REST_TIME = 5 * 10**8  # a robot that has stood still for this long, with nothing pending, is at rest [ns]
_REST_TIMEOUT = 20 * 10**9  # [ns]
_REST_POLL_PERIOD = 10**8  # [ns]
_MADE = "gesture_intent_made"  # where the classifier's intents are published
_FIRST_EVENT = 2 * 10**8  # from the beginning of the recording to the first message [ns]
_SERVICE_TIMEOUT = 10.0  # [s]
_RECORDED = tuple(name for name in TYPES if name != "parameter_events")


@dataclass(frozen=True)
class Played:
    """The outcome of a replay.

    Attributes:
        sent: messages sent, by topic.
        recorded: messages recorded, by topic.
        late: maximum delay of a message [s].
    """

    sent: Mapping[str, int]
    recorded: Mapping[str, int]
    late: float


@contextmanager
def stage(
    robot: str,
    rate: float,
    parameters: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    *,
    domain: int | None = None,
) -> Iterator["Stage"]:
    """Start the nodes in a ROS domain and with a clock of their own.

    Args:
        robot: name or path of the robot.
        rate: of control [Hz].
        parameters: of the nodes, by node and name.
        domain: ROS domain; None: one of its own.

    Raises:
        ConfigurationError: the robot is unknown, or the nodes do not come up.
    """
    # Plans are made between two commands: the clock waits for that. Nobody publishes what others would.
    own = {"rate": float(rate), "planner_process": False, "start_from": "rest", "robot_description": False}
    given = {node: dict(parameters.get(node, {})) for node in NODES}
    given["gesture_retargeter"] |= own
    given["gesture_retargeter"].pop("robot", None)
    arguments: dict[str, tuple[str, ...]] = {**ARGUMENTS}
    arguments["intent_classifier"] = (*ARGUMENTS["intent_classifier"], "-r", f"gesture_intent:={_MADE}")
    made: list[tuple[SteppedClock, _IntentGate]] = []

    @contextmanager
    def clock(context: Context, processes: Collection[int]) -> Iterator[None]:
        with SteppedClock(context, processes, 1.0 / rate) as stepped, _IntentGate(context) as gate:
            made.append((stepped, gate))
            yield

    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({f"/**/{node}": {"ros__parameters": values} for node, values in given.items()}, file)
        file.flush()
        client = GraphClient(robot, params_file=file.name, domain=domain, clock=clock, arguments=arguments)
        with client as graph:
            yield Stage(graph, *made[0])


@dataclass(frozen=True)
class Stage:
    """Nodes that were started for a replay, and the clock they follow."""

    graph: GraphClient
    clock: SteppedClock
    gate: "_IntentGate"


class _IntentGate(Closing):
    """Passes intents on from classifier to generator, once it was told to, when a recording tells it to.

    Between the two passes no simulated time, but real time did: motion is due so much later.

    Attributes:
        waits: whether intents wait until `pass_on`.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: list[GestureIntent] = []
        self.waits = False

    def __enter__(self) -> Self:
        """Begin to pass intents on."""
        with ExitStack() as stack:
            node = rclpy.create_node("intent_gate", context=self._context, use_global_arguments=False)
            stack.callback(node.destroy_node)
            self._intents = node.create_publisher(GestureIntent, "gesture_intent", MAX_CLAUSES)
            node.create_subscription(GestureIntent, _MADE, self._receive, MAX_CLAUSES)
            stack.enter_context(spinning(node, self._context))
            self._stack = stack.pop_all()
        return self

    def _receive(self, intent: GestureIntent) -> None:
        if self.waits:
            self._waiting.append(intent)
        else:
            self._intents.publish(intent)

    def pass_on(self, utterance_id: str) -> None:
        """Pass on the intents of an utterance, which have come by now."""
        for intent in self._waiting:
            if intent.utterance_id == utterance_id:
                self._intents.publish(intent)
        self._waiting = [intent for intent in self._waiting if intent.utterance_id != utterance_id]


def replay(
    session: RecordedSession,
    output: Path,
    *,
    namespace: str = "",
    own: Stage | None = None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Played:
    """Send messages of a bag with the timing of the recording; record until the robot is at rest.

    Args:
        session: what to send.
        output: where speech, intents, frames and joint commands are recorded.
        namespace: of the nodes.
        own: nodes that were started for the replay; None: those that run already.
        on_progress: called at each message with the time of the recording that has been replayed [s].

    Raises:
        ConfigurationError: a topic has no subscriber, a node ends or refuses a parameter.
        InputError: the bag is damaged.
    """
    clock = RealClock() if own is None else own.clock
    context = None if own is None else own.graph.context
    planned = own is not None and session.planned

    def wait_until(end: int, *, exactly: bool = False) -> None:
        """Let time pass, and raise errors of that time."""
        if own is not None:
            (own.clock.visit if exactly else own.clock.run_until)(end)
            own.graph.wait_until(lambda: False, timeout=0.0)
        else:
            time.sleep(max(0.0, (end - clock.now()) * 1e-9))
        if recorder.error is not None:
            raise recorder.error

    def settle() -> None:
        """Let time pass until the robot is at rest."""
        end = clock.now() + _REST_TIMEOUT
        while not activity.quiet() and clock.now() < end:
            wait_until(clock.now() + _REST_POLL_PERIOD)

    def send(event: Event, shift: int) -> None:
        """Send a message, its stamp shifted by the same time as itself, or call a service."""
        if event.topic == "held":
            nodes.hold(event.message)
        elif event.topic == "intents":
            if own is not None:
                own.clock.wait_until_idle()
                own.gate.pass_on(event.message)
        elif event.topic == "parameter":
            nodes.set_parameter(*event.message)
        elif event.topic != "plan_request" or planned:
            recorder.publish(event.topic, shifted(event.message, shift))
            if event.topic != "plan_request":
                sent[event.topic] = sent.get(event.topic, 0) + 1

    with BagWriter(output, kept=False) as writer, RunningNodes(namespace, _SERVICE_TIMEOUT, context) as nodes:
        activity = _Activity(writer, clock)
        recorder = Recorder(_RECORDED, activity.take, namespace=namespace, context=context, clock=clock)
        with recorder:
            topics = {*session.topics, *(["plan_request"] if planned else [])}
            if "speech_text" in topics:
                topics.add("speech")  # which carries the name that the sentence got
            recorder.wait_for_subscribers(topics)
            settle()
            if own is not None:
                own.clock.align()
            activity.recording = True
            sent: dict[str, int] = dict.fromkeys(session.topics, 0)
            late, shift, begin = 0, None, 0
            if own is not None:
                own.gate.waits = "gesture_intent" not in session.topics
            if planned:  # no plan before the first that the recording tells of
                recorder.publish("plan_request", PlanCommit())
            for event in session.events():
                if shift is None:
                    begin = event.due
                    shift = _shift(session, clock.now() + _FIRST_EVENT - begin, activity.stamp)
                wait_until(event.due + shift, exactly=True)
                late = max(late, clock.now() - event.due - shift)
                send(event, shift)
                on_progress((event.due - begin) * 1e-9)
            wait_until(clock.now())
            settle()
    return Played(sent, dict(writer.counts), late * 1e-9)


def _shift(session: RecordedSession, wanted: int, stamp: int) -> int:
    """Return what to add to times of a recording [ns]: `wanted`, or a little more.

    Commands are due at the same times then as those of the recording, and frames are sent at the same times
    as far as the rates of both permit it.

    Args:
        session: the recording.
        wanted: at least so much [ns].
        stamp: of a command of now [ns].
    """
    tick, poll = session.raster()
    period = round(1e9 / session.rate)
    first = wanted + (stamp - tick - wanted) % period
    if poll is None:
        return first
    raster = round(POLL_PERIOD * 1e9)

    def off(shift: int) -> int:
        return min((poll + shift) % raster, -(poll + shift) % raster)

    return min((first + number * period for number in range(raster // math.gcd(raster, period))), key=off)


class _Activity:
    """Records messages and tells from them until when something goes on."""

    def __init__(self, writer: BagWriter, clock: Clock) -> None:
        self.recording = False
        self._writer = writer
        self._clock = clock
        self._busy = clock.now() + _REST_TIME  # until then something goes on [ns]
        self.stamp = 0  # of the newest command [ns]

    def take(self, topic: str, kind: Any, stamp: int, data: bytes) -> None:
        """Receive one message."""
        if self.recording:
            self._writer.write(topic, kind, stamp, data)
        name = topic.rpartition("/")[2]
        if name == "joint_command":
            self.stamp = stamp_of(deserialize_message(data, kind))
        lasts = _lasts(name, kind, data)
        if lasts is not None:
            self._busy = max(self._busy, self._clock.now() + round(1e9 * lasts) + _REST_TIME)

    def quiet(self) -> bool:
        """Return whether the robot is at rest and nothing is pending."""
        return self._clock.now() > self._busy


def _lasts(name: str, kind: Any, data: bytes) -> float | None:
    """Return for how long something still goes on, by this message [s]; None: nothing does."""
    if name not in ("gesture_intent", "joint_command"):
        return 0.0
    message = deserialize_message(data, kind)
    if isinstance(message, GestureIntent):
        return float(message.start)
    return 0.0 if message.header.frame_id or any(message.velocity) else None
