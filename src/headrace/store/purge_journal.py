"""Purges on paper: a small file of rules that outlives the index.

The index is thrown away when the operating system crashes; what had been purged must not come back
with the files. So each rule also stands here until it has been carried out for long.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import msgspec
import xxhash

from headrace.store.directory_lock import sync_directory
from headrace.store.files import open_file
from headrace.store.purge_rules import PurgeRule

_LINE = struct.Struct("<IQ")
_decoder = msgspec.msgpack.Decoder(PurgeRule)


def _entry(rule: PurgeRule) -> bytes:
    packed = msgspec.msgpack.encode(rule)
    return _LINE.pack(len(packed), xxhash.xxh3_64_intdigest(packed)) + packed


def append(path: Path, rule: PurgeRule) -> None:
    """Add a rule, not yet synced. Raises OSError; after a half-written rule the file ends there."""
    fd = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        entry = _entry(rule)
        before = os.fstat(fd).st_size
        if os.write(fd, entry) != len(entry):
            os.ftruncate(fd, before)
            raise OSError(f"no room for a purge in {path}")
    finally:
        os.close(fd)


def sync(path: Path) -> None:
    """Wait until the file is on disk. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_directory(path.parent)


def read(path: Path) -> list[PurgeRule]:
    """Return the rules up to the first damaged one."""
    try:
        fd = open_file(path, os.O_RDONLY)
    except FileNotFoundError:
        return []
    with os.fdopen(fd, "rb") as file:
        text = file.read()
    rules = []
    at = 0
    while at + _LINE.size <= len(text):
        size_bytes, checksum = _LINE.unpack_from(text, at)
        packed = text[at + _LINE.size : at + _LINE.size + size_bytes]
        if len(packed) < size_bytes or xxhash.xxh3_64_intdigest(packed) != checksum:
            break
        try:
            rules.append(_decoder.decode(packed))
        except msgspec.DecodeError:
            break
        at += _LINE.size + size_bytes
    return rules


def prepare(path: Path, rules: list[PurgeRule]) -> None:
    """Write and sync a file of these rules that is to replace the one at `path`."""
    fd = open_file(_next(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        view = memoryview(b"".join(_entry(rule) for rule in rules))
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def replace(path: Path, newer: list[PurgeRule]) -> None:
    """Put the prepared file in place, with the rules made since. Under the index's write lock.

    It does not wait for the disk: should the system crash now, the older file had all of it.
    """
    for rule in newer:
        append(_next(path), rule)
    _next(path).rename(path)


def _next(path: Path) -> Path:
    return path.with_name(path.name + ".new")
