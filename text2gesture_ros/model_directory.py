"""A model is a directory: config.json, weights.safetensors, graphs without weights. Nothing in it is pickled.

The graphs (ONNX) carry the names of the PyTorch parameters in place of the numbers, and the numbers are put
in from weights.safetensors when a session is made. So PyTorch and ONNX Runtime read the same bytes and
cannot drift, and the weights are stored once. ONNX Runtime, safetensors and PyTorch are imported when needed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    pass
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy.typing as npt

from text2gesture_ros.errors import ConfigurationError, ModelError
from text2gesture_ros.labels import TASKS
from text2gesture_ros.resources import find_model

if TYPE_CHECKING:
    pass

Weights = dict[str, npt.NDArray[Any]]

FORMAT = 1
# Which vocabularies a model of each kind must have been trained on.
KINDS = {
    "intent": ("subject", "gesture", "emotion"),
    "motion": ("gesture", "emotion"),
    "recogniser": ("gesture",),
}
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "int8")

CONFIG_FILE = "config.json"
GRAPH = "graph.onnx"
INT8_GRAPH = "graph_int8.onnx"
INITIAL_GRAPH, STEP_GRAPH = "initial.onnx", "step.onnx"
WEIGHTS_FILE = "weights.safetensors"
_MAX_CONFIG_BYTES = 1 << 20
_MAX_GRAPH_BYTES = 16 << 20
_MAX_WEIGHTS_BYTES = 2 << 30
_MAX_NAME = 120  # bytes; with an ending, 128 would need two bytes of length in a graph, see `_place`
_INT8, _FLOAT16 = 3, 10  # onnx.TensorProto.DataType


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

    def weights(self) -> Weights:
        """Return every array of weights.safetensors, the floating ones as float32.

        Raises:
            ModelError: the file is missing, too large, damaged or holds a number that is not finite.
        """
        return {name: _as_float32(array) for name, array in self._stored()}

    def _stored(
        self, wanted: Callable[[str], bool] = lambda _: True
    ) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        """Yield name and array of the weights whose name is wanted, one at a time, as they are stored."""
        from safetensors import SafetensorError, safe_open

        path = self.path / WEIGHTS_FILE
        _check_size(path, _MAX_WEIGHTS_BYTES)
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
            ModelError: the graph is missing or damaged, or does not fit the weights.
        """
        import onnxruntime

        path = self.path / graph
        if Path(graph).name != graph:
            raise ModelError(f"{self.path}: {graph!r} is no file name of a model directory")
        data = read_limited(path, _MAX_GRAPH_BYTES)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        # A weight that is not put in below would be looked for in whatever directory we are in: below a file
        # there is none.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path))
        weights = self._placed(data)
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
        providers = ["CUDAExecutionProvider"] if device == "cuda" else []
        try:
            return onnxruntime.InferenceSession(data, options, providers=[*providers, "CPUExecutionProvider"])
        except _onnxruntime_errors() as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"{path}: does not load or does not fit {WEIGHTS_FILE}: {reason}") from None

    def _placed(self, graph: bytes) -> Weights:
        """Return the weights a graph has places for, by name, each as the graph wants it."""
        placed: Weights = {}
        for name, array in self._stored(lambda name: _place(name, graph) != 0):
            kind = _place(name, graph)
            if kind == _INT8:
                placed[name], placed[name + SCALE] = quantise(array)
            else:
                placed[name] = array if kind == _FLOAT16 else _as_float32(array)
        return placed


def open_model(model: str, kind: str = "") -> ModelDirectory:
    """Open a model given by name (`intent`) or path (`./my_model`) and check its config.json.

    Args:
        model: name or path.
        kind: what kind it must be, one of `KINDS`; empty: any.

    Raises:
        ModelError: no such directory, config.json is missing or wrong, or the model is of another kind.
    """
    try:
        path = find_model(model)
    except ConfigurationError as error:
        raise ModelError(str(error)) from None
    file = path / CONFIG_FILE
    try:
        config = json.loads(read_limited(file, _MAX_CONFIG_BYTES))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file}: no JSON: {error}") from None
    _check_config(config, str(file))
    if kind and config["kind"] != kind:
        raise ModelError(f"{file}: 'kind' is {config['kind']!r}, but a model of kind {kind!r} is needed")
    return ModelDirectory(path, config)


def save_model(path: Path, config: Mapping[str, Any], weights: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write config.json and weights.safetensors (floating arrays as float16) into a directory.

    Each file appears whole or not at all. Graphs are written by `export_graph`.

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
        if len(name.encode()) > _MAX_NAME:
            raise ModelError(f"{path / WEIGHTS_FILE}: the name {name!r} is longer than {_MAX_NAME} bytes")
        array = np.asarray(array, order="C")
        if np.issubdtype(array.dtype, np.floating):
            if not (np.abs(array) <= np.finfo(np.float16).max).all():
                raise ModelError(f"{path / WEIGHTS_FILE}: {name!r} is not finite or too large for float16")
            array = array.astype(np.float16)
        arrays[name] = array
    path.mkdir(parents=True, exist_ok=True)
    # The config comes last: a directory is found by its config, so a new one is complete when it is found.
    write_file(path / WEIGHTS_FILE, save(arrays))
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


def choose_precision(directory: ModelDirectory, int8_graph: str, engine: str, precision: str) -> str:
    """Return with what a model computes: float32 or int8.

    Args:
        directory: the model.
        int8_graph: file name of the graph that computes with integers, which a model may lack.
        engine: what `choose_engine` returned.
        precision: float32, int8, or auto: int8 on a processor where the model has that graph.

    Raises:
        ConfigurationError: unknown, or int8 anywhere but on a processor.
    """
    if precision not in PRECISIONS:
        raise ConfigurationError(f"unknown precision {precision!r}. Known: {', '.join(PRECISIONS)}")
    on_processor = engine == "onnxruntime-cpu"
    if precision == "int8" and not on_processor:
        raise ConfigurationError(f"precision 'int8' is for the device cpu, not for {engine}")
    if precision == "auto":
        return "int8" if on_processor and (directory.path / int8_graph).is_file() else "float32"
    return precision


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


def _check_config(config: Any, where: str) -> None:
    if not isinstance(config, dict):
        raise ModelError(f"{where}: must be a JSON object")
    if config.get("format") != FORMAT:
        raise ModelError(f"{where}: 'format' must be {FORMAT} but is {config.get('format')!r}")
    kind = config.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ModelError(f"{where}: 'kind' must be one of {', '.join(KINDS)} but is {kind!r}")
    if not isinstance(config.get("name"), str) or not config["name"].strip():
        raise ModelError(f"{where}: 'name' must be a text but is {config.get('name')!r}")
    labels = config.get("labels")
    for task in KINDS[kind]:
        given = labels.get(task) if isinstance(labels, dict) else None
        if not isinstance(given, list | tuple) or tuple(given) != TASKS[task]:
            raise ModelError(
                f"{where}: 'labels' must name under {task!r} in this order: {', '.join(TASKS[task])}"
            )


def read_limited(path: Path, limit: int) -> bytes:
    """Return what is in a file of a model directory.

    Raises:
        ModelError: it cannot be read, or has more than `limit` bytes.
    """
    _check_size(path, limit)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None


def _check_size(path: Path, limit: int) -> None:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a device has no size and no end
            raise ModelError(f"{path}: no file")
        if found.st_size > limit:
            raise ModelError(f"{path}: larger than {limit >> 20} MB")
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None


def _as_float32(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return array.astype(np.float32) if np.issubdtype(array.dtype, np.floating) else array


def _place(name: str, graph: bytes) -> int:
    """Return the type (TensorProto.DataType) a graph wants a weight in; 0: it has no place for it.

    ONNX Runtime refuses weights that a graph does not know. In the bytes of a graph the place of a weight is
    its type (field 2 of TensorProto, 0x10) and its name (field 8, 0x42 and the length): looking for these
    spares the run time the onnx package.
    """
    encoded = name.encode()
    if len(encoded) > _MAX_NAME:
        return 0
    found = re.search(rb"\x10(.)" + re.escape(bytes([0x42, len(encoded)]) + encoded), graph, re.DOTALL)
    return found[1][0] if found else 0


def _onnxruntime_errors() -> Any:
    """Return the exception classes of ONNX Runtime, which have no common base but `Exception`."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return tuple(
        value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)
    )


WEIGHT_LEVELS = 64
"""Weights become integers in [-64, 64]."""


ACTIVATION_LEVELS = 127
"""Activations become integers in [-127, 127], kept as 1 to 255 (unsigned with zero point 128)."""


SCALE = ".scale"
"""What the scales of a weight are called: its own name and this."""


_ZERO_POINT = 128


def quantise(weight: NDArray[np.floating[Any]]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return the integers of a linear layer and what its integer products are multiplied by.

    Args:
        weight: of `torch.nn.Linear`, (N, K) with N outputs.

    Returns:
        integers, (K, N), and scales, (N): weight.T is nearly integers * scales * `ACTIVATION_LEVELS`.
    """
    weight = np.asarray(weight, np.float32)
    largest = np.abs(weight).max(axis=1)  # (N)
    step = np.where(largest > 0.0, largest / WEIGHT_LEVELS, 1.0).astype(np.float32)
    integers = np.rint(weight / step[:, None]).astype(np.int8)
    return np.ascontiguousarray(integers.T), step / np.float32(ACTIVATION_LEVELS)
