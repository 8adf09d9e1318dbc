"""The evaluation protocol: the same real clips, judges and metrics for every generator."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.generation.generator import MIN_DURATION
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import JOINTS
from text2gesture_ros.training.motion.candidates import Candidate, Generated, ModelCandidate
from text2gesture_ros.training.motion.figures import draw
from text2gesture_ros.training.motion.health import variance_ratio
from text2gesture_ros.training.motion.judges import EmbedderJudge, Judge, RecogniserJudge
from text2gesture_ros.training.motion.metrics import (
    discrepancies_by_gesture,
    diversity,
    estimate,
    frechet_distance,
    held,
    kinematics,
    multimodality,
)
from text2gesture_ros.training.studio.synthesis import dataset

LONGEST = 4.0  # A gesture that goes on longer has not ended in time [s].


@dataclass(frozen=True)
class Study:
    """The real clips of all repetitions, the judges, and what both have in common for all candidates."""

    body: ModelCandidate
    repetitions: int
    seed: int
    clips: Sequence[Motion]  # P, twice as many as in a repetition
    frames: FloatArray  # (P, T, M)
    judges: Mapping[str, Judge]
    judged: Mapping[str, tuple[FloatArray, FloatArray]]  # by judge, (P, C) and (P, D)

    @classmethod
    def of(
        cls,
        body: ModelCandidate,
        clips_per_gesture: int,
        repetitions: int,
        seed: int,
        recogniser: str,
        own: Sequence[Motion] = (),
    ) -> "Study":
        """Make the clips and show them to the judges; arguments as `evaluate.evaluate`.

        Args:
            body: the model on whose body all are put.
            clips_per_gesture: of the studio.
            repetitions: how often.
            seed: of all chance.
            recogniser: name or path; empty: none.
            own: clips to judge by instead of the studio's, an even number of each gesture.

        Raises:
            ModelError: the recogniser's directory is wrong.
            InputError: no judge is given.
        """
        # Whole gestures, from rest to rest: that is what is generated.
        real = own or dataset(seed, 2 * clips_per_gesture, candid_share=0.0)
        clips = [body.on_body(clip) for clip in real]
        judges: list[Judge] = [RecogniserJudge(recogniser)] if recogniser else []
        judges += [EmbedderJudge(body)] if body.embeds else []
        if not judges:
            raise InputError(f"model {body.directory.name!r} has no embedder: a recogniser is needed")
        return cls(
            body,
            repetitions,
            seed,
            clips,
            held(clips, body.frames),
            {judge.name: judge for judge in judges},
            {judge.name: judge.predict(clips) for judge in judges},
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything a candidate is measured with: body, clips, judges, seeds."""
        digest = hashlib.sha256(json.dumps([self.repetitions, self.seed]).encode())
        digest.update(self.frames.tobytes())
        for name, (probabilities, features) in self.judged.items():
            digest.update(name.encode() + probabilities.tobytes() + features.tobytes())
        return digest.hexdigest()[:16]

    @cached_property
    def largest_jump(self) -> float:
        """The largest step of a joint between two frames in all real clips [m]."""
        return kinematics(self.clips).jump

    def halves(self, repetition: int) -> tuple[list[int], list[int]]:
        """Return indices of the real clips and of as many others, clip i of both of one gesture."""
        generator = np.random.default_rng([self.seed, repetition])
        first, second = [], []
        for gesture in GESTURES:
            own = [index for index, clip in enumerate(self.clips) if clip.gesture == gesture]
            order = generator.permutation(own).tolist()
            first += order[: len(own) // 2]
            second += order[len(own) // 2 :]
        return first, second

    def seeds(self, repetition: int) -> list[int]:
        """Return one seed for each clip of a repetition."""
        count = len(self.clips) // 2
        return list(range(self.seed + repetition * count, self.seed + (repetition + 1) * count))

    def measure(self, candidate: Candidate | None) -> dict[str, Any]:
        """Return the metrics of a candidate; None: of the other real clips, see `halves`.

        Returns:
            recognition_by_gesture: by the first judge; health, of models: see `health.health`, of the
            network's own frames for the real clips of the first repetition; metrics: name -> mean and
            interval (half the width of the 95 % interval over the repetitions, None for one):

            recognition: accuracy by the first judge, recognition_<judge>: by another.
            mmd_avg, mmd_seq, mmd_avg_median, mmd_seq_median: see `metrics.discrepancies`.
            fid, diversity, multimodality: see `metrics`; the last two as the ratio to the real clips'.
            *_reconstructed: of clips generated from the real clips' own embeddings, instead of from labels.
            length_error: mean absolute difference of frames between a real clip and its reconstruction;
                length_error_of_mean: that of always guessing the gesture's mean length.
            stop_rate: part of the clips ended by the stop token; in_time: part ended by it in 0.5 to 4 s.
            speed_ratio, mean_jerk_ratio, peak_jerk_ratio, hand_path_ratio: generated to real, see
                `metrics.Kinematics`; peak_jerk [m/s^3].
            jump: the largest way of a joint from frame to frame [m]; jump_ratio: to that of all real clips.
            variance_ratio: see `health.variance_ratio`, both cut or held to the real clip's length.
            lively: mean speed of positive to that of negative clips.
        """
        values: dict[str, list[float]] = {}
        right: dict[str, list[float]] = {gesture: [] for gesture in GESTURES}
        again = candidate.reconstruct(self.clips) if candidate else None
        for repetition in range(self.repetitions):
            chosen, others = self.halves(repetition)
            real = [self.clips[index] for index in chosen]
            if candidate and again:
                given = candidate.generate(real, self.seeds(repetition))
                rebuilt = [again[index] for index in chosen]
            else:
                no_stops: FloatArray = np.empty(0, np.float32)
                given = rebuilt = [Generated(self.clips[index], no_stops, stopped=True) for index in others]
            found, recognised = self._once(chosen, given, rebuilt)
            for key, value in found.items():
                values.setdefault(key, []).append(value)
            for clip, ok in zip(real, recognised, strict=True):
                right[clip.gesture].append(float(ok))
        result: dict[str, Any] = {
            "metrics": {key: estimate(numbers)._asdict() for key, numbers in values.items()},
            "recognition_by_gesture": {gesture: float(np.mean(oks)) for gesture, oks in right.items() if oks},
        }
        if isinstance(candidate, ModelCandidate):
            result["health"] = candidate.health([self.clips[index] for index in self.halves(0)[0]])
        return result

    def _once(
        self, chosen: Sequence[int], given: Sequence[Generated], rebuilt: Sequence[Generated]
    ) -> tuple[dict[str, float], FloatArray]:
        """Return the metrics of one repetition, and which clips the first judge recognised, (B,)."""
        shown, same = ([self.body.on_body(each.motion) for each in clips] for clips in (given, rebuilt))
        found, recognised = self._judgement(chosen, shown)
        found |= self._distances(chosen, shown, "")
        if rebuilt is not given:
            found |= self._distances(chosen, same, "_reconstructed")
        return found | self._courses(chosen, given, rebuilt, shown), recognised

    def _judgement(
        self, chosen: Sequence[int], shown: Sequence[Motion]
    ) -> tuple[dict[str, float], FloatArray]:
        """Return the judges' metrics of clips, and which clips the first judge recognised, (B,)."""
        labels = [self.clips[index].gesture for index in chosen]
        truth = np.array([GESTURES.index(label) for label in labels])
        verdicts = {name: judge.predict(shown) for name, judge in self.judges.items()}
        right = {name: probabilities.argmax(axis=1) == truth for name, (probabilities, _) in verdicts.items()}
        first = next(iter(self.judges))
        found = {
            "recognition" if name == first else f"recognition_{name}": float(hits.mean())
            for name, hits in right.items()
        }
        features, real = verdicts[first][1], self.judged[first][1][list(chosen)]
        found |= {
            "fid": frechet_distance(real, features),
            "diversity": diversity(features) / diversity(real),
            "multimodality": multimodality(features, labels) / multimodality(real, labels),
        }
        return found, right[first]

    def _distances(self, chosen: Sequence[int], shown: Sequence[Motion], suffix: str) -> dict[str, float]:
        """Return the discrepancies of real clips and others; of reconstructed ones the paper's two."""
        labels = [self.clips[index].gesture for index in chosen]
        frames = self.frames[list(chosen)]  # (B, T, M)
        found = discrepancies_by_gesture(frames, held(shown, self.body.frames), labels)
        names = {"mmd_avg": found.average, "mmd_seq": found.sequence}
        if not suffix:
            names |= {"mmd_avg_median": found.average_median, "mmd_seq_median": found.sequence_median}
        return {f"{name}{suffix}": value for name, value in names.items()}

    def _courses(
        self,
        chosen: Sequence[int],
        given: Sequence[Generated],
        rebuilt: Sequence[Generated],
        shown: Sequence[Motion],
    ) -> dict[str, float]:
        """Return the metrics of motion, length and end of clips."""
        real = [self.clips[index] for index in chosen]
        truth = np.array([GESTURES.index(clip.gesture) for clip in real])
        real_lengths = np.array([len(clip) for clip in real])
        typical = np.array([real_lengths[truth == label].mean() for label in truth])
        lengths = np.array([len(each.motion) for each in rebuilt])
        durations = np.array([each.motion.duration for each in given])
        stopped = np.array([each.stopped for each in given])
        moves, real_moves = kinematics(shown), kinematics(real)
        poses, real_poses = (_poses(held(clips, self.body.frames)) for clips in (shown, real))
        return {
            "length_error": float(np.abs(lengths - real_lengths).mean()),
            "length_error_of_mean": float(np.abs(typical - real_lengths).mean()),
            "stop_rate": float(stopped.mean()),
            "in_time": float((stopped & (durations >= MIN_DURATION) & (durations <= LONGEST)).mean()),
            "speed_ratio": moves.speed / real_moves.speed,
            "mean_jerk_ratio": moves.jerk / real_moves.jerk,
            "peak_jerk_ratio": moves.peak_jerk / real_moves.peak_jerk,
            "peak_jerk": moves.peak_jerk,
            "hand_path_ratio": moves.hand_path / real_moves.hand_path,
            "jump": moves.jump,
            "jump_ratio": moves.jump / self.largest_jump,
            "variance_ratio": variance_ratio(poses, real_poses, real_lengths, truth),
            **_lively(shown),
        }

    def draw(self, candidate: Candidate, folder: Path) -> None:
        """Draw the first repetition."""
        chosen, _ = self.halves(0)
        real = [self.clips[index] for index in chosen]
        given = candidate.generate(real, self.seeds(0))
        judge = next(iter(self.judges.values()))
        _, features = judge.predict([self.body.on_body(each.motion) for each in given])
        draw(folder, real, given, self.judged[judge.name][1][chosen], features, judge.name)


def _poses(frames: FloatArray) -> FloatArray:
    return frames.reshape(*frames.shape[:-1], len(JOINTS), 3)


def _lively(clips: Sequence[Motion]) -> dict[str, float]:
    """Return the figure `lively`, where there are positive and negative clips."""
    sides = [[clip for clip in clips if clip.emotion == emotion] for emotion in EMOTIONS[:2]]
    if not all(sides):
        return {}
    positive, negative = (kinematics(side).speed for side in sides)
    return {"lively": positive / negative}
