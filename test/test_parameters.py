"""The table of parameters: defaults are allowed, what is beyond the bounds is refused with a reason."""

import math
import re
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import pytest
import yaml

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.parameters import PARAMETERS, defaults, specification

YAML_FILE = Path(__file__).parents[1] / "config" / "text2gesture.yaml"
ALL = [
    pytest.param(node, item, id=f"{node}.{item.name}")
    for node, table in PARAMETERS.items()
    for item in fields(table)
]
NUMBERS = [case for case in ALL if specification(case.values[1]).low is not None]


@pytest.mark.parametrize(("node", "item"), ALL)
def test_every_parameter_has_a_sentence_and_a_value_of_a_ros_type(node, item):
    what = specification(item)
    assert re.fullmatch(r"[A-Z].*\.", what.description)
    assert type(item.default) in (bool, int, float, str)
    assert (what.low is None) == (what.high is None) == (type(item.default) not in (int, float))


@pytest.mark.parametrize(("node", "item"), NUMBERS)
def test_a_number_is_allowed_up_to_its_bounds_and_not_beyond(node, item):
    what, kind, parameters = specification(item), type(item.default), PARAMETERS[node]()
    for bound in (what.low, what.high):
        assert getattr(replace(parameters, **{item.name: kind(bound)}), item.name) == bound
    step = 1 if kind is int else 1e-6
    for value in (what.low - step, what.high + step):
        with pytest.raises(ConfigurationError) as refusal:
            replace(parameters, **{item.name: kind(value)})
        assert str(refusal.value).startswith(f"{item.name} must be in [{what.low:g}, {what.high:g}]")
        assert str(refusal.value).endswith(f"but is {kind(value)}")
    if kind is float:
        for value in (math.nan, math.inf, -math.inf):
            with pytest.raises(ConfigurationError, match=item.name):
                replace(parameters, **{item.name: value})


@pytest.mark.parametrize(("node", "item"), ALL)
def test_a_value_of_another_type_is_refused(node, item):
    for value in (True, 1, 0.5, "a word", None, [1.0]):
        if type(value) is not type(item.default):
            with pytest.raises(
                ConfigurationError, match=f"^{item.name} must be a {type(item.default).__name__}"
            ):
                replace(PARAMETERS[node](), **{item.name: value})


@pytest.mark.parametrize(("node", "item"), ALL)
def test_a_text_must_be_among_the_choices_and_not_empty(node, item):
    if type(item.default) is str:
        what = specification(item)
        for value in ("", "no such choice") if what.choices else ("",):
            with pytest.raises(ConfigurationError, match=item.name):
                replace(PARAMETERS[node](), **{item.name: value})
        for value in what.choices:
            assert getattr(replace(PARAMETERS[node](), **{item.name: value}), item.name) == value


def test_parameters_do_not_change_in_place():
    for table in PARAMETERS.values():
        with pytest.raises(FrozenInstanceError):
            table().autostart = False


def test_yaml_file_says_what_the_table_says():
    said = yaml.safe_load(YAML_FILE.read_text())
    assert said == {f"/**/{node}": {"ros__parameters": defaults(node)} for node in PARAMETERS}
    types = {node: {name: type(value) for name, value in defaults(node).items()} for node in PARAMETERS}
    for node in PARAMETERS:
        given = said[f"/**/{node}"]["ros__parameters"]
        assert {name: type(value) for name, value in given.items()} == types[node]


@pytest.mark.parametrize(("node", "item"), ALL)
def test_yaml_file_explains_each_parameter_in_the_line_above(node, item):
    section = YAML_FILE.read_text().split(f"/**/{node}:")[1].split("/**/")[0].splitlines()
    (line,) = [n for n, text in enumerate(section) if text.startswith(f"    {item.name}:")]
    comment, what = section[line - 1], specification(item)
    assert comment.startswith(f"    # {what.description}")
    assert ("live" in comment.removeprefix(f"    # {what.description}")) == what.live
    if what.low is not None:
        assert f"{what.low:g} to {what.high:g} {what.unit}".strip() in comment
