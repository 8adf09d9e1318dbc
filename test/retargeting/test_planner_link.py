"""Plans are made once more as a recording tells, whatever the machine does in the meantime."""

import numpy as np
import pytest
from robot_cases import ROBOTS, blocks_of, executor_for, lively, name_of

from text2gesture_ros.control.trajectory import Commit

AHEAD = 4  # rows that plans are made ahead, as a planner in a process of its own does


def conversation(robot):
    """Two clauses, the second before the first is over."""
    return [
        block
        for number, begin in enumerate((0.3, 1.5))
        for block in blocks_of(lively(robot, 1.6, seed=number), begin, utterance_id=str(number))
    ]


def perform(executor, arrivals, *, before=lambda row: None, seconds=6.0):
    """Tick; return the commands (T, N), and the plans that were taken over before each row.

    Args:
        executor: of a robot at rest.
        arrivals: row and block of each, in order.
        before: called before a row is planned.
        seconds: how long.
    """
    waiting, commands, commits = list(arrivals), [], {}
    for row in range(round(seconds / executor.period)):
        now = row * executor.period
        executor.loop.begin(now)
        before(row)
        while waiting and waiting[0][0] <= row:
            executor.receive(waiting.pop(0)[1], now)
        while executor.prepare():
            commits.setdefault(row, []).append(executor.loop.buffer.commit)
        commands.append(executor.step(now).position)
    return np.stack(commands), commits


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
@pytest.mark.parametrize("shift", [0, -6, 2])
def test_a_performance_is_repeated_from_its_commits_also_where_frames_come_sooner_or_later(robot, shift):
    chance = np.random.default_rng(abs(shift))
    arrivals = [
        (max(1, round(100 * (block.due - chance.uniform(0.05, 0.3)))), block) for block in conversation(robot)
    ]
    arrivals.sort(key=lambda arrival: (arrival[1].header.utterance_id, arrival[1].sequence))
    rows = np.maximum.accumulate([row for row, _ in arrivals])
    arrivals = [(int(row), block) for row, (_, block) in zip(rows, arrivals, strict=True)]

    executor = executor_for(robot)
    executor.planner._planner.lead = AHEAD
    commands, commits = perform(executor, arrivals)
    assert len(commits) > 10  # not one plan for all
    assert np.ptp(commands, axis=0).max() > 0.3

    again = executor_for(robot)
    again.planner.plan_at(Commit(-1))

    def ask(row):
        for commit in commits.get(row, ()):
            again.planner.plan_at(commit)

    moved = [(max(0, row + shift), block) for row, block in arrivals]
    found, _ = perform(again, moved, before=ask)
    np.testing.assert_allclose(found, commands, atol=1e-9)


def test_no_plan_is_made_unasked_until_patience_ends():
    executor = executor_for(ROBOTS[0])
    executor.planner.plan_at(Commit(-1))
    arrivals = [(1, block) for block in conversation(ROBOTS[0])]
    commands, commits = perform(executor, arrivals)
    first = next(iter(commits))
    assert first > 40  # half a second of rows, not all of which want a plan
    np.testing.assert_array_equal(commands[:first], np.tile(ROBOTS[0].rest, (first, 1)))
    assert np.ptp(commands, axis=0).max() > 0.1  # better a plan than none
