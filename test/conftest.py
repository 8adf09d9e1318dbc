"""Set before anything imports ROS or a numerical library: they read the environment once."""

import atexit
import os
import shutil
import tempfile
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


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the root of the repository."""
    return Path(__file__).parents[1]
