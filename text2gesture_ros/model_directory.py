"""A model is a directory: config.json, weights.safetensors, graphs without weights. Nothing in it is pickled.

The graphs (ONNX) carry the names of the PyTorch parameters in place of the numbers, and the numbers are put
in from weights.safetensors when a session is made: PyTorch and ONNX Runtime read the same bytes and cannot
differ. Which weights a graph takes, and in which type, stands in config.json under `graphs`. ONNX Runtime,
safetensors and PyTorch are imported when needed.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text2gesture_ros.errors import ConfigurationError, ModelError
from text2gesture_ros.quantization import SCALE, quantise
from text2gesture_ros.resources import check_file, find_model, read_limited

Weights = dict[str, NDArray[Any]]
Slots = Mapping[str, Sequence[str]]
"""Names of the weights a graph takes, by the type it takes them in, one of `SLOT_TYPES`."""

FORMAT = 1
SLOT_TYPES = ("float32", "float16", "int8")
DEVICES = ("auto", "cpu", "cuda")

CONFIG_FILE = "config.json"
STATE_FILE, PROGRESS_FILE = "training/state.safetensors", "training/progress.json"
"""What a training is resumed from, and where it says how far it has got, in the directory it writes."""
GRAPH = "graph.onnx"
INT8_GRAPH = "graph_int8.onnx"
INITIAL_GRAPH, STEP_GRAPH = "initial.onnx", "step.onnx"
WEIGHTS_FILE = "weights.safetensors"

_MAX_CONFIG_BYTES = 1 << 20
_MAX_GRAPH_BYTES = 16 << 20
_MAX_WEIGHTS_BYTES = 2 << 30


@dataclass(frozen=True)
class ModelDirectory:
    """An opened model directory, its config.json checked.

    Attributes:
        path: the directory.
        config: config.json: kind, name, format, labels, and what the model of that kind needs.
    """

    path: Path
    config: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What the model calls itself."""
        return str(self.config["name"])

    def number(self, key: str, low: float, high: float) -> float:
        """Return a number of config.json.

        Raises:
            ModelError: it is missing, no number, or outside [low, high].
        """
        value = self.config.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ModelError(
                f"{self.path / CONFIG_FILE}: {key!r} must be a number in [{low}, {high}] but is {value!r}"
            )
        return value

    def check_labels(self, vocabularies: Mapping[str, Sequence[str]]) -> None:
        """Check that the model was trained on the labels its loader knows, in their order.

        Args:
            vocabularies: the labels of each task.

        Raises:
            ModelError: config.json has other labels, or none.
        """
        labels = self.config.get("labels")
        for task, known in vocabularies.items():
            given = labels.get(task) if isinstance(labels, dict) else None
            if not isinstance(given, list) or given != list(known):
                where = f"{self.path / CONFIG_FILE}: 'labels'"
                raise ModelError(f"{where} must name under {task!r} in this order: {', '.join(known)}")

    def check_shapes(self, weights: Weights, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Check that there are weights of these names and shapes.

        Raises:
            ModelError: one is missing or has another shape.
        """
        for name, shape in shapes.items():
            if name not in weights or weights[name].shape != shape:
                found = weights[name].shape if name in weights else "missing"
                raise ModelError(f"{self.path}: weight {name!r} must be {shape} but is {found}")

    def weights(self) -> Weights:
        """Return every array of weights.safetensors, the floating ones as float32.

        Raises:
            ModelError: the file is missing, too large, damaged or holds a number that is not finite.
        """
        return {name: _as_float32(array) for name, array in self._stored()}

    def _stored(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[tuple[str, NDArray[Any]]]:
        """Yield name and array of the weights whose name is wanted, one at a time, as they are stored."""
        from safetensors import SafetensorError, safe_open

        path = self.path / WEIGHTS_FILE
        check_file(path, _MAX_WEIGHTS_BYTES, ModelError)
        try:
            with safe_open(path, framework="numpy") as file:
                for name in filter(wanted, file.keys()):
                    array = file.get_tensor(name)
                    if not np.isfinite(array).all():
                        raise ModelError(f"{path}: {name!r} holds a number that is not finite")
                    yield name, array
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise ModelError(f"{path}: no safetensors file: {error}") from None

    def session(self, graph: str = GRAPH, threads: int = 1, device: str = "cpu") -> Any:
        """Return an `onnxruntime.InferenceSession` of a graph of this directory, with its weights put in.

        Args:
            graph: file name of the graph.
            threads: threads that work on one operation. They do not spin while they wait: a node idles
                most of the time and shares its cores with the control loop.
            device: cpu, or cuda where ONNX Runtime has its CUDA provider.

        Raises:
            ModelError: the graph is missing or damaged, its weights are not listed or do not fit.
        """
        import onnxruntime

        path = self.path / graph
        if Path(graph).name != graph:
            raise ModelError(f"{self.path}: {graph!r} is no file name of a model directory")
        data = read_limited(path, _MAX_GRAPH_BYTES, ModelError)
        slots = self._slots(graph)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        # A weight that is not put in below would be looked for in whatever directory we are in: below a file
        # there is none.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path))
        weights = self._values(slots)
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
        providers = ["CUDAExecutionProvider"] if device == "cuda" else []
        try:
            return onnxruntime.InferenceSession(data, options, providers=[*providers, "CPUExecutionProvider"])
        except _onnxruntime_errors() as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"{path}: does not load or does not fit {WEIGHTS_FILE}: {reason}") from None

    def _slots(self, graph: str) -> Mapping[str, str]:
        """Return the type in which a graph takes each of its weights, by the weight's name."""
        graphs, where = self.config.get("graphs"), f"{self.path / CONFIG_FILE}: 'graphs'"
        slots = graphs.get(graph) if isinstance(graphs, dict) else None
        if slots is None:
            raise ModelError(
                f"{where} does not list the weights of {graph} (written by an earlier version?)."
                f" Export the model again: text2gesture export {self.path}"
            )
        if not isinstance(slots, dict) or not all(
            kind in SLOT_TYPES and isinstance(names, list) and all(isinstance(name, str) for name in names)
            for kind, names in slots.items()
        ):
            raise ModelError(f"{where}, {graph}: must be lists of names under {', '.join(SLOT_TYPES)}")
        return {name: kind for kind, names in slots.items() for name in names}

    def _values(self, slots: Mapping[str, str]) -> Weights:
        """Return the weights of a graph's slots by name, each in the type the graph takes."""
        values: Weights = {}
        for name, array in self._stored(slots.__contains__):
            if slots[name] == "int8":
                if array.ndim != 2:
                    raise ModelError(
                        f"{self.path / CONFIG_FILE}: 'graphs': {name!r} is no matrix, int8 is for these"
                    )
                values[name], values[name + SCALE] = quantise(array)
            else:
                values[name] = array.astype(slots[name])
        return values


def open_model(model: str, kind: str = "") -> ModelDirectory:
    """Open a model given by name (`intent`) or path (`./my_model`) and check its config.json.

    Args:
        model: name or path.
        kind: what kind it must be, such as `intent`; empty: any.

    Raises:
        ModelError: no such directory, config.json is missing or wrong, or the model is of another kind.
    """
    try:
        path = find_model(model)
    except ConfigurationError as error:
        stopped = unfinished(Path(model))
        raise ModelError(f"{stopped}. There is no model yet" if stopped else str(error)) from None
    file = path / CONFIG_FILE
    config = _read_config(file)
    if kind and config["kind"] != kind:
        raise ModelError(f"{file}: 'kind' is {config['kind']!r}, but a model of kind {kind!r} is needed")
    return ModelDirectory(path, config)


def write_progress(path: Path, epoch: int, epochs: int, *, finished: bool) -> None:
    """Write how far the training of a model directory has got, for `unfinished`."""
    file = path / PROGRESS_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    write_file(file, json.dumps({"epoch": epoch, "epochs": epochs, "finished": finished}).encode())


def unfinished(path: Path) -> str:
    """Return that the training of a model directory was stopped, and where; empty if not, or not known."""
    try:
        found = json.loads((path / PROGRESS_FILE).read_text(encoding="utf-8"))
        if found["finished"]:
            return ""
        return (
            f"{path}: its training was stopped after {int(found['epoch'])} of {int(found['epochs'])} epochs;"
            " --resume goes on"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def save_model(path: Path, config: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> None:
    """Write config.json and weights.safetensors (floating arrays as float16) into a directory.

    Each file appears whole or not at all. Graphs are written afterwards, and listed by `save_slots`.

    Args:
        path: the directory; made when missing.
        config: kind, name, labels and what the model needs; "format" is added.
        weights: arrays by name; the names of a PyTorch state_dict where there is one.

    Raises:
        ModelError: the config is incomplete, or a weight is not finite or too large for float16.
    """
    from safetensors.numpy import save

    config = {**config, "format": FORMAT}
    _check_config(config, str(path / CONFIG_FILE))
    arrays: Weights = {}
    for name, array in weights.items():
        array = np.asarray(array, order="C")
        if np.issubdtype(array.dtype, np.floating):
            if not (np.abs(array) <= np.finfo(np.float16).max).all():
                raise ModelError(f"{path / WEIGHTS_FILE}: {name!r} is not finite or too large for float16")
            array = array.astype(np.float16)
        arrays[name] = array
    path.mkdir(parents=True, exist_ok=True)
    # The config comes last: a directory is found by its config, so a new one is complete when it is found.
    write_file(path / WEIGHTS_FILE, save(arrays))
    _write_config(path, config)


def save_slots(path: Path, graphs: Mapping[str, Slots]) -> None:
    """List in config.json of a model directory which weights its graphs take; the lists of other graphs go.

    Args:
        path: the directory.
        graphs: the weights of each graph, by its file name.

    Raises:
        ModelError: config.json is missing or wrong.
    """
    config = _read_config(path / CONFIG_FILE)
    _write_config(path, {**config, "graphs": graphs})


def _write_config(path: Path, config: Mapping[str, Any]) -> None:
    write_file(path / CONFIG_FILE, (json.dumps(config, indent=2) + "\n").encode())


def write_file(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(data)
        temporary = file.name
    try:
        Path(temporary).chmod(0o644)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def choose_engine(device: str) -> str:
    """Return which engine runs models on a device: "onnxruntime-cpu", "onnxruntime-cuda" or "torch-cuda".

    `auto` takes ONNX Runtime's CUDA provider where it is installed and the processor otherwise; `cuda` takes
    PyTorch where that provider is not at hand.

    Raises:
        ConfigurationError: the device is unknown, or cuda is asked for and neither engine has it.
    """
    import onnxruntime

    if device not in DEVICES:
        raise ConfigurationError(f"unknown device {device!r}. Known: {', '.join(DEVICES)}")
    if device == "cpu":
        return "onnxruntime-cpu"
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        return "onnxruntime-cuda"
    if device == "auto":
        return "onnxruntime-cpu"
    check_torch_device(device)
    return "torch-cuda"


def check_torch_device(device: str) -> None:
    """Raise ConfigurationError unless PyTorch can run on `device`: auto, cpu or cuda."""
    if device not in DEVICES:
        raise ConfigurationError(f"unknown device {device!r}. Known: {', '.join(DEVICES)}")
    try:
        import torch
    except ImportError:
        raise ConfigurationError(f"device {device!r} needs PyTorch here") from None
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("device 'cuda': no CUDA device found. Use cpu or auto")


def _read_config(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(read_limited(file, _MAX_CONFIG_BYTES, ModelError))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file}: no JSON: {error}") from None
    _check_config(config, str(file))
    return dict(config)


def _check_config(config: Any, where: str) -> None:
    if not isinstance(config, dict):
        raise ModelError(f"{where}: must be a JSON object")
    if config.get("format") != FORMAT:
        raise ModelError(f"{where}: 'format' must be {FORMAT} but is {config.get('format')!r}")
    for key in ("kind", "name"):
        if not isinstance(config.get(key), str) or not config[key].strip():
            raise ModelError(f"{where}: {key!r} must be a text but is {config.get(key)!r}")


def _as_float32(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float32) if np.issubdtype(array.dtype, np.floating) else array


def _onnxruntime_errors() -> Any:
    """Return the exception classes of ONNX Runtime, which have no common base but `Exception`."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return tuple(
        value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)
    )
