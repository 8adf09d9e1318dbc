"""The state a training is resumed from: one safetensors file, nothing pickled, written whole or not at all.

It holds network and optimisers as tensors and, as JSON in the file's metadata, the progress of the training.
Learning rates and random numbers are no part of it: trainings derive them from the progress.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.model_directory import write_file

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what Adam keeps of each parameter


def write_state(
    path: Path, network: nn.Module, optimizers: Mapping[str, Optimizer], progress: Mapping[str, int | float]
) -> None:
    """Write the state of a training, and its directory when missing.

    Args:
        path: the file.
        network: the network, not wrapped for several machines.
        optimizers: each Adam under a name of its own.
        progress: the progress of the training.
    """
    tensors = {f"network/{name}": value for name, value in network.state_dict().items()}
    for part, optimizer in optimizers.items():
        for number, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"{part}/{number}/{name}": moments[name] for name in _MOMENTS}
    # One file holds everything, so that an interruption cannot leave halves of two epochs.
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, save(contiguous, {"progress": json.dumps(dict(progress))}))


def read_state(
    path: Path, network: nn.Module, optimizers: Mapping[str, Optimizer], progress: Mapping[str, int | float]
) -> dict[str, Any]:
    """Take a state over into network and optimisers, and return its progress.

    Args:
        path: the file.
        network: the network, not wrapped for several machines.
        optimizers: each Adam under the name it was written with.
        progress: what to find, with values of the type to find.

    Raises:
        ConfigurationError: there is no such file, it is damaged, or it belongs to another training.
    """
    try:
        with safe_open(path, "pt") as file:
            found = json.loads((file.metadata() or {})["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        _check_progress(found, progress)
        states = {part: _optimizer_state(part, each, tensors) for part, each in optimizers.items()}
        # Strict: what is left in `tensors` is the network and nothing else.
        network.load_state_dict({name.removeprefix("network/"): value for name, value in tensors.items()})
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{path}: nothing to resume from: {reason}") from None
    for part, optimizer in optimizers.items():
        optimizer.load_state_dict({**optimizer.state_dict(), "state": states[part]})
    return dict(found)


def _check_progress(found: Any, progress: Mapping[str, int | float]) -> None:
    if not isinstance(found, dict) or found.keys() != progress.keys():
        raise ValueError(f"its progress must tell {', '.join(progress)}")
    for name, default in progress.items():
        value = found[name]
        if type(value) is not type(default) or (isinstance(value, int) and value < 0):
            raise ValueError(f"its progress has {name} {value!r}")


def _optimizer_state(part: str, optimizer: Optimizer, tensors: dict[str, Tensor]) -> dict[int, Any]:
    """Take the tensors of an optimiser out of `tensors`: PyTorch itself does not look whether they fit."""
    state: dict[int, Any] = {}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, parameter in enumerate(parameters):
        names = {moment: f"{part}/{number}/{moment}" for moment in _MOMENTS}
        if not any(name in tensors for name in names.values()):
            continue  # never stepped
        moments = {moment: tensors.pop(name) for moment, name in names.items()}
        for moment, value in moments.items():
            shape = () if moment == "step" else tuple(parameter.shape)
            if tuple(value.shape) != shape:
                raise ValueError(f"{names[moment]} has shape {tuple(value.shape)} but needs {shape}")
        state[number] = moments
    return state
