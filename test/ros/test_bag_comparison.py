"""Two recordings of a robot are compared: what is equal, what is not; and what a bag may hold."""

import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from text2gesture_ros.errors import InputError
from text2gesture_ros.resources import share_directory
from text2gesture_ros.ros.bag import TYPES, Bag, message_types
from text2gesture_ros.ros.bag_comparison import (
    SOURCES,
    compare,
    control_rate,
    differences,
    read_commands,
    robot_of,
    source_topics,
)

GOLDEN = share_directory() / "data" / "golden"
GOLDENS = {"pepper": GOLDEN / "pepper.mcap", "nao": GOLDEN / "nao"}
golden_bags = pytest.mark.parametrize(("robot", "path"), GOLDENS.items(), ids=list(GOLDENS))


@pytest.fixture(scope="module")
def commands():
    """Return the joint commands of a golden bag."""
    with Bag(GOLDENS["pepper"]) as bag:
        return read_commands(bag)


def changed(parts, change):
    """Return commands with every position changed."""
    return [
        replace(part, positions={joint: change(values) for joint, values in part.positions.items()})
        for part in parts
    ]


@golden_bags
def test_a_golden_bag_is_small_and_holds_what_a_replay_needs(robot, path):
    files = list(path.iterdir()) if path.is_dir() else [path]
    assert sum(file.stat().st_size for file in files) < 210_000
    with Bag(path) as bag:
        parts = read_commands(bag)
        assert all(source_topics(bag, source) for source in SOURCES)
    assert robot_of(parts) == robot
    assert control_rate(parts) == 100.0
    assert any(part.utterance_id for part in parts)
    assert compare(parts, parts).deviations


def test_what_is_the_same_is_not_apart(commands):
    same = compare(commands, commands)
    assert {item.largest for item in same.deviations} == {0.0}
    assert same.largest == 0.0
    assert differences(same, commands, {}, {}, 0.0) == []


@pytest.mark.parametrize("change", [lambda x: x + 0.03, lambda x: 1.3 * x], ids=["shifted", "scaled"])
def test_what_was_changed_is_apart_both_ways(commands, change):
    other = changed(commands, change)
    apart = compare(commands, other).largest
    assert apart >= 0.03
    assert apart == compare(other, commands).largest


def test_what_comes_later_or_stops_early_is_apart(commands):
    late = [replace(part, times=part.times * 1.1) for part in commands]
    cut = [
        replace(
            part,
            times=part.times[: len(part.times) // 3],
            positions={joint: values[: len(part.times) // 3] for joint, values in part.positions.items()},
        )
        for part in commands
    ]
    for other in (late, cut):
        assert compare(commands, other).largest > 0.05


def without_first(part, count):
    return replace(
        part,
        start=part.start + float(part.times[count]),
        times=part.times[count:] - part.times[count],
        positions={joint: values[count:] for joint, values in part.positions.items()},
    )


def test_first_commands_that_a_late_loop_left_out_move_nothing_apart(commands):
    spoken = [part for part in commands if part.utterance_id]
    spoken += [replace(part, utterance_id=f"{part.utterance_id} again") for part in spoken]
    later = [replace(part, start=part.start + 1000.0) for part in spoken]
    later[-1] = without_first(later[-1], 3)
    assert compare(spoken, later).largest < 0.01
    # All of it a little later is another motion.
    later[-1] = replace(later[-1], start=later[-1].start + 0.04)
    assert compare(spoken, later).largest > 0.05


def test_an_utterance_that_was_said_at_another_time_is_compared_from_its_beginning(commands):
    spoken = [part for part in commands if part.utterance_id]
    assert len(spoken) > 1
    later = [replace(part, start=part.start + 7.0 * number) for number, part in enumerate(spoken)]
    assert compare(spoken, later).largest == 0.0


def test_every_joint_counts_and_every_utterance(commands):
    joint = next(iter(commands[-1].positions))
    less = [
        replace(part, positions={name: v for name, v in part.positions.items() if name != joint})
        for part in commands
    ]
    deviations = compare(commands, less).deviations
    assert {item.joint for item in deviations if not np.isfinite(item.largest)} == {joint}


def test_an_utterance_that_is_in_one_of_both_is_named_with_the_reason(commands):
    spoken = [part for part in commands if part.utterance_id]
    one, *others = spoken
    added = [*others, replace(one, utterance_id="new")]
    compared = compare(spoken, added)
    assert compared.missing == [1]
    assert compared.added == ["new"]
    assert not np.isfinite(compared.largest)
    lines = differences(
        compared, spoken, {one.utterance_id: "Hello!", "new": "x" * 100}, {one.utterance_id: "refused"}, 0.02
    )
    assert lines[0] == "utterance 1 ('Hello!'): was performed, now it is not: refused"
    assert "is performed now, and was not before" in lines[-1]
    assert len(lines) == 2  # of the same name, the others are compared with themselves


def test_where_no_name_is_in_both_the_place_counts(commands):
    spoken = [part for part in commands if part.utterance_id]
    renamed = [replace(part, utterance_id=f"new {part.utterance_id}") for part in spoken]
    assert compare(commands, renamed).largest == 0.0


def test_what_is_apart_is_told_by_utterance_joint_and_time(commands):
    joint = next(iter(commands[-1].positions))
    bent = [
        replace(
            part,
            positions={**part.positions, joint: part.positions[joint] + 0.1 * (part.times > 0.5)},
        )
        for part in commands
    ]
    lines = differences(compare(commands, bent), commands, {}, {}, 0.02)
    assert lines
    assert all(f": {joint} 0.100 rad apart, " in line for line in lines)


def write(path, plugin, messages, types=None):
    """Write a bag of (topic, type, time, message) with rosbags."""
    types = types or message_types()
    links = {}
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        for topic, kind, stamp, message in messages:
            if topic not in links:
                links[topic] = writer.add_connection(topic, kind, typestore=types)
            data = message if isinstance(message, bytes) else types.serialize_cdr(message, kind)
            writer.write(links[topic], stamp, data)
    return path


def text(data):
    types = message_types()
    return types.types[TYPES["speech_text"]](data)


plugins = pytest.mark.parametrize("plugin", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])


@plugins
def test_a_message_of_an_older_definition_is_read_by_it(tmp_path, plugin):
    now = (share_directory() / "msg" / "Speech.msg").read_text()
    then = "".join(line for line in now.splitlines(keepends=True) if "priority" not in line)
    assert then != now
    types = get_typestore(Stores.ROS2_JAZZY)
    types.register(get_types_from_msg(then, TYPES["speech"]))
    speech = types.types[TYPES["speech"]]("a", "Hello!", 1.5, [], np.zeros(0), "", "")
    path = write(tmp_path / "old", plugin, [("/speech", TYPES["speech"], 1, speech)], types)
    with Bag(path) as bag:
        ((name, stamp, message),) = bag.messages(["speech"])
    assert (name, stamp, message.text, message.duration) == ("speech", 1, "Hello!", 1.5)
    assert not hasattr(message, "priority")


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ("float32 text\n", "another type of 'text'"),
        ("std_msgs/Header[] many\n", "none of ours"),
        ("geometry_msgs/Pose pose\n", "none of ours"),
        ("string text\nint32 " + "a" * 200 + "\n", "none of ours"),
        ("string text\n" + "#" * 70_000, "too long"),
    ],
)
def test_another_definition_than_ours_is_refused(tmp_path, definition, said):
    types = get_typestore(Stores.ROS2_JAZZY)
    types.register(get_types_from_msg(definition, TYPES["speech"]))
    links = Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP)
    with links as writer:
        link = writer.add_connection(
            "/speech", TYPES["speech"], msgdef=definition, rihs01=types.hash_rihs01(TYPES["speech"])
        )
        writer.write(link, 1, bytes(64))
    with Bag(tmp_path / "bag") as bag, pytest.raises(InputError, match=said):
        list(bag.messages(["speech"]))


@plugins
def test_bags_that_do_not_fit_are_refused_and_say_what_is_there(tmp_path, plugin):
    kind = TYPES["speech_text"]
    path = write(
        tmp_path / "a", plugin, [("/chatter", kind, 1, text("hi")), ("/speech", kind, 2, text("hi"))]
    )
    with Bag(path) as bag:
        assert bag.topics == {"/chatter": 1, "/speech": 1}
        with pytest.raises(InputError, match=r"/chatter \(1\)"):
            source_topics(bag, "frames")
        with pytest.raises(InputError, match=f"/speech has type {kind}, expected {TYPES['speech']}"):
            list(bag.messages(["speech"]))
        assert list(bag.messages(["speech_text"])) == []
    broken = write(tmp_path / "b", plugin, [("/speech_text", kind, 1, b"\0\1\0\0\xff\xff\xff\x7fab")])
    with Bag(broken) as bag, pytest.raises(InputError, match="no readable bag"):
        list(bag.messages(["speech_text"]))


def test_of_several_robots_the_namespace_tells_which(tmp_path):
    kind = TYPES["speech_text"]
    messages = [(f"/{robot}/speech_text", kind, 1, text(robot)) for robot in ("one", "two")]
    path = write(tmp_path / "bag", StoragePlugin.MCAP, messages)
    with Bag(path, "two") as bag:
        assert [message.data for _, _, message in bag.messages(["speech_text"])] == ["two"]
    with Bag(path) as bag, pytest.raises(InputError, match="/one/speech_text, /two/speech_text"):
        bag.find("speech_text")


def everything(path):
    with Bag(path) as bag:
        return sum(1 for _ in bag.messages(list(TYPES)))


@golden_bags
def test_a_damaged_bag_is_refused_or_read_and_nothing_else(tmp_path, robot, path):
    copy = tmp_path / path.name
    shutil.copytree(path, copy) if path.is_dir() else shutil.copy(path, copy)
    file = next(copy.glob("*.db3")) if copy.is_dir() else copy
    whole = file.read_bytes()
    count = everything(copy)
    assert count > 100
    chance = random.Random(1)
    refused = []
    for number in range(30):
        data = bytearray(whole)
        if number < 6:
            del data[chance.randrange(len(data)) :]
        else:
            for _ in range(chance.choice((1, 10, 1000))):
                data[chance.randrange(len(data))] = chance.randrange(256)
        file.write_bytes(data)
        try:
            assert everything(copy) <= count
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 10
    assert all(str(copy) in line and "\n" not in line for line in refused)


def test_a_bag_reads_and_unpacks_nothing_but_itself(tmp_path):
    kind = TYPES["speech_text"]
    path = write(tmp_path / "bag", StoragePlugin.SQLITE3, [("/speech_text", kind, 1, text("mine"))])
    write(tmp_path / "other", StoragePlugin.SQLITE3, [("/speech_text", kind, 1, text("secret"))])
    metadata = path / "metadata.yaml"
    page = yaml.safe_load(metadata.read_text())
    info = page["rosbag2_bagfile_information"]
    info["relative_file_paths"] = ["../other/other.db3"]
    metadata.write_text(yaml.safe_dump(page))
    with pytest.raises(InputError, match=r"other\.db3"):
        everything(path)
    info["compression_mode"], info["compression_format"] = "FILE", "zstd"
    metadata.write_text(yaml.safe_dump(page))
    with pytest.raises(InputError, match="compressed"):
        everything(path)
    metadata.write_text("!!python/object/apply:os.system ['touch /tmp/never']")
    with pytest.raises(InputError, match="no readable bag"):
        everything(path)
    metadata.write_text("#" * (5 << 20))
    with pytest.raises(InputError, match="larger than"):
        everything(path)


def test_a_chunk_that_unpacks_to_more_than_it_says_is_refused(tmp_path):
    from rosbags.rosbag2 import storage_mcap

    bomb = storage_mcap.zstd.compress(bytes(50_000_000))
    assert len(bomb) < 10_000
    assert len(storage_mcap.DECOMPRESSORS["zstd"](bomb, 1000)) == 1001  # which rosbags then refuses
    with pytest.raises(ValueError, match="allowed"):
        storage_mcap.DECOMPRESSORS["zstd"](bomb, 1 << 40)


@pytest.mark.parametrize("path", ["missing.mcap", "missing"])
def test_a_bag_that_is_not_there_is_said(path):
    with pytest.raises(InputError, match=f"{path}: no such bag"):
        everything(Path(path))
