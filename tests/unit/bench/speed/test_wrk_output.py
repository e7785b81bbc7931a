"""What is taken from wrk's report, and when its figures are refused."""

from __future__ import annotations

import pytest
from bench.speed.load import Figure, WrongAnswer, check_lengths, parse

REPORT = """\
Running 4s test @ http://127.0.0.1:8080/manifest
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   512.11us   80.12us   3.31ms   93.01%
    Req/Sec    62.59k     1.10k   64.12k    80.00%
  249104 requests in 4.01s, 317.21MB read
{more}Requests/sec:  62120.42
Transfer/sec:     79.10MB
"""


def test_requests_time_and_bytes_are_read() -> None:
    found = parse(REPORT.format(more=""))
    assert found == Figure(249104, 4.01, 317.21 * 1024**2)


@pytest.mark.parametrize(("time", "seconds"), [("900.00ms", 0.9), ("4.01s", 4.01), ("1.50m", 90.0)])
def test_times_are_in_seconds_whatever_their_unit(time: str, seconds: float) -> None:
    found = parse(f"  10 requests in {time}, 1.00KB read\n")
    assert found.seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("size", "size_bytes"), [("12.00B", 12), ("1.00KB", 1024), ("2.50GB", 2.5 * 1024**3)]
)
def test_sizes_are_in_bytes_whatever_their_unit(size: str, size_bytes: float) -> None:
    assert parse(f"  10 requests in 1.00s, {size} read\n").read_bytes == size_bytes


def test_rates_follow_from_counts() -> None:
    figure = Figure(requests=100, seconds=4.0, read_bytes=2000.0)
    assert (figure.per_s, figure.bytes_per_s) == (25.0, 500.0)


def test_answers_that_were_errors_make_the_figure_void() -> None:
    with pytest.raises(WrongAnswer, match="17"):
        parse(REPORT.format(more="  Non-2xx or 3xx responses: 17\n"))


def test_socket_errors_make_the_figure_void() -> None:
    with pytest.raises(WrongAnswer, match="read 3"):
        parse(REPORT.format(more="  Socket errors: connect 0, read 3, write 0, timeout 0\n"))


def test_output_without_a_count_makes_the_figure_void() -> None:
    with pytest.raises(WrongAnswer, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:8080 Connection refused\n")


def test_bodies_of_the_right_length_pass() -> None:
    check_lengths(Figure(requests=1000, seconds=1.0, read_bytes=1000 * 1300.0), 1000)


@pytest.mark.parametrize("each_bytes", [500, 9000])
def test_bodies_of_another_length_make_the_figure_void(each_bytes: int) -> None:
    with pytest.raises(WrongAnswer, match="1000 are the body"):
        check_lengths(Figure(requests=1000, seconds=1.0, read_bytes=1000.0 * each_bytes), 1000)
