"""Say sentences of which it is known how long they last, and see whether gestures come and end with them.

    python -m benchmarks.timing --output benchmarks/results/timing.json

The real nodes, as processes of their own; sentences nobody trained on, said at one of many speeds. What is
measured is read off the messages: the phases of a gesture are found anew in the frames that were sent.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from text2gesture_ros.msg import Speech

from benchmarks.parts import parser, spread, written
from text2gesture_ros.labels import NEUTRAL
from text2gesture_ros.motion.phases import find_phases
from text2gesture_ros.ros.conversions import read_frames, to_seconds
from text2gesture_ros.ros.graph_client import GraphClient
from text2gesture_ros.skeleton import INDEX
from text2gesture_ros.training.text.data import default_data
from text2gesture_ros.training.text.utterances import read_utterances
from text2gesture_ros.understanding.clauses import PAUSE

ALLOWED = 0.2
"""The end of the last motion and the end of speech may be so far apart [s]."""

PREPARED = 0.8
"""No gesture that begins with speech is prepared sooner than words that come so late [s]."""

_HANDS = [INDEX["left_hand"], INDEX["right_hand"]]
_REST = 0.05  # hands are at rest where they are no further from it [m]
_UNSEEN = (NEUTRAL, "nod", "shakehead")  # gestures that talking motion with hands may outdo
_PATIENCE = 10.0  # with the robot, until it is at rest [s]
_RATES = (2.0, 3.4)  # words a second


def sentences(count: int, seed: int) -> list[Speech]:
    """Return sentences of the test part, every other one with the times of its words."""
    random = np.random.default_rng(seed)
    texts = [line.text for line in read_utterances(default_data()) if line.split == "test"]
    result = []
    for number, index in enumerate(random.permutation(len(texts))[:count].tolist()):
        words = texts[index].split()
        lengths = np.array([len(word) for word in words]) / np.mean([len(word) for word in words])
        lengths = lengths * random.uniform(0.8, 1.2, len(words)) / random.uniform(*_RATES)
        starts = np.cumsum([0.0, *lengths])
        speech = Speech(
            utterance_id=f"sentence {number}", text=texts[index], duration=float(starts[-1]) + PAUSE / 2
        )
        if number % 2:
            speech.words, speech.word_starts = words, starts[:-1].tolist()
        result.append(speech)
    return result


def measure(graph: GraphClient, speeches: Sequence[Speech]) -> list[dict[str, Any]]:
    """Say them one after the other and return what became of each."""
    for number, speech in enumerate(speeches):
        graph.speak(speech)
        time.sleep(speech.duration)
        # On a busy machine a sentence is heard late, and the next one would cut it off.
        graph.wait_until(graph.log.quiet, timeout=_PATIENCE)
        if (number + 1) % 10 == 0:
            print(f"{number + 1}/{len(speeches)}", file=sys.stderr)
    return [judged(graph, speech) for speech in speeches]


def judged(graph: GraphClient, speech: Speech) -> dict[str, Any]:
    """Return how far motion and speech were apart.

    Returns:
        text, duration, words: whether their times were told; end: last frame after the end of speech [s];
        robot: the same of the last command that performs it; strokes: of the gesture of the first clause,
        which begins at rest, when its word comes after the start of speech and its stroke after the word [s].
    """
    name = speech.utterance_id
    intents = [item.message for item in graph.log.intents if item.message.utterance_id == name]
    said = to_seconds(intents[0].header.stamp)
    over = said + speech.duration
    clauses = defaultdict(list)
    for item in graph.log.frames:
        if item.message.utterance_id == name and item.message.stop_probabilities:
            clauses[item.message.clause].append(read_frames(item.message, 0.0))
    commands = [item.message for item in graph.log.commands if item.message.header.frame_id == name]
    strokes = []
    for intent in intents:
        blocks = clauses.get(intent.clause)
        if blocks and intent.clause == 0 and intent.accepted and intent.gesture.chosen not in _UNSEEN:
            positions = np.concatenate([block.positions for block in blocks])
            shown = _gesture(positions)
            found = find_phases(positions[shown], blocks[0].frame_rate)
            begin = blocks[0].due + shown.start / blocks[0].frame_rate
            late = begin + found.stroke - said - intent.stroke
            strokes.append([round(intent.stroke, 3), round(late, 3)])
    ends = [block.end for blocks in clauses.values() for block in blocks]
    return {
        "text": speech.text,
        "duration": round(speech.duration, 2),
        "words": bool(speech.words),
        "end": round(max(ends) - over, 3) if ends else None,
        "robot": round(to_seconds(commands[-1].header.stamp) - over, 3) if commands else None,
        "strokes": strokes,
    }


def _gesture(positions: Any) -> slice:
    """Return which frames show the gesture: talking motion may go before and after it, from rest to rest.

    The one that comes furthest.
    """
    away = np.linalg.norm(positions[:, _HANDS] - positions[0, _HANDS], axis=-1).max(axis=-1)
    rests = np.flatnonzero(away < _REST)
    top = int(away.argmax())
    return slice(
        int(max(rests[rests < top], default=0)),
        int(min(rests[rests > top], default=len(positions) - 1)) + 1,
    )


def summarised(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of all sentences."""
    ends = [row["end"] for row in rows if row["end"] is not None]
    strokes = [late for row in rows for _, late in row["strokes"]]
    prepared = [late for row in rows for word, late in row["strokes"] if word >= PREPARED]
    return {
        "sentences": len(rows),
        "performed": len(ends),
        "allowed_s": ALLOWED,
        "within": sum(abs(end) <= ALLOWED for end in ends),
        "end_after_speech_s": spread(ends),
        "furthest_s": max((abs(end) for end in ends), default=None),
        "robot_after_speech_s": spread([row["robot"] for row in rows]),
        "gestures": len(strokes),
        "stroke_after_word_s": spread(strokes),
        "later_words": len(prepared),
        "stroke_after_later_word_s": spread(prepared),
        "stroke_no_later_than_later_word": sum(late <= 0.1 for late in prepared),
        "each": list(rows),
    }


def main() -> int:
    """Say the sentences; exit with 1 where one was not performed or ended too early or late."""
    arguments = parser(__doc__)
    arguments.add_argument("--count", type=int, default=100, help="how many sentences")
    arguments.add_argument("--seed", type=int, default=0, help="which ones, and how fast")
    given = arguments.parse_args()
    speeches = sentences(given.count, given.seed)
    with GraphClient(given.robot) as graph:
        figures = summarised(measure(graph, speeches))
    written(given.output, "timing", figures)
    return 0 if figures["within"] == figures["sentences"] else 1


if __name__ == "__main__":
    sys.exit(main())
