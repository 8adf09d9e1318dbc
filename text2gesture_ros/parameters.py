"""Every parameter of every node: default, meaning, unit, bounds, and whether it may change while running."""

from collections.abc import Collection
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any

from text2gesture_ros.errors import ConfigurationError

Value = bool | int | float | str

QUEUE, IGNORE, REPLACE = "queue", "ignore", "replace"
"""Values of `preemption`: how an utterance of lower priority than the current one is treated."""

ALWAYS, WHEN_USED, NEVER = MODES = ("always", "when_used", "never")
"""When a joint group is commanded: always, while a gesture uses it until it is back at rest, or never."""

LONGEST_RETURN = 10.0
"""Longest time the retargeter takes to bring the robot to rest when the node is stopped [s]."""

MAX_FADE_TIME = 5.0
"""Longest time in which the weight of an arm interface may go from one end to the other [s]."""


@dataclass(frozen=True)
class Specification:
    """Meaning, unit and allowed values of a parameter.

    Attributes:
        description: one sentence.
        unit: SI unit, empty for none.
        low, high: inclusive bounds of a number, None for other types.
        choices: the allowed strings; empty: any that is not empty.
        several: whether the value is a comma-separated list of choices.
        live: whether it may be set while the node is active; otherwise only while it is unconfigured.
    """

    description: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    several: bool = False
    live: bool = False

    def check(self, name: str, value: object, kind: type) -> None:
        """Raise ConfigurationError unless `value` is a `kind` within the bounds or among the choices.

        A whole number counts where a float is asked.
        """
        if type(value) is not kind and not (kind is float and type(value) is int):
            article = "an" if kind is int else "a"
            raise ConfigurationError(
                f"{name} must be {article} {kind.__name__} but is the {type(value).__name__} {value!r}"
            )
        if isinstance(value, float | int) and self.low is not None and self.high is not None:
            if not self.low <= value <= self.high:
                unit = f" {self.unit}" if self.unit else ""
                raise ConfigurationError(
                    f"{name} must be in [{self.low:g}, {self.high:g}]{unit} but is {value}"
                )
        elif self.choices and not set(listed(value) if self.several else [value]) <= set(self.choices):
            raise ConfigurationError(f"{name} must be {self.allowed} but is {value!r}")
        elif value == "":
            raise ConfigurationError(f"{name} must not be empty")

    @property
    def allowed(self) -> str:
        """The choices as part of a sentence; empty where any non-empty string is allowed."""
        how = "one or more of" if self.several else "one of"
        return f"{how} {', '.join(self.choices)}" if self.choices else ""


def listed(value: object) -> tuple[str, ...]:
    """Return the elements of a comma-separated value."""
    return tuple(word.strip() for word in str(value).split(","))


def parameter(
    default: Value,
    description: str,
    bounds: tuple[float, float] | None = None,
    unit: str = "",
    *,
    choices: tuple[str, ...] = (),
    several: bool = False,
    live: bool = False,
) -> Any:
    """Return a dataclass field with its specification."""
    low, high = bounds or (None, None)
    return field(
        default=default,
        metadata={"specification": Specification(description, unit, low, high, choices, several, live)},
    )


def _group(name: str) -> Any:
    """Return a field for the command mode of a joint group."""
    return parameter(
        ALWAYS,
        f"When {name} is commanded: always, when_used by the current gesture, or never.",
        choices=MODES,
        live=True,
    )


@dataclass(frozen=True)
class NodeParameters:
    """Parameters that every node has; whole numbers become floats where these are asked.

    Raises:
        ConfigurationError: a value has the wrong type, is out of bounds or not one of the choices; the
            message says what is allowed.
    """

    autostart: bool = parameter(True, "Configure and activate the node when it starts.")

    def __post_init__(self) -> None:
        for item in fields(self):
            value, kind = getattr(self, item.name), type(item.default)
            specification(item).check(item.name, value, kind)
            if kind is float:
                object.__setattr__(self, item.name, float(value))


@dataclass(frozen=True)
class ModelParameters(NodeParameters):
    """Parameters of the nodes that run a model."""

    device: str = parameter(
        "auto",
        "Device that runs the model; auto uses a GPU if the runtime supports one.",
        choices=("auto", "cpu", "cuda"),
    )
    threads: int = parameter(1, "CPU threads of the model.", (1, 64))


@dataclass(frozen=True)
class IntentClassifierParameters(ModelParameters):
    """Parameters of the node intent_classifier."""

    model: str = parameter("intent", "Name of a shipped model, or path of a model directory.")
    confidence_threshold: float = parameter(
        0.4,
        "Lowest probability of an accepted gesture; below it the robot stays neutral.",
        (0.0, 1.0),
        live=True,
    )
    speech_threshold: float = parameter(
        0.5,
        "Lowest probability of English speech at which a text is accepted; below it the robot stays neutral.",
        (0.0, 1.0),
        live=True,
    )
    clause_words: int = parameter(
        12,
        "Longest text that is classified as a whole; a longer text is classified clause by clause.",
        (3, 1000),
        "words",
        live=True,
    )
    speaking_rate: float = parameter(
        2.6,
        "Speaking rate of the voice; estimates clause times where no duration or word times are given.",
        (0.5, 10.0),
        "words/s",
        live=True,
    )
    cool_down: float = parameter(
        2.0,
        "Minimum time between the starts of two gestures; the robot stays neutral in between.",
        (0.0, 60.0),
        "s",
        live=True,
    )
    repeat_gestures: bool = parameter(
        False, "Whether one text may use the same gesture twice in a row.", live=True
    )


@dataclass(frozen=True)
class GestureGeneratorParameters(ModelParameters):
    """Parameters of the node gesture_generator."""

    model: str = parameter("motion", "Name of a shipped model, or path of a model directory.")
    block_size: int = parameter(
        8,
        "Frames per message; small blocks start sooner, large blocks cost less.",
        (1, 60),
        "frames",
        live=True,
    )
    look_ahead: float = parameter(
        0.5, "How early before its due time a block may be sent.", (0.05, 5.0), "s", live=True
    )
    start_delay: float = parameter(
        0.05, "Time from the arrival of an intent to the first frame.", (0.0, 5.0), "s", live=True
    )
    speed_scale: float = parameter(1.0, "Playback speed; 1 is human speed.", (0.5, 2.0), live=True)
    variation: float = parameter(
        1.0,
        "How much performances of a gesture differ; 0: always the typical one, 1: as in the training data.",
        (0.0, 1.0),
        live=True,
    )
    seed: int = parameter(
        -1,
        "Seed of the variation: the same seed gives the same motion. -1: a new seed each time.",
        (-1, 999_999),
    )
    neutral_motion: bool = parameter(
        True, "Whether speech without an accepted gesture gets small talking motion.", live=True
    )
    max_duration: float = parameter(
        4.0,
        "Maximum playback time of a gesture; the maximum length of the model applies too.",
        (0.5, 30.0),
        "s",
        live=True,
    )
    preemption: str = parameter(
        QUEUE,
        "What happens to an utterance of lower priority than the current one: it waits (queue), "
        "is refused (ignore) or takes over (replace).",
        choices=(QUEUE, IGNORE, REPLACE),
        live=True,
    )


@dataclass(frozen=True)
class GestureRetargeterParameters(NodeParameters):
    """Parameters of the node gesture_retargeter, and the settings of the retargeter without ROS."""

    robot: str = parameter(
        "pepper",
        "Name of a shipped robot, or path of a robot file (.yaml); optionally : and a limit set (g1:seated).",
    )
    robot_description: bool = parameter(
        False,
        "Whether the URDF comes from the topic robot_description, not from the path in the robot file.",
    )
    start_from: str = parameter(
        "auto",
        "Pose of the first command. auto: measured pose if joint_states has a publisher, else rest; "
        "joint_states: wait for it; rest: assume rest.",
        choices=("auto", "joint_states", "rest"),
        live=True,
    )
    pose_tolerance: float = parameter(
        0.25,
        "If a measured joint differs by more than this from its command while idle, restart from the "
        "measured pose; 0: never.",
        (0.0, 6.3),
        "rad",
        live=True,
    )
    outputs: str = parameter(
        "joint_trajectory, joint_command",
        "Topics on which commands are published, separated by commas.",
        choices=("joint_trajectory", "joint_command", "joint_positions", "joint_angles", "arm_sdk"),
        several=True,
    )
    position_joints: str = parameter(
        "all",
        "Joints of joint_positions in order, separated by commas; all: the order of the robot file.",
    )
    rate: float = parameter(
        100.0,
        "Rate of the control loop; can be changed while the robot is at rest.",
        (10.0, 200.0),
        "Hz",
        live=True,
    )
    gesture_scale: float = parameter(
        1.0, "Size of the gestures; 1 is human size, 0 is no motion.", (0.0, 1.5), live=True
    )
    mirror: bool = parameter(
        False, "Whether left and right are exchanged, from the next gesture on.", live=True
    )
    forearm_weight: float = parameter(
        1.0,
        "Weight of the forearm direction relative to the upper arm direction where both cannot be reached, "
        "from the next gesture on.",
        (0.1, 10.0),
        live=True,
    )
    blend_time: float = parameter(
        0.3,
        "Duration of the transition from the current motion to a new gesture.",
        (0.0, 2.0),
        "s",
        live=True,
    )
    frame_timeout: float = parameter(
        0.3,
        "Time without frames after which the gesture ends and the robot goes to rest.",
        (0.05, 5.0),
        "s",
        live=True,
    )
    idle_motion: float = parameter(
        0.0,
        "Size of a breathing motion while the robot is at rest; 0 is no motion.",
        (0.0, 1.0),
        live=True,
    )
    waist: str = _group("the waist")
    head: str = _group("the head")
    left_arm: str = _group("the left arm")
    right_arm: str = _group("the right arm")
    planner_process: bool = parameter(
        True,
        "Whether plans are made in a process of their own, so that commands never wait for one; false: "
        "between two commands.",
    )
    realtime_priority: int = parameter(
        0,
        "Priority of the control loop under SCHED_FIFO, with its memory locked; 0: like other programs.",
        (0, 99),
    )
    publish_markers: bool = parameter(
        True,
        "Whether human and robot are published on gesture_markers while the topic has a subscriber.",
        live=True,
    )

    def commands(self, group: str, used: Collection[str]) -> bool:
        """Return whether a joint group is commanded during a gesture that uses the groups `used`."""
        mode = getattr(self, group)
        return bool(mode == ALWAYS or (mode != NEVER and group in used))


def specification(item: "Field[Any]") -> Specification:
    """Return the specification of a field made by `parameter`."""
    found = item.metadata["specification"]
    assert isinstance(found, Specification)  # set by `parameter`, the only maker of these fields
    return found


PARAMETERS: dict[str, type[NodeParameters]] = {
    "intent_classifier": IntentClassifierParameters,
    "gesture_generator": GestureGeneratorParameters,
    "gesture_retargeter": GestureRetargeterParameters,
}


def defaults(node: str) -> dict[str, Value]:
    """Return name and default of every parameter of a node."""
    return asdict(PARAMETERS[node]())
