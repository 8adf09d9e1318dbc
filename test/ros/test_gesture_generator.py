"""The generator node: what its player hands out becomes messages, in time."""

import math

import pytest
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String
from text2gesture_ros.msg import GestureFrames, GestureIntent

from text2gesture_ros.errors import ModelError
from text2gesture_ros.generation.generator import GestureGenerator
from text2gesture_ros.motion.frame_block import ClauseEnd
from text2gesture_ros.ros.conversions import read_frames, to_seconds, to_time
from text2gesture_ros.ros.gesture_generator import GestureGeneratorNode


def intent(utterance_id="one", gesture="wave", emotion="neutral", **changes):
    message = GestureIntent(utterance_id=utterance_id, text="some words", accepted=True)
    message.gesture.chosen, message.emotion.chosen = gesture, emotion
    for name, value in changes.items():
        setattr(message, name, value)
    return message


class Studio:
    """A generator and the frames it sends, with when they came."""

    def __init__(self, graph, **parameters):
        self.graph = graph
        self.node = graph.add(GestureGeneratorNode, **parameters)
        self.frames = graph.collect(GestureFrames, "gesture_frames")

    def play(self, message):
        """Send an intent and return all blocks of its gesture."""
        self.graph.publish("gesture_intent", message)
        self.graph.spin_until(lambda: self.of(message.utterance_id) and self.finished(message.utterance_id))
        return self.of(message.utterance_id)

    def of(self, utterance_id):
        """Return the blocks of an utterance."""
        return [block for block in self.frames if block.utterance_id == utterance_id]

    def begin(self):
        """Return the time, from which messages arrive at once: the node has been found."""
        self.graph.publish("gesture_intent", intent(""))
        self.graph.spin_until(lambda: self.node.rejected)
        return self.node.now()

    def covered(self, start):
        """Return until when there are frames [s]."""
        return start + sum(len(block.stop_probabilities) / block.frame_rate for block in self.frames)

    def finished(self, utterance_id):
        return self.of(utterance_id)[-1].last

    def ending(self, utterance_id, clause=0):
        """Wait for the last block of a clause and return it."""

        def found():
            blocks = (block for block in self.of(utterance_id) if block.clause == clause and block.last)
            return next(blocks, None)

        self.graph.spin_until(found)
        return found()

    def why_nothing_comes_of(self, message):
        """Return the reason that is given for an intent without motion; empty: none was given."""
        before = len(self.frames)
        self.graph.publish("gesture_intent", message)
        self.graph.publish("gesture_intent", intent("next"))
        self.graph.spin_until(lambda: self.frames[before:] and self.frames[-1].utterance_id == "next")
        blocks = [block for block in self.frames[before:] if block.utterance_id != "next"]
        assert all(is_empty(block) for block in blocks)
        return ". ".join(block.reason for block in blocks)


def is_empty(block):
    """Return whether a block says that nothing more comes; hold it against what its message file promises."""
    if block.stop_probabilities:
        return False
    assert isinstance(read_frames(block, 0.0), ClauseEnd)
    return True


@pytest.fixture
def studio(graph):
    return Studio(graph, max_duration=1.0, speed_scale=2.0, block_size=7)


def test_blocks_follow_each_other_without_gap(studio):
    blocks = studio.play(intent())
    assert [block.sequence for block in blocks] == list(range(len(blocks)))
    assert [block.last for block in blocks] == [False] * (len(blocks) - 1) + [True]
    count, start = 0, to_seconds(blocks[0].header.stamp)
    for block in blocks:
        read = read_frames(block, 0.0)
        assert block.first_frame == count
        assert read.due == pytest.approx(start + count / block.frame_rate, abs=1e-3)
        assert len(read.positions) == 7 or block.last
        assert (block.gesture, block.emotion) == ("wave", "neutral")
        count += len(read.positions)
    assert blocks[0].frame_rate == pytest.approx(2 * 60.0)


@pytest.mark.parametrize("block_size", [1, 8, 60])
def test_frames_keep_ahead_of_time_whatever_the_size_of_a_block(graph, block_size):
    studio = Studio(
        graph, use_sim_time=True, block_size=block_size, speed_scale=2.0, look_ahead=0.2, max_duration=1.0
    )
    now = 100.0
    graph.publish("/clock", Clock(clock=to_time(now)))
    graph.spin_until(lambda: studio.node.now() == now)
    graph.publish("gesture_intent", intent())
    graph.spin_until(lambda: studio.frames)
    start = to_seconds(studio.frames[0].header.stamp)
    while not studio.frames[-1].last:
        now += 0.05
        graph.publish("/clock", Clock(clock=to_time(now)))
        graph.spin_until(lambda now=now: studio.frames[-1].last or studio.covered(start) > now)


def test_a_new_gesture_takes_the_place_of_the_one_played(studio):
    studio.graph.publish("gesture_intent", intent("one"))
    studio.graph.spin_until(lambda: studio.frames)
    studio.play(intent("two", "nod"))
    ids = [block.utterance_id for block in studio.frames if not is_empty(block)]
    assert ids == sorted(ids)
    (ending,) = (block for block in studio.of("one") if block.last)
    assert is_empty(ending)
    assert ending.reason == "replaced by utterance 'two'"
    assert ending.sequence == len(studio.of("one")) - 1


def first(studio, utterance_id, clause=0):
    """Wait for the first block of a clause and return it."""

    def found():
        blocks = (
            block for block in studio.frames if (block.utterance_id, block.clause) == (utterance_id, clause)
        )
        return next(blocks, None)

    studio.graph.spin_until(found)
    return found()


def due(block):
    return to_seconds(block.header.stamp)


UNSURE = {"gesture": "neutral", "accepted": False, "reason": "neutral"}


def test_each_clause_begins_when_it_is_spoken(studio):
    arrival = studio.begin()
    for clause, (start, gesture) in enumerate([(0.0, "wave"), (0.4, "nod"), (0.9, "point")]):
        message = intent("one", gesture, clause=clause, start=start)
        message.header.stamp = to_time(arrival)
        studio.graph.publish("gesture_intent", message)
    delay = studio.node.parameters.start_delay
    assert [first(studio, "one", clause).gesture for clause in range(3)] == ["wave", "nod", "point"]
    assert due(first(studio, "one", 1)) == pytest.approx(arrival + 0.4 + delay, abs=0.02)
    assert due(first(studio, "one", 2)) == pytest.approx(arrival + 0.9 + delay, abs=0.02)
    for clause in range(2):
        assert studio.ending("one", clause).reason == ""  # the next took over: it is whole
    for clause in range(3):
        blocks = [block for block in studio.frames if block.clause == clause]
        assert [block.sequence for block in blocks] == list(range(len(blocks)))
        assert blocks[0].first_frame == 0


def test_talking_motion_does_not_wait_for_a_gesture_that_failed(studio, monkeypatch):
    whole = GestureGenerator.frames

    def failing(*given, **options):
        yield next(whole(*given, **options))
        raise ModelError("broken in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(GestureGenerator, "frames", failing)
        studio.graph.publish("gesture_intent", intent("one"))
        studio.graph.spin_until(lambda: studio.node.rejected)
    studio.graph.publish("gesture_intent", intent("two", **UNSURE))
    assert first(studio, "two").gesture == "neutral"
    assert studio.ending("one").reason == "the generator failed"


@pytest.mark.parametrize("utterance_id", ["one", ""])
def test_what_is_cancelled_ends_at_once_with_all_that_is_to_come_of_it(studio, utterance_id):
    text = "some words and more"
    studio.graph.publish("gesture_intent", intent("one", text=text, span_end=10))
    studio.graph.publish("gesture_intent", intent("one", "nod", text=text, span_end=19, clause=1, start=3.0))
    studio.graph.publish("gesture_intent", intent("two", "nod", priority=1))
    first(studio, "one")
    studio.graph.publish("gesture_cancel", String(data=utterance_id))
    assert [(block.reason, block.more) for block in (studio.ending("one"), studio.ending("one", 1))] == [
        ("cancelled", True),
        ("cancelled", False),
    ]
    if utterance_id:
        assert first(studio, "two").gesture == "nod"
    else:
        assert studio.ending("two").reason == "cancelled"
    count = len(studio.of("one"))
    studio.play(intent("three", "point"))
    assert len(studio.of("one")) == count


def test_what_was_being_read_when_everything_was_cancelled_is_cancelled_too(studio):
    late = intent("late")
    late.header.stamp = studio.node.get_clock().now().to_msg()
    studio.graph.publish("gesture_intent", intent("one"))
    first(studio, "one")
    studio.graph.publish("gesture_cancel", String(data=""))
    studio.ending("one")
    studio.graph.publish("gesture_intent", late)
    assert studio.ending("late").reason == "cancelled"
    assert not any(block.positions for block in studio.of("late"))
    assert studio.play(intent("two", "nod"))


def test_the_diagnostics_tell_what_the_generator_does(studio):
    studio.play(intent())
    told = studio.node.report()
    assert told["model"] == "motion"
    assert (told["gestures"], told["clauses without motion"], told["utterances waiting"]) == (1, 0, 0)
    assert float(told["frames generated per second"]) > 0.0
    assert float(told["intent to first block, median [ms]"]) > 0.0


def test_when_a_simulation_is_restarted_nothing_waits_for_the_time_before(graph):
    studio = Studio(graph, use_sim_time=True, look_ahead=0.2)
    for now in (100.0, 3.0):
        graph.publish("/clock", Clock(clock=to_time(now)))
        graph.spin_until(lambda now=now: studio.node.now() == now)
        graph.publish("gesture_intent", intent(f"at {now}", **({} if now == 100.0 else UNSURE)))
        assert due(first(studio, f"at {now}")) == pytest.approx(now + 0.05)


@pytest.mark.parametrize(
    "wrong",
    [
        {"utterance_id": ""},
        {"utterance_id": "x" * 100_000},
        {"gesture": "cartwheel"},
        {"gesture": ""},
        {"emotion": "\x01" * 1000},
        {"emotion": "POSITIVE"},
        {"start": -1.0},
        {"start": math.nan},
    ],
    ids=lambda wrong: str(wrong)[:40],
)
def test_an_intent_that_cannot_be_is_counted_and_the_next_is_served(studio, wrong):
    assert studio.why_nothing_comes_of(intent(**wrong)) == ""
    assert studio.node.rejected == 1


def test_speed_changes_from_the_next_gesture_on(studio):
    for speed in (0.5, 1.5):
        studio.node.set_parameters([Parameter("speed_scale", value=speed)])
        blocks = studio.play(intent(f"at {speed}"))
        assert {block.frame_rate for block in blocks} == {60.0 * speed}
