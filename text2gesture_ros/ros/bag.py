"""Bags of the topics of the nodes: written for ROS 2 and Foxglove, read from any writer.

Two forms are written: one `.mcap` file, its chunks compressed; or a folder with an sqlite3 database and its
metadata.yaml. Both are rosbag2's (version 9). A bag that is read is not trusted: nothing in it is executed or
written anywhere, a message of an older definition is read by the one kept in the bag, and any damage is an
InputError.
"""

import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from backports import zstd
from lz4.frame import LZ4FrameDecompressor  # type: ignore[import-untyped]
from rosbags.interfaces import Connection, MessageDefinitionFormat, Nodetype
from rosbags.interfaces.typing import Typesdict
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer, storage_mcap
from rosbags.rosbag2.storage_mcap import McapWriter
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from text2gesture_ros.errors import InputError
from text2gesture_ros.resources import PACKAGE, read_limited, share_directory
from text2gesture_ros.ros.bag_recovery import is_cut_off, recovered

TYPES: Mapping[str, str] = {
    "speech_text": "std_msgs/msg/String",
    "speech": f"{PACKAGE}/msg/Speech",
    "gesture_intent": f"{PACKAGE}/msg/GestureIntent",
    "gesture_frames": f"{PACKAGE}/msg/GestureFrames",
    "gesture_cancel": "std_msgs/msg/String",
    "joint_command": "sensor_msgs/msg/JointState",
    "held": "std_msgs/msg/Bool",
    "intent_taken": "std_msgs/msg/Header",
    "plan_commit": f"{PACKAGE}/msg/PlanCommit",
    "parameter_events": "rcl_interfaces/msg/ParameterEvent",
}
"""The topics that are read from bags, and their types."""

_MCAP = ".mcap"
_METADATA = "metadata.yaml"
_MAX_METADATA_BYTES = 4 << 20
_MAX_CHUNK_BYTES = 256 << 20  # of an mcap file, unpacked; rosbag2 and rosbags write less than 1 MB
_MAX_MESSAGE_BYTES = 16 << 20
_KEPT_EVERY = 1.0  # what has come is on the disk after this [s]
_MAX_DEFINITION = 64 << 10  # characters
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")


def _bounded(decompressor: Any) -> Callable[[bytes, int], bytes]:
    """Return what unpacks a chunk and stops where it has the size it claims, and at `_MAX_CHUNK_BYTES`."""

    def unpack(data: bytes, size: int) -> bytes:
        if size > _MAX_CHUNK_BYTES:
            raise ValueError(f"a chunk unpacks to {size} bytes, allowed {_MAX_CHUNK_BYTES}")
        return bytes(decompressor().decompress(data, max_length=size + 1))

    return unpack


# rosbags would unpack a chunk of a few bytes that grows to gigabytes before it compares the sizes.
storage_mcap.DECOMPRESSORS["zstd"] = _bounded(zstd.ZstdDecompressor)
storage_mcap.DECOMPRESSORS["lz4"] = _bounded(LZ4FrameDecompressor)


def message_types() -> Typestore:
    """Return the messages of ROS 2 Jazzy and of this package, for reading and writing bags without ROS."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for path in sorted((share_directory() / "msg").glob("*.msg")):
        definition = path.read_text(encoding="utf-8")
        store.register(get_types_from_msg(definition, f"{PACKAGE}/msg/{path.stem}"))
    return store


class BagWriter:
    """Writes messages in a thread of its own, so that no caller waits for the disk.

    Args:
        path: a .mcap file, or a folder for an sqlite3 bag. A bag that was there is put aside, and back again
            after an error.
        kept: whether what has come is on the disk within a second: of a recording that is killed `Bag` reads
            all until then. One that can be made once more is smaller without.

    Attributes:
        counts: messages written so far, by topic.

    Raises:
        InputError: something else than a bag is there, or there is no directory for it.
    """

    def __init__(self, path: Path, *, kept: bool = True) -> None:
        if not path.absolute().parent.is_dir():
            raise InputError(f"{path}: no directory {path.parent}")
        if path.is_dir() and (path.suffix == _MCAP or not _is_bag_folder(path)):
            raise InputError(f"{path}: a folder that is no bag. Allowed: a new name, or a bag to replace")
        if path.is_file() and path.suffix != _MCAP:
            raise InputError(f"{path}: a file. Allowed: a file that ends in {_MCAP}, or a folder")
        self._path, self._kept = path, kept
        self._types = message_types()
        self._connections: dict[str, Connection] = {}
        self._error: Exception | None = None
        self.counts: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Begin the bag."""
        self._aside = tempfile.TemporaryDirectory(dir=self._path.absolute().parent, prefix=".bag_")
        self._before = Path(self._aside.name) / "before"
        if self._path.exists():
            self._path.rename(self._before)
        if self._path.suffix == _MCAP:
            # The file alone holds all that the folder does, in which it is made.
            folder = Path(self._aside.name) / self._path.stem
            self._writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        else:
            self._writer = Writer(self._path, version=9, storage_plugin=StoragePlugin.SQLITE3)
        # An sqlite3 database belongs to the thread that has opened it.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bag")
        self._thread.submit(self._writer.open).result()
        if self._path.suffix == _MCAP:
            (self._writer.path / self._path.name).rename(self._path)
        self._thread.submit(self._flush).result()  # so that what is killed now is a bag all the same
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the bag; after an error too, with what has come by then, unless another was there before."""
        self._ended.set()
        self._keeper.join()
        with self._aside, self._thread:
            self._thread.submit(self._writer.close).result()
            if error is None and self._error is not None:
                raise self._error
            if error is not None and self._before.exists():
                _remove(self._path)
                self._before.rename(self._path)

    def _keep(self) -> None:
        """Bring to the disk what has come, again and again."""
        while not self._ended.wait(_KEPT_EVERY):
            if self._kept:
                self._thread.submit(self._flush)

    def _flush(self) -> None:
        storage = self._writer.storage
        try:
            if isinstance(storage, McapWriter):
                if storage.chunk.msgs:
                    storage.close_chunk()
                storage.bio.flush()
            elif isinstance(storage, Sqlite3Writer):
                storage.conn.commit()
        except Exception as error:  # noqa: BLE001  # raised in this thread it would be lost
            self._error = error

    def write(self, topic: str, kind: type, stamp: int, data: bytes) -> None:
        """Write one message.

        Args:
            topic: its topic; one without a leading slash is taken as relative to the root.
            kind: its class, generated by ROS.
            stamp: when it came [ns since 1970].
            data: the message as it travelled (CDR).

        Raises:
            Exception: what writing one before has raised, on a full disk, say.
        """
        if self._error is not None:
            raise self._error
        topic = topic if topic.startswith("/") else f"/{topic}"
        self._thread.submit(self._write, topic, kind, stamp, data)
        self.counts[topic] = self.counts.get(topic, 0) + 1

    def write_message(self, topic: str, message: Any, stamp: int) -> None:
        """Write one message that has not travelled; see `write`."""
        from rclpy.serialization import serialize_message

        self.write(topic, type(message), stamp, serialize_message(message))

    def _write(self, topic: str, kind: type, stamp: int, data: bytes) -> None:
        try:
            if topic not in self._connections:
                name = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
                self._connections[topic] = self._writer.add_connection(topic, name, typestore=self._types)
            self._writer.write(self._connections[topic], stamp, data)
        except Exception as error:  # noqa: BLE001  # raised in this thread it would be lost
            self._error = error


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_bag_folder(path: Path) -> bool:
    files = [file.name for file in path.iterdir()]
    ends = (_METADATA, ".db3", ".db3-journal", _MCAP)
    return any(name.endswith((_METADATA, ".db3")) for name in files) and all(
        name.endswith(ends) for name in files
    )


class Bag:
    """Reads a bag: a .mcap or .db3 file, or a folder, of any size: messages are read as they are used.

    Args:
        path: where it is.
        namespace: of the robot that is meant, where the topics of several are in the bag.

    Attributes:
        path: as given.
        topics: every topic of the bag, whatever its type, and how many messages it has.
        start, end: times of the first and the last message [ns since 1970]; 0 in an empty bag.
        cut_off: whether its recording was killed: it is read as far as it goes.

    Raises:
        InputError: from every method: there is no bag, or it cannot be read.
    """

    def __init__(self, path: Path, namespace: str = "") -> None:
        self.path = path
        self._namespace = namespace.strip("/")
        self.topics: dict[str, int] = {}
        self.start = self.end = 0
        self.cut_off = False

    def __enter__(self) -> Self:
        """Open the bag and list its topics."""
        if not self.path.exists():
            raise InputError(f"{self.path}: no such bag")
        self._folder = tempfile.TemporaryDirectory(prefix="bag_")
        try:
            with self._reading():
                path = self.path
                self.cut_off = is_cut_off(path)
                if self.cut_off:
                    path = recovered(path, Path(self._folder.name), _MAX_CHUNK_BYTES)
                elif path.is_dir():
                    self._check_metadata()
                self._reader = Reader(path)
                self._reader.open()
        except BaseException:
            self._folder.cleanup()
            raise
        try:
            with self._reading():
                for link in self._reader.connections:
                    self.topics[link.topic] = self.topics.get(link.topic, 0) + link.msgcount
                if self._reader.message_count:
                    self.start, self.end = self._reader.start_time, self._reader.end_time - 1
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the bag."""
        self._close()

    def _close(self) -> None:
        self._reader.close()
        self._folder.cleanup()

    def find(self, name: str) -> str | None:
        """Return the topic that one of `TYPES` has in this bag, None if there is no message of it."""
        found = [topic for topic, count in self.topics.items() if count and topic.rpartition("/")[2] == name]
        if len(found) > 1:
            wanted = f"/{self._namespace}/{name}" if self._namespace else f"/{name}"
            if wanted not in found:
                raise InputError(f"{self.path}: {', '.join(sorted(found))}: say which by its namespace")
            found = [wanted]
        return found[0] if found else None

    def messages(self, names: Collection[str]) -> Iterator[tuple[str, int, Any]]:
        """Yield messages in order of time: which of `TYPES`, when it came [ns since 1970], the message.

        Args:
            names: which of `TYPES`; those that are not in the bag are left out.

        A message has the fields of its definition, which may be an older one.
        """
        topics = {topic: name for name in names if (topic := self.find(name)) is not None}
        links = [link for link in self._reader.connections if link.topic in topics]
        if not links:
            return
        types = {link.id: self._types(link, TYPES[topics[link.topic]]) for link in links}
        with self._reading():
            for link, stamp, data in self._reader.messages(links):
                if len(data) > _MAX_MESSAGE_BYTES:
                    raise ValueError(f"a message on {link.topic} has {len(data)} bytes")
                yield topics[link.topic], stamp, types[link.id].deserialize_cdr(data, link.msgtype)

    def _types(self, link: Connection, expected: str) -> "Typestore | _RosTypes":
        """Return what reads the messages of a topic: today's definitions, or those kept in the bag."""
        if link.msgtype != expected:
            raise InputError(f"{self.path}: {link.topic} has type {link.msgtype}, expected {expected}")
        if expected == TYPES["parameter_events"]:
            return _RosTypes()
        types = message_types()
        known = types.fielddefs[expected][1]
        if not expected.startswith(f"{PACKAGE}/") or link.msgdef.format != MessageDefinitionFormat.MSG:
            return types
        with self._reading():
            if len(link.msgdef.data) > _MAX_DEFINITION:
                raise ValueError(f"the definition of {expected} is too long")
            kept = get_types_from_msg(link.msgdef.data, expected)
            if all(kept[name][1] == types.fielddefs.get(name, kept[name])[1] for name in kept):
                return types
            own: Typesdict = {
                name: ([], fields) for name, (_, fields) in kept.items() if name.startswith(PACKAGE)
            }
            for name, (_, fields) in own.items():
                _check_definition(name, fields)
            then = dict(own[expected][1])
            changed = [name for name, kind in known if then.get(name, kind) != kind]
            if changed:
                raise ValueError(f"{expected} had another type of {changed[0]!r} when it was recorded")
            types = get_typestore(Stores.ROS2_JAZZY)
            types.register(own)
            return types

    def _check_metadata(self) -> None:
        """Refuse a folder that would be unpacked as a whole before it is read: it can grow without bound."""
        file = self.path / _METADATA
        text = read_limited(file, _MAX_METADATA_BYTES, InputError).decode("utf-8")
        data = yaml.safe_load(text)["rosbag2_bagfile_information"]
        if str(data.get("compression_mode") or "none").lower() != "none":
            raise ValueError("compressed as a whole: unpack it with `ros2 bag convert`")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn whatever a damaged or hostile bag makes the library raise into one line."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # noqa: BLE001  # there is no list of what damage can raise
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise InputError(f"{self.path}: no readable bag: {reason}") from None


class _RosTypes:
    """Reads parameter events: of empty sequences of numbers rosbags and ROS have different ideas."""

    def deserialize_cdr(self, data: bytes, _: str) -> Any:
        """Return the message."""
        from rcl_interfaces.msg import ParameterEvent
        from rclpy.serialization import deserialize_message

        return deserialize_message(bytes(data), ParameterEvent)


def _check_definition(name: str, fields: Any) -> None:
    """Refuse a definition that is more than names of numbers and texts: code is made of it to read it.

    Raises:
        ValueError: it is.
    """
    for field, (kind, content) in fields:
        inner = content[0] if kind in (Nodetype.SEQUENCE, Nodetype.ARRAY) else (kind, content)
        base = inner[0] == Nodetype.BASE
        if not _NAME.fullmatch(field) or not (base or (kind == Nodetype.NAME and inner[1] in _NESTED)):
            raise ValueError(f"the definition of {name} has the field {field[:40]!r}, which is none of ours")


_NESTED = ("std_msgs/msg/Header", "builtin_interfaces/msg/Time", f"{PACKAGE}/msg/LabelProbabilities")
