"""Files that have failed, in a folder that the environment names; tests of them are skipped without it."""

import os
from pathlib import Path

import pytest

FAULTS = Path(os.environ.get("TEXT2GESTURE_FAULTS", "none"))

needs_faults = pytest.mark.skipif(not FAULTS.is_dir(), reason="TEXT2GESTURE_FAULTS names no folder")
