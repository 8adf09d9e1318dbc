"""Table 1 of the paper again: which heads are trained, how well; beside it our recipe and the baselines.

The file of results is written after every run, and a run that stands in it is not done again as long as its
settings and data are the same.
"""

import hashlib
import json
import logging
import multiprocessing
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import torch

from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import TASKS
from text2gesture_ros.model_directory import check_torch_device, write_file
from text2gesture_ros.training.text.baselines import BASELINES, measure
from text2gesture_ros.training.text.data import IntentTrainingConfig, load_config, read_lines
from text2gesture_ros.training.text.train import IntentTraining, write_tokenizer
from text2gesture_ros.understanding.classifier import TOKENIZER_FILE, TextReader
from text2gesture_ros.understanding.intent_network import find_plm

logger = logging.getLogger(__name__)

PAPER: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "gesture": {"gesture": 0.4612},
        "subject+gesture": {"subject": 0.4922, "gesture": 0.488},
        "gesture+emotion": {"gesture": 0.5000, "emotion": 0.8101},
        "subject+gesture+emotion": {"subject": 0.4729, "gesture": 0.5077, "emotion": 0.8178},
    }
)
"""Table 1: the heads that were trained and their accuracy on the paper's data."""

RECIPE = "recipe"
"""The row of our own training file, on the lines of the paper's."""

ROWS = (*BASELINES, *PAPER, RECIPE)


@dataclass(frozen=True)
class _Job:
    """One run: what to train on what, and what tells whether a result is its own."""

    row: str
    settings: IntentTrainingConfig
    folder: Path
    plm: Path
    device: str

    @property
    def fingerprint(self) -> str:
        """Of settings and data."""
        digest = hashlib.sha256(json.dumps([self.row, asdict(self.settings)]).encode())
        for path in self.settings.data:
            digest.update((self.folder / path).read_bytes())
        return digest.hexdigest()[:16]


def ablation(
    config: Path,
    recipe: Path,
    output: Path,
    *,
    rows: Sequence[str] = ROWS,
    seeds: int = 5,
    jobs: int = 1,
    merge: Sequence[Path] = (),
    device: str = "auto",
) -> dict[str, Any]:
    """Do the runs that `output` lacks, and return what it then holds.

    Args:
        config: training file of the rows of the paper and the lines of all rows.
        recipe: training file of the row `RECIPE`, its heads and data apart.
        output: the file of results, JSON.
        rows: which rows to run, of `ROWS`; results of other rows in the file stay.
        seeds: runs of each row that is trained, with the seeds from 1 on. A baseline needs one.
        jobs: runs at a time, each in a process of its own and on one thread unless OMP_NUM_THREADS is set.
        merge: more files of results, to take runs from.
        device: "auto", "cpu" or "cuda".

    Returns:
        `rows`: for each row the paper's figures and, by task, mean, standard deviation and number of the
        accuracies on the test lines. `runs`: each run. `data`: what all of them were trained on.

    Raises:
        ConfigurationError: a training file, the PLM or the device cannot be used.
        InputError: a row is unknown, or the data or a file of results cannot be used.
    """
    if unknown := [row for row in rows if row not in ROWS]:
        raise InputError(f"unknown row {unknown[0]!r}. Known: {', '.join(ROWS)}")
    check_torch_device(device)
    files = [output, *merge] if output.exists() else merge
    found = [run for path in files for run in _read_runs(path)]
    makers = _jobs(config, recipe, device)
    runs: dict[tuple[str, int], dict[str, Any]] = {}
    for run in found:
        job = makers[run["row"]]
        if _seeded(job, run["seed"]).fingerprint == run["fingerprint"]:
            runs[run["row"], run["seed"]] = run
    wanted = [
        _seeded(makers[row], seed)
        for seed in range(1, seeds + 1)
        for row in rows
        if seed == 1 or row not in BASELINES
    ]
    missing = [job for job in wanted if (job.row, job.settings.seed) not in runs]
    logger.info("%d runs to do, %d done before", len(missing), len(runs))
    first = makers[ROWS[0]]
    lines = read_lines(first.settings, first.folder)
    data = {"training": len(lines.training), "validation": len(lines.validation), "test": len(lines.test)}
    result = _result(runs, data)
    for run in _work(missing, jobs):
        runs[run["row"], run["seed"]] = run
        result = _result(runs, data)
        write_file(output, (json.dumps(result, indent=2) + "\n").encode())
        logger.info(
            "%s, seed %d: %s; %d epochs, %.0f s",
            run["row"],
            run["seed"],
            ", ".join(f"{task} {value:.4f}" for task, value in run["accuracy"].items()),
            run["epochs"],
            run["seconds"],
        )
    write_file(output, (json.dumps(result, indent=2) + "\n").encode())
    return result


def table(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows of a result of `ablation` for people, accuracies in per cent."""
    columns = ["", "#runs", *(name for task in TASKS for name in (f"{task} [%]", "paper [%]"))]
    rows = []
    for name, row in result["rows"].items():
        cells = [name, str(max(figures["runs"] for figures in row["accuracy"].values()))]
        for task in TASKS:
            figures, paper = row["accuracy"].get(task), row["paper"].get(task)
            spread = "" if not figures or figures["std"] is None else f" ± {100 * figures['std']:.1f}"
            cells.append(f"{100 * figures['mean']:.1f}{spread}" if figures else "")
            cells.append(f"{100 * paper:.2f}" if paper else "")
        rows.append(cells)
    return columns, rows


def _jobs(config: Path, recipe: Path, device: str) -> dict[str, _Job]:
    """Return a job for each row; all have the lines of `config`."""
    paper, ours = load_config(config), load_config(recipe)
    plm = find_plm(paper.plm, config.parent)
    bare = replace(paper, name="", heads=list(TASKS), outliers="", corpora="", corpora_share=0.0)
    jobs = {row: _Job(row, bare, config.parent, plm, device) for row in BASELINES}
    for row in PAPER:
        settings = replace(bare, heads=row.split("+"))
        jobs[row] = _Job(row, settings, config.parent, plm, device)
    ours = replace(
        ours, name="", heads=bare.heads, data=bare.data, lines=bare.lines, outliers="", corpora="",
        corpora_share=0.0, validation_part=bare.validation_part,
    )  # fmt: skip
    jobs[RECIPE] = _Job(RECIPE, ours, config.parent, find_plm(ours.plm, recipe.parent), device)
    return jobs


def _seeded(job: _Job, seed: int) -> _Job:
    return replace(job, settings=replace(job.settings, seed=seed))


def _work(jobs: Sequence[_Job], processes: int) -> Iterable[dict[str, Any]]:
    if processes == 1:
        yield from map(_do, jobs)
        return
    # Spawned: a fork would inherit the threads of PyTorch.
    with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=1) as pool:
        yield from pool.imap_unordered(_do, jobs)


def _do(job: _Job) -> dict[str, Any]:
    """Do one run; nothing of it stays on the disk."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    start = time.monotonic()
    fingerprint = job.fingerprint  # now: the data may change while the run goes on
    lines = read_lines(job.settings, job.folder)
    epochs = best = 0
    if job.row in BASELINES:
        accuracy = measure(job.row, lines, job.plm)
    else:
        with TemporaryDirectory() as folder:
            write_tokenizer(job.plm, job.settings.max_tokens, Path(folder) / TOKENIZER_FILE)
            reader = TextReader(Path(folder) / TOKENIZER_FILE)
        training = IntentTraining(job.settings, job.plm, reader, lines, job.device)
        training.run()
        accuracy = training.test(lines.test)
        epochs, best = training.epoch, training.selection.epoch
    return {
        "row": job.row,
        "seed": job.settings.seed,
        "fingerprint": fingerprint,
        "accuracy": accuracy,
        "epochs": epochs,
        "best_epoch": best,
        "seconds": round(time.monotonic() - start, 1),
    }


def _result(runs: Mapping[tuple[str, int], dict[str, Any]], data: Mapping[str, int]) -> dict[str, Any]:
    ordered = sorted(runs.values(), key=lambda run: (ROWS.index(run["row"]), run["seed"]))
    rows = {}
    for row in dict.fromkeys(run["row"] for run in ordered):
        accuracy = {}
        for task in TASKS:
            values = [
                run["accuracy"][task] for run in ordered if run["row"] == row and task in run["accuracy"]
            ]
            if values:
                std = stdev(values) if len(values) > 1 else None
                accuracy[task] = {"mean": mean(values), "std": std, "runs": len(values)}
        rows[row] = {"paper": dict(PAPER.get(row, {})), "accuracy": accuracy}
    return {"data": dict(data), "rows": rows, "runs": ordered}


def _read_runs(path: Path) -> list[dict[str, Any]]:
    try:
        runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
        needed = ("seed", "fingerprint", "accuracy")
        return [run for run in runs if run["row"] in ROWS and all(run[key] for key in needed)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: no file of results: {error!r}") from None
