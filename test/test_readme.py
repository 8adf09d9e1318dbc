"""What the README says of the interface is what the code does."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from text2gesture_ros.parameters import PARAMETERS, specification

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


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
