"""Runs fuzz targets, `python -m tests.fuzz run [--seconds N] [--inputs N] [TARGET…]`, and keeps up
their corpus.

Each target runs in a process of its own. The exit code is 1 when one of them found something; its
input is then in the directory that is printed.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.catalogue import CORPUS, ROOT, checks, names, words

FOUND = ROOT / "var" / "fuzz"
USUAL_SECONDS_EACH = 60
MOST_SECONDS_EACH = 300
INPUT_BYTES = 4096
INPUT_SECONDS = 60
MEMORY_MB = 2048


def main() -> int:
    """Do what the command line says."""
    line = argparse.ArgumentParser(prog="python -m tests.fuzz")
    actions = line.add_subparsers(dest="action", required=True)
    run = actions.add_parser("run", help="fuzz for a time")
    run.add_argument("--seconds", type=int, help="how long in all")
    run.add_argument("--inputs", type=int, help="how many for each target, however long it takes")
    run.add_argument("--seed", type=int, default=0, help="of the mutations; 0: another each time")
    run.add_argument("targets", nargs="*", choices=[[], *names()])
    replay = actions.add_parser("replay", help="run inputs once")
    replay.add_argument("target", choices=names())
    replay.add_argument("files", nargs="+", type=Path)
    minimise = actions.add_parser("minimise", help="add to the corpus what reaches new code")
    minimise.add_argument("targets", nargs="*", choices=[[], *names()])
    inner = actions.add_parser("inner")
    inner.add_argument("target", choices=names())
    inner.add_argument("options", nargs=argparse.REMAINDER)
    asked = line.parse_args()
    match asked.action:
        case "run":
            return fuzz(asked.targets or names(), asked.seconds, asked.inputs, asked.seed)
        case "replay":
            for file in asked.files:
                checks(asked.target)(file.read_bytes())
            return 0
        case "minimise":
            for target in asked.targets or names():
                merge(target)
            return 0
        case _:
            return _fuzz_here(asked.target, asked.options)


def fuzz(targets: list[str], seconds: int | None, inputs: int | None, seed: int = 0) -> int:
    """Run the targets, as many at a time as there are processors; 1 if one found something.

    With a seed and a number of inputs they are the same ones on any machine, fast or slow.
    """
    at_once = min(len(os.sched_getaffinity(0)), len(targets))
    turns = -(-len(targets) // at_once)
    each = USUAL_SECONDS_EACH if seconds is None else max(5, seconds // turns)
    if inputs is not None:
        each = MOST_SECONDS_EACH if seconds is None else each
    amount = f"{each} s" if inputs is None else f"{inputs} inputs (in at most {each} s)"
    print(f"fuzzing {len(targets)} targets, {amount} each, {at_once} at a time", flush=True)
    with ThreadPoolExecutor(at_once) as pool:
        results = list(pool.map(lambda target: _fuzz_one(target, each, inputs, seed), targets))
    return 0 if all(results) else 1


def _fuzz_one(target: str, seconds: int, inputs: int | None, seed: int) -> bool:
    """Fuzz one target in a process of its own; whether it found nothing."""
    found = FOUND / target
    found.mkdir(parents=True, exist_ok=True)
    corpus = found / "corpus"
    corpus.mkdir(exist_ok=True)
    log = found / "log"
    dictionary = found / "words"
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in words(target)))
    options = [
        f"-seed={seed}", f"-max_total_time={seconds}", f"-max_len={INPUT_BYTES}",
        f"-timeout={INPUT_SECONDS}",
        f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={found}/", f"-dict={dictionary}",
        "-print_final_stats=1", str(corpus), str(CORPUS / target),
    ]  # fmt: skip
    if inputs is not None:
        options.insert(0, f"-runs={inputs}")
    with log.open("wb") as out:
        code = subprocess.run(
            [sys.executable, "-m", "tests.fuzz", "inner", target, *options],
            cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
            timeout=seconds + 600,
        ).returncode  # fmt: skip
    text = log.read_text(errors="replace")
    runs = next((line.split()[-1] for line in text.splitlines() if "executed_units" in line), "?")
    if code == 0:
        print(f"{target}: nothing in {runs} inputs", flush=True)
        return True
    told = text[max(text.find("=== Uncaught"), len(text) - 6000, 0) :]
    print(f"{target}: FOUND SOMETHING, see {found}\n{told}", flush=True)
    return False


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{code:02x}" for code in word)


def _fuzz_here(target: str, options: list[str]) -> int:
    import atheris

    with atheris.instrument_imports(include=["headrace"], enable_loader_override=False):
        check = checks(target)
    # Where libFuzzer starts itself anew (to merge), it is by its first argument, through a shell.
    again = f"{shlex.quote(sys.executable)} -m tests.fuzz inner {target}"
    atheris.Setup([again, *options], check)
    atheris.Fuzz()
    return 0


def merge(target: str) -> None:
    """Keep the smallest inputs that reach everything which any known input reaches."""
    kept = CORPUS / target
    grown = FOUND / target / "corpus"
    with tempfile.TemporaryDirectory() as made:
        subprocess.run(
            [sys.executable, "-m", "tests.fuzz", "inner", target, "-merge=1",
             f"-max_len={INPUT_BYTES}", made, str(kept), *([str(grown)] if grown.exists() else [])],
            cwd=ROOT, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for file in kept.glob("[0-9a-f]" * 40):
            file.unlink()
        for file in Path(made).iterdir():
            shutil.copy(file, kept / file.name)


if __name__ == "__main__":
    sys.exit(main())
