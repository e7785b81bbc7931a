"""What a description consists of, and whether it is still that."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from headrace.node.network.compile import compile_description, compile_last_good
from headrace.node.network.compiling import SealedFile
from headrace.node.network.files import (
    LARGEST_DESCRIPTION_BYTES,
    files_of,
    signature_of,
    signatures_of,
)
from headrace.node.network.last_good import NAME, keep_last_good, read_last_good
from headrace.node.network.mapped import mapped
from headrace.topology.build import load_topology

EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "network.toml"


def test_the_files_of_prefixes_belong_to_it(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    path.write_text(
        '[[network]]\nname = "a"\nprefix_file = "a.txt"\n'
        '[[coverage]]\nname = "c"\nprefix_file = "/c.txt"\n[[network]]\nprefix_file = 7\n'
    )
    assert files_of(path) == [path, tmp_path / "a.txt", Path("/c.txt")]
    path.write_text("no TOML")
    assert files_of(path) == [path]
    assert files_of(tmp_path / "nowhere") == [tmp_path / "nowhere"]


def test_a_file_that_was_replaced_or_changed_is_another(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert signature_of(path) is None
    path.write_text("one")
    first = signature_of(path)
    new = tmp_path / "new"
    new.write_text("two")
    os.utime(new, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    new.rename(path)
    second = signature_of(path)
    path.write_text("longer")
    assert len({first, second, signature_of(path)}) == 3


def test_a_description_is_compiled_kept_and_read_again(tmp_path: Path) -> None:
    file, again = SealedFile(), SealedFile()
    outcome = compile_description(EXAMPLE, file.descriptor)
    assert (outcome.problem, outcome.torn) == ("", False)
    assert outcome.files == signatures_of([EXAMPLE])
    kept = tmp_path / "kept"
    keep_last_good(kept, file.descriptor)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert read_last_good(kept) == load_topology(EXAMPLE)
    assert compile_last_good(kept, again.descriptor).problem == ""
    assert mapped(again.descriptor).version == mapped(file.descriptor).version
    assert [one.name for one in tmp_path.iterdir()] == ["kept"]


def test_a_link_is_not_followed_to_the_last_good(tmp_path: Path) -> None:
    file = SealedFile()
    compile_description(EXAMPLE, file.descriptor)
    keep_last_good(tmp_path / "kept", file.descriptor)
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    assert compile_last_good(tmp_path / "link", file.descriptor).problem


def test_a_wrong_description_is_a_problem_and_its_files_are_known(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    path.write_text('[[network]]\nname = "a"\nprefix_file = "a.txt"\n')
    outcome = compile_description(path, SealedFile().descriptor)
    assert "network.toml" in outcome.problem
    assert outcome.files == {str(path): signature_of(path), str(tmp_path / "a.txt"): None}


def test_one_that_changes_while_it_is_read_is_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "network.toml"
    path.write_text(EXAMPLE.read_text())

    def slow(found: Path) -> object:
        topology = load_topology(found)
        found.write_text("# another\n")
        return topology

    monkeypatch.setattr("headrace.node.network.compile.load_topology", slow)
    assert compile_description(path, SealedFile().descriptor).torn


@pytest.mark.parametrize("kind", ["fifo", "directory", "/dev/zero"])
def test_what_is_no_file_is_neither_waited_for_nor_read_without_end(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "network.toml"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(kind)
    before = len(os.listdir("/proc/self/fd"))
    assert files_of(path) == [path]
    outcome = compile_description(path, -1)
    assert "is no file: put the description there" in outcome.problem
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_description_that_is_too_large_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    with path.open("wb") as file:
        file.truncate(2**40)
    tracemalloc.start()
    try:
        assert files_of(path) == [path]
        assert tracemalloc.get_traced_memory()[1] < 2 * LARGEST_DESCRIPTION_BYTES
    finally:
        tracemalloc.stop()
    assert "larger than" in compile_description(path, -1).problem


def test_brackets_without_end_are_no_fault_of_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    path.write_text("a = " + "[" * 100_000)
    assert files_of(path) == [path]
    assert "not valid TOML" in compile_description(path, -1).problem


def test_a_full_disk_leaves_the_last_good_one_and_no_half_of_another(tmp_path: Path) -> None:
    kept = tmp_path / NAME
    kept.write_bytes(b"before")
    code = """
import os, resource, sys
from pathlib import Path
from headrace.node.network.last_good import keep_last_good
descriptor = os.memfd_create("network")
os.write(descriptor, bytes(1024 * 1024))
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    keep_last_good(Path(sys.argv[1]), descriptor)
except OSError as error:
    sys.exit(error.strerror)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(kept)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "File too large\n")
    assert [one.name for one in tmp_path.iterdir()] == [NAME]
    assert kept.read_bytes() == b"before"
