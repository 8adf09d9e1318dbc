"""The arrows of the design: what a module may bring along, seen in a fresh interpreter."""

import json
import subprocess
import sys

import pytest

ROBOT_SIDE = [
    "errors",
    "labels",
    "skeleton",
    "motion",
    "resources",
    "kinematics",
    "robot",
    "retargeting",
    "limiting",
    "performing",
    "verification",
    "joint_csv",
    "parameters",
    "bringup",
]
MODEL_SIDE = ["checkpoints", "classifier", "generator"]
PROGRAM = ["cli", "commands", "rendering"]
NODES = ["nodes.intent_classifier", "nodes.gesture_generator", "nodes.gesture_retargeter", "nodes.client"]
TRAINING = [
    "training.train_text",
    "training.train_motion",
    "training.evaluate_text",
    "training.evaluate_motion",
]

HEAVY = {"torch", "transformers", "onnxruntime", "matplotlib", "tokenizers"}


def loaded_by(module: str) -> set[str]:
    """Return the names of all modules that importing one of ours loads; ours without the package's name."""
    program = (
        f"import json, sys; import text2gesture_ros.{module}; "
        "print(json.dumps([name.removeprefix('text2gesture_ros.') for name in sys.modules]))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(result.stdout))


def test_every_module_is_listed_here(root):
    listed = {*ROBOT_SIDE, *MODEL_SIDE, *PROGRAM, *NODES, *TRAINING}
    assert listed


@pytest.mark.parametrize("module", [*ROBOT_SIDE, *MODEL_SIDE])
def test_the_core_knows_neither_ros_nor_training(module):
    loaded = loaded_by(module)
    assert "rclpy" not in loaded
    assert not {name for name in loaded if name.startswith(("nodes", "training"))}


@pytest.mark.parametrize("module", ROBOT_SIDE)
def test_the_robot_side_needs_no_model_runtime(module):
    assert not HEAVY & loaded_by(module)


@pytest.mark.parametrize("module", MODEL_SIDE)
def test_models_run_without_torch(module):
    assert not {"torch", "transformers"} & loaded_by(module)
