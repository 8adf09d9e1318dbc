"""Files are found by name or by path, and what is not there is answered with what is."""

import errno
import os
from pathlib import Path

import pytest

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.resources import find_model, find_robot_file, read_limited, share_directory


@pytest.mark.parametrize("robot", ["pepper", "nao"])
def test_a_robot_is_found_by_name_and_by_path(robot):
    path = find_robot_file(robot)
    assert find_robot_file(str(path)) == path


def test_a_missing_file_is_no_such_file():
    with pytest.raises(ConfigurationError, match=r"no/such\.yaml: no such file"):
        find_robot_file("no/such.yaml")


@pytest.mark.parametrize("robot", ["c3po", "", "../robots/pepper", "/"])
def test_an_unknown_robot_is_answered_with_the_known_ones(robot):
    with pytest.raises(ConfigurationError, match=r"Known: .*nao, pepper"):
        find_robot_file(robot)


@pytest.mark.parametrize("find", [find_robot_file, find_model])
@pytest.mark.parametrize("name", ["x" * 5000, "x" * 5000 + ".yaml", "a/" * 5000 + "b.yaml", "a\0b"])
def test_a_name_no_system_takes_is_refused_in_one_line(find, name):
    with pytest.raises(ConfigurationError) as refusal:
        find(name)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("find", [find_robot_file, find_model])
def test_a_place_that_may_not_be_looked_into_is_named(find, monkeypatch):
    def refuse(path, **_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr("text2gesture_ros.resources.share_directory", lambda: Path("share"))
    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(ConfigurationError, match=r"private.*Permission denied"):
        find("private/thing.yaml")


def test_a_model_is_found_by_name_and_by_path(tmp_path):
    assert find_model("intent") == share_directory() / "models" / "intent"
    (tmp_path / "config.json").write_text("{}")
    assert find_model(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("model", ["nothing", "", "no/such/dir"])
def test_an_unknown_model_is_answered_with_the_known_ones(model):
    with pytest.raises(ConfigurationError, match="Known: intent, motion"):
        find_model(model)


def test_a_robot_that_is_all_but_right_is_asked_back():
    with pytest.raises(
        ConfigurationError, match=r"unknown robot 'peper' \(did you mean pepper\?\)\. Known: "
    ):
        find_robot_file("peper")


@pytest.mark.parametrize("pattern", ["clips/*/*.npz", "wave?.npz", "take[12].bvh"])
def test_a_pattern_of_a_shell_that_has_found_nothing_matches_no_file(pattern):
    with pytest.raises(ConfigurationError) as refusal:
        read_limited(pattern, 100)
    assert str(refusal.value) == f"{pattern}: no file matches"
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_limited("wave.npz", 100)
