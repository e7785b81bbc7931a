"""Fuzzing: what strangers can send goes through the code that reads it, and is judged by models.

Each module of `targets` has one function `check(data)`: it makes an input of the bytes, runs the
code, and raises (AssertionError, or whatever escapes) when what came out is wrong. A check that
only looks for crashes finds little: a target compares with a second, simpler and stricter
description of the same rules, or with what must stay the same (cut anywhere, asked twice, in
memory or not).

`make fuzz` runs all of them with atheris (libFuzzer), as many at a time as there are processors;
`FUZZ_SECONDS` is how long that takes in all, `FUZZ_TARGETS` names some of them. What it finds is
left in `var/fuzz/<target>/`; `python -m tests.fuzz replay <target> <file>` runs one input again.

`corpus/<target>/` is kept: small inputs that reach different places, and each that once failed. It
is replayed by the unit tests (tests/unit/fuzz), which need no atheris. After a long run,
`python -m tests.fuzz minimise <target>` adds what reaches something new.
"""
