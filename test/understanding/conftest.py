import json

import pytest

from text2gesture_ros.labels import GATE
from text2gesture_ros.model_directory import open_model
from text2gesture_ros.understanding.classifier import IntentClassifier


@pytest.fixture(scope="session")
def classifier():
    return IntentClassifier(device="cpu")


@pytest.fixture(scope="session")
def ungated(tmp_path_factory):
    """Return the classifier without its gate."""
    folder = tmp_path_factory.mktemp("ungated")
    for file in open_model("intent", "intent").path.iterdir():
        (folder / file.name).symlink_to(file)
    config = json.loads((folder / "config.json").read_text())
    del config["labels"][GATE]
    (folder / "config.json").unlink()
    (folder / "config.json").write_text(json.dumps(config))
    return IntentClassifier(str(folder), device="cpu")
