"""The generated parts of the documentation: the parameter file, and the tables of README and model cards."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import TASKS
from text2gesture_ros.parameters import PARAMETERS, Specification, specification

_PARAMETER_FILE = Path("config", "text2gesture.yaml")
_PARAMETER_FILE_HEAD = """\
# All parameters of the three nodes with their defaults, written by `text2gesture docs`.
# To change some, copy this file and pass the copy: params_file:=my.yaml
# `live`: may be changed with `ros2 param set` while running.
"""


def documents(root: Path) -> dict[Path, str]:
    """Return every generated file of a source tree with the text it must have.

    Args:
        root: the source tree.

    Raises:
        InputError: a file is missing, or lacks the two comments between which a table belongs.
    """
    texts = {root / _PARAMETER_FILE: parameter_file()}
    for name, tables in _TABLES.items():
        path = root / name
        try:
            text = path.read_text(encoding="utf-8")
            for table, make in tables.items():
                text = _replaced(path, text, table, make(root))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(f"{error.filename}: no such file: is {root} the source tree?") from None
        texts[path] = text
    return texts


def _replaced(path: Path, text: str, table: str, content: str) -> str:
    """Return a text with other content between the comments `TABLE: begin` and `TABLE: end`."""
    begin, end = rf"<!-- {table}: begin [^\n]*-->\n", f"<!-- {table}: end -->"
    if not re.search(f"{begin}.*?{end}", text, re.DOTALL):
        raise InputError(f"{path}: must have the comments <!-- {table}: begin ... --> and {end}")
    return re.sub(
        f"({begin}).*?({end})", lambda found: f"{found[1]}{content}\n{found[2]}", text, flags=re.DOTALL
    )


def parameter_file() -> str:
    """Return the parameter file: every parameter with its default, each explained in the line above."""
    parts = [_PARAMETER_FILE_HEAD]
    for node, table in PARAMETERS.items():
        parts.append(f"\n/**/{node}:\n  ros__parameters:\n")
        for item in fields(table):
            what = specification(item)
            notes = "; ".join(filter(None, (_allowed(what, "{}"), "live" if what.live else "")))
            comment = f"{what.description} ({notes})" if notes else what.description
            parts.append(f"    # {comment}\n    {item.name}: {json.dumps(item.default)}\n")
    return "".join(parts)


def _allowed(what: Specification, choice: str) -> str:
    """Return what values a parameter may have, each choice formatted by `choice`."""
    if what.low is not None:
        return f"{what.low:g} to {what.high:g} {what.unit}".strip()
    return ", ".join(map(choice.format, what.choices))


def _table(header: tuple[str, ...], *rows: tuple[Any, ...]) -> str:
    """Return a Markdown table."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(
        "|" + "|".join(f" {cell} " if cell != "---" else cell for cell in row) + "|" for row in lines
    )


def _read(root: Path, *names: str) -> Any:
    return json.loads(root.joinpath(*names).read_text(encoding="utf-8"))


def _cells(values: Mapping[str, Any], keys: tuple[str, ...] | Mapping[str, str]) -> list[str]:
    """Return figures with three digits; one that is missing is empty."""
    return ["" if values.get(key) is None else f"{values[key]:.3f}" for key in keys]


def _parameters(_root: Path) -> str:
    rows = []
    for node, table in PARAMETERS.items():
        for item in fields(table):
            what = specification(item)
            default = json.dumps(item.default).strip('"')
            live = "yes" if what.live else "no"
            rows.append(
                (node, f"`{item.name}`", f"`{default}`", _allowed(what, "`{}`"), live, what.description)
            )
    return _table(("node", "parameter", "default", "allowed", "live", "description"), *rows)


def _speed(root: Path) -> str:
    """Return the table of `bench ... --output`."""
    latency, generator, text = (
        _read(root, "benchmarks", "results", f"{name}.json") for name in ("latency", "generator", "text")
    )
    machine, figures = latency["machine"], latency["figures"]
    sentence, node, frames = text["figures"]["words"]["12"], text["figures"]["node"], generator["figures"]
    rows = (
        ("text published to first joint trajectory received", figures["median_ms"], figures["p95_ms"], "p95"),
        ("a sentence of 12 words classified", sentence["median_ms"], sentence["p99_ms"], "p99"),
    )
    return _table(
        (f"on {machine['cores']} cores of an {machine['cpu']}, load {machine['load']:.1f}", "median", "tail"),
        *((what, f"{median:.1f} ms", f"{tail:.1f} ms ({name})") for what, median, tail, name in rows),
        ("first frame of a gesture", f"{frames['first_frame_ms']:.1f} ms", ""),
        ("any frame of a gesture", "", f"{frames['p99_ms']:.1f} ms (p99)"),
        ("frames generated on one thread", f"{frames['frames_per_second']:.0f} per second", ""),
        ("start of the classifier node until it is ready", f"{node['ready_s']:.2f} s", ""),
        ("its resident memory", f"{node['memory_mb']:.0f} MB", ""),
    )


def load_table(result: Mapping[str, Any]) -> str:
    """Return the table of what `benchmarks.load` has written."""
    machine, figures = result["machine"], result["figures"]
    extensions = ", ".join(machine["extensions"]) or "no vector extensions"
    about = f"on {machine['cores']} cores of an {machine['cpu']} ({extensions})"
    return _table(
        (
            f"{about}, load before {figures['load_before']:.1f}",
            "busy processes per core",
            "performed share, median / worst",
            "largest deviation, median / worst",
            "commands over 1.5 periods late",
            "text to first trajectory, median / p95",
            "to first command that moves",
            "violations",
        ),
        *(
            (
                case["robot"],
                case["busy_per_core"],
                f"{case['share']['median']:.3f} / {case['share']['worst']:.3f}",
                f"{case['deviation_rad']['median']:.3f} / {case['deviation_rad']['max']:.3f} rad",
                f"{100.0 * case['late']['one_and_a_half']:.2f} %",
                *(
                    f"{case[key]['median']:.0f} / {case[key]['p95']:.0f} ms"
                    for key in ("trajectory_ms", "motion_ms")
                ),
                sum(case["violations"].values()),
            )
            for case in figures["cases"]
        ),
    )


def _load(root: Path) -> str:
    return load_table(_read(root, "benchmarks", "results", "load.json"))


def _figures(root: Path) -> str:
    """Return the tables of the three models' metrics."""
    tables = (
        _intents(root),
        _performed(root),
        _gate(root),
        _motion(root),
        _motion_network(root),
        _recogniser(root),
    )
    return "\n\n".join(tables)


def _intent_metrics(root: Path) -> dict[str, Any]:
    """Return what `evaluate text --output` wrote, by the sentences it was measured on."""
    names = ("metrics", "metrics_real_speech", "metrics_corpora")
    held_out, real, corpora = (_read(root, "models", "intent", f"{name}.json") for name in names)
    corpora = {f"{name}, validation": found for name, found in corpora["corpora"].items()}
    return {"held out": held_out, "real speech": real, **corpora}


def _intents(root: Path) -> str:
    columns = {"accuracy": "accuracy", "macro_f1": "macro F1", "accuracy_ok": "accepted", "ece": "ECE"}
    return _table(
        ("sentences", "task", *columns.values(), "n"),
        *(
            (name, task, *_cells(metrics[task], columns), metrics[task]["n"])
            for name, metrics in _intent_metrics(root).items()
            for task in TASKS
            if metrics[task]["n"]
        ),
    )


def _performed(root: Path) -> str:
    """Return the table of the gestures a robot makes at the default thresholds."""
    columns = {
        "accuracy": "accuracy",
        "accuracy_ok": "accepted",
        "false_gesture_rate": "false gestures, of plain lines",
        "false_gesture_rate_all": "of all lines",
    }
    return _table(
        ("gestures made", *columns.values()),
        *(
            (name, *_cells(metrics["performed"], columns))
            for name, metrics in _intent_metrics(root).items()
            if metrics["performed"]["n"]
        ),
    )


def _gate(root: Path) -> str:
    """Return the table of what the gate rejects."""
    read = _intent_metrics(root)
    speech = {name: read[name]["gate"] for name in ("held out", "real speech")}
    gate = speech["real speech"]
    outliers = {"no speech, all kinds": {"rejected": gate["outliers_rejected"], "n": gate["n_outliers"]}}
    return _table(
        ("the gate", "rejected", "n", "AUROC"),
        *(
            (name, f"{each['utterances_rejected']:.3f}", each["n_utterances"], f"{each['auroc']:.4f}")
            for name, each in speech.items()
        ),
        *(
            (kind, f"{found['rejected']:.3f}", found["n"], "")
            for kind, found in (outliers | gate["kinds"]).items()
        ),
    )


def _motion(root: Path) -> str:
    """Return the table of `evaluate motion --output`: the model, what it is compared with, ablations."""
    metrics = _read(root, "models", "motion", "metrics.json")
    columns = {
        "recognition": "recognised",
        "mmd_avg": "MMDavg",
        "mmd_seq": "MMDseq",
        "fid": "FID",
        "length_error": "length error [frames]",
        "in_time": "ends in time",
        "hand_path_ratio": "hand path, ratio to real",
        "peak_jerk_ratio": "peak jerk, ratio to real",
        "jump_ratio": "largest step of a joint, ratio to real",
    }
    rows = [("the paper's figures, on its own data", *_cells(metrics["paper"], columns))]
    for name, row in metrics["rows"].items():
        found = [row["metrics"][key] for key in columns]
        cells = (f"{each['mean']:.3f} ± {each['interval']:.3f}" for each in found)
        rows.append((row["what"].rstrip(".") or name, *cells))
    return _table(("motion", *columns.values()), *rows)


def _motion_network(root: Path) -> str:
    ours = _read(root, "models", "motion", "metrics.json")["rows"]["ours"]
    health = ours["health"]
    weakest = sorted(ours["recognition_by_gesture"].items(), key=lambda item: item[1])[:2]
    return _table(
        ("of the model", "value", "ideal"),
        *(
            (f"recognition of {gesture}, among the two weakest", f"{share:.3f}", "")
            for gesture, share in weakest
        ),
        ("bone change before projection, mean", f"{health['bone_change']:.3f}", 0),
        ("variance of the network's own frames, ratio to real", f"{health['variance_ratio']:.3f}", 1),
        ("share of gestures without a stop token", f"{health['never_stops']:.3f}", 0),
    )


def _recogniser(root: Path) -> str:
    """Return the table of `evaluate recogniser --output`."""
    metrics = _read(root, "models", "recogniser", "metrics.json")
    rows = {
        "synthesised people, unseen": metrics["studio"],
        "recordings by others, where the gesture is": metrics["active"],
        **{f"of these, {source}": found for source, found in metrics["active"]["by_source"].items()},
        "recordings by others, whole files": metrics["whole"],
    }
    if root.joinpath("models", "recogniser", "metrics_pepper.json").is_file():
        found = _read(root, "models", "recogniser", "metrics_pepper.json")
        rows["animations of Pepper, by a model trained without them"] = found["whole"]
    first = {
        "top1": "first",
        "top2": "first or second",
        "top1_of_twelve": "first, of the twelve gestures only",
    }
    return _table(
        ("recognised", "gestures", *first.values(), "gestures not accepted", "others", "others accepted"),
        *(
            (
                name,
                found["gestures"],
                *_cells(found, (*first, "false_reject")),
                found["others"],
                *_cells(found, ("false_accept",)),
            )
            for name, found in rows.items()
        ),
    )


def _ablation(root: Path) -> str:
    """Return the table of `ablation --output`: our accuracy, and the paper's in brackets."""
    rows = []
    for name, row in _read(root, "models", "intent", "ablation.json")["rows"].items():
        cells = []
        for task in TASKS:
            found, paper = row["accuracy"].get(task), row["paper"].get(task)
            spread = f" ± {100 * found['std']:.1f}" if found and found["std"] is not None else ""
            cell = f"{100 * found['mean']:.1f}{spread}" if found else ""
            cells.append(f"{cell} ({100 * paper:.1f})" if paper else cell)
        rows.append((name, *cells, max(found["runs"] for found in row["accuracy"].values())))
    return _table(("trained", *TASKS, "runs"), *rows)


_TABLES: dict[str, dict[str, Callable[[Path], str]]] = {
    "README.md": {"parameters": _parameters, "speed": _speed, "load": _load},
    "models/README.md": {"figures": _figures, "ablation": _ablation},
}
