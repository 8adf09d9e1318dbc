"""One description of the nodes: what is started, with which arguments, by whichever way."""

import re
import signal
import subprocess
import sys
import tomllib
from itertools import pairwise

import pytest
import rclpy
import yaml
from fault_cases import FAULTS, needs_faults
from rclpy.context import Context

from text2gesture_ros import __version__
from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.parameters import PARAMETERS
from text2gesture_ros.ros.bringup import ARGUMENTS, as_mapping, ros_arguments
from text2gesture_ros.ros.params_file import NODES
from text2gesture_ros.ros.processes import run

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
    modules = {node: f"text2gesture_ros.ros.{node}:main" for node in NODES}
    assert project["scripts"] == {**modules, "text2gesture": "text2gesture_ros.apps.cli:main"}


def test_package_and_manifest_have_one_version(root):
    manifest = re.search(r"<version>(.+)</version>", (root / "package.xml").read_text())
    assert manifest[1] == __version__


@pytest.mark.parametrize("node", [*NODES, "text2gesture"])
def test_a_script_is_two_lines_that_end_with_the_status_of_main(root, node):
    shebang, *lines = (root / "scripts" / node).read_text().split("\n")
    module = "apps.cli" if node == "text2gesture" else f"ros.{node}"
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


@pytest.mark.parametrize("name", ["y", "1", "null", "a b", "[1]", "{a", "it's", 'a "b"', "#a", "a: b"])
def test_a_text_stays_a_text_in_yaml(root, tmp_path, monkeypatch, name):
    robot = yaml.safe_load((root / "config" / "robots" / "nao.yaml").read_text())
    (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({**robot, "name": name}))
    monkeypatch.chdir(tmp_path)
    arguments = ros_arguments("gesture_retargeter", {"robot": f"{name}.yaml"})
    (assignment,) = [value for value in given(arguments, "-p") if value.startswith("robot")]
    key, _, value = assignment.partition(":=")
    assert key == "robot"
    assert yaml.safe_load(value) == f"{name}.yaml"


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
        ({"device": "tpu"}, "auto, cpu, cuda"),
        ({"rate": "50"}, "robot"),
    ],
    ids=str,
)
def test_what_cannot_be_right_is_refused_before_anything_starts(node, wrong, said):
    with pytest.raises(ConfigurationError, match=re.escape(said)) as refusal:
        ros_arguments(node, wrong)
    assert "\n" not in str(refusal.value)


@every_node
def test_a_robot_file_that_cannot_be_loaded_is_refused(node, tmp_path):
    robot = tmp_path / "broken.yaml"
    robot.write_text("name: broken")
    params = tmp_path / "params.yaml"
    params.write_text(f"gesture_retargeter: {{ros__parameters: {{robot: {robot}}}}}")
    for wrong in ({"robot": str(robot)}, {"params_file": str(params)}):
        with pytest.raises(ConfigurationError, match=re.escape(str(robot))):
            ros_arguments(node, wrong)
    assert ros_arguments(node, {"params_file": str(params), "robot": "nao"})  # the argument replaces it


def refusal(tmp_path, content):
    """Return why a parameter file is refused; it is the same line for every node and names the file."""
    file = tmp_path / "params.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    said = set()
    for node in NODES:
        with pytest.raises(ConfigurationError) as error:
            ros_arguments(node, {"params_file": str(file)})
        said.add(str(error.value))
    (line,) = said
    assert "\n" not in line
    assert len(line) < 500
    assert str(file) in line
    return line


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\xff",
        b"a\0b: {}",
        "a: [",
        "- a",
        "text",
        "2024-13-45",
        "[" * 5000,
        "#" * ((1 << 20) + 1),
        "a: &a {b: *a}",
        "gesture_generator: {seed: 1}",
        "gesture_generator:",
        "gesture_generator: {ros__parameters: [1]}",
        '"a\\nb": ' + "x" * 5000,
    ],
    ids=lambda content: repr(content[:20]),
)
def test_what_is_no_parameter_file_is_refused(tmp_path, content):
    assert refusal(tmp_path, content)


@pytest.mark.parametrize("key", ["gesture_generator", "/stage/gesture_generator", "/**/gesture_generator"])
def test_a_misspelt_parameter_is_refused(tmp_path, key):
    line = refusal(tmp_path, f"{key}: {{ros__parameters: {{seeed: 1}}}}")
    assert all(part in line for part in (key, "seeed", "seed,"))


@pytest.mark.parametrize(
    "key", ["gesture_generator", "/stage/gesture_generator", "/**/gesture_generator", "/**", "/*", "stage"]
)
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("seed", "1.5", "int"),
        ("seed", "1000000", "999999"),
        ("speed_scale", "fast", "float"),
        ("speed_scale", ".nan", "0.5"),
        ("device", "tpu", "cuda"),
        ("model", "''", "empty"),
        ("neutral_motion", "maybe", "bool"),
    ],
)
def test_a_parameter_the_table_does_not_allow_is_refused(tmp_path, key, name, value, said):
    inner = f"{{ros__parameters: {{{name}: {value}}}}}"
    line = refusal(
        tmp_path, f"{key}: {{gesture_generator: {inner}}}" if key == "stage" else f"{key}: {inner}"
    )
    assert all(part in line for part in (key, name, said))


def test_whole_numbers_count_where_floats_are_asked(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text("/**/gesture_retargeter: {ros__parameters: {rate: 50, gesture_scale: 1}}")
    assert ros_arguments("gesture_retargeter", {"params_file": str(file)})


@pytest.mark.parametrize(
    "content",
    [
        "gesture_generater: {ros__parameters: {}}",
        "/stage/gesture_retargetter: {ros__parameters: {}}",
        "retargeter: {ros__parameters: {}}",
        "classifier: {ros__parameters: {threads: 2}}",
        "/**/retarget_node: {ros__parameters: {}}",
        "arms: {ros__parameters: {robot: nao, rate: 50.0}}",  # has what only ours have
        "camera: {ros__parameters: {exposure: 1}}",
        "/**: {ros__parameters: {exposure: 1}}",
        "/*/gesture_retargeter: {ros__parameters: {robot: nao}}",
        "/stage/**: {ros__parameters: {robot: nao}}",
        "/stage/gesture_retargeter: {ros__parameters: {robot: nao}}",
        "stage: {gesture_retargeter: {ros__parameters: {robot: nao}}}",
    ],
)
def test_what_is_for_a_node_that_is_not_started_is_refused_with_those_that_are(tmp_path, content):
    for beside in ("", "\ngesture_generator: {ros__parameters: {seed: 1}}"):
        if beside and content.startswith(("camera", "/**:", "/stage/**", "/*")):
            continue  # other packages' and other robots' nodes may stand beside ours
        line = refusal(tmp_path, content + beside)
        assert all(f"/{node}" in line for node in NODES)
        assert content.partition(":")[0] in line or "nothing in it" in line


@pytest.mark.parametrize(
    ("key", "namespaces"),
    [
        ("gesture_retargeter", [""]),
        ("/gesture_retargeter", [""]),
        ("/**", ["", "a", "/a/b"]),
        ("/*", [""]),
        ("/**/gesture_retargeter", ["", "a", "/a/b"]),
        ("/*/gesture_retargeter", ["a"]),
        ("a/gesture_retargeter", ["a"]),
        ("/a/**", ["a", "/a/b"]),
        ("/a/*", ["a"]),
        ("/a/b/gesture_retargeter", ["/a/b"]),
    ],
)
def test_a_section_is_for_the_nodes_that_ros_takes_it_for(tmp_path, key, namespaces):
    file = tmp_path / "params.yaml"
    file.write_text(f'"{key}": {{ros__parameters: {{rate: 50.0}}}}')
    for namespace in ("", "a", "/a/b"):
        given = {"params_file": str(file), "namespace": namespace}
        context = Context()
        rclpy.init(context=context, args=["--ros-args", "--params-file", str(file)])
        node = rclpy.create_node("gesture_retargeter", namespace=namespace, context=context)
        assert bool(node._parameter_overrides) == (namespace in namespaces)
        node.destroy_node()
        context.try_shutdown()
        if namespace in namespaces:
            assert ros_arguments("gesture_retargeter", given)
        else:
            with pytest.raises(ConfigurationError, match="There are: "):
                ros_arguments("gesture_retargeter", given)


def test_the_file_of_several_robots_may_hold_each_of_them(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text(
        "\n".join(f"/{n}/gesture_retargeter: {{ros__parameters: {{robot: nao}}}}" for n in ("a", "b"))
    )
    for namespace in ("a", "b"):
        assert ros_arguments("gesture_retargeter", {"params_file": str(file), "namespace": namespace})


@needs_faults
def test_the_file_of_a_user_who_named_no_node_is_refused():
    file = FAULTS / "params_for_a_node_that_is_not_there.yaml"
    with pytest.raises(ConfigurationError, match="retargeter: no such node"):
        ros_arguments("gesture_retargeter", {"params_file": str(file)})


@every_node
@pytest.mark.parametrize(
    "content",
    [
        "",
        "# all is commented out",
        "/**: {ros__parameters: {use_sim_time: true, device: cpu, robot: nao}}",
        "gesture_generator: {ros__parameters: {qos_overrides: {/a: {publisher: {depth: 1}}}}}",
        "gesture_generator: {ros__parameters: {qos_overrides./a.publisher.depth: 1}}",
        "gesture_generator: {ros__parameters: {variation: 1e-1, neutral_motion: y, model: 2024-01-01}}",
        "/**: {gesture_generator: {ros__parameters: {seed: 1}}, camera: {ros__parameters: {a: 1}}}",
        "camera: {ros__parameters: {rate: 3, a: 1}}\n/**: {ros__parameters: {rate: 50.0, a: 1}}",
        "/stage/**: {ros__parameters: {robot: nao}}\n/*: {ros__parameters: {robot: nao}}",
    ],
)
def test_what_ros_and_the_table_allow_is_let_through(tmp_path, node, content):
    file = tmp_path / "params.yaml"
    file.write_text(content)
    assert given(ros_arguments(node, {"params_file": str(file)}), "--params-file") == [str(file)]


@every_node
def test_the_file_that_ships_is_let_through(root, node):
    file = str(root / "config" / "text2gesture.yaml")
    assert given(ros_arguments(node, {"params_file": file}), "--params-file") == [file]


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
