"""Bags of recordings that were killed: what had reached the disk is read, as far as it goes.

An mcap file without its end has no index, and its last record may be cut; an sqlite3 bag may lack its
metadata and have a transaction to roll back. Either becomes a whole bag in another folder; what there was
stays as it is.
"""

import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from rosbags.interfaces import Connection
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer, storage_mcap

_MAGIC = b"\x89MCAP0\r\n"
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END = 0x03, 0x04, 0x05, 0x06, 0x0F  # records of mcap
_FOOTER, _FOOTER_BYTES = struct.pack("<BQ", 0x02, 20), 37  # how the end of a whole file begins; all of it
_NO_HASH = "RIHS01_" + "0" * 64  # of a definition; nobody asks for it


def is_cut_off(path: Path) -> bool:
    """Return whether a bag was begun as one of this package and not ended."""
    if path.is_dir():
        return len(list(path.glob("*.db3"))) == 1 and not (path / "metadata.yaml").exists()
    if path.suffix != ".mcap" or path.stat().st_size < len(_MAGIC):
        return False
    with path.open("rb") as file:
        begins = file.read(len(_MAGIC)) == _MAGIC
        file.seek(-min(path.stat().st_size, _FOOTER_BYTES), 2)
        end = file.read()
        return begins and not (end.startswith(_FOOTER) and end.endswith(_MAGIC))


def recovered(path: Path, folder: Path, largest: int) -> Path:
    """Return a whole bag with what can be read of one that is cut off.

    Args:
        path: the bag, for which `is_cut_off` holds.
        folder: an empty folder for the whole one.
        largest: bytes of a record or an unpacked chunk of mcap; a larger one counts as damage.

    Raises:
        sqlite3.Error: the database is damaged.
    """
    if path.is_dir():
        return _rolled_back(next(path.glob("*.db3")), folder)
    whole = folder / "recovered"
    writer = Writer(whole, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with writer, path.open("rb") as file, suppress(LookupError, ValueError, struct.error):  # damage ends it
        file.seek(len(_MAGIC))
        schemas: dict[int, tuple[str, str]] = {}
        channels: dict[int, Connection] = {}
        for kind, body in _records(file, largest):
            if kind == _SCHEMA:
                name, _, definition = _texts(body[2:], 3)
                schemas[_number(body)] = name, definition
            elif kind == _CHANNEL and _number(body) not in channels:
                name, definition = schemas[_number(body[2:])]
                (topic,) = _texts(body[4:], 1)
                channels[_number(body)] = writer.add_connection(
                    topic, name, msgdef=definition, rihs01=_NO_HASH
                )
            elif kind == _MESSAGE:
                (stamp,) = struct.unpack_from("<Q", body, 6)
                writer.write(channels[_number(body)], stamp, body[22:])
    return whole / "recovered.mcap"


def _records(file: BinaryIO, largest: int, *, within_chunk: bool = False) -> Iterator[tuple[int, bytes]]:
    """Yield the records of an mcap file, also those in chunks, up to where it is cut or damaged."""
    while True:
        head = file.read(9)
        kind, size = struct.unpack("<BQ", head) if len(head) == 9 else (_DATA_END, 0)
        body = file.read(size) if size <= largest else b""
        if kind == _DATA_END or len(body) < size or (kind == _CHUNK and within_chunk):
            return
        if kind != _CHUNK:
            yield kind, body
            continue
        try:
            content = _unpacked(body, largest)
        except Exception:  # noqa: BLE001  # there is no list of what damage can raise
            return
        yield from _records(BytesIO(content), largest, within_chunk=True)


def _unpacked(chunk: bytes, largest: int) -> bytes:
    """Return the records of a chunk."""
    size, crc = struct.unpack_from("<QI", chunk, 16)
    (name,) = _texts(chunk[28:], 1)
    at = 28 + 4 + len(name)
    (packed,) = struct.unpack_from("<Q", chunk, at)
    if size > largest:
        raise ValueError(f"a chunk of {size} bytes")
    return storage_mcap.decompress(chunk[at + 8 : at + 8 + packed], name, size, crc)


def _number(body: bytes) -> int:
    return int.from_bytes(body[:2], "little")


def _texts(body: bytes, count: int) -> list[str]:
    """Return the texts that bytes begin with."""
    found = []
    for _ in range(count):
        size = int.from_bytes(body[:4], "little")
        found.append(body[4 : 4 + size].decode())
        body = body[4 + size :]
    return found


def _rolled_back(database: Path, folder: Path) -> Path:
    """Return a copy of a database without what was not committed."""
    copy = folder / database.name
    shutil.copyfile(database, copy)
    journal = database.with_name(f"{database.name}-journal")
    if journal.is_file():
        shutil.copyfile(journal, folder / journal.name)
    connection = sqlite3.connect(copy)
    try:
        connection.execute("SELECT count(*) FROM messages").fetchone()  # this rolls back
    finally:
        connection.close()
    return copy
