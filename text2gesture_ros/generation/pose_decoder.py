"""From the numbers of the motion network to joint positions of a body that moves without jumps."""

from collections.abc import Iterable

import numpy as np

from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.model_directory import ModelDirectory, Weights
from text2gesture_ros.skeleton import JOINTS, with_bone_lengths

_COORDINATES = 3 * len(JOINTS)


class PoseDecoder:
    """Undoes the normalisation of a model, smooths in time, limits steps and keeps bone lengths.

    Args:
        directory: of the motion model.
        weights: of that directory.
        frame_rate: of its frames [Hz].

    Attributes:
        kernel: (W,) weights of the window of frames that every frame is smoothed over, W odd.
        max_joint_step: maximum displacement of a joint from one frame to the next [m].

    Raises:
        ModelError: a number or a table of the directory is missing or out of range.
    """

    def __init__(self, directory: ModelDirectory, weights: Weights, frame_rate: float) -> None:
        directory.check_shapes(
            weights,
            {
                "normalisation.mean": (_COORDINATES,),
                "normalisation.deviation": (_COORDINATES,),
                "normalisation.bone_lengths": (len(JOINTS) - 1,),
            },
        )
        self._mean, self._deviation, self._bone_lengths = (
            weights[f"normalisation.{name}"] for name in ("mean", "deviation", "bone_lengths")
        )
        self.kernel = _gaussian(directory.number("smoothing", 0.0, 0.1) * frame_rate)
        self.max_joint_step = np.inf
        if "furthest" in directory.config:
            self.max_joint_step = directory.number("furthest", 1e-4, 1.0)

    def decode(self, window: Iterable[FloatArray]) -> FloatArray:
        """Return smoothed joint positions (K, 3) [m] of a window of W frames of the network, (M,) each."""
        values = self.kernel @ np.stack(list(window))  # (M,)
        positions = (values * self._deviation + self._mean).reshape(len(JOINTS), 3)
        return with_bone_lengths(positions, self._bone_lengths)

    def limit_step(self, before: FloatArray, wanted: FloatArray) -> FloatArray:
        """Limit the displacement of joints from frame to frame to `max_joint_step`, keeping bone lengths.

        Args:
            before: (K, 3) joint positions of the frame before [m].
            wanted: (K, 3) joint positions [m].
        """
        step = float(np.linalg.norm(wanted - before, axis=1).max())
        if step <= self.max_joint_step:
            return wanted
        return with_bone_lengths(before + self.max_joint_step / step * (wanted - before), self._bone_lengths)


def _gaussian(deviation: float) -> FloatArray:
    """Return the weights of a Gaussian with a standard deviation [frames]; a single 1 if it is 0."""
    half = int(np.ceil(3.0 * deviation))
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) / max(deviation, 1e-9)) ** 2)
    return np.asarray(weights / weights.sum(), dtype=np.float32)
