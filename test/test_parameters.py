"""The table of parameters: defaults are allowed, what is beyond the bounds is refused with a reason."""

import math
import re
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import pytest
import yaml

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.parameters import PARAMETERS, GestureRetargeterParameters, defaults, specification

YAML_FILE = Path(__file__).parents[1] / "config" / "text2gesture.yaml"
ALL = [(node, item) for node, table in PARAMETERS.items() for item in fields(table)]


def test_every_parameter_has_a_sentence_and_a_value_of_a_ros_type():
    for _, item in ALL:
        what = specification(item)
        assert re.fullmatch(r"[A-Z].*\.", what.description), item.name
        assert type(item.default) in (bool, int, float, str), item.name
        number = type(item.default) in (int, float)
        assert (what.low is None) == (what.high is None) == (not number), item.name


def test_a_number_is_allowed_up_to_its_bounds_and_not_beyond():
    for node, item in ALL:
        what, kind, parameters = specification(item), type(item.default), PARAMETERS[node]()
        if what.low is None or what.high is None:
            continue
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


def test_a_value_of_another_type_is_refused():
    for node, item in ALL:
        kind = type(item.default)
        for value in (True, 1, 0.5, "a word", None, [1.0]):
            if type(value) is not kind and not (kind is float and type(value) is int):
                with pytest.raises(ConfigurationError, match=f"^{item.name} must be an? {kind.__name__}"):
                    replace(PARAMETERS[node](), **{item.name: value})


def test_a_whole_number_counts_where_a_float_is_asked():
    for node, item in ALL:
        what = specification(item)
        if type(item.default) is float and what.low is not None:
            value = getattr(replace(PARAMETERS[node](), **{item.name: math.ceil(what.low)}), item.name)
            assert (value, type(value)) == (math.ceil(what.low), float)


def test_a_text_must_be_among_the_choices_and_not_empty():
    for node, item in ALL:
        if type(item.default) is str:
            what = specification(item)
            for value in ("", "no such choice") if what.choices else ("",):
                with pytest.raises(ConfigurationError, match=item.name):
                    replace(PARAMETERS[node](), **{item.name: value})
            for value in what.choices:
                assert getattr(replace(PARAMETERS[node](), **{item.name: value}), item.name) == value


def test_a_group_is_commanded_always_when_used_or_never():
    for mode, used, others in (("always", True, True), ("when_used", True, False), ("never", False, False)):
        parameters = GestureRetargeterParameters(head=mode)
        assert parameters.commands("head", {"head", "left_arm"}) == used
        assert parameters.commands("head", {"left_arm"}) == others


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
