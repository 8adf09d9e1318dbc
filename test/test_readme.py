"""What README and model cards say is what the code does and what the files of figures hold."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

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


def intent_metrics() -> dict[str, dict[str, Any]]:
    """Return what `evaluate text --output` wrote of the intent model, by what it read."""
    read = {
        name: json.loads((ROOT / "models" / "intent" / f"metrics{name}.json").read_text())
        for name in ("", "_real_speech", "_corpora")
    }
    corpora = {f"{name}, validation": found for name, found in read["_corpora"]["corpora"].items()}
    return {"held out": read[""], "real speech": read["_real_speech"], **corpora}


def number(values: dict[str, Any], key: str) -> str:
    return "" if values.get(key) is None else f"{values[key]:.3f}"


def intent_table() -> str:
    """Return the model card's table of what the intent model finds likeliest."""
    columns = {"accuracy": "accuracy", "macro_f1": "macro F1", "accuracy_ok": "accepted", "ece": "ECE"}
    lines = [f"| sentences | task | {' | '.join(columns.values())} | n |", "|---|---|---|---|---|---|---|"]
    for name, metrics in intent_metrics().items():
        for task in TASKS:
            if metrics[task]["n"]:
                cells = [number(metrics[task], key) for key in columns]
                lines.append(f"| {name} | {task} | {' | '.join(cells)} | {metrics[task]['n']} |")
    return "\n".join(lines)


def gesture_table() -> str:
    """Return the model card's table of the gestures the robot makes at the default thresholds."""
    lines = [
        "| gestures made | accuracy | accepted | false gestures, of plain lines | of all lines |",
        "|---|---|---|---|---|",
    ]
    for name, metrics in intent_metrics().items():
        made = metrics["performed"]
        if made["n"]:
            keys = ("accuracy", "accuracy_ok", "false_gesture_rate", "false_gesture_rate_all")
            lines.append(f"| {name} | {' | '.join(number(made, key) for key in keys)} |")
    return "\n".join(lines)


def gate_table() -> str:
    """Return the model card's table of what the gate rejects."""
    lines = ["| the gate | rejected | n | AUROC |", "|---|---|---|---|"]
    read = intent_metrics()
    for name in ("held out", "real speech"):
        gate = read[name]["gate"]
        if gate is None:
            return "No gate."
        auroc = f"{gate['auroc']:.4f}"
        lines.append(f"| {name} | {gate['utterances_rejected']:.3f} | {gate['n_utterances']} | {auroc} |")
    kinds = {"no speech, all kinds": {"rejected": gate["outliers_rejected"], "n": gate["n_outliers"]}}
    for kind, found in (kinds | gate["kinds"]).items():
        lines.append(f"| {kind} | {found['rejected']:.3f} | {found['n']} | |")
    return "\n".join(lines)


def ablation_table() -> str:
    """Return the model card's table of what `ablation` wrote: ours, and the paper's in brackets."""
    lines = [f"| trained | {' | '.join(TASKS)} | runs |", "|---|---|---|---|---|"]
    for name, row in json.loads((ROOT / "models" / "intent" / "ablation.json").read_text())["rows"].items():
        cells = []
        for task in TASKS:
            found, paper = row["accuracy"].get(task), row["paper"].get(task)
            spread = f" ± {100 * found['std']:.1f}" if found and found["std"] is not None else ""
            cell = f"{100 * found['mean']:.1f}{spread}" if found else ""
            cells.append(f"{cell} ({100 * paper:.1f})" if paper else cell)
        runs = max(found["runs"] for found in row["accuracy"].values())
        lines.append(f"| {name} | {' | '.join(cells)} | {runs} |")
    return "\n".join(lines)


def test_ablation_table_is_what_the_command_wrote():
    found = re.search(r"<!-- ablation: begin.*?-->\n(.*?)\n?<!-- ablation: end -->", MODEL_CARDS, re.DOTALL)
    assert found, "the model cards have no table of the ablation"
    assert found.group(1) == ablation_table(), f"put this into models/README.md:\n{ablation_table()}"


def motion_table() -> str:
    """Return the model card's table of the motion model, from the file `evaluate motion --output` wrote."""
    metrics = json.loads((ROOT / "models" / "motion" / "metrics.json").read_text())
    columns = {
        "recognition": "recognised",
        "mmd_avg": "MMDavg",
        "mmd_seq": "MMDseq",
        "fid": "FID",
        "length_error": "length error [frames]",
        "in_time": "ends in time",
        "hand_path_ratio": "way of hands, to real",
        "peak_jerk_ratio": "peak jerk, to real",
        "jump_ratio": "furthest jump, to real",
    }
    paper = [f"{metrics['paper'][key]:.3f}" if key in metrics["paper"] else "" for key in columns]
    lines = [
        f"| motion | {' | '.join(columns.values())} |",
        "|---" * (1 + len(columns)) + "|",
        f"| the paper's figures, on its own data | {' | '.join(paper)} |",
    ]
    for name, row in metrics["rows"].items():
        found = [row["metrics"][key] for key in columns]
        cells = [f"{each['mean']:.3f} ± {each['interval']:.3f}" for each in found]
        lines.append(f"| {row['what'].rstrip('.') or name} | {' | '.join(cells)} |")
    ours = metrics["rows"]["ours"]
    worst = sorted(ours["recognition_by_gesture"].items(), key=lambda item: item[1])[:2]
    health = ours["health"]
    lines += [
        "",
        "| of the model | value | to compare with |",
        "|---|---|---|",
        *(f"| recognition of {gesture}, among the two weakest | {share:.3f} | |" for gesture, share in worst),
        f"| bone change before projection, mean | {health['bone_change']:.3f} | 0 |",
        f"| variance of the network's own frames, to real | {health['variance_ratio']:.3f} | 1 |",
        f"| stop token never fires | {health['never_stops']:.3f} | 0 |",
    ]
    return "\n".join(lines)


def recogniser_table() -> str:
    """Return the model card's table of the recogniser, from the file `evaluate recogniser --output` wrote."""
    metrics = json.loads((ROOT / "models" / "recogniser" / "metrics.json").read_text())
    rows = {
        "synthesised people, unseen": metrics["studio"],
        "recordings by others, where the gesture is": metrics["active"],
        **{f"of these, {source}": found for source, found in metrics["active"]["by_source"].items()},
        "recordings by others, whole files": metrics["whole"],
    }
    pepper = ROOT / "models" / "recogniser" / "metrics_pepper.json"
    if pepper.is_file():
        found = json.loads(pepper.read_text())
        rows["animations of Pepper, by a model trained without them"] = found["whole"]
    columns = {
        "gestures": "gestures",
        "top1": "first",
        "top2": "first or second",
        "top1_of_twelve": "first, of the twelve alone",
        "false_reject": "gestures not accepted",
        "others": "others",
        "false_accept": "others accepted",
    }
    lines = [f"| recognised | {' | '.join(columns.values())} |", "|---" * (1 + len(columns)) + "|"]
    for name, found in rows.items():
        cells = [str(found[key]) if key in ("gestures", "others") else number(found, key) for key in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def test_figures_of_the_model_cards_are_those_of_the_files():
    found = re.search(r"<!-- figures: begin.*?-->\n(.*?)\n?<!-- figures: end -->", MODEL_CARDS, re.DOTALL)
    assert found, "the model cards have no figures"
    tables = (intent_table(), gesture_table(), gate_table(), motion_table(), recogniser_table())
    expected = "\n\n".join(tables)
    assert found.group(1) == expected, f"put this into models/README.md:\n{expected}"


def speed_table() -> str:
    """Return the README's table of speed, from the files `bench ... --output` wrote."""
    latency, generator, text = (
        json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
        for name in ("latency", "generator", "text")
    )
    machine, figures = latency["machine"], latency["figures"]
    sentence, node, frames = text["figures"]["words"]["12"], text["figures"]["node"], generator["figures"]
    rows = (
        ("text published to first joint trajectory received", figures["median_ms"], figures["p95_ms"], "p95"),
        ("a sentence of 12 words classified", sentence["median_ms"], sentence["p99_ms"], "p99"),
        ("first frame of a gesture", frames["first_frame_ms"], frames["p99_ms"], "p99 of any frame"),
    )
    lines = [
        f"| on {machine['cores']} cores of an {machine['cpu']}, load {machine['load']:.1f} | median | tail |",
        "|---|---|---|",
        *(f"| {what} | {median:.1f} ms | {tail:.1f} ms ({name}) |" for what, median, tail, name in rows),
        f"| frames generated on one thread | {frames['frames_per_second']:.0f} per second | |",
        f"| the classifier's node, from its start until it reads | {node['ready_s']:.2f} s | |",
        f"| its resident memory | {node['memory_mb']:.0f} MB | |",
    ]
    return "\n".join(lines)


def test_table_of_speed_is_what_the_benchmarks_wrote():
    found = re.search(r"<!-- speed: begin.*?-->\n(.*?)\n?<!-- speed: end -->", README, re.DOTALL)
    assert found, "the README has no table of speed"
    assert found.group(1) == speed_table(), f"put this into the README:\n{speed_table()}"


def test_topic_table_names_every_topic_and_type_of_the_nodes():
    table = dict(re.findall(r"^\| `([\w/]+)` \| `(\w+/\w+)` \| (?:in|out|between) \|", README, re.MULTILINE))
    source = "".join(path.read_text() for path in (ROOT / "text2gesture_ros/nodes").glob("*.py"))
    calls = r"(?:create_(?:lifecycle_)?publisher|subscribe|wait_for_message)"
    used = re.findall(calls + r"\(\s*(\w+),\s*(?:self,\s*)?\"([\w/]+)\"", source)
    assert {topic: kind.split("/")[1] for topic, kind in table.items()} == {t: kind for kind, t in used}


def test_own_messages_in_the_table_exist():
    for name in re.findall(r"`text2gesture_ros/(\w+)`", README):
        assert any((ROOT / kind / f"{name}.{kind}").is_file() for kind in ("msg", "action"))


@pytest.mark.parametrize("path", re.findall(r"\]\(([\w./]+)\)", README))
def test_files_the_readme_points_to_exist(path):
    assert (ROOT / path).exists()


def test_programs_the_readme_calls_exist():
    from text2gesture_ros.apps.cli import build_parser

    parser = build_parser()
    verbs = set(re.findall(r"^text2gesture (\w+)", README, re.MULTILINE))
    known = next(action.choices for action in parser._actions if action.choices)
    assert verbs
    assert verbs <= set(known)
