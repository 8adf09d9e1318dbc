"""One description of the nodes: what is started, with which arguments, by whichever way."""

import re
import signal
import subprocess
import sys
import tomllib
from itertools import pairwise

import pytest
import yaml

from text2gesture_ros import __version__
from text2gesture_ros.bringup import ARGUMENTS, NODES, as_mapping, ros_arguments, run
from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.parameters import PARAMETERS

every_node = pytest.mark.parametrize("node", NODES)


def given(arguments, flag):
    """Return what follows each `flag`."""
    return [value for name, value in pairwise(arguments) if name == flag]


def test_every_node_is_there_in_all_places(root):
    assert set(NODES) == set(PARAMETERS)
    scripts = {path.name for path in (root / "scripts").iterdir() if not path.suffix}
    assert scripts == {*NODES, "text2gesture"}
    installed = re.search(r"install\(PROGRAMS([^)]*)DESTINATION lib", (root / "CMakeLists.txt").read_text())
    assert {line.strip().removeprefix("scripts/") for line in installed[1].split()} == scripts
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    modules = {node: f"text2gesture_ros.nodes.{node}:main" for node in NODES}
    assert project["scripts"] == {**modules, "text2gesture": "text2gesture_ros.cli:main"}


def test_package_and_manifest_have_one_version(root):
    manifest = re.search(r"<version>(.+)</version>", (root / "package.xml").read_text())
    assert manifest[1] == __version__


@pytest.mark.parametrize("node", [*NODES, "text2gesture"])
def test_a_script_is_two_lines_that_end_with_the_status_of_main(root, node):
    shebang, *lines = (root / "scripts" / node).read_text().split("\n")
    module = "cli" if node == "text2gesture" else f"nodes.{node}"
    assert shebang == "#!/usr/bin/env python3"
    assert [line for line in lines if line] == [
        f"from text2gesture_ros.{module} import main",
        "raise SystemExit(main())",
    ]
    assert (root / "scripts" / node).stat().st_mode & 0o111


@every_node
def test_arguments_name_parameters_that_the_node_has(node):
    names = {argument.name for argument in ARGUMENTS}
    for name in NODES[node]:
        assert name in names
        assert hasattr(PARAMETERS[node](), name)


@every_node
def test_without_arguments_file_and_table_decide(node):
    defaults = {argument.name: argument.default for argument in ARGUMENTS}
    assert ros_arguments(node, {}) == ros_arguments(node, defaults) == ["-p", "use_sim_time:=false"]


@pytest.mark.parametrize("device", ["cpu", "y", "1", "no", "null", "a b", "1.5", "[1]", "it's", 'a "b"'])
def test_a_text_stays_a_text_in_yaml(device):
    (assignment,) = [
        a for a in given(ros_arguments("intent_classifier", {"device": device}), "-p") if "dev" in a
    ]
    name, _, value = assignment.partition(":=")
    assert name == "device"
    assert yaml.safe_load(value) == device


@every_node
def test_namespace_file_and_clock_reach_every_node(node, tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("{}")
    for namespace in ("robot1", "/robot1"):
        arguments = ros_arguments(
            node, {"namespace": namespace, "params_file": str(file), "use_sim_time": "True"}
        )
        assert given(arguments, "-r") == ["__ns:=/robot1"]
        assert given(arguments, "--params-file") == [str(file)]
        assert "use_sim_time:=true" in given(arguments, "-p")


@every_node
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"params_file": "missing.yaml"}, "missing.yaml"),
        ({"namespace": "a b"}, "a b"),
        ({"namespace": "/"}, "/"),
        ({"namespace": "a/"}, "a/"),
        ({"use_sim_time": "maybe"}, "maybe"),
        ({"robot": "r2d2"}, "pepper"),
        ({"rate": "50"}, "robot"),
    ],
    ids=str,
)
def test_what_cannot_be_right_is_refused_before_anything_starts(node, wrong, said):
    with pytest.raises(ConfigurationError, match=re.escape(said)) as refusal:
        ros_arguments(node, wrong)
    assert "\n" not in str(refusal.value)


def test_when_a_node_cannot_be_started_none_is_left_running(monkeypatch):
    started = []

    def start(command, **options):
        if len(started) == len(NODES) - 1:
            raise BlockingIOError("no more processes")
        started.append(popen([sys.executable, "-c", "import time; time.sleep(60)"], **options))
        return started[-1]

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ConfigurationError, match=f"cannot start {list(NODES)[-1]}: no more processes"):
        run({})
    assert all(process.poll() is not None for process in started)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_arguments_of_the_launch_form_are_read():
    assert as_mapping(["robot:=nao", "namespace:=", "params_file:=a:=b"]) == {
        "robot": "nao",
        "namespace": "",
        "params_file": "a:=b",
    }
    with pytest.raises(ConfigurationError, match="robot=nao"):
        as_mapping(["robot=nao"])
