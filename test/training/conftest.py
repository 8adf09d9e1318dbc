"""What tests of trainings share."""

from collections.abc import Iterator
from functools import cache

import pytest


@pytest.fixture(scope="module")
def studio_once() -> Iterator[None]:
    """Let the studio make each of its clips once in a test file: one takes a tenth of a second."""
    from text2gesture_ros.training.studio import synthesis

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthesis, "_clip", cache(synthesis._clip))
        yield
