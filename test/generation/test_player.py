"""Requests in, frames in time with speech out: one gesture at a time, and every request is answered."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from text2gesture_ros.errors import ModelError
from text2gesture_ros.generation.generator import Frame, GestureGenerator
from text2gesture_ros.generation.player import POLL_PERIOD, GesturePlayer, perform
from text2gesture_ros.generation.request import GestureRequest, requests_of
from text2gesture_ros.gestures import needs_of
from text2gesture_ros.labels import EMOTIONS, GESTURES, NEUTRAL
from text2gesture_ros.motion.frame_block import ClauseEnd, ClauseHeader, FrameBlock, FrameMessage
from text2gesture_ros.parameters import GestureGeneratorParameters, IntentClassifierParameters
from text2gesture_ros.skeleton import INDEX
from text2gesture_ros.understanding.classifier import IntentClassifier
from text2gesture_ros.understanding.clauses import ClauseTimes
from text2gesture_ros.understanding.interpreter import Interpreter
from text2gesture_ros.understanding.utterance import Utterance

NOW = 100.0


@pytest.fixture(scope="module")
def generator() -> GestureGenerator:
    return GestureGenerator("motion", device="cpu")


def request(
    utterance_id: str = "one",
    gesture: str = "wave",
    emotion: str = NEUTRAL,
    *,
    clause: int = 0,
    start: float = 0.0,
    stroke: float = 0.0,
    end: float = 0.0,
    said: float = NOW,
    more: bool = False,
    priority: int = 128,
    **changes,
) -> GestureRequest:
    """Return a clause that begins `start` after its speech does; without stroke and end these are unknown."""
    header = ClauseHeader(utterance_id, clause, gesture, emotion, more, priority, needs_of(gesture))
    given = {"accepted": True, **changes}
    return GestureRequest(header, said, ClauseTimes(start, stroke, end, estimated=False), **given)


UNSURE = {"gesture": NEUTRAL, "accepted": False, "reason": "neutral"}


class Stage:
    """A player with a clock, and what it hands out, with when."""

    def __init__(self, generator: GestureGenerator, **settings) -> None:
        given = {"max_duration": 1.0, "speed_scale": 2.0, "block_size": 7, **settings}
        self.player = GesturePlayer(generator, GestureGeneratorParameters(**given))
        self.now = NOW
        self.out: list[tuple[float, FrameMessage]] = []

    def add(self, *requests: GestureRequest) -> None:
        for each in requests:
            self.player.add(each, self.now)
            self.poll()

    def poll(self) -> None:
        self.out += [(self.now, message) for message in self.player.poll(self.now)]

    def run(self, seconds: float = 30.0) -> None:
        """Let time pass, until there is nothing more to do or for a while."""
        end = self.now + seconds
        while not self.player.idle and self.now < end:
            self.now += POLL_PERIOD
            self.poll()

    def cancel(self, utterance_id: str) -> None:
        self.out += [(self.now, end) for end in self.player.cancel(utterance_id, self.now)]

    def of(self, utterance_id: str = "one", clause: int = 0) -> list[FrameMessage]:
        return [message for _, message in self.out if message.header.name == (utterance_id, clause)]

    def blocks(self, utterance_id: str = "one", clause: int = 0) -> list[FrameBlock]:
        return [block for block in self.of(utterance_id, clause) if isinstance(block, FrameBlock)]

    def reason(self, utterance_id: str = "one", clause: int = 0) -> str:
        """Return why there is no motion of a clause, or no more."""
        end = self.of(utterance_id, clause)[-1]
        assert isinstance(end, ClauseEnd)
        assert end.sequence == len(self.blocks(utterance_id, clause))
        return end.reason


def check_answered(stage: Stage, requests: list[GestureRequest]) -> None:
    """Hold what came out against what was asked for."""
    assert stage.player.idle
    assert {message.header.name for _, message in stage.out} == {each.header.name for each in requests}
    for each in requests:
        *blocks, end = stage.of(*each.header.name)
        count = 0
        for number, block in enumerate(blocks):
            assert isinstance(block, FrameBlock)
            assert (block.header, block.sequence, block.first_frame) == (each.header, number, count)
            assert block.due == pytest.approx(blocks[0].due + count / block.frame_rate)
            assert not block.last
            count += len(block.positions)
        assert end.sequence == len(blocks)
        assert isinstance(end, ClauseEnd) or end.last


def test_every_request_is_answered_whatever_is_asked_for_and_cancelled(generator):
    random = np.random.default_rng(0)
    for _ in range(30):
        stage = Stage(generator, preemption=str(random.choice(["queue", "ignore", "replace"])))
        requests = []
        for utterance in range(5):
            priority = int(random.choice([100, 128, 200]))
            for clause in range(int(random.integers(1, 4))):
                start = float(random.uniform(0.0, 0.4)) + clause * 0.5
                known = {"stroke": start + 0.3, "end": start + 1.5} if random.random() < 0.5 else {}
                given = {"clause": clause, "start": start, "priority": priority, "said": stage.now, **known}
                unsure = UNSURE if random.random() < 0.4 else {}
                requests.append(request(str(utterance), **given, **unsure))
                stage.add(requests[-1])
            stage.run(float(random.uniform(0.0, 1.5)))
            if random.random() < 0.3:
                stage.cancel(str(random.choice([*map(str, range(utterance + 1)), ""])))
        stage.run()
        check_answered(stage, requests)


@pytest.mark.parametrize("gesture", GESTURES)
def test_every_gesture_ends(generator, gesture):
    for emotion in EMOTIONS:
        stage = Stage(generator)
        stage.add(request(gesture=gesture, emotion=emotion))
        stage.run()
        blocks = stage.blocks()
        assert blocks[-1].last
        assert {len(block.positions) for block in blocks[:-1]} == {7}
        assert blocks[0].frame_rate == 2 * generator.frame_rate
        assert 0.2 < sum(len(block.positions) / block.frame_rate for block in blocks) <= 1.0 + 1e-6


@pytest.mark.parametrize("block_size", [1, 8, 60])
def test_frames_keep_ahead_of_time_but_no_further_than_allowed(generator, block_size):
    stage = Stage(generator, block_size=block_size, look_ahead=0.2)
    stage.add(request())
    start = stage.blocks()[0].due
    while not stage.player.idle:
        stage.now += POLL_PERIOD
        stage.poll()
        frames = sum(len(block.positions) / block.frame_rate for block in stage.blocks())
        assert stage.player.idle or start + frames > stage.now
    assert all(block.due - now <= 0.2 + 1e-9 for now, block in stage.out)


def test_each_clause_begins_when_it_is_spoken(generator):
    stage = Stage(generator, start_delay=0.03)
    given = [(0.0, "wave"), (0.4, "nod"), (0.9, "point")]
    for clause, (start, gesture) in enumerate(given):
        stage.add(request("one", gesture, clause=clause, start=start))
    stage.run()
    for clause, (start, gesture) in enumerate(given):
        first = stage.blocks("one", clause)[0]
        assert (first.header.gesture, first.header.needs) == (gesture, needs_of(gesture))
        assert first.due == pytest.approx(NOW + start + 0.03, abs=0.02)
    for clause in range(2):
        assert stage.reason("one", clause) == ""  # the next took over: it is whole


@pytest.mark.parametrize(("accepted", "end"), [(True, 2.5), (True, 5.0), (False, 3.0)])
def test_motion_ends_when_speech_does(generator, accepted, end):
    stage = Stage(generator)
    stage.add(request(**({} if accepted else UNSURE), stroke=0.9, end=end))
    stage.run()
    assert stage.blocks()[-1].end == pytest.approx(NOW + end, abs=0.2)


def test_a_gesture_that_follows_closely_is_prepared_before_its_clause_and_not_from_rest(generator):
    stage = Stage(generator, seed=0)
    stage.add(
        request("one", "point", stroke=0.6, end=1.5, more=True),
        request("one", "yay", clause=1, start=1.5, stroke=1.8, end=3.5),
    )
    stage.run()
    assert stage.blocks("one", 1)[0].due < NOW + 1.4
    assert stage.reason() == ""
    hands = [INDEX["left_hand"], INDEX["right_hand"]]
    motion = np.concatenate([block.positions for block in stage.blocks("one", 1)])[:, hands]
    assert np.linalg.norm(motion[0] - motion[-1], axis=-1).max() > 0.3


def test_a_new_utterance_takes_the_place_of_what_is_played_and_what_is_to_come(generator):
    stage = Stage(generator)
    stage.add(request(), request("one", "nod", clause=1, start=0.3))
    stage.run(0.1)
    stage.add(request("two", "point", said=stage.now))
    stage.run()
    assert stage.reason() == stage.reason("one", 1) == "replaced by utterance 'two'"
    moving = [block.header.utterance_id for _, block in stage.out if isinstance(block, FrameBlock)]
    assert moving == sorted(moving)
    # What takes over has begun when it is told that the other ends: the robot need not go to rest.
    kinds = [isinstance(message, ClauseEnd) for _, message in stage.out]
    assert moving[kinds.index(True) - 1] == "two"


def test_said_again_the_performance_before_ends_before_the_new_one_begins(generator):
    stage = Stage(generator)
    stage.add(request())
    stage.add(request(gesture="nod"))
    stage.run()
    gestures = [(message.header.gesture, type(message)) for _, message in stage.out]
    end = gestures.index(("wave", ClauseEnd))
    assert {gesture for gesture, _ in gestures[:end]} == {"wave"}
    assert {gesture for gesture, _ in gestures[end + 1 :]} == {"nod"}
    assert stage.out[end + 1][1].sequence == 0


@pytest.mark.parametrize("later", [("one", 1, 0.1), ("two", 0, 0.0)])
def test_talking_motion_waits_for_the_end_of_a_gesture(generator, later):
    stage = Stage(generator)
    utterance_id, clause, start = later
    stage.add(request(), request(utterance_id, clause=clause, start=start, **UNSURE))
    stage.run()
    gesture, talking = stage.blocks(), stage.blocks(utterance_id, clause)
    assert gesture[-1].last
    assert talking[0].due == pytest.approx(gesture[-1].end + 1 / gesture[-1].frame_rate, abs=0.005)


def test_talking_motion_that_waits_gives_way_to_the_next_clause(generator):
    stage = Stage(generator)
    stage.add(
        request(),
        request("one", clause=1, start=0.1, **UNSURE),
        request("one", "nod", clause=2, start=0.3),
    )
    stage.run()
    assert stage.reason("one", 1).startswith("the next clause came before")
    assert stage.blocks("one", 2)[-1].last


def test_talking_motion_gives_way_to_talking_motion(generator):
    stage = Stage(generator)
    stage.add(request(**UNSURE))
    stage.run(0.2)
    stage.add(request("two", **UNSURE, said=stage.now))
    assert stage.blocks("two")[0].due < stage.blocks("one")[0].due + 0.5
    assert stage.reason() == "replaced by utterance 'two'"


@pytest.mark.parametrize(
    ("asked", "settings", "reason"),
    [
        (request(**UNSURE, end=0.3), {}, "speech is over before there is time for talking motion"),
        (request(**{**UNSURE, "spoken": False}), {}, "there are no words"),
        (request(**UNSURE), {"neutral_motion": False}, "no gesture (neutral), and neutral_motion is off"),
    ],
)
def test_what_gets_no_motion_is_told_why(generator, asked, settings, reason):
    stage = Stage(generator, **settings)
    stage.add(asked)
    assert stage.player.idle
    assert (stage.blocks(), stage.reason()) == ([], reason)


class Failing:
    """A generator whose gestures break off, as long as it is told so."""

    def __init__(self, generator: GestureGenerator) -> None:
        self.frame_rate, self.fails, self._whole = generator.frame_rate, True, generator

    def frames(self, *labels, **given) -> Iterator[Frame]:
        whole = self._whole.frames(*labels, **given)
        yield next(whole)
        if self.fails:
            raise ModelError("broken in the middle")
        yield from whole


def test_a_generator_that_fails_ends_everything_and_the_next_is_served(generator):
    failing = Failing(generator)
    stage = Stage(failing)
    stage.player.add(request(), stage.now)
    stage.player.add(request("low", priority=1), stage.now)
    seen = []
    with pytest.raises(ModelError, match="broken"):
        seen.extend(stage.player.poll(stage.now))
    failing.fails = False
    stage.add(request("two", **UNSURE))  # nothing waits for the end of the gesture that has none
    assert stage.blocks("two")[0].due < NOW + 0.2


def test_what_the_player_hands_out_before_it_fails_says_why(generator):
    player = GesturePlayer(Failing(generator), GestureGeneratorParameters())
    player.add(request(), NOW)
    out = player.poll(NOW)
    end = next(out)
    assert isinstance(end, ClauseEnd)
    assert end.reason == "the generator failed"
    with pytest.raises(ModelError):
        next(out)
    assert player.idle


@pytest.mark.parametrize("preemption", ["queue", "ignore", "replace"])
def test_a_lower_priority_waits_is_refused_or_takes_over(generator, preemption):
    stage = Stage(generator, preemption=preemption)
    stage.add(request("high", priority=200))
    stage.run(0.1)
    stage.add(request("low", "nod", priority=100, said=stage.now))
    assert stage.player.waiting == (preemption == "queue")
    stage.run()
    if preemption == "ignore":
        assert stage.reason("low").startswith("refused: priority 100 is lower than 200 of ")
    if preemption == "queue":
        last = stage.blocks("high")[-1]
        assert stage.blocks("low")[0].due >= last.end
    assert isinstance(stage.of("high")[-1], FrameBlock) == (preemption != "replace")
    assert stage.of("high")[0].header.priority == 200


@pytest.mark.parametrize("utterance_id", ["one", ""])
def test_what_is_cancelled_ends_at_once_with_all_that_is_to_come_of_it(generator, utterance_id):
    stage = Stage(generator)
    stage.add(
        request("one", more=True),
        request("one", "nod", clause=1, start=3.0),
        request("two", "nod", priority=1),
    )
    stage.run(0.2)
    count = len(stage.blocks())
    stage.cancel(utterance_id)
    assert stage.reason() == stage.reason("one", 1) == "cancelled"
    stage.run()
    assert len(stage.blocks()) == count
    if utterance_id:
        assert stage.blocks("two")[-1].last
    else:
        assert stage.reason("two") == "cancelled"
    stage.add(request("one", "point", said=stage.now + 0.01))  # said anew it is another utterance
    stage.run()
    assert stage.blocks()[-1].header.gesture == "point"


def test_what_was_being_read_when_everything_was_cancelled_is_cancelled_too(generator):
    stage = Stage(generator)
    stage.add(request())
    stage.run(0.1)
    stage.cancel("")
    stage.add(request("late", said=NOW), request("two", said=stage.now))
    assert stage.reason("late") == "cancelled"
    assert stage.blocks("two")


def test_when_the_clock_is_set_back_nothing_waits_for_the_time_before(generator):
    stage = Stage(generator)
    stage.add(request(), request("one", clause=1, start=5.0), request("low", priority=1))
    stage.cancel("two")
    stage.now = 3.0
    stage.add(request("two", **UNSURE, said=3.0))
    for name in (("one", 0), ("one", 1), ("low", 0)):
        assert stage.reason(*name) == "the clock was set back"
    assert stage.blocks("two")[0].due == pytest.approx(3.0, abs=0.1)


def test_clear_ends_everything(generator):
    stage = Stage(generator)
    stage.add(request(), request("one", clause=1, start=5.0))
    ends = stage.player.clear("stopped", stage.now)
    assert [(end.header.name, end.reason) for end in ends] == [
        (("one", 0), "stopped"),
        (("one", 1), "stopped"),
    ]
    assert stage.player.idle


def test_one_seed_one_performance(generator):
    motions = []
    for name in ("one", "two"):
        stage = Stage(generator, seed=5)
        stage.add(request(name))
        stage.run()
        motions.append(np.concatenate([block.positions for block in stage.blocks(name)]))
    np.testing.assert_array_equal(*motions)


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_speed_changes_from_the_next_clause_on_and_no_gesture_takes_longer_than_allowed(generator, speed):
    stage = Stage(generator, max_duration=0.7)
    stage.add(request("before", "shakehead"))
    stage.run()
    stage.player.settings = replace(stage.player.settings, speed_scale=speed)
    stage.add(request("after", "shakehead", said=stage.now))
    stage.run()
    assert {block.frame_rate for block in stage.blocks("before")} == {2.0 * generator.frame_rate}
    assert {block.frame_rate for block in stage.blocks("after")} == {speed * generator.frame_rate}
    for name in ("before", "after"):
        blocks = stage.blocks(name)
        assert sum(len(block.positions) / block.frame_rate for block in blocks) <= 0.7 + 1e-6


def test_an_estimate_counts_from_the_motion_so_that_one_text_always_looks_the_same(generator):
    motions = []
    for late in (0.0, 0.017, 0.043):
        stage = Stage(generator, seed=1)
        asked = request(stroke=1.33, end=3.0)
        stage.now = NOW + late
        stage.add(replace(asked, times=replace(asked.times, estimated=True)))
        stage.run()
        motions.append(np.concatenate([block.positions for block in stage.blocks()]))
    np.testing.assert_allclose(motions[1], motions[0], atol=1e-5)
    np.testing.assert_allclose(motions[2], motions[0], atol=1e-5)


def test_performed_at_once_it_is_what_is_played_in_time(generator):
    settings = GestureGeneratorParameters(seed=3)
    asked = [
        request("one", stroke=0.6, end=1.5, more=True),
        request("one", "nod", clause=1, start=1.5, stroke=1.8, end=3.5),
        request("two", "shrug", said=NOW + 2.0),
    ]
    stage = Stage(generator, **{name: getattr(settings, name) for name in vars(settings)})
    stage.add(*asked[:2])
    stage.run(1.99)
    stage.now = NOW + 2.0
    stage.add(asked[2])
    stage.run()
    made = list(perform(asked, generator, settings))
    assert len(made) == len(stage.out)
    for one, (_, two) in zip(made, stage.out, strict=True):
        assert (one.header, one.sequence) == (two.header, two.sequence)
        assert one.due == pytest.approx(two.due, abs=1e-6)


def test_a_text_becomes_frames():
    settings = IntentClassifierParameters()
    text = "Hello everybody, and welcome to the museum! Unfortunately the café is closed today."
    intents = Interpreter(IntentClassifier(device="cpu")).interpret(Utterance(text), settings)
    requests = requests_of(intents, "greeting", 5.0)
    assert [each.header.clause for each in requests] == [0, 1]
    assert [each.header.more for each in requests] == [True, False]
    made = list(perform(requests, GestureGenerator(device="cpu"), GestureGeneratorParameters()))
    blocks = [block for block in made if isinstance(block, FrameBlock)]
    assert {block.header.gesture for block in blocks} == {intent.gesture.chosen for intent in intents}
    assert blocks[0].due == pytest.approx(5.0, abs=0.2)
    assert all(block.header in [each.header for each in requests] for block in blocks)


def test_a_text_becomes_frames_without_ros():
    program = (
        "import sys; import text2gesture_ros.generation.player, text2gesture_ros.understanding.interpreter\n"
        "print('rclpy' in sys.modules, 'text2gesture_ros.ros' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]
