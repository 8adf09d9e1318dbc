"""The public names: each is there, alone and without what others need."""

import subprocess
import sys

import pytest

import text2gesture_ros


def loaded(program: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", f"{program}; import sys; print(*sys.modules)"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


@pytest.mark.parametrize("name", text2gesture_ros.__all__)
def test_every_public_name_is_imported_in_a_fresh_interpreter(name):
    assert "torch" not in loaded(f"from text2gesture_ros import {name}")


def test_the_package_alone_loads_no_module_of_its_own():
    names = loaded("import text2gesture_ros; dir(text2gesture_ros)")
    assert not {name for name in names if name.startswith("text2gesture_ros.")}
    assert "numpy" not in names


def test_a_name_that_is_not_public_is_no_attribute():
    with pytest.raises(AttributeError, match="no_such_name"):
        text2gesture_ros.no_such_name  # noqa: B018
