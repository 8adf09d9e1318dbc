"""Every parameter of every node: default, meaning, unit, bounds, and whether it may change while running."""

from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any

from text2gesture_ros.errors import ConfigurationError

Value = bool | int | float | str

QUEUE, IGNORE, REPLACE = "queue", "ignore", "replace"
"""What becomes of an utterance of lower priority than the one that is performed."""

ALWAYS, WHEN_USED, NEVER = MODES = ("always", "when_used", "never")
"""When a joint group is commanded: always, while a gesture uses it until it is back at rest, or never."""

LONGEST_RETURN = 10.0
"""The retargeter, asked to end, waits no longer than this for its robot to be at rest [s]."""


@dataclass(frozen=True)
class Specification:
    """What a parameter is, apart from its name and default.

    Attributes:
        description: one sentence for people.
        unit: SI unit, empty for none.
        low, high: inclusive bounds of a number, None for other types.
        choices: the allowed strings; empty: any that is not empty.
        several: whether the value names one or more of the choices, separated by commas.
        live: whether it may be set while the node works; else only while it is unconfigured.
    """

    description: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    several: bool = False
    live: bool = False

    def check(self, name: str, value: object, kind: type) -> None:
        """Raise ConfigurationError unless `value` is a `kind` within the bounds or among the choices."""
        if type(value) is not kind:
            hint = " (write 20.0, not 20)" if kind is float and type(value) is int else ""
            raise ConfigurationError(
                f"{name} must be a {kind.__name__}{hint} but is the {type(value).__name__} {value!r}"
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
        """Which strings are allowed, as part of a sentence; empty: any that is not empty."""
        how = "one or more of" if self.several else "one of"
        return f"{how} {', '.join(self.choices)}" if self.choices else ""


def listed(value: object) -> tuple[str, ...]:
    """Return the words of a value that holds several, separated by commas."""
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
    """Return a field that says when a group of joints is commanded."""
    return parameter(
        ALWAYS,
        f"{name} is commanded always, when_used by the gesture, or never: then others may.",
        choices=MODES,
        live=True,
    )


@dataclass(frozen=True)
class NodeParameters:
    """What the parameters of all nodes share.

    Raises:
        ConfigurationError: a value has the wrong type, is out of bounds or no choice; the message says what
            is allowed.
    """

    autostart: bool = parameter(True, "Configure and activate by itself after the start.")

    def __post_init__(self) -> None:
        for item in fields(self):
            specification(item).check(item.name, getattr(self, item.name), type(item.default))


@dataclass(frozen=True)
class ModelParameters(NodeParameters):
    """What the parameters of the nodes that run a model share."""

    device: str = parameter(
        "auto",
        "Where the model runs; auto takes a GPU where the run time offers one.",
        choices=("auto", "cpu", "cuda"),
    )
    threads: int = parameter(1, "Threads the model may use on a CPU.", (1, 64))


@dataclass(frozen=True)
class IntentClassifierParameters(ModelParameters):
    """Parameters of the node intent_classifier."""

    model: str = parameter("intent", "Name of a model that ships, or path of a model directory.")
    confidence_threshold: float = parameter(
        0.4,
        "Probability a gesture must reach to be accepted; below it the robot stays neutral.",
        (0.0, 1.0),
        live=True,
    )
    speech_threshold: float = parameter(
        0.5,
        "Probability of being English speech that a text must reach; below it the robot stays neutral.",
        (0.0, 1.0),
        live=True,
    )
    clause_words: int = parameter(
        12,
        "Words up to which a text is read as a whole; a longer one is read clause by clause.",
        (3, 1000),
        "words",
        live=True,
    )
    speaking_rate: float = parameter(
        2.6,
        "How fast the voice speaks; tells when a clause begins where speech gives no duration or word times.",
        (0.5, 10.0),
        "words/s",
        live=True,
    )
    cool_down: float = parameter(
        2.0,
        "Least time from the beginning of one gesture to that of the next; the robot is neutral meanwhile.",
        (0.0, 60.0),
        "s",
        live=True,
    )
    repeat_gestures: bool = parameter(
        False, "Whether one text may call for the same gesture twice in a row.", live=True
    )


@dataclass(frozen=True)
class GestureGeneratorParameters(ModelParameters):
    """Parameters of the node gesture_generator."""

    model: str = parameter("motion", "Name of a model that ships, or path of a model directory.")
    block_size: int = parameter(
        8,
        "Frames per message; small blocks start sooner, large ones cost less.",
        (1, 60),
        "frames",
        live=True,
    )
    look_ahead: float = parameter(
        0.5, "How long before it is due a block is sent at the earliest.", (0.05, 5.0), "s", live=True
    )
    start_delay: float = parameter(
        0.05, "Time from the arrival of an intent to the first frame.", (0.0, 5.0), "s", live=True
    )
    speed_scale: float = parameter(
        1.0, "Speed of playback; 1 is the speed people have.", (0.5, 2.0), live=True
    )
    variation: float = parameter(
        1.0,
        "How much one performance differs from the next; 0: the typical one, 1: all the model has seen.",
        (0.0, 1.0),
        live=True,
    )
    seed: int = parameter(
        -1,
        "Seed of the variation: with one seed a gesture always looks the same. -1: each time another.",
        (-1, 999_999),
    )
    neutral_motion: bool = parameter(
        True, "Whether a spoken text without an accepted gesture gets small talking motion.", live=True
    )
    max_duration: float = parameter(
        4.0,
        "Playing time after which a gesture is ended; the longest clip the model knows is a limit too.",
        (0.5, 30.0),
        "s",
        live=True,
    )
    preemption: str = parameter(
        QUEUE,
        "What becomes of an utterance of lower priority than the one that is performed: it waits, "
        "is refused, or takes over all the same.",
        choices=(QUEUE, IGNORE, REPLACE),
        live=True,
    )


@dataclass(frozen=True)
class GestureRetargeterParameters(NodeParameters):
    """Parameters of the node gesture_retargeter."""

    robot: str = parameter("pepper", "Name of a robot that ships, or path of a robot file (.yaml).")
    robot_description: bool = parameter(
        False,
        "Whether the URDF of a robot file with the key urdf comes from the topic robot_description instead.",
    )
    start_from: str = parameter(
        "auto",
        "The first command is where joint_states tells the robot is, the rest pose, or (auto) the former if "
        "somebody publishes that topic.",
        choices=("auto", "joint_states", "rest"),
        live=True,
    )
    outputs: str = parameter(
        "joint_trajectory, joint_command",
        "Topics the commands go out on, separated by commas.",
        choices=("joint_trajectory", "joint_command", "joint_positions", "joint_angles"),
        several=True,
    )
    position_joints: str = parameter(
        "all",
        "Joints of joint_positions in their order, separated by commas; all: as the robot file orders them.",
    )
    rate: float = parameter(
        100.0,
        "Rate of the control loop; may be changed while the robot is at rest.",
        (10.0, 200.0),
        "Hz",
        live=True,
    )
    gesture_scale: float = parameter(
        1.0, "Size of the gestures; 1 is human size, 0 is standing still.", (0.0, 1.5), live=True
    )
    mirror: bool = parameter(False, "Whether left and right are exchanged.", live=True)
    stroke: float = parameter(
        1.0,
        "What the forearm's direction counts beside the upper arm's where both cannot be had; from the next "
        "gesture on.",
        (0.1, 10.0),
        live=True,
    )
    blend_time: float = parameter(
        0.3, "Time in which a new gesture takes over from what the robot does.", (0.0, 2.0), "s", live=True
    )
    frame_timeout: float = parameter(
        0.3,
        "Frames missing for this long end the gesture, and the robot goes to rest.",
        (0.05, 5.0),
        "s",
        live=True,
    )
    idle_motion: float = parameter(
        0.0,
        "Size of a small movement like breathing while the robot is at rest; 0 is standing still.",
        (0.0, 1.0),
        live=True,
    )
    waist: str = _group("The waist")
    head: str = _group("The head")
    left_arm: str = _group("The left arm")
    right_arm: str = _group("The right arm")
    publish_markers: bool = parameter(
        True,
        "Whether the human and the robot are drawn on gesture_markers when someone subscribes.",
        live=True,
    )


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
