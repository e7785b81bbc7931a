"""Make the demo's sample video: one minute, three renditions, one set of segments for HLS and DASH,
and the smallest one with its sound as MPEG-TS too.

Needs ffmpeg with libx264, AAC and drawtext. The result is committed, so that the demo needs none
of them; run this again only to change the sample.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "src" / "headrace" / "lab" / "media"
DURATION_S = 60
FRAMES_PER_S = 25
SEGMENT_S = 4
AUDIO_RATE_BPS = 48_000
# At 32 kHz an AAC frame lasts 32 ms, so that audio segments are as long as the video's, exactly.
SAMPLES_PER_S = 32_000
MOST_BYTES = 7_000_000


@dataclass(frozen=True, slots=True)
class Rendition:
    """One size of the picture and its average video rate."""

    height: int
    width: int
    rate_bps: int


RENDITIONS = (
    Rendition(540, 960, 380_000),
    Rendition(360, 640, 190_000),
    Rendition(234, 416, 90_000),
)


def filters() -> str:
    """The pictures: a test source with a clock, scaled, each size with its name burnt in."""
    clock = (
        "drawbox=x=0:y=ih*0.38:w=iw:h=ih*0.24:color=black@0.7:t=fill,"
        r"drawtext=font=monospace:text='%{pts\:hms}':fontcolor=white:fontsize=h*0.15"
        ":x=(w-tw)/2:y=(h-th)/2"
    )
    chains = [
        f"testsrc2=size=960x540:rate={FRAMES_PER_S}:duration={DURATION_S},{clock}"
        f",split={len(RENDITIONS)}" + "".join(f"[p{i}]" for i in range(len(RENDITIONS)))
    ]
    for i, rendition in enumerate(RENDITIONS):
        name = (
            f"drawtext=font=sans:text='{rendition.height}p':fontcolor=white:fontsize=h*0.09"
            ":box=1:boxcolor=black@0.7:boxborderw=h/60:x=w*0.03:y=h*0.85"
        ).replace("h/60", str(rendition.height // 60))
        chains.append(
            f"[p{i}]scale={rendition.width}:{rendition.height},setsar=1,{name},format=yuv420p[v{i}]"
        )
    return ";".join(chains)


def command(directory: Path) -> list[str]:
    """The ffmpeg call that writes manifests, playlists and segments into `directory`."""
    frames = FRAMES_PER_S * SEGMENT_S
    tone = (
        f"aevalsrc=exprs='0.15*sin(440*2*PI*t)*lt(mod(t\\,1)\\,0.1)+0.04*sin(220*2*PI*t)'"
        f":s={SAMPLES_PER_S}:d={DURATION_S}"
    )
    outputs: list[str] = []
    for i, rendition in enumerate(RENDITIONS):
        rate = rendition.rate_bps
        outputs += ["-map", f"[v{i}]", f"-b:v:{i}", str(rate)]
        outputs += [f"-maxrate:v:{i}", str(rate * 5 // 4), f"-bufsize:v:{i}", str(rate * 2)]
    return [
        *("ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", tone),
        *("-filter_complex", filters()),
        *outputs,
        *("-map", "0:a", "-c:a", "aac", "-b:a", str(AUDIO_RATE_BPS), "-ac", "1"),
        *("-c:v", "libx264", "-preset", "veryslow", "-profile:v", "main"),
        *("-g", str(frames), "-keyint_min", str(frames), "-sc_threshold", "0"),
        *("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"),
        *("-map_metadata", "-1", "-f", "dash", "-seg_duration", str(SEGMENT_S)),
        *("-use_template", "1", "-use_timeline", "1", "-hls_playlist", "1"),
        *("-adaptation_sets", "id=0,streams=v id=1,streams=a"),
        *("-init_seg_name", "init-$RepresentationID$.mp4"),
        *("-media_seg_name", "seg-$RepresentationID$-$Number%03d$.m4s"),
        *("-hls_master_name", "master.m3u8", str(directory / "manifest.mpd")),
    ]


def transport_stream(directory: Path, target: Path) -> list[str]:
    """The smallest rendition with its sound, as segments of a transport stream: no new encoding."""
    smallest, sound = len(RENDITIONS) - 1, 0
    return [
        *("ffmpeg", "-v", "error", "-nostdin", "-i", str(directory / "master.m3u8")),
        *("-map", f"v:{smallest}", "-map", f"a:{sound}", "-c", "copy", "-t", str(DURATION_S)),
        *("-fflags", "+bitexact", "-map_metadata", "-1", "-f", "hls", "-hls_time", str(SEGMENT_S)),
        *("-hls_segment_type", "mpegts", "-start_number", "1", "-hls_list_size", "0"),
        *("-hls_segment_filename", str(target / "ts-%03d.ts"), str(directory / "ts.m3u8.unused")),
    ]


def main() -> int:
    if shutil.which("ffmpeg") is None:
        sys.stderr.write("making the sample needs ffmpeg: run 'apt install ffmpeg' as root\n")
        return 2
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        subprocess.run(command(made), check=True)
        subprocess.run(transport_stream(made, made), check=True)
        (made / "ts.m3u8.unused").unlink()
        size = sum(file.stat().st_size for file in made.iterdir())
        if size > MOST_BYTES:
            sys.stderr.write(f"the sample has {size} bytes, more than {MOST_BYTES}: lower rates\n")
            return 1
        shutil.rmtree(TARGET, ignore_errors=True)
        shutil.copytree(made, TARGET)
    sys.stdout.write(f"{TARGET}: {size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
