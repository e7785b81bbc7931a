"""What stands at the end of each command's help: lines that can be typed."""

from __future__ import annotations

from types import MappingProxyType

WIDTH = 76
"""Of an example: a terminal has 80 columns, and help indents."""

EXAMPLES = MappingProxyType(
    {
        "edge": (
            "headrace edge --config edge.toml",
            "headrace edge --listen 127.0.0.1:8080 --origin http://127.0.0.1:8000"
            " --cache-dir /tmp/headrace",
        ),
        "router": ("headrace router --config router.toml",),
        "check": ("headrace check edge.toml", "headrace check --schema --role router"),
        "demo": ("headrace demo", "headrace demo --port 0 --routers 2"),
        "purge": (
            "headrace purge https://vod.example.org/film/v1/seg1.m4s --config edge.toml",
            "headrace purge --tag film-7 --soft --token-file network.admin"
            " --admin 192.0.2.1:9090 --admin 192.0.2.2:9090",
        ),
        "explain": (
            "headrace explain https://vod.example.org/film/v1/seg1.m4s --config edge.toml",
            "headrace explain https://vod.example.org/ -H 'Cookie: a=b' --config edge.toml --live",
        ),
        "locate": (
            "headrace locate --network network.toml --client 192.0.2.7"
            " https://vod.example.org/film/v1/seg1.m4s",
            "headrace locate --router http://127.0.0.1:8080 --token-file debug.token"
            " https://vod.example.org/film/v1/seg1.m4s",
        ),
        "log": (
            "headrace log --config edge.toml",
            "headrace log 'status >= 500 and path ~ \"^/live/\"' --limit 20 --config edge.toml",
        ),
        "shard": (
            "headrace shard --network network.toml https://vod.example.org/film/v1/seg1.m4s",
            "headrace shard --network network.toml --site oslo --view view.json"
            " https://vod.example.org/film/v1/seg1.m4s",
        ),
        "simulate": (
            "headrace simulate scenario.toml --report report.html",
            "headrace simulate --network new.toml --against old.toml --log 'access*.log'",
        ),
        "top": ("headrace top --config edge.toml", "headrace top --once --config router.toml"),
        "network check": ("headrace network check network.toml",),
        "network show": ("headrace network show network.toml",),
        "network diff": ("headrace network diff network.toml new.toml",),
        "lab up": (
            "headrace lab up",
            "headrace lab up --topology small",
            "headrace lab up --topology my-lab.toml --name mine",
        ),
        "lab status": ("headrace lab status",),
        "lab exec": (
            "headrace lab exec north-client1 -- curl -sv http://video.cdn.test/probe.mp4",
            "headrace lab exec oslo1 -- ip address",
        ),
        "lab kill": (
            "headrace lab kill oslo1:edge",
            "headrace lab kill oslo1:speaker",
            "headrace lab kill oslo1 --signal STOP",
        ),
        "lab cut": (
            "headrace lab cut oslo1",
            "headrace lab cut oslo1 --silent",
            "headrace lab cut oslo rome",
        ),
        "lab heal": ("headrace lab heal", "headrace lab heal oslo1"),
        "lab drill": (
            "headrace lab drill edge-kill --repeat 10",
            "headrace lab drill all --repeat 10 --output drills",
        ),
        "lab down": ("headrace lab down",),
        "tickets new": (
            "headrace tickets new /etc/headrace/ticket.secrets",
            "headrace tickets new --forget /etc/headrace/ticket.secrets",
        ),
        "tickets show": ("headrace tickets show /etc/headrace/ticket.secrets",),
        "feedback status": (
            "headrace feedback status --config feedback.toml",
            "headrace feedback status --watch --config feedback.toml",
        ),
        "feedback why": ("headrace feedback why oslo2 --config feedback.toml",),
        "feedback orders": ("headrace feedback orders --config feedback.toml",),
        "feedback dry-run": ("headrace feedback dry-run --config feedback.toml",),
        "feedback history": (
            "headrace feedback history --config feedback.toml",
            "headrace feedback history oslo2 --limit 10 --config feedback.toml",
        ),
        "feedback freeze": ('headrace feedback freeze --reason "roll-out" --config feedback.toml',),
        "feedback thaw": ("headrace feedback thaw --config feedback.toml",),
        "feedback want": (
            'headrace feedback want oslo2 draining --for 2h --reason "a new disk"'
            " --config feedback.toml",
            "headrace feedback want oslo2 none --config feedback.toml",
        ),
        "feedback mode": ("headrace feedback mode dry-run --config feedback.toml",),
        "vip run": ("headrace vip run --config vip.toml",),
        "vip status": (
            "headrace vip status --config vip.toml",
            "headrace vip status --check --config vip.toml",
        ),
        "vip events": ("headrace vip events 192.0.2.129 --config vip.toml",),
        "vip drain": (
            'headrace vip drain --reason "new disks" --wait 10m --config vip.toml',
            "headrace vip drain --for 2h --config vip.toml",
        ),
        "vip withdraw": ("headrace vip withdraw --config vip.toml",),
        "vip return": ("headrace vip return --wait 1m --config vip.toml",),
        "vip coverage show": ("headrace vip coverage show --config vip.toml",),
        "vip coverage diff": ("headrace vip coverage diff --config vip.toml",),
        "vip coverage approve": (
            "headrace vip coverage approve --config vip.toml",
            "headrace vip coverage approve north-oslo --change 1f2e3d4c5b6a --config vip.toml",
        ),
        "vip coverage reject": (
            "headrace vip coverage reject north-oslo --change 1f2e3d4c5b6a --config vip.toml",
        ),
        "vip plan": (
            "headrace vip plan --config vip.toml",
            "headrace vip plan --network network.toml --server oslo1",
            "headrace vip plan --network network.toml --server oslo1 --failed oslo2",
        ),
        "vip explain": (
            "headrace vip explain 192.0.2.129 --config vip.toml",
            "headrace vip explain 192.0.2.129 --network network.toml --draining oslo1",
        ),
        "vip takeover": ("headrace vip takeover --network network.toml --failed oslo1",),
    }
)
"""By a command's words."""


def examples(command: str) -> str:
    """Return the end of a command's help. Lines stand as they are, for they can be copied."""
    lines = (f"  {part}" for line in EXAMPLES[command] for part in _folded(line))
    return "\n".join(("\b", "Examples:", *lines))


def _folded(line: str) -> tuple[str, ...]:
    """Return a line as it fits a terminal, folded once where a shell continues it."""
    if len(line) <= WIDTH:
        return (line,)
    start = line[: WIDTH - 1]
    at = start.rindex(" --" if " --" in start else " ")
    return f"{line[:at]} \\", f"    {line[at + 1 :]}"
