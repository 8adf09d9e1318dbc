"""`evaluate legibility` and `evaluate blind`: what they measure, write and score."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
from legibility_cases import nodding, waving
from PIL import Image

from text2gesture_ros.apps import blind_test, legibility
from text2gesture_ros.apps.blind_test import MOMENTS, moments
from text2gesture_ros.apps.cli import BAD_INPUT, main
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.legibility.laws import load_laws
from text2gesture_ros.robots.robot_file import load_robot

pytestmark = pytest.mark.usefixtures("loaded_once")


def run_json(capsys, *arguments):
    """Run a verb with --json and return what it printed."""
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def measured(motions, *robots, **options):
    """Measure motions by gesture, whatever the emotion and the seed."""
    generator = SimpleNamespace(generate=lambda gesture, emotion, seed: motions[gesture])
    return legibility.evaluate(
        load_laws(),
        [load_robot(robot) for robot in robots],
        list(motions),
        seeds=1,
        generator=generator,
        recogniser=None,
        **options,
    )


def test_shares_are_counted_by_who_gesture_and_emotion():
    found = measured({"nod": nodding(40.0, seconds=1.6), "wave": waving(0.05)}, "nao")
    assert found["who"] == ["human", "nao"]
    for who in found["who"]:
        assert found["kept"][who]["nod"]["all"] == 1.0
        assert found["kept"][who]["wave"]["all"] == 0.0
        assert found["kept"][who]["all"]["all"] == 0.5
    beat = next(law for law in found["laws"]["nod"] if "twice" in law["law"])
    assert beat["median"]["human"] == pytest.approx(40.0, abs=1.0)
    assert beat["median"]["nao"] <= 41.0


def test_a_smaller_performance_keeps_less():
    found = measured({"nod": nodding(24.0, seconds=1.6)}, "nao", scales=(1.0, 0.3))
    assert found["who"] == ["human", "nao", "nao x 0.3"]
    assert [found["kept"][who]["nod"]["all"] for who in found["who"]] == [1.0, 1.0, 0.0]


def test_recordings_are_held_against_the_laws_of_their_gesture():
    found = measured({"nod": nodding(2.0)}, recordings=[nodding(30.0), nodding(3.0), waving(0.9)])
    assert found["who"] == ["human", "recorded"]
    assert found["kept"]["recorded"]["nod"]["all"] == 0.5


def test_the_verb_prints_and_writes_shares(capsys, tmp_path):
    options = ("evaluate", "legibility", "--robot", "nao", "--gestures", "nod", "--seeds", "1")
    found = run_json(capsys, *options, "--output", tmp_path / "found.json")
    assert json.loads((tmp_path / "found.json").read_text()) == found
    assert found["performances"] == len(EMOTIONS)
    for key in ("kept", "recognised"):
        assert set(found[key]) == {"human", "nao"}
        assert 0.0 <= found[key]["nao"]["nod"]["all"] <= 1.0
    assert main([*options, "--recogniser", ""]) == 0
    shown = capsys.readouterr().out
    assert "All laws kept" in shown
    assert "recogniser" not in shown


def test_moments_lie_in_the_performance_and_show_its_beats():
    for motion in (nodding(30.0, count=1, seconds=4.0), waving(0.9)):
        done = legibility.performed(load_robot("nao"), motion, 0)
        found = moments(done)
        assert len(found) == MOMENTS
        assert (np.diff(found) > 0.0).all()
        assert 0.0 <= found[0] < found[-1] <= done.times[-1]
    still = legibility.performed(load_robot("nao"), nodding(0.0), 0)
    assert len(moments(still)) == MOMENTS


def test_a_blind_test_tells_nothing_and_its_key_scores_full(capsys, tmp_path):
    options = ("evaluate", "blind", "--gestures", "nod", "yay", "--count", "2", "--seed", "5")
    folder = tmp_path / "test"
    assert run_json(capsys, *options, "--output", folder)["strips"] == 4
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    numbers = ["001", "002", "003", "004"]
    pictures = [f"gifs/{number}.gif" for number in numbers] + [f"strips/{number}.png" for number in numbers]
    assert names == ["README.md", "answers.csv", *pictures]
    for name in pictures:
        with Image.open(folder / name) as picture:
            assert not {"comment", "Description", "Title"} & set(picture.info)
    assert all(gesture in (folder / "README.md").read_text() for gesture in GESTURES)
    key = list(csv.DictReader((tmp_path / "test_key" / "key.csv").open()))
    assert sorted(row["gesture"] for row in key) == ["nod", "nod", "yay", "yay"]
    assert {row["robot"] for row in key} == {"pepper", "nao"}
    empty = list(csv.DictReader((folder / "answers.csv").open()))
    assert [(row["strip"], row["first"]) for row in empty] == [(number, "") for number in numbers]

    filled = tmp_path / "anna.csv"
    lines = ["strip,first,second,legibility", *(f"{row['strip']},{row['gesture']},,5" for row in key)]
    filled.write_text("\n".join(lines))
    scored = run_json(capsys, "evaluate", "blind", "--output", folder, "--score", filled, filled)
    assert scored["together"]["first"] == scored["agreement"]["same_first"] == 1.0
    assert main(["evaluate", "blind", "--key", str(tmp_path / "test_key"), "--score", str(filled)]) == 0
    assert "viewer 1" in capsys.readouterr().out

    (folder / "answers.csv").rename(tmp_path / "given_away.csv")
    assert main([*options, "--output", str(folder)]) == BAD_INPUT  # its key would be lost
    assert "key.csv is there already" in capsys.readouterr().err
    (tmp_path / "given_away.csv").rename(folder / "answers.csv")
    assert main([*options, "--output", str(folder)]) == BAD_INPUT  # a form may be filled in
    assert "is there already" in capsys.readouterr().err
    again = tmp_path / "again"
    run_json(capsys, *options, "--output", again)
    for name in names:
        assert (again / name).read_bytes() == (folder / name).read_bytes(), name


def test_a_blind_test_that_was_interrupted_is_not_whole_and_is_begun_again(capsys, tmp_path, monkeypatch):
    folder, key = tmp_path / "test", tmp_path / "test_key"
    line = ["evaluate", "blind", "--gestures", "nod", "--count", "3", "--output", str(folder)]
    made = []

    def draw(path, *_):
        made.append(path)
        path.write_bytes(b"")
        if path.name == "002.gif" and len(made) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(blind_test, "save_side_by_side", draw)
    monkeypatch.setattr(blind_test, "save_strip", lambda path, *_: path.write_bytes(b""))
    assert main(line) == 130
    said = capsys.readouterr().err
    assert f"{folder} is not whole: it has no answers.csv yet. Begin again: text2gesture evaluate" in said
    assert not (folder / "answers.csv").exists()
    assert main(["evaluate", "blind", "--output", str(folder), "--score", "anna.csv"]) == BAD_INPUT
    said = capsys.readouterr().err
    assert f"no key.csv in {key}" in said
    assert "to its end first" in said
    assert said.count("\n") == 1
    line[line.index("--count") + 1] = "1"
    assert main(line) == 0  # with fewer strips: none of before may stay
    assert [path.name for path in folder.glob("*/0*")] in (["001.png", "001.gif"], ["001.gif", "001.png"])
    assert (key / "key.csv").is_file()
    assert (folder / "answers.csv").is_file()


def test_how_to_read_the_shares_is_said():
    notes = " ".join(legibility.summary(measured({"nod": nodding(40.0)})).notes)
    assert "Compare a robot with the human motion that it follows, not with 1" in notes
