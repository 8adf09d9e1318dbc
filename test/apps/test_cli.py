"""The command line: JSON that stays as it is, one line and exit code 2 for bad input, help at once."""

import csv
import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from text2gesture_ros.apps.cli import BAD_INPUT, build_parser, main
from text2gesture_ros.apps.commands.verbs import ending
from text2gesture_ros.apps.tables import show_plan
from text2gesture_ros.labels import EMOTIONS, GESTURES, TASKS
from text2gesture_ros.motion.motion import Motion, load_motion
from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.resources import share_directory
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.skeleton import REFERENCE
from text2gesture_ros.training.pace import Plan, Stage

pytestmark = pytest.mark.usefixtures("loaded_once")

ROBOTS = sorted(path.stem for path in (share_directory() / "config" / "robots").glob("*.yaml"))


def run_json(capsys, *arguments, status=0):
    """Run a verb with --json and return what it printed."""
    assert main([*map(str, arguments), "--json"]) == status
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def clip(tmp_path):
    """Return the path of a clip in which both arms go up and down."""
    lift = np.sin(np.linspace(0, np.pi, 90))[:, None]
    positions = np.repeat(REFERENCE[None], 90, axis=0)
    for side in (5, 10):
        for joint, height in ((1, 0.3), (2, 0.8), (3, 0.95), (4, 0.9)):
            positions[:, side + joint, 2] += height * lift[:, 0]
    path = tmp_path / "clip.npz"
    Motion(positions, gesture="yay", emotion="positive").save(path)
    return path


@pytest.fixture
def joints(tmp_path, clip, capsys):
    """Return the path of that clip retargeted to Pepper."""
    path = tmp_path / "joints.csv"
    assert main(["retarget", str(clip), "--robot", "pepper", "-o", str(path)]) == 0
    capsys.readouterr()
    return path


class TestClassify:
    def test_json(self, capsys):
        texts = ["Hello, nice to see you!", "", "The shop opens at nine."]
        found = run_json(capsys, "classify", *texts)
        assert [entry["text"] for entry in found] == texts
        for entry in found:
            assert list(entry) == ["text", "clause", "span", "start", "speech", "accepted", "reason", *TASKS]
            assert (entry["clause"], entry["span"], entry["start"]) == (0, [0, len(entry["text"])], 0.0)
            assert entry["accepted"] == (entry["reason"] == "")
            for task, labels in TASKS.items():
                assert list(entry[task]) == ["chosen", "probabilities"]
                assert entry[task]["chosen"] in labels
                assert tuple(entry[task]["probabilities"]) == labels
                assert sum(entry[task]["probabilities"].values()) == pytest.approx(1.0)

    def test_file_and_standard_input_give_the_same(self, capsys, tmp_path, monkeypatch):
        text = "# a comment\nHello!\n\n  I have no idea. \n#hashtag\n"
        file = tmp_path / "talk.txt"
        file.write_text(text)
        stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
        from_file = run_json(capsys, "classify", "--file", file)
        monkeypatch.setattr(sys, "stdin", stdin)
        assert run_json(capsys, "classify") == from_file
        assert [entry["text"] for entry in from_file] == ["Hello!", "I have no idea.", "#hashtag"]

    def test_threshold_counts(self, capsys):
        found = run_json(capsys, "classify", "Hello!", "--confidence-threshold", "1.0")
        assert not found[0]["accepted"]
        assert found[0]["gesture"]["chosen"] == "neutral"

    def test_long_text_is_told_clause_by_clause(self, capsys):
        clauses = [
            "Hello everybody, and welcome to the museum!",
            "The toilets are on your left.",
            "Unfortunately the café is closed today.",
        ]
        text = " ".join(clauses)
        found = run_json(capsys, "classify", text, "Goodbye!")
        assert [entry["clause"] for entry in found] == [0, 1, 2, 0]
        assert [entry["text"][slice(*entry["span"])] for entry in found] == [*clauses, "Goodbye!"]
        starts = [entry["start"] for entry in found[:3]]
        assert starts == sorted(set(starts))
        late = run_json(capsys, "classify", text, "--cool-down", "60")
        assert [entry["accepted"] for entry in late].count(True) == 1
        assert any(entry["reason"].startswith("cool-down") for entry in late)
        assert len(run_json(capsys, "classify", text, "--clause-words", "100")) == 1
        assert main(["classify", text]) == 0
        shown = capsys.readouterr().out
        assert all(clause in shown for clause in clauses)

    def test_explanation(self, capsys):
        texts = ["Hello, nice to see you!", "..."]
        plain = run_json(capsys, "classify", *texts)
        found = run_json(capsys, "classify", *texts, "--explain")
        assert [word["word"] for word in found[0]["words"]] == texts[0].split()
        assert [texts[0][word["start"] : word["end"]] for word in found[0]["words"]] == texts[0].split()
        assert all(
            list(word)[3:] == ["gesture", "subject", "emotion", "speech"] for word in found[0]["words"]
        )
        assert found[1].pop("words") == []
        assert found[0].pop("words")
        assert found == plain
        assert main(["classify", "--explain", *texts]) == 0
        shown = capsys.readouterr().out
        for task in TASKS:
            assert re.search(rf"{task} .*Hello, [-+]0\.", shown) or re.search(
                rf"{task} .*nice [-+]0\.", shown
            )

    def test_the_gate_is_explained_where_it_rejects(self, capsys):
        given = ("classify", "--explain", "Hello, nice to see you!", "--speech-threshold")
        for threshold, rows in (("0.0", 0), ("1.0", 1)):
            assert main([*given, threshold]) == 0
            shown = capsys.readouterr().out
            assert len(re.findall(r"│ speech +│ 0\.\d\d +│ Hello, nice", shown)) == rows

    def test_table_shows_the_sentence_as_it_is(self, capsys):
        for options in ([], ["--explain"]):
            assert main(["classify", "Good [red]morning", *options]) == 0
            assert capsys.readouterr().out.count("Good [red]morning") == 1 + 3 * len(options)


class TestGenerate:
    def test_clip_and_json(self, capsys, tmp_path):
        output, gif = tmp_path / "clip.npz", tmp_path / "clip.gif"
        given = ("generate", "wave", "--emotion", "positive", "--seed", "3", "-o", output)
        found = run_json(capsys, *given, "--gif", gif)
        motion = load_motion(output)
        assert (motion.gesture, motion.emotion) == ("wave", "positive")
        assert (found["gesture"], found["emotion"], found["frames"]) == ("wave", "positive", len(motion))
        assert found["duration"] == pytest.approx(motion.duration)
        assert gif.read_bytes().startswith(b"GIF8")
        again = tmp_path / "again.npz"
        run_json(capsys, *given[:-1], again)
        assert (load_motion(again).positions == motion.positions).all()

    def test_gesture_and_emotion_are_read_from_the_text(self, capsys, tmp_path):
        text = "Hello, nice to see you!"
        intent = run_json(capsys, "classify", text)[0]
        found = run_json(capsys, "generate", "--text", text, "-o", tmp_path / "clip.npz")
        assert found["gesture"] == intent["gesture"]["chosen"]
        assert found["emotion"] == intent["emotion"]["chosen"]
        assert found["reason"] is None
        assert run_json(capsys, "generate", "--text", "...", "-o", tmp_path / "clip.npz")["reason"]


@pytest.mark.parametrize(("first", "robot"), enumerate(ROBOTS))
def test_every_gesture_goes_from_label_to_verified_joints(first, robot, capsys, tmp_path):
    clip, joints = tmp_path / "clip.npz", tmp_path / "joints.csv"
    names = load_robot(robot).joint_names
    # Each robot performs every fourth gesture, each gesture is performed by a robot or two.
    for number, gesture in [*enumerate(GESTURES)][first % 4 :: 4]:
        emotion = EMOTIONS[number % len(EMOTIONS)]
        run_json(capsys, "generate", gesture, "--emotion", emotion, "--seed", number, "-o", clip)
        found = run_json(capsys, "retarget", clip, "--robot", robot, "-o", joints)
        assert found["violations"] == 0
        with joints.open() as file:
            header, *rows = csv.reader(file)
        assert header == ["time", *names]
        assert len(rows) == found["samples"]
        report = run_json(capsys, "verify", joints, "--robot", robot)
        assert report["violations"] == []
        assert report["samples"] == len(rows)


class TestRetargetAndVerify:
    def test_control_rate_is_that_of_the_node(self, joints):
        times = np.loadtxt(joints, delimiter=",", skiprows=1)[:, 0]
        assert times[0] == 0.0
        assert np.diff(times) == pytest.approx(1.0 / GestureRetargeterParameters().rate)

    def test_columns_are_matched_by_name(self, joints, capsys):
        rows = list(csv.reader(joints.read_text().splitlines()))
        turned = [[row[0], *reversed(row[1:])] for row in rows]
        joints.write_text("\n".join(map(",".join, turned)))
        assert run_json(capsys, "verify", joints, "--robot", "pepper")["violations"] == []

    def test_a_jump_is_found_and_ends_with_one(self, joints, capsys):
        rows = list(csv.reader(joints.read_text().splitlines()))
        middle = len(rows) // 2
        rows[middle][1] = str(float(rows[middle][1]) + 0.2)
        joints.write_text("\n".join(map(",".join, rows)))
        report = run_json(capsys, "verify", joints, "--robot", "pepper", status=1)
        assert {violation["joint"] for violation in report["violations"]} == {rows[0][1]}
        kinds = {violation["kind"] for violation in report["violations"]}
        assert kinds == {"velocity", "acceleration", "jerk"}
        for violation in report["violations"]:
            assert abs(violation["value"]) > abs(violation["limit"])
        assert main(["verify", str(joints), "--robot", "pepper"]) == 1
        assert rows[0][1] in capsys.readouterr().out

    def test_gif_of_human_beside_robot(self, clip, capsys, tmp_path):
        gif = tmp_path / "clip.gif"
        found = run_json(capsys, "retarget", clip, "-o", tmp_path / "clip.csv", "--gif", gif)
        assert found["gif"] == str(gif)
        assert gif.read_bytes().startswith(b"GIF8")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["bench"],
        ["classify", "--file", "missing.txt"],
        ["classify", "--file", "{empty}"],
        ["classify", "--file", "{binary}"],
        ["classify", "Hello", "--file", "{empty}"],
        ["classify", "Hello", "--model", "missing"],
        ["classify", "Hello", "--device", "abacus"],
        ["classify", "Hello", "--confidence-threshold", "1.5"],
        ["classify", "Hello", "--confidence-threshold", "nan"],
        ["classify", "Hello", "--speech-threshold", "-1"],
        ["classify", "Hello", "--clause-words", "2"],
        ["classify", "Hello", "--cool-down", "61"],
        ["classify", "Hello", "--threads", "0"],
        ["generate", "-o", "{dir}/clip.npz"],
        ["generate", "wave"],
        ["generate", "moonwalk", "-o", "{dir}/clip.npz"],
        ["generate", "wave", "--emotion", "blue", "-o", "{dir}/clip.npz"],
        ["generate", "wave", "-o", "{dir}/clip.mp4"],
        ["generate", "wave", "-o", "{dir}/no/clip.bvh"],
        ["generate", "wave", "-o", "{dir}/no/clip.npz"],
        ["generate", "wave", "--seed", "x", "-o", "{dir}/clip.npz"],
        ["generate", "wave", "--variation", "2", "-o", "{dir}/clip.npz"],
        ["generate", "wave", "--max-duration", "nan", "-o", "{dir}/clip.npz"],
        ["generate", "wave", "--robot", "nao", "-o", "{dir}/clip.npz"],
        ["generate", "wave", "--robot", "hal", "-o", "{dir}/clip.npz", "--gif", "{dir}/clip.gif"],
        ["generate", "wave", "--mix", "shrug", "-o", "{dir}/clip.npz"],
        ["generate", "wave", "--mix", ":0.4", "-o", "{dir}/clip.npz"],
        ["generate", "wave", "--mix", "moonwalk:0.4", "-o", "{dir}/clip.npz"],
        ["generate", "wave", "--mix", "shrug:nan", "-o", "{dir}/clip.npz"],
        ["generate", "wave", "--mix", "shrug:0.7", "--mix", "nod:0.7", "-o", "{dir}/clip.npz"],
        ["generate", "wave", "--mix", "shrug:0.2", "--mix", "shrug:0.2", "-o", "{dir}/clip.npz"],
        ["retarget", "missing.npz", "-o", "{dir}/out.csv"],
        ["retarget", "{empty}", "-o", "{dir}/out.csv"],
        ["retarget", "{binary}", "-o", "{dir}/out.csv"],
        ["retarget", "{clip}", "--robot", "hal", "-o", "{dir}/out.csv"],
        ["retarget", "{clip}", "--robot", "{empty}.yaml", "-o", "{dir}/out.csv"],
        ["retarget", "{clip}", "--rate", "0", "-o", "{dir}/out.csv"],
        ["retarget", "{clip}", "-o", "{dir}"],
        ["verify", "missing.csv"],
        ["verify", "{empty}"],
        ["verify", "{binary}"],
        ["verify", "{unknown}", "--robot", "pepper"],
        ["verify", "{dir}"],
        ["evaluate", "text", "--data", "missing.jsonl"],
        ["evaluate", "text", "--data", "{jsonl}"],
        ["evaluate", "text", "--output", "{dir}/no/metrics.json"],
        ["evaluate", "text", "--confusion", "confusion.jpg"],
        ["evaluate", "text", "--data", "{jsonl}", "--corpora", "corpora.yaml"],
        ["evaluate", "text", "--corpora", "missing.yaml"],
        ["evaluate", "text", "--confidence-threshold", "2"],
        ["evaluate", "data", "--data", "missing.csv"],
        ["evaluate", "motion", "--model", "missing"],
        ["evaluate", "motion", "--count", "1"],
        ["evaluate", "motion", "--repetitions", "0"],
        ["evaluate", "motion", "--seed", "-1"],
        ["evaluate", "motion", "--rows", "nobody", "--recogniser", ""],
        ["evaluate", "motion", "--rows-from", "missing", "--recogniser", ""],
        ["evaluate", "motion", "--recogniser", "missing"],
        ["evaluate", "motion", "--figures", "{clip}"],
        ["evaluate", "recogniser", "--model", "missing"],
        ["evaluate", "recogniser", "--recordings", "missing"],
        ["evaluate", "recogniser", "--confusion", "{dir}/confusion.png"],
        ["evaluate", "recogniser", "--table", "{empty}"],
        ["evaluate", "recogniser", "--recordings", "{dir}", "--table", "missing.yaml"],
        ["evaluate", "legibility", "--robot", "hal"],
        ["evaluate", "legibility", "--seeds", "0"],
        ["evaluate", "legibility", "--gestures", "moonwalk"],
        ["evaluate", "legibility", "--scales", "nan"],
        ["evaluate", "legibility", "--laws", "missing.yaml"],
        ["evaluate", "legibility", "--laws", "{binary}"],
        ["evaluate", "legibility", "--recogniser", "missing"],
        ["evaluate", "legibility", "--output", "{dir}/no/found.json"],
        ["evaluate", "blind"],
        ["evaluate", "blind", "--output", "{dir}/test", "--robot", "hal"],
        ["evaluate", "blind", "--output", "{dir}/test", "--count", "0"],
        ["evaluate", "blind", "--output", "{dir}/test", "--key", "{dir}/test/key"],
        ["evaluate", "blind", "--output", "{dir}/test", "--score", "missing.csv"],
        ["evaluate", "blind", "--output", "{clip}"],
        ["train", "recogniser", "--recordings", "missing", "--output", "{dir}/model"],
        ["train", "motion", "--data", "missing", "--output", "{dir}/model"],
        ["train", "recogniser", "--config", "missing.yaml", "--output", "{dir}/model"],
        ["train", "motion", "--config", "missing.yaml", "--output", "{dir}/model"],
        ["train", "text", "--config", "missing.yaml", "--output", "{dir}/model"],
        ["ablation", "--config", "missing.yaml", "--output", "{dir}/a.json"],
        ["ablation", "--seeds", "0", "--output", "{dir}/a.json"],
        ["ablation", "--rows", "nothing", "--output", "{dir}/a.json"],
        ["export", "missing"],
        ["bringup", "--robot", "hal"],
        ["bringup", "--params-file", "missing.yaml"],
        ["bringup", "colour:=red"],
        ["say"],
        ["say", "Hello", "--priority", "256"],
        ["say", "Hello", "--gesture", "salute"],
        ["say", "Hello", "--words", "now"],
        ["say", "Hello there", "--words", "0.1"],
        ["say", "Hello", "--namespace", "a b"],
        ["play", "missing.npz"],
        ["play", "missing.csv"],
        ["play", "{binary}"],
        ["play", "{clip}", "--start", "9"],
        ["hold", "maybe"],
        ["stop", "--namespace", "a b"],
        ["status", "--namespace", "a b"],
        ["param"],
        ["param", "get", "colour"],
        ["param", "get", "rate", "--node", "intent_classifier"],
        ["param", "set", "gesture_scale", "big"],
        ["param", "set", "gesture_scale", "7"],
        ["param", "set", "mirror", "1"],
        ["param", "set", "seed", "1.5", "--reconfigure"],
        ["param", "set", "threads", "2", "--reconfigure"],
        ["param", "set", "robot", "nao"],
        ["record"],
        ["record", "-o", "{dir}"],
        ["record", "-o", "{binary}"],
        ["record", "-o", "{dir}/no/talk.mcap"],
        ["record", "-o", "{dir}/talk.mcap", "--topics", "gossip"],
        ["record", "-o", "{dir}/talk.mcap", "--duration", "nan"],
        ["record", "-o", "{dir}/talk.mcap", "--namespace", "a b"],
        ["replay", "missing.mcap"],
        ["replay", "{binary}.mcap"],
        ["replay", "{empty}"],
        ["replay", "{dir}"],
        ["replay", "{golden}", "--from", "thoughts"],
        ["replay", "{golden}", "--tolerance", "nan"],
        ["replay", "{golden}", "--seed", "-2"],
        ["replay", "{golden}", "--robot", "hal"],
        ["replay", "{golden}", "--robot", "nao", "--live"],
        ["replay", "{golden}", "--golden", "missing.mcap"],
        ["replay", "{golden}", "--output", "{dir}"],
        ["replay", "{golden}", "--output", "{golden}"],
        ["record", "-o", "{golden}"],
        ["demo", "--pace", "slow", "--output", "{dir}"],
        ["demo", "--sentences", "missing.txt", "--output", "{dir}"],
        ["demo", "--robot", "hal", "--output", "{dir}"],
        ["bench", "text", "--count", "0"],
        ["bench", "generator", "--output", "{dir}/no/figures.json"],
        ["bench", "latency", "--robot", "hal"],
    ],
    ids=lambda arguments: re.sub(r"\W+", "_", "-".join(arguments) or "nothing"),
)
def test_bad_input_is_answered_with_one_line(arguments, tmp_path, clip, capsys):
    files = {
        "empty": b"",
        "binary": b"PK\x03\x04\xff\xfe\x00\x01",
        "unknown": b"time,LeftTentacle\n0.0,0.0\n",
        "jsonl": b'{"text": "Hello", "gesture": "moonwalk"}\n',
    }
    golden = share_directory() / "data" / "golden" / "pepper.mcap"
    places = {"dir": tmp_path, "clip": clip, "golden": golden}
    for name, content in files.items():
        places[name] = tmp_path / (f"{name}.jsonl" if name == "jsonl" else name)
        places[name].write_bytes(content)
    assert main([argument.format(**places) for argument in arguments]) == BAD_INPUT
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.endswith("\n")
    assert "error: " in printed.err


def verbs(parser, above=()):
    """Yield the words of every verb and of the groups that hold them, the program itself first."""
    yield above
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for name, child in action.choices.items():
                yield from verbs(child, (*above, name))


def test_help_of_every_verb_has_its_usage_and_an_example(capsys):
    for words in verbs(build_parser()):
        assert main([*words, "--help"]) == 0
        shown = capsys.readouterr().out
        command = " ".join(["text2gesture", *words])
        assert shown.startswith(f"usage: {command} ")
        assert f"\n  {command}" in shown


def test_help_loads_nothing_heavy():
    # One fresh interpreter for all: what one verb's help loads must not hide behind another's.
    program = (
        "import sys; from text2gesture_ros.apps.cli import main\n"
        f"for words in {list(verbs(build_parser()))!r}: assert main([*words, '--help']) == 0\n"
        "heavy = {'numpy', 'onnxruntime', 'torch', 'rclpy', 'rich', 'PIL', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["param", "set", "gesture_scal", "1"], "parameter 'gesture_scal' (did you mean gesture_scale?)"),
        (
            ["param", "get", "rat", "--node", "gesture_retargeter"],
            "has no parameter 'rat' (did you mean rate?)",
        ),
        (["param", "set", "zzz", "1"], "no node has a parameter 'zzz'. Known: "),
        (
            ["record", "-o", "{dir}/talk.mcap", "--topics", "joint_comand"],
            "(did you mean joint_command?). Known",
        ),
        (["play", "README.md"], ".csv (joint positions, as `retarget` writes them)"),
        (["verify", "{clip}"], "no CSV text. Needed: the .csv of joint positions that `retarget` writes"),
        (["recognize", "{dir}/*/*.npz"], "*/*.npz: no file matches"),
    ],
)
def test_what_is_wrong_and_what_is_allowed_is_said(arguments, message, tmp_path, clip, capsys):
    assert main([argument.format(dir=tmp_path, clip=clip) for argument in arguments]) == BAD_INPUT
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_what_is_interrupted_says_so(monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("text2gesture_ros.apps.commands.robot.list_", stop)
    assert main(["robot", "list"]) == 130
    assert capsys.readouterr().err == "\ntext2gesture robot: stopped before its end\n"


@pytest.mark.parametrize(
    ("outcome", "first"), [("degraded", "performed, with deviations"), ("failed", "failed")]
)
def test_how_a_motion_ended_is_said_in_words(outcome, first):
    assert ending(outcome, "the cause") == f"{first}: the cause"
    assert ending(outcome, "") == first


def test_a_label_with_few_clips_is_warned_of_and_one_epoch_is_one(capsys):
    clips = {"wave": 2, "nod": 285, "yay": 280}
    show_plan(Plan(clips, held_out=3, making=1.0, stages=(Stage("motion", 1, 1),), per_batch={"motion": 2.0}))
    said = " ".join(capsys.readouterr().out.split())
    assert "total" in said
    assert "few to learn from: wave (2), where others have about 280" in said
    assert "at least 70" in said
    assert "motion: 1 epoch of 1 batch, 2.00 s each: about 2 s" in said
    show_plan(Plan(clips | {"wave": 200}, held_out=3, making=1.0, stages=(), per_batch={}))
    assert "few" not in capsys.readouterr().out


def test_a_demonstration_that_is_interrupted_says_what_is_kept(monkeypatch, capsys, tmp_path):
    def stop(_robot, _sentences, _pace, bag, _console):
        bag.write_bytes(b"")
        raise KeyboardInterrupt

    monkeypatch.setattr("text2gesture_ros.apps.demo.converse", stop)
    for kept in ("with what was said until then", "of before"):
        assert main(["demo", "--output", str(tmp_path)]) == 130
        said = capsys.readouterr().err
        assert f"{tmp_path / 'conversation.mcap'} is there, {kept}. Begin again: text2gesture demo" in said
