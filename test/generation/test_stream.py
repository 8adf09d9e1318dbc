"""Gestures on their way: the same whoever asks, in time with speech, joined where they are close."""

from collections.abc import Iterator
from itertools import count, cycle

import numpy as np
import pytest

from text2gesture_ros.errors import InputError
from text2gesture_ros.generation.generator import Frame, GestureGenerator
from text2gesture_ros.generation.request import GestureRequest
from text2gesture_ros.generation.stream import UNPLANNED_FRAMES, GestureStream, Playback
from text2gesture_ros.labels import GESTURES, NEUTRAL
from text2gesture_ros.motion.frame_block import ClauseEnd, ClauseHeader, FrameBlock
from text2gesture_ros.skeleton import INDEX, REFERENCE, bone_lengths
from text2gesture_ros.understanding.clauses import ClauseTimes

START, RATE = 100.0, 60.0


@pytest.fixture(scope="module")
def generator() -> GestureGenerator:
    return GestureGenerator("motion", device="cpu")


def wave(frames: int, made: list[int]) -> Iterator[Frame]:
    """Yield `frames` frames of a hand that goes up and down and write down which were made."""
    for index in range(frames):
        made.append(index)
        positions = REFERENCE.astype(np.float32)
        positions[INDEX["right_hand"], 2] += 0.3 * np.sin(np.pi * index / max(1, frames - 1))
        yield Frame(positions, 0.0, index == frames - 1)


def stream(
    frames: Iterator[Frame],
    *,
    block_size: int = 4,
    look_ahead: float = 0.2,
    start: float = START,
    stroke: float | None = None,
    end: float | None = None,
    estimated: bool = False,
    **given,
) -> GestureStream:
    """Return the stream of a clause whose word and end come at these times [s], None: unknown."""
    times = ClauseTimes()
    if stroke is not None or end is not None:
        word = start if stroke is None else stroke
        times = ClauseTimes(start - START, word - START, (end or word + 9.0) - START, estimated)
    request = GestureRequest(ClauseHeader("a", 2), START, times, stroke is not None)
    return GestureStream(
        request, frames, start=start, playback=Playback(RATE, block_size, look_ahead), **given
    )


def blocks_of(
    source: GestureStream, now: float = 0.0, until: float = np.inf, follows: float | None = None
) -> list[FrameBlock]:
    """Return what a stream hands out by some time."""
    blocks, now = [], now or source.end - 1.0
    while not source.finished and now < until:
        block = source.poll(now, follows)
        if block is None:
            now += 0.02
        else:
            assert block.due <= now + 0.2 + 1e-9
            blocks.append(block)
    return blocks


def positions_of(blocks: list[FrameBlock]) -> np.ndarray:
    return np.concatenate([block.positions for block in blocks])


@pytest.mark.parametrize("count", [30, 50, 179])
@pytest.mark.parametrize("block_size", [1, 4, 60])
def test_blocks_are_contiguous_and_what_is_not_timed_is_as_it_was_made(count: int, block_size: int) -> None:
    blocks = blocks_of(stream(wave(count, []), block_size=block_size))
    assert [block.sequence for block in blocks] == list(range(len(blocks)))
    assert {block.header.name for block in blocks} == {("a", 2)}
    assert [block.last for block in blocks] == [False] * (len(blocks) - 1) + [True]
    frame = 0
    for block in blocks:
        assert block.first_frame == frame
        assert block.due == pytest.approx(START + frame / RATE)
        assert len(block.positions) == min(block_size, count - frame)
        frame += len(block.positions)
    assert frame == count
    expected = np.stack([frame.positions for frame in wave(count, [])])
    np.testing.assert_allclose(positions_of(blocks), expected, atol=1e-5)


def test_a_late_poll_gets_the_blocks_in_order() -> None:
    source = stream(wave(30, []), block_size=10)
    blocks = [source.poll(500.0) for _ in range(3)]
    assert [block.first_frame for block in blocks if block is not None] == [0, 10, 20]
    assert source.finished
    assert source.poll(600.0) is None


def test_the_first_block_needs_no_more_frames_than_it_has() -> None:
    made: list[int] = []
    source = stream(wave(50, made))
    assert source.poll(99.0) is None
    assert made == []
    assert source.poll(99.81) is not None
    assert made == [0, 1, 2, 3]


def test_what_is_cut_says_where_and_why() -> None:
    source = stream(wave(50, []))
    source.poll(START)
    assert source.cut("enough") == ClauseEnd(ClauseHeader("a", 2), 1, START + 4 / RATE, "enough")
    assert source.poll(START + 1.0) is None


@pytest.mark.parametrize("change", [{"block_size": 0}, {"look_ahead": -1.0}, {"look_ahead": float("nan")}])
def test_streams_check_their_numbers(change: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(change))):
        stream(wave(1, []), **change)  # type: ignore[arg-type]


# When the word of a gesture comes and when speech ends, after its start [s]: short, late, usual, long.
TIMES = [(0.2, 1.7), (1.9, 2.6), (1.0, 3.5), (2.5, 9.0)]


@pytest.mark.parametrize(
    ("gesture", "word", "length"),
    [(gesture, *times) for gesture, times in zip(GESTURES, cycle(TIMES), strict=False)]
    + [("wave", *times) for times in TIMES],
)
def test_a_gesture_ends_with_speech_whoever_asks_and_is_a_body(
    generator: GestureGenerator, gesture: str, word: float, length: float
) -> None:
    performances = []
    for block_size in (1, 8, 60):
        source = stream(
            generator.frames(gesture, seed=3),
            block_size=block_size,
            stroke=None if gesture == NEUTRAL else START + word,
            end=START + length,
            talk=(generator.frames(NEUTRAL, seed=number) for number in count(1)),
        )
        performances.append(blocks_of(source))
    for blocks in performances:
        assert abs(blocks[-1].end - START - length) <= 0.2
        assert blocks[0].due >= START
        np.testing.assert_allclose(positions_of(blocks), positions_of(performances[0]), atol=1e-4)
    positions = positions_of(performances[0])
    lengths = bone_lengths(positions)
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), atol=1e-4)
    assert np.abs(np.diff(positions, axis=0)).max() * RATE < 8.0  # hands never jump [m/s]


def test_a_guess_that_comes_too_soon_changes_nothing(generator: GestureGenerator) -> None:
    made = generator.generate("wave", seed=1).positions
    source = stream(generator.frames("wave", seed=1), stroke=START + 0.1, end=START + 9.0, estimated=True)
    np.testing.assert_allclose(positions_of(blocks_of(source)), made, atol=1e-4)


def test_two_gestures_that_are_close_are_joined_without_going_back_to_rest(
    generator: GestureGenerator,
) -> None:
    first = stream(generator.frames("point", seed=1), stroke=START + 0.6, end=START + 2.2)
    follows = START + 1.9
    before = blocks_of(first, until=follows, follows=follows)
    second = stream(
        generator.frames("yay", seed=1), start=follows, stroke=START + 2.9, end=START + 4.9, after=first
    )
    after = blocks_of(second, now=follows)
    # What was handed out of the first beyond the beginning of the second is what the second begins with.
    overlap = round((before[-1].end - follows) * RATE) + 1
    one, two = positions_of(before), positions_of(after)
    shared = one[len(one) - overlap :]
    np.testing.assert_allclose(shared, two[:overlap], atol=2e-3)
    whole = np.concatenate([one[: len(one) - overlap], two])
    hands = whole[:, [INDEX["left_hand"], INDEX["right_hand"]]]
    away = np.linalg.norm(hands - whole[0, [INDEX["left_hand"], INDEX["right_hand"]]], axis=-1).max(axis=-1)
    raised = np.flatnonzero(away > 0.5)
    assert (away[raised[0] : raised[-1]] > 0.3).all()  # never near rest between the two
    assert after[-1].end == pytest.approx(START + 4.9, abs=0.2)
    velocity = np.diff(hands, axis=0) * RATE
    assert np.abs(np.diff(velocity, axis=0)).max() < 1.0  # [m/s] from frame to frame
    lengths = bone_lengths(two)
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), atol=1e-4)


def test_the_frames_that_are_sent_at_once_are_hardly_a_movement(generator: GestureGenerator) -> None:
    for gesture in GESTURES:
        positions = generator.generate(gesture, seed=2).positions[:UNPLANNED_FRAMES]
        assert np.linalg.norm(positions - positions[0], axis=-1).max() < 0.25
