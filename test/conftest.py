"""Set before anything imports ROS or a numerical library: they read the environment once."""

import atexit
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

_LOGS = tempfile.mkdtemp(prefix="text2gesture_test_")
# Each worker of pytest-xdist removes its own folder; the last one to use it is at its end then.
atexit.register(shutil.rmtree, _LOGS, ignore_errors=True)

os.environ |= {
    # The machine is shared by the workers of pytest-xdist.
    "OMP_NUM_THREADS": "1",
    # Tests in one process hear nothing from outside; tests of several processes choose their own domain.
    "ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF",
    "FASTRTPS_DEFAULT_PROFILES_FILE": str(Path(__file__).parents[1] / "config" / "fastdds.xml"),
    "ROS_LOG_DIR": _LOGS,
    # Message fields are unchecked unless this is set before the messages are imported.
    "ROS_PYTHON_CHECK_FIELDS": "1",
}


# What a robot with ROS from apt lacks, and how a test file that cannot do without it gives that away.
_OPTIONAL = {
    "torch": r"import torch|_network import|text2gesture_ros\.training",
    "rosbags": r"import rosbags|from rosbags|text2gesture_ros\.(apps\.demo|ros\.bag)|apps import demo",
    "PIL": r"from PIL|text2gesture_ros\.apps\.rendering",
    "matplotlib": r"training\.(confusion|motion\.(evaluate|figures))",
    "hypothesis": r"from hypothesis",
    "onnx": r"from onnx import",
}
_MISSING = [package for package in _OPTIONAL if find_spec(package) is None]
if "hypothesis" not in _MISSING:
    from hypothesis import settings

    # No test asks for speed: the machine may be busy.
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")
collect_ignore = [
    str(path)
    for path in Path(__file__).parent.rglob("test_*.py")
    if any(re.search(_OPTIONAL[package], path.read_text()) for package in _MISSING)
]


def pytest_report_header() -> str:
    """Say what is left out; with `make test` that is nothing."""
    if not _MISSING:
        return ""
    return f"without {', '.join(_MISSING)}: {len(collect_ignore)} test files are left out"


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the root of the repository."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="module")
def loaded_once() -> Iterator[None]:
    """Load each model once in a test file: loading takes longer than most of what is done with it."""
    from text2gesture_ros.generation import generator
    from text2gesture_ros.understanding import classifier

    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((classifier, "IntentClassifier"), (generator, "GestureGenerator")):
            patch.setattr(module, name, cache(getattr(module, name)))
        yield
