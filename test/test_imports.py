"""The arrows of the design: what a module may bring along, seen in a fresh interpreter."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "text2gesture_ros"
MODULES = [
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py"
]
NODES = [module for module in MODULES if module.startswith("nodes.")]
TRAINING = [module for module in MODULES if module.startswith("training.")]
# Those that measure or show the running nodes, and so use their client.
NODE_USERS = ["demo"]
# What runs on a robot without any model.
ROBOT_SIDE = [
    *("errors", "labels", "skeleton", "motion", "resources", "parameters", "bringup", "kinematics", "robot"),
    *("robot_file", "urdf", "collision", "closed_form", "pose", "retargeting"),
    *(
        "limiting",
        "planning",
        "composing",
        "blending",
        "hands",
        "ownership",
        "performing",
        "reading",
        "progress",
        "tally",
        "timeline",
        "admission",
        "verification",
        "joint_csv",
    ),
    *(module for module in MODULES if module.startswith("importing.")),
]
# Those that are PyTorch modules.
NETWORKS = ["intent_network", "motion_network", "recognition_network"]


@cache
def loaded_by(*modules: str) -> frozenset[str]:
    """Return the names of all modules that importing some of ours loads; ours without the package's name."""
    imports = "; ".join(f"import text2gesture_ros.{module}" for module in modules)
    program = (
        f"import json, sys; {imports}; "
        "print(json.dumps([name.removeprefix('text2gesture_ros.') for name in sys.modules]))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return frozenset(json.loads(result.stdout))


@pytest.mark.parametrize(
    "module", [m for m in MODULES if m not in (*NODES, *NODE_USERS, *NETWORKS, *TRAINING)]
)
def test_the_core_knows_neither_ros_nor_nodes_nor_training(module):
    loaded = loaded_by(module)
    assert "rclpy" not in loaded
    assert not {name for name in loaded if name.split(".")[0] in ("nodes", "training")}


@pytest.mark.parametrize("module", ROBOT_SIDE)
def test_the_robot_side_needs_no_model_runtime(module):
    assert not {"torch", "transformers", "onnxruntime", "tokenizers", "matplotlib"} & loaded_by(module)


@pytest.mark.parametrize("module", [m for m in MODULES if m not in (*NETWORKS, *TRAINING)])
def test_torch_is_loaded_by_networks_and_training_alone(module):
    assert not {"torch", "transformers"} & loaded_by(module)


@pytest.mark.parametrize("module", NODES)
def test_nodes_know_nothing_of_training(module):
    assert not {name for name in loaded_by(module) if name.split(".")[0] == "training"}


def test_networks_and_training_know_nothing_of_ros():
    loaded = loaded_by(*NETWORKS, *TRAINING)  # at once: PyTorch takes seconds to import
    assert "rclpy" not in loaded
    assert not {name for name in loaded if name.split(".")[0] == "nodes"}


def test_the_retargeter_node_needs_no_model_runtime():
    assert not {"torch", "onnxruntime", "tokenizers"} & loaded_by("nodes.gesture_retargeter")
