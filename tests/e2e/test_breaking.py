"""Something breaks while ffmpeg plays: the play ends, and every byte of it is right.

ffmpeg asks for no segment twice, nor does it wait before the next: between a server's death and the
router's hearing of it, it would run through all that is left. So it is held for that moment, as a
player is by its buffer; what was on its way then is left out.
"""

from __future__ import annotations

import http.client
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from headrace.lab.assets import MEDIA
from tests.e2e.demo import POLL_S, Demo
from tests.harness.polling import eventually

pytestmark = pytest.mark.alone

QUICK, SLOW = 10, 4
BREAK_AFTER_S = 1.5
PLAY_WITHIN_S = 90.0
NAME = "router.headrace.test"
FRAMES_OF_A_SEGMENT = 100
MOST_LEFT_OUT = 3 * FRAMES_OF_A_SEGMENT


def packets_of(*source: str) -> list[str]:
    """The command that prints size and MD5 of each packet of the video, as it comes."""
    return [
        *("ffmpeg", "-nostdin", "-v", "error", *source),
        *("-map", "0:v:0", "-c", "copy", "-f", "framemd5", "-"),
    ]


def packets_in(printed: str) -> list[str]:
    """Size and MD5 of each packet."""
    lines = [line for line in printed.splitlines() if line and line[0] != "#"]
    return [",".join(line.split(",")[-2:]) for line in lines]


@pytest.fixture(scope="module")
def right() -> list[str]:
    source = str(MEDIA / "media_0.m3u8")
    done = subprocess.run(packets_of("-i", source), capture_output=True, text=True, check=True)
    return packets_in(done.stdout)


def is_part_of(some: list[str], all_of_them: list[str]) -> bool:
    """Whether these are among those, in this order."""
    rest = iter(all_of_them)
    return all(packet in rest for packet in some)


@pytest.fixture
def playlist(demo: Demo, tmp_path: Path) -> Path:
    """A playlist whose URLs name the routers by a name that both of them have."""
    demo.revive_all()
    with urllib.request.urlopen(demo.url("/media/redirect_0.m3u8"), timeout=10) as response:
        text = response.read().decode()
    host = demo.url("").removeprefix("http://").rpartition(":")[0]
    file = tmp_path / "play.m3u8"
    file.write_text(text.replace(f"//{host}:", f"//{NAME}:"))
    return file


def playing(demo: Demo, playlist: Path, tmp_path: Path, speed: int) -> subprocess.Popen[str]:
    """ffmpeg, in a mount namespace where the name has the addresses of both routers."""
    hosts = tmp_path / "hosts"
    addresses = [item["url"].split("//")[1].rpartition(":")[0] for item in demo.state()["routers"]]
    hosts.write_text("".join(f"{address} {NAME}\n" for address in addresses))
    play = packets_of(
        *("-readrate", str(speed), "-protocol_whitelist", "file,http,tcp"),
        *("-i", str(playlist)),
    )
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    return subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, str(hosts), *play],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def leads_to_the_dead(demo: Demo) -> bool:
    """Whether a router that runs redirects a segment to a server that does not."""
    state = demo.state()
    dead = {
        server["url"] for site in state["sites"] for server in site["servers"] if not server["runs"]
    }
    router = next(item["url"] for item in state["routers"] if item["runs"])
    return any(
        location_of(f"{router}/media/seg-0-{number:03d}.m4s").startswith(tuple(dead))
        for number in range(1, 16)
    )


def location_of(url: str) -> str:
    """Where a redirect leads."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().getheader("Location", "")
    finally:
        connection.close()


def play_while_it_breaks(
    demo: Demo, play: subprocess.Popen[str], what: tuple[str, ...]
) -> list[str]:
    """The packets that came of a play during which something is killed."""
    try:
        time.sleep(BREAK_AFTER_S)
        assert play.poll() is None, play.communicate()
        play.send_signal(signal.SIGSTOP)
        for name in what:
            demo.press("stop", name)
        eventually(
            lambda: not leads_to_the_dead(demo), "nobody is sent to the dead", every_s=POLL_S
        )
        play.send_signal(signal.SIGCONT)
        printed, complaints = play.communicate(timeout=PLAY_WITHIN_S)
    finally:
        play.kill()
        play.wait()
        demo.revive_all()
    assert play.returncode == 0, complaints
    return packets_in(printed)


@pytest.mark.parametrize("what", [("origin-a", "mid"), ("router-1",)])
def test_what_stands_behind_or_twice_is_not_missed(
    demo: Demo, playlist: Path, tmp_path: Path, right: list[str], what: tuple[str, ...]
) -> None:
    play = playing(demo, playlist, tmp_path, QUICK)
    assert play_while_it_breaks(demo, play, what) == right


@pytest.mark.parametrize("what", ["n1", "north"])
def test_the_play_continues_from_other_servers(
    demo: Demo, playlist: Path, tmp_path: Path, right: list[str], what: str
) -> None:
    play = playing(demo, playlist, tmp_path, SLOW)
    came = play_while_it_breaks(demo, play, (what,))
    assert is_part_of(came, right)
    assert len(came) >= len(right) - MOST_LEFT_OUT
    assert came[-1] == right[-1]
