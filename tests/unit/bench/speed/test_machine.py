"""What /proc, perf and wrk's client say, as the bench reads it."""

from __future__ import annotations

import os
import ssl
import time

import pytest
from bench.speed import machine, suites
from bench.speed.counters import Counter, NotCounted, count_of, cpu_s

INTEL = """\
processor\t: 0
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R)
flags\t\t: fpu sse2 aes avx2 avx512f vaes vpclmulqdq
processor\t: 1
model name\t: another
"""


def test_the_first_processor_is_named_with_what_it_has_for_aes() -> None:
    assert machine.processor(INTEL) == (
        "Intel(R) Xeon(R) (family 6, model 143)", "aes vaes vpclmulqdq avx2 avx512f"
    )  # fmt: skip


def test_arm_calls_them_features() -> None:
    assert machine.processor("CPU part\t: 0xd40\nFeatures\t: fp aes pmull\n") == (
        "0xd40", "aes pmull"
    )  # fmt: skip


def test_stolen_time_is_a_share_of_all() -> None:
    assert machine.stolen("cpu  10 0 0 80 0 0 0 10 0 0", "cpu  60 0 0 120 0 0 0 20 0 0") == 0.1
    assert machine.stolen("", "") is None


@pytest.mark.parametrize(
    ("text", "name"),
    [("AMD EPYC (7B13)", "amd-epyc-7b13"), ("é|<", "machine"), ("a" * 99, "a" * 40)],
)
def test_a_machine_is_called_by_letters_and_digits(text: str, name: str) -> None:
    assert machine.slug(text) == name


def test_instructions_are_summed_over_kinds_of_cores() -> None:
    said = (
        "# started on Thu\n\n1000,,cpu_core/instructions/,5,100.00,,\n"
        "<not counted>,,cpu_atom/instructions/,0,0.00,,\n20,,cpu_atom/instructions/,5,100.00,,\n"
    )
    assert count_of(said) == 1020.0


@pytest.mark.parametrize("said", ["", "<not supported>,,instructions,0,100.00,,\n", "no such file"])
def test_where_nothing_is_counted_that_is_said(said: str) -> None:
    with pytest.raises(NotCounted):
        count_of(said)


def test_without_perf_the_count_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    counter = Counter()
    with counter.counting([os.getpid()]) as counted:
        pass
    assert (counter.works, counted.count) == (False, None)


def test_processor_time_of_a_process_is_what_its_own_clock_says() -> None:
    before = time.process_time()
    found = cpu_s([os.getpid()])
    assert before <= found <= time.process_time()


def test_a_process_that_has_ended_took_nothing() -> None:
    assert cpu_s([2**22 + 1]) == 0.0


@pytest.mark.parametrize("suite", [suites.AES_128, suites.AES_256])
def test_a_client_offers_one_suite(suite: str) -> None:
    """The hello of a client that never gets an answer has this one, and what says it can resume."""
    outgoing = ssl.MemoryBIO()
    client = suites.offering(suite).wrap_bio(ssl.MemoryBIO(), outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    number = {suites.AES_128: b"\x13\x01", suites.AES_256: b"\x13\x02"}[suite]
    after_session_id = 5 + 4 + 2 + 32 + 1 + hello[43]
    length = int.from_bytes(hello[after_session_id : after_session_id + 2], "big")
    offered = hello[after_session_id + 2 : after_session_id + 2 + length]
    assert offered.removesuffix(b"\x00\xff") == number


def test_another_suite_than_offered_is_refused() -> None:
    tls = suites.offering(suites.AES_128).wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())
    with pytest.raises(suites.NoSuite, match="was agreed on"):
        suites.check(tls, suites.AES_128)
