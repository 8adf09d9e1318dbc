"""Physics: robots with mass, gravity and servos of limited torque follow the commands, and touch nothing."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from physics_cases import BODIES
from robot_cases import blocks_of

from benchmarks import motions
from benchmarks.primitives import mjcf, moving
from benchmarks.soak_retarget import Take, raw
from text2gesture_ros.generation.generator import GestureGenerator
from text2gesture_ros.geometry import Array
from text2gesture_ros.gestures import needs_of
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.retargeting.executor import MotionExecutor
from text2gesture_ros.robots.robot_file import load_robot

mujoco = pytest.importorskip("mujoco")

RATE = 100.0
SECONDS = 30.0
TIMESTEP = 0.002
# Stiffness of a servo per maximum torque: full torque at 1 degree from the command, a lag of 8 to 42 ms.
# Assumed.
STIFFNESS = 60.0
MAX_DELAY = 0.08  # of a servo [s]
MAX_SATURATED = 0.01
MAX_RMS = np.radians(0.5)


@dataclass(frozen=True)
class Outcome:
    """Result of a simulation.

    Attributes:
        contacts: steps in which it touched itself.
        saturated: ratio of steps and servos at maximum torque.
        rms: tracking error after compensation of the delay, over time and joints [rad].
    """

    contacts: int
    saturated: float
    rms: float

    def passes(self) -> tuple[bool, bool, bool]:
        return self.contacts == 0, self.saturated < MAX_SATURATED, self.rms < MAX_RMS


def simulate(name: str, commands: Array) -> Outcome:
    """Let a robot follow commands (S, N), which a controller interpolates linearly between samples."""
    robot, body = load_robot(name), BODIES[name]
    text = mjcf(robot, body.both_sides(), timestep=TIMESTEP, armature=body.armature, stiffness=STIFFNESS)
    model = mujoco.MjModel.from_xml_string(text)
    data = mujoco.MjData(model)
    joints = moving(robot)
    times = np.arange(0.0, (len(commands) - 1) / RATE, TIMESTEP)
    given = np.arange(len(commands)) / RATE
    wanted = np.stack([np.interp(times, given, commands[:, joint]) for joint in joints], axis=1)
    data.qpos[:] = wanted[0]
    limits = model.actuator_forcerange[:, 1]
    followed, contacts, saturated = np.empty_like(wanted), 0, 0
    for step, control in enumerate(wanted):
        data.ctrl[:] = control
        mujoco.mj_step(model, data)
        followed[step] = data.qpos
        contacts += data.ncon > 0
        saturated += np.count_nonzero(np.abs(data.actuator_force) > 0.999 * limits)
    # Each servo has its own delay.
    errors = []
    for joint in range(len(joints)):
        delays = range(round(MAX_DELAY / TIMESTEP))
        squares = [
            np.mean((followed[delay:, joint] - wanted[: len(wanted) - delay, joint]) ** 2) for delay in delays
        ]
        errors.append(min(squares))
    return Outcome(contacts, saturated / wanted.size, float(np.sqrt(np.mean(errors))))


@pytest.fixture(scope="module")
def gestures():
    """Return generated gestures, one after the other, that last longer than the simulation."""
    generator, shuffle = GestureGenerator(), np.random.default_rng(0)
    clips, frames = [], 0
    while frames < SECONDS * motions.RATE:
        gesture, emotion = shuffle.choice(GESTURES), shuffle.choice(EMOTIONS)
        clips.append(generator.generate(str(gesture), str(emotion), seed=len(clips)))
        frames += len(clips[-1])
    return clips


def performed(name: str, clips: list[Motion], seconds: float = SECONDS) -> Array:
    """Return the commands (S, N) for frames that come half a second ahead, as from the generator."""
    executor = MotionExecutor(load_robot(name), rate=RATE)
    blocks, due = [], 0.5
    for number, clip in enumerate(clips):
        for block in blocks_of(clip.positions, due, utterance_id=f"{number}"):
            needs = needs_of(clip.gesture)
            header = replace(block.header, gesture=clip.gesture, needs=needs)
            blocks.append(replace(block, header=header))
        due += clip.duration
    commands = []
    for now in np.arange(0.0, seconds, 1.0 / RATE):
        while blocks and blocks[0].due - 0.5 <= now:
            executor.receive(blocks.pop(0), now)
        commands.append(executor.tick(now).position)
    return np.stack(commands)


@pytest.mark.parametrize("name", BODIES)
def test_gestures_are_tracked_without_contact_and_below_maximum_torque(name, gestures):
    outcome = simulate(name, performed(name, gestures))
    assert all(outcome.passes()), outcome


@pytest.mark.parametrize("name", BODIES)
def test_on_hard_motion_the_closed_form_fails_every_criterion_and_the_executor_none(name):
    hard = Motion(motions.noisy(motions.conversation(15.0, seed=3, crossing=True)), motions.RATE)
    outcome = simulate(name, performed(name, [hard], 16.0))
    assert all(outcome.passes()), outcome
    take = Take(0.5, hard.positions, motions.RATE, complete=True)
    outcome = simulate(name, raw(load_robot(name), [take], 1600, RATE))
    assert not any(outcome.passes()), outcome
