"""Files are found by name or by path, and what is not there is answered with what is."""

import pytest

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.resources import find_model, find_robot_file, share_directory


@pytest.mark.parametrize("robot", ["pepper", "nao"])
def test_a_robot_is_found_by_name_and_by_path(robot):
    path = find_robot_file(robot)
    assert find_robot_file(str(path)) == path


@pytest.mark.parametrize("robot", ["c3po", "", "../robots/pepper", "no/such.yaml", "/"])
def test_an_unknown_robot_is_answered_with_the_known_ones(robot):
    with pytest.raises(ConfigurationError, match="Known: nao, pepper"):
        find_robot_file(robot)


def test_a_model_is_found_by_name_and_by_path(tmp_path):
    assert find_model("intent") == share_directory() / "models" / "intent"
    (tmp_path / "config.json").write_text("{}")
    assert find_model(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("model", ["nothing", "", "no/such/dir"])
def test_an_unknown_model_is_answered_with_the_known_ones(model):
    with pytest.raises(ConfigurationError, match="Known: intent, motion"):
        find_model(model)
