"""What README and model cards say is what the code does and what the files of figures hold."""

import re
import subprocess
import sys
from pathlib import Path

from text2gesture_ros.apps.cli import build_parser, main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_generated_parts_are_up_to_date(capsys):
    assert main(["docs", "--root", str(ROOT), "--check"]) == 0, capsys.readouterr().out


def test_generated_parts_are_written_where_they_differ(tmp_path, capsys):
    for folder in ("models", "benchmarks"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "config").mkdir()
    (tmp_path / "README.md").write_text(README.replace("| yes |", "| no |"))
    assert main(["docs", "--root", str(tmp_path), "--check"]) == 1
    assert main(["docs", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("README.md: written") == 1
    assert (tmp_path / "README.md").read_text() == README
    (tmp_path / "README.md").write_text("# nothing generated")
    assert main(["docs", "--root", str(tmp_path)]) == 2
    assert "parameters: begin" in capsys.readouterr().err


def test_topic_table_names_every_topic_and_type_of_the_nodes():
    table = dict(re.findall(r"^\| `([\w/]+)` \| `(\w+/\w+)` \| (?:in|out|between) \|", README, re.MULTILINE))
    source = "".join(path.read_text() for path in (ROOT / "text2gesture_ros/ros").glob("*.py"))
    calls = r"(?:create_(?:lifecycle_)?publisher|subscribe|wait_for_message)"
    used = re.findall(calls + r"\(\s*(\w+),\s*(?:node,\s*)?\"([\w/]+)\"", source)
    assert {topic: kind.split("/")[1] for topic, kind in table.items()} == {t: kind for kind, t in used}


def test_own_messages_in_the_table_exist():
    for name in re.findall(r"`text2gesture_ros/(\w+)`", README):
        assert any((ROOT / kind / f"{name}.{kind}").is_file() for kind in ("msg", "action"))


def test_files_the_readme_points_to_exist():
    paths = re.findall(r"\]\(([\w./]+)\)", README)
    assert paths
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_programs_the_readme_calls_exist():
    parser = build_parser()
    verbs = set(re.findall(r"^text2gesture (\w+)", README, re.MULTILINE))
    known = next(action.choices for action in parser._actions if action.choices)
    assert verbs
    assert verbs <= set(known)


def test_the_python_example_runs():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    result = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
