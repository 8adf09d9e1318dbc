"""What README and model cards say is what the code does and what the files of figures hold."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from text2gesture_ros.labels import TASKS
from text2gesture_ros.parameters import PARAMETERS, specification

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MODEL_CARDS = (ROOT / "models" / "README.md").read_text()


def parameter_table() -> str:
    """Return the table the README must hold, from the one table of parameters."""
    lines = ["| node | parameter | default | allowed | live | what |", "|---|---|---|---|---|---|"]
    for node, table in PARAMETERS.items():
        for item in fields(table):
            what = specification(item)
            allowed = ", ".join(f"`{choice}`" for choice in what.choices)
            if what.low is not None:
                allowed = f"{what.low:g} to {what.high:g} {what.unit}".strip()
            default = str(item.default).lower() if isinstance(item.default, bool) else item.default
            live = "yes" if what.live else "no"
            lines.append(
                f"| {node} | `{item.name}` | `{default}` | {allowed} | {live} | {what.description} |"
            )
    return "\n".join(lines)


def test_parameter_table_is_the_one_of_the_code():
    found = re.search(r"<!-- parameters: begin.*?-->\n(.*?)\n?<!-- parameters: end -->", README, re.DOTALL)
    assert found, "the README has no parameter table"
    assert found.group(1) == parameter_table(), f"put this into the README:\n{parameter_table()}"


def intent_table() -> str:
    """Return the model card's table of the intent model, from the files `evaluate text --output` wrote."""
    lines = [
        "| sentences | task | accuracy | macro F1 | accepted | false gestures | n |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, file in (("held out", "metrics"), ("real speech", "metrics_real_speech")):
        metrics = json.loads((ROOT / "models" / "intent" / f"{file}.json").read_text())
        for task in TASKS:
            row = metrics[task]
            optional = (
                f"{row[key]:.3f}" if key in row else "" for key in ("accuracy_ok", "false_gesture_rate")
            )
            cells = (f"{row['accuracy']:.3f}", f"{row['macro_f1']:.3f}", *optional, str(row["n"]))
            lines.append(f"| {name} | {task} | {' | '.join(cells)} |")
    return "\n".join(lines)


def motion_table() -> str:
    """Return the model card's table of the motion model, from the file `evaluate motion --output` wrote."""
    metrics = json.loads((ROOT / "models" / "motion" / "metrics.json").read_text())
    worst = sorted(metrics["recognition_by_gesture"].items(), key=lambda item: item[1])[:2]
    rows = (
        ("recognition", metrics["recognition"], f"{metrics['recognition_real']:.3f} (ceiling)"),
        *((f"recognition of {gesture}, among the two weakest", share, "") for gesture, share in worst),
        (
            "length error [frames]",
            metrics["length_error"],
            f"{metrics['length_error_of_mean']:.3f} (class mean)",
        ),
        ("ended by the stop token", metrics["stop_rate"], "1"),
        ("variance, generated to real", metrics["variance_ratio"], "1"),
        ("mean jerk, generated to real", metrics["mean_jerk_ratio"], "1"),
        ("peak jerk, generated to real", metrics["peak_jerk_ratio"], "1"),
        ("bone change before projection, mean", metrics["bone_change"], "0"),
        ("MMDavg", metrics["mmd_avg"], f"{metrics['mmd_avg_real']:.3f} (real to real)"),
        ("MMDseq", metrics["mmd_seq"], f"{metrics['mmd_seq_real']:.3f} (real to real)"),
    )
    lines = ["| figure | value | to compare with |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value:.3f} | {other} |" for name, value, other in rows)])


def test_figures_of_the_model_cards_are_those_of_the_files():
    found = re.search(r"<!-- figures: begin.*?-->\n(.*?)\n?<!-- figures: end -->", MODEL_CARDS, re.DOTALL)
    assert found, "the model cards have no figures"
    expected = f"{intent_table()}\n\n{motion_table()}"
    assert found.group(1) == expected, f"put this into models/README.md:\n{expected}"


def speed_table() -> str:
    """Return the README's table of speed, from the files `bench ... --output` wrote."""
    latency, generator, text = (
        json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
        for name in ("latency", "generator", "text")
    )
    machine, figures = latency["machine"], latency["figures"]
    sentence, frames = text["figures"]["words"]["15"], generator["figures"]
    rows = (
        ("text published to first joint trajectory received", figures["median_ms"], figures["p95_ms"], "p95"),
        ("a sentence of 15 words classified", sentence["median_ms"], sentence["p99_ms"], "p99"),
        ("first frame of a gesture", frames["first_frame_ms"], frames["p99_ms"], "p99 of any frame"),
    )
    lines = [
        f"| on {machine['cores']} cores of an {machine['cpu']}, load {machine['load']:.1f} | median | tail |",
        "|---|---|---|",
        *(f"| {what} | {median:.1f} ms | {tail:.1f} ms ({name}) |" for what, median, tail, name in rows),
        f"| frames generated on one thread | {frames['frames_per_second']:.0f} per second | |",
    ]
    return "\n".join(lines)


def test_table_of_speed_is_what_the_benchmarks_wrote():
    found = re.search(r"<!-- speed: begin.*?-->\n(.*?)\n?<!-- speed: end -->", README, re.DOTALL)
    assert found, "the README has no table of speed"
    assert found.group(1) == speed_table(), f"put this into the README:\n{speed_table()}"


def test_topic_table_names_every_topic_and_type_of_the_nodes():
    table = dict(re.findall(r"^\| `([\w/]+)` \| `(\w+/\w+)` \| (?:in|out|between) \|", README, re.MULTILINE))
    source = "".join(path.read_text() for path in (ROOT / "text2gesture_ros/nodes").glob("*.py"))
    used = re.findall(r"(?:create_(?:lifecycle_)?publisher|subscribe)\(\s*(\w+),\s*\"([\w/]+)\"", source)
    assert {topic: kind.split("/")[1] for topic, kind in table.items()} == {t: kind for kind, t in used}


def test_own_messages_in_the_table_exist():
    for name in re.findall(r"`text2gesture_ros/(\w+)`", README):
        assert (ROOT / "msg" / f"{name}.msg").is_file()


@pytest.mark.parametrize("path", re.findall(r"\]\(([\w./]+)\)", README))
def test_files_the_readme_points_to_exist(path):
    assert (ROOT / path).is_file()


def test_programs_the_readme_calls_exist():
    from text2gesture_ros.cli import build_parser

    parser = build_parser()
    verbs = set(re.findall(r"^text2gesture (\w+)", README, re.MULTILINE))
    known = next(action.choices for action in parser._actions if action.choices)
    assert verbs
    assert verbs <= set(known)
