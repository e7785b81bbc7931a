"""The feedback loop and a router beside a site of VIPs: an observer that probes the servers, asks
their edges and VIP processes, and writes the view that all go by. All of it real processes, where
the ISP's router is.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from typing import Any

from tests.harness.toml import to_toml
from tests.harness.vip_site import (
    HOST,
    PATIENCE_S,
    PROBE,
    TOKEN,
    Program,
    VipServer,
    VipSite,
    ask_admin,
)

VIEW_PORT, ROUTER_PORT, ADMIN_PORT = 8091, 8088, 9092
MANY = 40


class VipLoop:
    """`site` has been made, and not been started; `start` starts all of it."""

    def __init__(self, site: VipSite) -> None:
        self.site = site
        directory = site.directory
        self.feedback_file = directory / "feedback.toml"
        self.feedback = Program(
            site.where,
            ["feedback", "--config", str(self.feedback_file)],
            directory / "feedback.log",
        )
        self.router = Program(
            site.where,
            ["router", "--config", str(directory / "router.toml")],
            directory / "router.log",
        )

    def start(self, announce: str = 'linger = "1s"\ndrain = "5s"', more: str = "") -> None:
        """Start everything, and wait until each VIP is at its own server and all are named."""
        self.describe(announce, more)
        self._write()
        self.feedback.start()
        self.router.start()
        site = self.site
        network = {"view": None, "view_from": [f"http://10.99.1.1:{VIEW_PORT}"]}
        for server in site.servers.values():
            server.write_edge(site.pair, admin={"listen": f"{server.own}:9090", "token": TOKEN})
            server.write_vip(
                network=network,
                edge={"admin": f"http://{server.own}:9090"},
            )
            server.edge.start()
            server.vip.start()
        for server in site.servers.values():
            server.ready()
        site.settled()
        self.names(*site.servers)

    def describe(self, announce: str = "", more: str = "") -> None:
        """Write the description, with where edges and VIP processes are asked."""
        site = self.site
        site.describe(announce, more)
        text = site.network_file.read_text()
        for server in site.servers.values():
            asked = f'admin = "http://{server.own}:9090"\nvip_listener = "http://{server.own}:8093"'
            text = text.replace(
                f'host = "{server.name}.example"', f'host = "{server.name}.example"\n{asked}'
            )
        new = site.network_file.with_suffix(".new")
        new.write_text(text)
        new.replace(site.network_file)

    def want(self, name: str, wish: str, *words: str) -> None:
        """Order something at the loop."""
        done = self.headrace("want", name, wish, *words)
        assert done.returncode == 0, done

    def status(self) -> Any:
        """What the observer knows; {} while it does not answer."""
        url = f"http://127.0.0.1:{ADMIN_PORT}/feedback/status"
        return ask_admin(self.site.where, url, self.site.directory / "feedback")

    def state(self, server: VipServer) -> tuple[str, tuple[str, ...]]:
        """The state of a server, with its reasons."""
        for one in self.status().get("servers", []):
            if one["server"] == server.name:
                return one["state"], tuple(one["reasons"])
        return "", ()

    def named(self) -> set[str]:
        """The servers that new clients are sent to, of many URLs."""
        urls = [f"http://10.99.1.1:{ROUTER_PORT}/video/{number}.ts" for number in range(MANY)]
        done = subprocess.run(
            [*self.site.where.prefix, "curl", "-sS", "-m", "10", "-H", f"Host: {HOST}",
             "-o", "/dev/null", "-w", "%{redirect_url}\n", *_each(urls)],
            capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip
        return {line.partition("://")[2].partition(".")[0] for line in done.stdout.split()} - {""}

    def names(self, *numbers: int) -> None:
        """Wait until new clients are sent to these servers, and to all of them."""
        wanted = {self.site.servers[number].name for number in numbers}
        try:
            self.site.until(lambda: self.named() == wanted, f"clients are sent to {wanted}")
        except AssertionError as error:
            raise AssertionError(
                f"{error}; they are sent to {self.named()}\n{self.status()}\n"
                f"{self.feedback.log()[-4000:]}\n{self.router.log()[-2000:]}"
            ) from None

    def alarms(self) -> Collection[str]:
        """The alarms in force."""
        return [str(one) for one in self.status()["alarms"]]

    def headrace(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `headrace feedback` there."""
        config = ["--config", str(self.feedback_file)]
        return self.site.where.run_headrace(["feedback", *words, *config], PATIENCE_S)

    def _write(self) -> None:
        site, directory = self.site, self.site.directory
        token = directory / "reports.token"
        token.write_text(TOKEN + "\n")
        network = {"file": site.network_file, "secret_file": site.secret_file}
        feedback: dict[str, object] = {
            "node_id": "observer",
            "state_dir": directory / "feedback",
            "network": network,
            "listen": [{"address": f"10.99.1.1:{VIEW_PORT}"}],
            "admin": {"listen": f"127.0.0.1:{ADMIN_PORT}"},
            "probing": {"ca": site.authority.ca_file},
            "probe": [{"host": HOST, "path": PROBE}],
            "reports": {"token_file": token},
            "states": {"ramp": "0s", "successes": 2},
        }
        self.feedback_file.write_text(to_toml(feedback))
        router: dict[str, object] = {
            "node_id": "router",
            "workers": 1,
            "state_dir": directory / "requests",
            "network": {**network, "view_from": [f"http://10.99.1.1:{VIEW_PORT}"]},
            "listen": [{"address": f"10.99.1.1:{ROUTER_PORT}"}],
            "admin": {"listen": "127.0.0.1:9091"},
        }
        (directory / "router.toml").write_text(to_toml(router))


def _each(urls: list[str]) -> list[str]:
    """Return the words that let curl ask for all of these, each without its body."""
    return [word for url in urls for word in ("-o", "/dev/null", url)][2:]
