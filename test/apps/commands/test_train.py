"""`text2gesture train`: what is said before, while and after it runs; README's own sequence."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from recording_cases import write_bvh

from text2gesture_ros.apps.cli import main
from text2gesture_ros.model_directory import unfinished, write_progress

TINY = {
    "name": "tiny",
    "clips_per_gesture": 3,
    "held_out_share": 0.0,
    "frames": 193,
    "augmentations": 1,
    "network": {"embedder_channels": [8, 8, 8, 8, 8], "hidden_width": 8, "recurrent_width": 12},
    "batch_size": 16,
    "embedder_epochs": 1,
    "generator_epochs": 5000,
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return path


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """Return a folder in which a training was stopped."""
    folder = tmp_path / "used"
    write_progress(folder, 3, 20, finished=False)
    (folder / "training" / "state.safetensors").write_bytes(b"")
    return folder


def test_what_is_imported_with_a_label_can_be_learnt_from(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    takes = [str(write_bvh(tmp_path / f"take_{number}.bvh", frames=90)) for number in range(4)]
    clips, unlabelled = tmp_path / "clips", tmp_path / "unlabelled"
    assert main(["import", *takes, "-o", str(clips), "--label", "wave"]) == 0
    line = ["train", "motion", "--config", str(config), "--studio", "missing", "--dry-run", "--device", "cpu"]
    capsys.readouterr()
    assert main([*line, "--data", str(clips)]) == 0
    shown = capsys.readouterr().out
    rows = dict(row.strip("│ ").split("│") for row in shown.replace(" ", "").splitlines() if "│" in row)
    assert (rows["wave"], rows["nod"], rows["total"]) == ("4", "3", "37")
    assert "5000 epochs" in shown
    assert "total: about" in shown
    assert "1 epochs" not in shown
    assert main(["import", *takes, "-o", str(unlabelled)]) == 0
    assert main([*line, "--data", str(unlabelled)]) == 2
    assert "Ways to say it" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_named_before_anything_slow(tmp_path: Path) -> None:
    start = "import sys; from text2gesture_ros.apps.cli import main; status = main(sys.argv[1:])"
    check = f"{start}; assert 'torch' not in sys.modules; sys.exit(status)"
    line = ["train", "motion", "--data", str(tmp_path / "none"), "--output", str(tmp_path / "model")]
    shown = subprocess.run([sys.executable, "-c", check, *line], capture_output=True, text=True)
    assert (shown.returncode, "no such folder of recordings" in shown.stderr) == (2, True), shown.stderr


def test_starting_over_is_refused_where_nobody_can_be_asked(
    used: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", open(os.devnull, encoding="utf-8"))  # noqa: SIM115
    assert main(["train", "motion", "--output", str(used)]) == 2
    said = capsys.readouterr().err
    assert "stopped after 3 of 20 epochs" in said
    assert "--resume goes on, --overwrite starts over" in said


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_starting_over_is_asked_for(
    used: Path, answer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Person:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return answer

    monkeypatch.setattr(sys, "stdin", Person())
    assert main(["train", "motion", "--output", str(used)]) == 2
    said = capsys.readouterr().err
    assert "Start over, and lose it? [y/N]" in said
    assert "left as it is" in said
    assert unfinished(used)


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(config: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    line = ["train", "motion", "--config", str(config), "--output", str(output), "--device", "cpu"]
    start = "import sys; from text2gesture_ros.apps.cli import main; sys.exit(main(sys.argv[1:]))"
    log, progress = tmp_path / "log.txt", output / "training" / "progress.json"
    with (
        log.open("w") as file,
        subprocess.Popen([sys.executable, "-c", start, *line], stderr=file) as process,
    ):
        deadline = time.monotonic() + 120.0
        while time.monotonic() < deadline and not progress.is_file():
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    said = log.read_text()
    assert f"stopped after {json.loads(progress.read_text())['epoch']} of 5001 epochs" in said
    assert "the state of the last whole epoch. Go on: " in said
    assert f"--output {output} --device cpu --resume\n" in said
